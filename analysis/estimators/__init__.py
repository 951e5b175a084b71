"""The tests a plan can name: one file each, one line here."""

from __future__ import annotations

from analysis.estimators.brunner_munzel import brunner_munzel
from analysis.estimators.clopper_pearson import clopper_pearson
from analysis.estimators.clustered_t import clustered_t
from analysis.estimators.cr2 import cr2
from analysis.estimators.crossed import crossed
from analysis.estimators.fieller import fieller
from analysis.estimators.jeffreys import jeffreys
from analysis.estimators.newcombe import newcombe
from analysis.estimators.newcombe_paired import newcombe_paired
from analysis.estimators.one_sample_t import one_sample_t
from analysis.estimators.paired_t import paired_t
from analysis.estimators.permutation import permutation
from analysis.estimators.pooled_t import pooled_t
from analysis.estimators.rank_among import rank_among
from analysis.estimators.sign_flip import sign_flip
from analysis.estimators.welch_t import welch_t
from analysis.estimators.wild_cluster import wild_cluster
from analysis.estimators.wilson import wilson
from analysis.sample import Estimator

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
