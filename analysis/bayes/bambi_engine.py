"""`--engine bambi`: the hierarchy sampled as bambi (or PyMC) states it, its draws named as the engine's own are."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from seedlock.analysis.bayes.cells import CellCounts, CellMeans, FloatArray
from seedlock.analysis.bayes.model import bambi_model, pymc_counts
from seedlock.analysis.bayes.models import Likelihood
from seedlock.analysis.bayes.priors import HierarchyPriors
from seedlock.analysis.bayes.rating_cells import CellRatings
from seedlock.analysis.bayes.sampling import Sampler, named_tree

if TYPE_CHECKING:
    import pymc as pm
    import xarray as xr

type Draws = Callable[[str], FloatArray]


def sample_bambi(
    cells: CellCounts | CellMeans | CellRatings,
    likelihood: Likelihood,
    priors: HierarchyPriors,
    sampler: Sampler,
    *,
    is_run_sd_by_level: bool,
) -> xr.DataTree:
    """Sample bambi's own form of the model (non-centred) by NUTS.

    Returns
    -------
    xarray.DataTree
        As `sampling.sample` returns it, with the same names.
    """
    model = bambi_model(cells, likelihood, priors, is_run_sd_by_level=is_run_sd_by_level)
    raw = _sampled(model.backend.model, sampler)
    read = _reader(raw)
    if isinstance(cells, CellCounts):
        named = _counts(read, raw, cells, is_run_sd_by_level=is_run_sd_by_level)
    elif isinstance(cells, CellRatings):
        named = _ratings(read, cells)
    else:
        named = _means(read, cells, is_run_sd_by_level=is_run_sd_by_level)
    if likelihood == "beta-binomial":
        named["overdispersion"] = read("kappa") ** -0.5
    if likelihood == "student-t":
        named["nu"] = read("nu")
    return named_tree(named, raw, cells.design)


def sample_centred(
    cells: CellCounts, priors: HierarchyPriors, sampler: Sampler, *, is_run_sd_by_level: bool
) -> xr.DataTree:
    """Sample the binomial hierarchy as PyMC states it, hierarchically centred: run ~ normal(level mean, run SD).

    Where units carry much information bambi's form mixes badly and this one does not (measured in `just bench`).
    """
    raw = _sampled(pymc_counts(cells, priors, is_run_sd_by_level=is_run_sd_by_level), sampler)
    read, design = _reader(raw), cells.design
    names = ["level_mean", "run_sd", "run", *(["item_sd", "item_shift"] if design.items else [])]
    named = {name: read(name) for name in names}
    if design.is_paired:
        _add_units(named, read("shared"), read("shared_sd"))
    return named_tree(named, raw, design)


def _sampled(model: pm.Model, sampler: Sampler) -> Any:
    """Compile and sample; numbers that each row of data has are left out."""
    import nutpie  # noqa: PLC0415

    wide = {name for name, dims in model.named_vars_to_dims.items() if "__obs__" in (dims or ())}
    kept = [variable.name for variable in model.unobserved_value_vars if variable.name not in wide]
    compiled = nutpie.compile_pymc_model(model, var_names=kept)
    return nutpie.sample(compiled, **sampler.options)


def _reader(raw: Any) -> Draws:
    """Draws of one variable, chains one after the other."""

    def read(name: str) -> FloatArray:
        array = raw.posterior[name].to_numpy()
        return np.ascontiguousarray(array.reshape(-1, *array.shape[2:]), dtype=np.float64)

    return read


def _counts(read: Draws, raw: Any, cells: CellCounts, *, is_run_sd_by_level: bool) -> dict[str, FloatArray]:
    """Put effects together: a run's logit is its level, unit and own effect; items are taken about their mean."""
    design = cells.design
    level_G = design.level_G
    named = {"level_mean": read("arm")}
    if design.items:
        by_level_KAI = _level_by_group(raw, "arm|item", "item")
        drift_KA = by_level_KAI.mean(axis=2)
        named["item_shift"] = by_level_KAI - drift_KA[:, :, None]
        named["item_sd"] = read("arm|item_sigma")
        named["level_mean"] = named["level_mean"] + drift_KA
    run_KG = named["level_mean"][:, level_G]
    if design.is_paired:
        unit_KS = read("1|unit")
        run_KG = run_KG + unit_KS[:, design.unit_G]
        _add_units(named, unit_KS, read("1|unit_sigma"))
    if is_run_sd_by_level:
        effect_KAG = _level_by_group(raw, "arm|run", "run")
        effect_KG, named["run_sd"] = effect_KAG[:, level_G, np.arange(design.n_groups)], read("arm|run_sigma")
    else:
        effect_KG, named["run_sd"] = read("1|run"), read("1|run_sigma")
    return named | {"run": run_KG + effect_KG}


def _add_units(named: dict[str, FloatArray], unit_KS: FloatArray, shared_sd_K: FloatArray) -> None:
    """What paired units carry through every level, about the average level."""
    average_K = named["level_mean"].mean(axis=1)
    named |= {"average": average_K, "unit_centre": average_K[:, None] + unit_KS, "shared_sd": shared_sd_K}


def _means(read: Draws, cells: CellMeans, *, is_run_sd_by_level: bool) -> dict[str, FloatArray]:
    named = {"level_mean": read("arm"), "run_sd": np.exp(read("sigma_arm")) if is_run_sd_by_level else read("sigma")}
    if cells.design.is_paired:
        _add_units(named, read("1|unit"), read("1|unit_sigma"))
    return named


def _ratings(read: Draws, cells: CellRatings) -> dict[str, FloatArray]:
    run_KG = read("1|run")
    levels = len(cells.design.levels)
    coded_KA = read("level") if levels > 1 else np.zeros((len(run_KG), 0))
    level_KA = np.concatenate([coded_KA, -coded_KA.sum(axis=1, keepdims=True)], axis=1)
    return {
        "level_mean": level_KA,
        "run_sd": read("1|run_sigma"),
        "cutpoint": read("threshold"),
        "run": level_KA[:, cells.design.level_G] + run_KG,
    }


def _level_by_group(raw: Any, name: str, group: str) -> FloatArray:
    """Effects of a term by level, shape (K, A, groups)."""
    array = raw.posterior[name].transpose("chain", "draw", "arm__expr_dim", f"{group}__factor_dim").to_numpy()
    return np.ascontiguousarray(array.reshape(-1, *array.shape[2:]), dtype=np.float64)
