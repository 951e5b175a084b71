"""A hierarchy ready to sample: log density over free numbers, and the way back to named parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from seedlock.analysis.bayes.cells import CellCounts, CellMeans, Design, FloatArray, IntArray
from seedlock.analysis.bayes.counts_density import counts_density
from seedlock.analysis.bayes.means_density import gaussian_density, student_density
from seedlock.analysis.bayes.pieces import EXPONENTIAL, HALF_NORMAL, HALF_T
from seedlock.analysis.bayes.priors import Family, HierarchyPriors, Prior
from seedlock.analysis.bayes.sketch import sketch, sketch_items

_CODES: Mapping[Family, int] = {
    "half-normal": HALF_NORMAL,
    "half-t": HALF_T,
    "half-cauchy": HALF_T,
    "exponential": EXPONENTIAL,
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Problem:
    """What the sampler is given.

    Parameters
    ----------
    log_density
        Free vector, shape (D,) -> log density (up to a constant) and its gradient.
    start_D
        A sensible free vector; chains start around it.
    unpack
        Free draws, shape (K, D) -> named parameters, first axis K.
    """

    log_density: Callable[[FloatArray], tuple[float, FloatArray]]
    start_D: FloatArray
    unpack: Callable[[FloatArray], dict[str, FloatArray]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Where each block of the free vector lies, in the order the compiled densities read it."""

    slices: Mapping[str, slice]
    size: int

    @classmethod
    def of(cls, **sizes: int) -> Layout:
        """Lay blocks end to end; a block of size 0 is absent."""
        slices, at = {}, 0
        for name, size in sizes.items():
            if size:
                slices[name] = slice(at, at + size)
            at += size
        return cls(slices=slices, size=at)


def counts_problem(
    cells: CellCounts,
    priors: HierarchyPriors,
    *,
    is_informed: bool,
    is_overdispersed: bool = False,
    is_run_sd_by_level: bool = False,
) -> Problem:
    """Prepare the hierarchy of counts; `is_informed=False` is the non-centred geometry."""
    design, about, about_items = cells.design, sketch(cells), sketch_items(cells)
    levels, items = len(design.levels), len(design.items)
    n_units, n_run_sds = _sizes(design, is_run_sd_by_level)
    heed = 1.0 if is_informed else 1e-9
    information_G, item_information_A = heed * about.information_G, heed * about_items.information_A
    layout = Layout.of(
        level_mean=levels,
        run_sd=n_run_sds,
        shared_sd=int(n_units > 0),
        item_sd=levels if items else 0,
        overdispersion=int(is_overdispersed),
        item=levels * (items - 1) if items else 0,
        unit=n_units,
        run=design.n_groups,
    )
    prior = prior_arrays(priors.run_sd, priors.shared_sd, priors.item_sd, priors.overdispersion)
    data = (cells.k_GI.astype(np.float64), cells.n_GI.astype(np.float64), design.level_G, about.logit_G, information_G)
    of_items = (about_items.shift_AJ, item_information_A)
    about_level = (priors.level_mean.centre, priors.level_mean.scale, n_units, n_run_sds)
    given: tuple[Any, ...] = (*data, *of_items, *prior, *about_level, items > 0, is_overdispersed)

    def log_density(x_D: FloatArray) -> tuple[float, FloatArray]:
        grad_D = np.empty_like(x_D)
        return counts_density(x_D, grad_D, *given), grad_D

    def unpack(x_KD: FloatArray) -> dict[str, FloatArray]:
        part = _level_part(x_KD, layout, design)
        if items:
            z_KAJ = x_KD[:, layout.slices["item"]].reshape(len(x_KD), levels, items - 1)
            item_sd_KA1, information_A1 = part["item_sd"][:, :, None], item_information_A[:, None]
            free_KAJ = _informed(0.0, item_sd_KA1, about_items.shift_AJ, information_A1, z_KAJ)
            part["item_shift"] = _zero_sum(free_KAJ)
        run_sd_KG = _by_group(part["run_sd"], design)
        centre_KG = part["level_mean"][:, design.level_G]
        if n_units:
            weight_KG = 1.0 / (run_sd_KG**2 + 1.0 / information_G)
            departure_KG = centre_KG - part["average"][:, None]
            unit_KG = _units(x_KD[:, layout.slices["unit"]], part, design, weight_KG, about.logit_G)
            part["unit_centre"], centre_KG = unit_KG[:, :n_units], departure_KG + unit_KG
        part["run"] = _informed(centre_KG, run_sd_KG, about.logit_G, information_G, x_KD[:, layout.slices["run"]])
        return part

    start_D = np.zeros(layout.size)
    start_D[layout.slices["level_mean"]] = _level_starts(design, about.logit_G)
    start_D[layout.slices["run_sd"].start : layout.slices.get("item", layout.slices["run"]).start] = np.log(0.5)
    return Problem(log_density=log_density, start_D=start_D, unpack=unpack)


