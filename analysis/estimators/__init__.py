"""The tests a plan can name: one file each, one line here."""

from __future__ import annotations

from analysis.estimators.clopper_pearson import clopper_pearson
from analysis.estimators.clustered_t import clustered_t
from analysis.estimators.jeffreys import jeffreys
from analysis.estimators.one_sample_t import one_sample_t
from analysis.estimators.paired_t import paired_t
from analysis.estimators.pooled_t import pooled_t
from analysis.estimators.welch_t import welch_t
from analysis.estimators.wilson import wilson
from analysis.sample import Estimator

ESTIMATORS: dict[str, Estimator] = {
    "clopper_pearson": clopper_pearson,
    "clustered_t": clustered_t,
    "jeffreys": jeffreys,
    "one_sample_t": one_sample_t,
    "paired_t": paired_t,
    "pooled_t": pooled_t,
    "welch_t": welch_t,
    "wilson": wilson,
}
