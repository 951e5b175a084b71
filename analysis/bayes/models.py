"""Words a plan may give as `bayes`, and the hierarchy each stands for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

type Likelihood = Literal["binomial", "beta-binomial", "gaussian", "student-t", "cumulative-logit"]
type Engine = Literal["seedlock", "bambi"]
"""What samples: the compiled densities of this package, or the model as bambi (or PyMC) states it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One word of a plan.

    Parameters
    ----------
    of_counts, of_means
        Likelihood where answers were counted, and where only a mean a unit is known; None where it has none.
    of_ratings
        Likelihood where every answer is a score on a short scale; such a model reads ratings, not their means.
    is_crossed
        Units are crossed with items: every unit x item is a cell, and items differ by level.
    """

    of_counts: Likelihood | None
    of_means: Likelihood | None
    is_crossed: bool = False
    of_ratings: Likelihood | None = None


MODELS: Mapping[str, Model] = {
    "seed_hierarchy": Model(of_counts="binomial", of_means="gaussian"),
    "seed_hierarchy_items": Model(of_counts="binomial", of_means=None, is_crossed=True),
    "seed_hierarchy_overdispersed": Model(of_counts="beta-binomial", of_means=None, is_crossed=True),
    "seed_hierarchy_heavy_tails": Model(of_counts=None, of_means="student-t"),
    "seed_hierarchy_ratings": Model(of_counts=None, of_means=None, of_ratings="cumulative-logit"),
}