def means_problem(
    cells: CellMeans, priors: HierarchyPriors, *, is_heavy_tailed: bool = False, is_run_sd_by_level: bool = False
) -> Problem:
    """Prepare the hierarchy of unit means: normal units are integrated out, Student-t ones are not."""
    design = cells.design
    n_units, n_run_sds = _sizes(design, is_run_sd_by_level)
    has_residual = cells.n_G is not None
    layout = Layout.of(
        level_mean=len(design.levels),
        run_sd=n_run_sds,
        shared_sd=int(n_units > 0),
        residual_sd=int(has_residual and not is_heavy_tailed),
        nu=int(is_heavy_tailed),
        unit=n_units if is_heavy_tailed else 0,
    )
    prior = prior_arrays(priors.run_sd, priors.shared_sd, priors.residual_sd)
    about_level = (priors.level_mean.centre, priors.level_mean.scale, n_units, n_run_sds)
    known_G = np.zeros(design.n_groups) if cells.se_G is None else cells.se_G**2
    n_G = np.ones(design.n_groups) if cells.n_G is None else cells.n_G.astype(np.float64)
    df = float((n_G - 1.0).sum()) if has_residual else 0.0
    squares = float(((n_G - 1.0) * cells.sd_G**2).sum()) if cells.sd_G is not None else 0.0
    noise = () if is_heavy_tailed else (known_G, n_G, df, squares)
    given: tuple[Any, ...] = (cells.mean_G, design.level_G, *noise, *prior, *about_level)
    given = given if is_heavy_tailed else (*given, has_residual)

    def log_density(x_D: FloatArray) -> tuple[float, FloatArray]:
        grad_D = np.empty_like(x_D)
        if is_heavy_tailed:
            return student_density(x_D, grad_D, *given), grad_D
        return gaussian_density(x_D, grad_D, *given), grad_D

    def unpack(x_KD: FloatArray) -> dict[str, FloatArray]:
        part = _level_part(x_KD, layout, design)
        if is_heavy_tailed:
            part["nu"] = 2.0 + np.exp(x_KD[:, layout.slices["nu"].start])
        if is_heavy_tailed and n_units:
            weight_KG = _by_group(part["run_sd"], design) ** -2.0
            part["unit_centre"] = _units(x_KD[:, layout.slices["unit"]], part, design, weight_KG, cells.mean_G)[
                :, :n_units
            ]
        return part

    start_D = np.zeros(layout.size)
    start_D[layout.slices["level_mean"]] = _level_starts(design, cells.mean_G)
    sds = slice(layout.slices["run_sd"].start, layout.slices.get("nu", slice(layout.size, None)).start)
    start_D[sds] = np.log(0.5 * priors.run_sd.scale)
    return Problem(log_density=log_density, start_D=start_D, unpack=unpack)


