"""Keep a posterior beside the report: one netCDF file of draws a fit, the same bytes for the same draws; no pickle."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from analysis.bayes.cells import FloatArray
from analysis.bayes.hierarchy import HierarchyFit

if TYPE_CHECKING:
    import xarray as xr

MOST_BYTES = 12_000_000
"""For all parameters with an item axis together; beyond it only every so-manieth draw of them is kept."""


def save_draws(
    fit: HierarchyFit, path: Path, *, about: Mapping[str, str], log_likelihood_KU: FloatArray | None = None
) -> None:
    """Write posterior, sampler statistics, response scale and unit likelihoods of a fit.

    Parameters
    ----------
    fit
        The fit; one that failed its gates is worth keeping too.
    path
        A file ending in `.nc`: netCDF 3 with 64-bit offsets, which `xarray.open_dataset` and R's ncdf4 read.
    about
        Text for the file's attributes.
    log_likelihood_KU
        Kept as `log_likelihood`, over all draws or evenly thinned ones.

    Notes
    -----
    Parameters with an item axis are single precision, over the axis `some_draw`: every so-manieth draw of each
    chain, as the file's attribute `every_nth_draw_of_items` says. Everything else is whole.
    """
    import xarray as xr  # noqa: PLC0415 - a second of start-up that only a Bayesian analysis should pay

    posterior = fit.tree.posterior
    with_items = [name for name, array in posterior.data_vars.items() if "item" in array.dims]
    size = sum(posterior[name].size for name in with_items) * 4
    every = max(1, -(-size // MOST_BYTES))
    found: dict[str, xr.DataArray] = {}
    for name, array in posterior.data_vars.items():
        if name in with_items:
            thin = array.isel(draw=slice(None, None, every)).rename(draw="some_draw").drop_vars("some_draw")
            found[str(name)] = thin.astype(np.float32)
        else:
            found[str(name)] = array.astype(np.float64)
    found |= {f"sampler_{name}": _plain(array) for name, array in fit.tree.sample_stats.data_vars.items()}
    chains, draws = fit.sampler.chains, fit.sampler.draws
    level_CKA = fit.response.level_mean_KA.reshape(chains, draws, -1)
    found["response"] = xr.DataArray(level_CKA, dims=("chain", "draw", "level"))
    if log_likelihood_KU is not None:
        by_chain = log_likelihood_KU.reshape(chains, -1, log_likelihood_KU.shape[1])
        axis = "draw" if by_chain.shape[1] == draws else "draw_of_likelihood"
        found["log_likelihood"] = xr.DataArray(by_chain, dims=("chain", axis, "left_out"))
    attributes = {**about, "every_nth_draw_of_items": every} if with_items else dict(about)
    coordinates = {"level": list(fit.design.levels)}
    kept = xr.Dataset(dict(sorted(found.items())), coords=coordinates, attrs=dict(sorted(attributes.items())))
    kept.to_netcdf(path, engine="scipy", format="NETCDF3_64BIT")


def _plain(array: xr.DataArray) -> xr.DataArray:
    """A sampler statistic in a type that netCDF 3 has."""
    return array.astype(np.int32) if array.dtype.kind in "biu" else array.astype(np.float64)
