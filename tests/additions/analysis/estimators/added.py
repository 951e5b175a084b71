"""One test more: the pooled t under a name of its own."""

from __future__ import annotations

from dataclasses import replace

from seedlock.analysis.estimators.internals.estimator import Estimator, Source
from seedlock.analysis.estimators.internals.sample import Estimate, Sample
from seedlock.analysis.estimators.pooled_t import pooled_t, pooled_t_in_many


def added(sample: Sample, *, level: float, edges: tuple[float, ...]) -> Estimate:
    """Estimate as `pooled_t` does."""
    return replace(pooled_t(sample, level=level, edges=edges), ci_method="the added method")


ESTIMATOR = Estimator(
    run=added,
    family="t on unit means",
    says="a method that nobody knew before",
    source=(Source(text="Nobody (2026), Annals of Additions", doi="10.1000/added"),),
    simulate=pooled_t_in_many,
)