def coordinates(design: Design) -> dict[str, list[str]]:
    """Name the axes of a design."""
    groups = [f"{design.levels[a]} / {design.units[u]}" for a, u in zip(design.level_G, design.unit_G, strict=True)]
    return {
        "level": list(design.levels),
        "group": groups,
        "unit": list(design.units),
        "item": list(design.items),
    }


def _sizes(design: Design, is_run_sd_by_level: bool) -> tuple[int, int]:
    return len(design.units) if design.is_paired else 0, len(design.levels) if is_run_sd_by_level else 1


def prior_arrays(*priors: Prior) -> tuple[IntArray, FloatArray, FloatArray]:
    """Families, scales and degrees of freedom, as the compiled densities read them."""
    return (
        np.array([_CODES[prior.family] for prior in priors], dtype=np.int64),
        np.array([prior.scale for prior in priors]),
        np.array([1.0 if prior.df is None else prior.df for prior in priors]),
    )


def _level_part(x_KD: FloatArray, layout: Layout, design: Design) -> dict[str, FloatArray]:
    """Level means and standard deviations."""
    part: dict[str, FloatArray] = {}
    head_KA = x_KD[:, layout.slices["level_mean"]]
    if design.is_paired:
        part["average"] = head_KA[:, 0]
        part["level_mean"] = head_KA[:, :1] + _zero_sum(head_KA[:, 1:])
    else:
        part["level_mean"] = head_KA
    for name in ("run_sd", "shared_sd", "item_sd", "overdispersion", "residual_sd"):
        if name in layout.slices:
            sd = np.exp(x_KD[:, layout.slices[name]])
            part[name] = sd if name == "item_sd" or sd.shape[1] > 1 else sd[:, 0]
    return part


def _by_group(run_sd: FloatArray, design: Design) -> FloatArray:
    """Spread one run SD, or one a level, over groups."""
    if run_sd.ndim == 1:
        return np.repeat(run_sd[:, None], design.n_groups, axis=1)
    return run_sd[:, design.level_G]


def _units(
    z_KS: FloatArray, part: Mapping[str, FloatArray], design: Design, weight_KG: FloatArray, estimate_G: FloatArray
) -> FloatArray:
    """Centre of each paired unit, repeated for every level, shape (K, G)."""
    levels, units = len(design.levels), len(design.units)
    departure_KG = (part["level_mean"] - part["average"][:, None])[:, design.level_G]
    weight_KAS = weight_KG.reshape(-1, levels, units)
    pull_KAS = (weight_KG * (estimate_G - departure_KG)).reshape(-1, levels, units)
    share_KS = weight_KAS.sum(axis=1)
    average_K1, shared_K1 = part["average"][:, None], part["shared_sd"][:, None]
    estimate_KS = pull_KAS.sum(axis=1) / share_KS
    unit_KS = _informed(average_K1, shared_K1, estimate_KS, share_KS, z_KS)
    return np.tile(unit_KS, (1, levels))


def _informed(mean: Any, sd: Any, estimate: Any, information: Any, z: FloatArray) -> FloatArray:
    """`pieces.informed`, over arrays."""
    c = 1.0 + information * sd**2
    return np.asarray(mean + sd * (sd * information * (estimate - mean) / c + z / np.sqrt(c)))


def _zero_sum(y: FloatArray) -> FloatArray:
    """`pieces.zero_sum`, over the last axis."""
    n = y.shape[-1] + 1
    total = y.sum(axis=-1, keepdims=True)
    return np.concatenate([y - total / (np.sqrt(n) + n), -total / np.sqrt(n)], axis=-1)


def _level_starts(design: Design, estimate_G: FloatArray) -> FloatArray:
    """Level averages, or their average and zeros where units are paired."""
    mean_A = np.array([estimate_G[design.level_G == a].mean() for a in range(len(design.levels))])
    if design.is_paired:
        return np.concatenate([[mean_A.mean()], np.zeros(len(mean_A) - 1)])
    return mean_A
