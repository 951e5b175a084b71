"""Keep a posterior beside the report: one netCDF file of draws a fit, the same bytes for the same draws; no pickle."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from seedlock.analysis.bayes.cells import FloatArray
from seedlock.analysis.bayes.hierarchy import HierarchyFit

if TYPE_CHECKING:
    import xarray as xr

MOST_DRAWS = 500
"""Of parameters with one value a run, unit or item, and of likelihoods: beyond it only every so-manieth is kept."""
MOST_BYTES = 1_000_000
"""For all of those together."""
_OF_THE_WHOLE = frozenset({"chain", "draw", "level"})
_CHECKED = ("diverging", "energy")
_STEPS = 65_534
_FINE = 500


def save_draws(
    fit: HierarchyFit, path: Path, *, about: Mapping[str, str], log_likelihood_KU: FloatArray | None = None
) -> None:
    """Write posterior, response scale, unit likelihoods, and the sampler statistics that the gates read, of a fit.

    Parameters
    ----------
    fit
        The fit; one that failed its gates is worth keeping too.
    path
        A file ending in `.nc`: netCDF 3 with 64-bit offsets, which `xarray.open_dataset` and R's ncdf4 read.
    about
        Text for the file's attributes.
    log_likelihood_KU
        Kept as `log_likelihood`, thinned like a parameter of the units.

    Notes
    -----
    Every draw of what the report's numbers are made of is kept: parameters of the whole and of a level, and the
    response. Parameters with one value a run, unit or item have the axis `some_draw`: every so-manieth draw of each
    chain, as the attribute `every_nth_draw` of each says. Numbers are packed as 16-bit integers by the CF
    conventions (`scale_factor`, `add_offset`) in steps of at most a 500th of the stretch that holds nine draws of
    ten, well below the Monte Carlo error of their mean; what a few far draws stretch beyond is single precision.
    """
    import xarray as xr  # noqa: PLC0415 - a second of start-up that only a Bayesian analysis should pay

    chains, draws = fit.sampler.chains, fit.sampler.draws
    posterior = {str(name): array for name, array in fit.tree.posterior.data_vars.items()}
    level_CKA = fit.response.level_mean_KA.reshape(chains, draws, -1)
    posterior["response"] = xr.DataArray(level_CKA, dims=("chain", "draw", "level"))
    whole = {name: array for name, array in posterior.items() if _OF_THE_WHOLE.issuperset(array.dims)}
    single = {name: array for name, array in posterior.items() if name not in whole}
    if log_likelihood_KU is not None:
        by_chain = log_likelihood_KU.reshape(chains, -1, log_likelihood_KU.shape[1])
        single["log_likelihood"] = xr.DataArray(by_chain, dims=("chain", "draw", "left_out"))
    statistics = fit.tree.sample_stats.data_vars
    found = {**whole, **_thinned(single, draws), **{f"sampler_{name}": statistics[name] for name in _CHECKED}}
    kept = xr.Dataset(
        {name: _plain(found[name]) for name in sorted(found)},
        coords={"level": list(fit.design.levels)},
        attrs=dict(sorted(about.items())),
    )
    packing = {str(name): packed for name, array in kept.data_vars.items() if (packed := _packing(array))}
    kept.to_netcdf(path, engine="scipy", format="NETCDF3_64BIT", encoding=packing)


def _thinned(single: Mapping[str, xr.DataArray], draws: int) -> dict[str, xr.DataArray]:
    """Evenly spaced draws of parameters with one value a run, unit or item.

    A likelihood may come over fewer draws than the fit has; each array is thinned to about as many as the others.
    """
    size = 2 * sum(array.size for array in single.values())
    found = {}
    for name, array in single.items():
        n_chains, n_draws = array.sizes["chain"], array.sizes["draw"]
        wanted = max(-(-n_chains * n_draws // MOST_DRAWS), -(-size * n_draws // (MOST_BYTES * draws)))
        thin = array.isel(draw=slice(None, None, wanted)).drop_vars("draw", errors="ignore")
        axis = "some_draw" if n_draws == draws else "some_draw_of_likelihood"
        found[name] = thin.rename(draw=axis).assign_attrs(every_nth_draw=wanted)
    return found


def _plain(array: xr.DataArray) -> xr.DataArray:
    """An array in a type that netCDF 3 has."""
    plain = array.astype(np.int8 if array.dtype.kind == "b" else np.float32)
    return plain.assign_attrs(array.attrs)


def _packing(array: xr.DataArray) -> dict[str, object] | None:
    """How to pack an array into 16-bit integers; None where that would blur it."""
    if array.dtype.kind != "f" or not bool(np.isfinite(array).all()):
        return None
    low, high = float(array.min()), float(array.max())
    step = (high - low) / _STEPS
    below, above = (float(q) for q in np.quantile(array, [0.05, 0.95]))
    if step == 0 or step > (above - below) / _FINE:
        return None
    return {"dtype": "int16", "scale_factor": step, "add_offset": (low + high) / 2, "_FillValue": -32_768}
