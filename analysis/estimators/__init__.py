"""The tests a plan can name: one file each, one line here. Second opinions are shown in this order."""

from __future__ import annotations

from seedlock.analysis.estimators import (
    brunner_munzel,
    clopper_pearson,
    clustered_t,
    cr2,
    crossed,
    fieller,
    jeffreys,
    logit_t,
    newcombe,
    newcombe_paired,
    one_sample_t,
    paired_logit_t,
    paired_t,
    permutation,
    pooled_t,
    rank_among,
    sign_flip,
    welch_t,
    wild_cluster,
    wilson,
)
from seedlock.analysis.estimators.internals.estimator import Estimator

ESTIMATORS: dict[str, Estimator] = {
    "one_sample_t": one_sample_t.ESTIMATOR,
    "pooled_t": pooled_t.ESTIMATOR,
    "welch_t": welch_t.ESTIMATOR,
    "paired_t": paired_t.ESTIMATOR,
    "logit_t": logit_t.ESTIMATOR,
    "paired_logit_t": paired_logit_t.ESTIMATOR,
    "clustered_t": clustered_t.ESTIMATOR,
    "cr2": cr2.ESTIMATOR,
    "crossed": crossed.ESTIMATOR,
    "wild_cluster": wild_cluster.ESTIMATOR,
    "permutation": permutation.ESTIMATOR,
    "sign_flip": sign_flip.ESTIMATOR,
    "brunner_munzel": brunner_munzel.ESTIMATOR,
    "rank_among": rank_among.ESTIMATOR,
    "fieller": fieller.ESTIMATOR,
    "wilson": wilson.ESTIMATOR,
    "jeffreys": jeffreys.ESTIMATOR,
    "clopper_pearson": clopper_pearson.ESTIMATOR,
    "newcombe": newcombe.ESTIMATOR,
    "newcombe_paired": newcombe_paired.ESTIMATOR,
}
