"""Means of what a judge said, corrected by right answers to a random part of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from seedlock.analysis.estimators.internals.units import FloatArray
from seedlock.prereg.errors import EmptyCell


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """Completions of one run that a judge scored and that have a right answer, drawn at random from all it scored.

    Parameters
    ----------
    judged_L, gold_L
        The judge's score and the right one, shape (L,), in the measure's unit.
    weight_L
        Weight of each in the mean over the run, positive, shape (L,); equal where every item has as many answers.
    """

    judged_L: FloatArray
    gold_L: FloatArray
    weight_L: FloatArray

    def parts(self) -> FloatArray:
        """Weights that sum to 1, shape (L,)."""
        return np.asarray(self.weight_L / self.weight_L.sum())


def judge_weight(others: Sequence[Labelled]) -> float:
    """How much of the judge's word is worth taking: 1 for one that is right but for a shift, 0 for one that guesses.

    Parameters
    ----------
    others
        Right answers of runs other than the one that is corrected, so that its mean stays without bias.

    Returns
    -------
    float
        Covariance of right and judged scores over the variance of the judged ones, both within runs, from 0 to 1; 1
        where the judge's scores do not differ within any run.

    Notes
    -----
    The weight that makes the corrected mean least variable where the labels are part of what is averaged; the lambda of
    PPI++, Angelopoulos, Duchi and Zrnic (2023), https://doi.org/10.48550/arXiv.2311.01453, times N / (N - n).
    """
    covariance = variance = 0.0
    for run in others:
        part_L = run.parts()
        judged_L, gold_L = run.judged_L - part_L @ run.judged_L, run.gold_L - part_L @ run.gold_L
        each_L = part_L * len(part_L)
        covariance += float(each_L @ (judged_L * gold_L))
        variance += float(each_L @ judged_L**2)
    return min(1.0, max(0.0, covariance / variance)) if variance > 0 else 1.0


def rectifier(labelled: Labelled, *, weight: float) -> float:
    """What to add to `weight` times the judge's mean over a whole run, so that it is the mean of the right scores.

    Parameters
    ----------
    weight
        From `judge_weight`; any number that this run's own labels had no part in leaves the sum without bias.

    Returns
    -------
    float
        The sum may lie beyond the ends of the measure's scale, as a correction without bias sometimes must.

    Raises
    ------
    EmptyCell
        The run has no right answer.

    Notes
    -----
    Angelopoulos, Bates, Fannjiang, Jordan and Zrnic (2023), https://doi.org/10.1126/science.adi6000. The run, not the
    completion, is the replicate: what is made of these means is a t interval over runs, which therefore carries the
    error of the labels, and whatever the judge's error differs by between runs.
    """
    if not len(labelled.gold_L):
        raise EmptyCell("a run has no right answer to correct its judge by")
    return float(labelled.parts() @ (labelled.gold_L - weight * labelled.judged_L))
