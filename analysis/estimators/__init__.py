"""The tests a plan can name: one file each, one line here."""

from __future__ import annotations

from seedlock.analysis.estimators.brunner_munzel import brunner_munzel
from seedlock.analysis.estimators.clopper_pearson import clopper_pearson
from seedlock.analysis.estimators.clustered_t import clustered_t
from seedlock.analysis.estimators.cr2 import cr2
from seedlock.analysis.estimators.crossed import crossed
from seedlock.analysis.estimators.fieller import fieller
from seedlock.analysis.estimators.internals.sample import Estimator
from seedlock.analysis.estimators.jeffreys import jeffreys
from seedlock.analysis.estimators.newcombe import newcombe
from seedlock.analysis.estimators.newcombe_paired import newcombe_paired
from seedlock.analysis.estimators.one_sample_t import one_sample_t
from seedlock.analysis.estimators.paired_t import paired_t
from seedlock.analysis.estimators.permutation import permutation
from seedlock.analysis.estimators.pooled_t import pooled_t
from seedlock.analysis.estimators.rank_among import rank_among
from seedlock.analysis.estimators.sign_flip import sign_flip
from seedlock.analysis.estimators.welch_t import welch_t
from seedlock.analysis.estimators.wild_cluster import wild_cluster
from seedlock.analysis.estimators.wilson import wilson

ESTIMATORS: dict[str, Estimator] = {
    "brunner_munzel": brunner_munzel,
    "clopper_pearson": clopper_pearson,
    "clustered_t": clustered_t,
    "cr2": cr2,
    "crossed": crossed,
    "fieller": fieller,
    "jeffreys": jeffreys,
    "newcombe": newcombe,
    "newcombe_paired": newcombe_paired,
    "one_sample_t": one_sample_t,
    "paired_t": paired_t,
    "permutation": permutation,
    "pooled_t": pooled_t,
    "rank_among": rank_among,
    "sign_flip": sign_flip,
    "welch_t": welch_t,
    "wild_cluster": wild_cluster,
    "wilson": wilson,
}
