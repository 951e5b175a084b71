"""Unit means as they would be had every verdict been right: a judge's means corrected by its gold labels."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from seedlock.analysis.estimators.internals.prediction_powered import Labelled, judge_weight, rectifier
from seedlock.analysis.estimators.internals.sample import Level, Sample
from seedlock.analysis.inference.select import Fill, fill_of
from seedlock.prereg.errors import EmptyCell, Finding, NotThisDesign

type RunAt = tuple[str, str, str]
"""Level, unit and run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Corrected:
    """A sample of corrected unit means, and what went into them.

    Parameters
    ----------
    sample
        Unit means only: what is left of counts, items and clusters would be the judge's own.
    weights
        (level, unit) -> the weight that the judge's word had there.
    labels
        Level -> labels used.
    """

    sample: Sample
    weights: Mapping[tuple[str, str], float]
    labels: Mapping[str, int]


def corrected_sample(
    sample: Sample,
    chosen: pd.DataFrame,
    gold: pd.DataFrame,
    *,
    missing_as: Fill | None = None,
    weight: float | None = None,
) -> Corrected:
    """Correct every unit mean of a sample by the gold labels of the unit's own runs.

    Parameters
    ----------
    sample
        From `build_sample`: the judge's means.
    chosen
        The cells it was built from, with `level`, `unit_label`, `run_id`, `item_id`, `n_scored` and `mean`.
    gold
        One row a label: `run_id`, `item_id`, `judged` (the judge's score), `gold` (the right one, NaN where it was
        asked for and never came).
    missing_as
        Level -> score that labels which never came are given; None leaves them out.
    weight
        What the judge's word counts, for every unit; by `judge_weight`, from the labels of all other units, for None.

    Raises
    ------
    EmptyCell
        A run of the sample has no label; every such run is named.
    NotThisDesign
        Units are no runs: a label speaks of its run.
    """
    cells = chosen[chosen["mean"].notna()]
    if cells.groupby("run_id")["unit_label"].nunique().max() > 1:
        raise NotThisDesign("gold labels correct the means of runs, and the units here are not made of runs")
    by_run = _by_run(cells, gold, missing_as)
    _require_labels(cells, by_run)
    size = cells.groupby(["level", "unit_label", "run_id"]).size()
    levels, weights = [], {}
    for level in sample.levels:
        means = {}
        for unit, judged_mean in level.unit_means.items():
            own = {key: labelled for key, labelled in by_run.items() if key[:2] == (level.name, unit)}
            others = [labelled for key, labelled in by_run.items() if key not in own]
            counts = judge_weight(others) if weight is None else weight
            cells_of = {key: int(size.loc[key]) for key in own}
            means[unit] = counts * judged_mean + math.fsum(
                cells_of[key] / sum(cells_of.values()) * rectifier(labelled, weight=counts)
                for key, labelled in own.items()
            )
            weights[level.name, unit] = counts
        levels.append(
            Level(name=level.name, weight=level.weight, unit_means=means, n_runs=level.n_runs, unit_x=level.unit_x)
        )
    ends = (0.0, 1.0) if sample.is_proportion else sample.limits
    labels = {
        level.name: sum(len(found.gold_L) for key, found in by_run.items() if key[0] == level.name)
        for level in sample.levels
    }
    only_means = replace(sample, levels=tuple(levels), is_proportion=False, limits=ends)
    return Corrected(sample=only_means, weights=weights, labels=labels)


def labels_of(cells: pd.DataFrame, gold: pd.DataFrame) -> pd.DataFrame:
    """The labels of some cells, with `level`, `unit_label` and `weight` beside each; an item weighs what it weighs."""
    place = cells[["run_id", "item_id", "level", "unit_label", "n_scored"]]
    found = gold.merge(place, on=["run_id", "item_id"], how="inner", validate="many_to_one")
    return found.assign(weight=1.0 / found["n_scored"].astype(float))


def _by_run(cells: pd.DataFrame, gold: pd.DataFrame, missing_as: Fill | None) -> dict[RunAt, Labelled]:
    found = labels_of(cells, gold)
    if missing_as is not None:
        fills = [fill_of(rows["unit_label"], missing_as[str(level)]) for level, rows in found.groupby("level")]
        found = found.assign(gold=found["gold"].fillna(pd.concat(fills)))
    known = found[found["gold"].notna()]
    return {
        (str(level), str(unit), str(run)): Labelled(
            judged_L=rows["judged"].to_numpy(np.float64),
            gold_L=rows["gold"].to_numpy(np.float64),
            weight_L=rows["weight"].to_numpy(np.float64),
        )
        for (level, unit, run), rows in known.groupby(["level", "unit_label", "run_id"], sort=True)
    }


def _require_labels(cells: pd.DataFrame, by_run: Mapping[RunAt, Labelled]) -> None:
    faults = list(_unlabelled(cells, by_run))
    if faults:
        raise EmptyCell(f"{len(faults)} run(s) have no gold label to correct their judge by", *faults)


def _unlabelled(cells: pd.DataFrame, by_run: Mapping[RunAt, Labelled]) -> Iterator[Finding]:
    for (level, unit, run), _ in cells.groupby(["level", "unit_label", "run_id"], sort=True):
        if (str(level), str(unit), str(run)) not in by_run:
            yield Finding(where=f"run {run}", found="no gold label", promised=f"a label of {level}, {unit}")
