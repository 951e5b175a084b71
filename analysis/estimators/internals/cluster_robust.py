"""One linear function of a least-squares fit, with bias-reduced cluster-robust variance (CR2) and Satterthwaite df."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from seedlock.analysis.estimators.internals.units import FloatArray
from seedlock.prereg.errors import NotThisDesign, TooFewUnits

LEAST_DF = 2.0
"""Below it the interval is not to be trusted (Pustejovsky & Tipton advise against fewer than 4 or 5)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterFit:
    """An estimate with its CR2 standard error and Satterthwaite degrees of freedom."""

    estimate: float
    se: float
    df: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterDesign:
    """What CR2 needs of a design, whatever the answers are.

    Parameters
    ----------
    of_answers_N
        The estimate as a weighted sum of answers, shape (N,).
    score_CN
        Score of every cluster as a weighted sum of answers, shape (C, N): the variance is their sum of squares.
    df
        Satterthwaite's, under independent answers of one variance.
    """

    of_answers_N: FloatArray
    score_CN: FloatArray
    df: float

    def fit(self, y_N: FloatArray) -> ClusterFit:
        """The estimate from answers of shape (N,)."""
        return ClusterFit(
            estimate=math.fsum(self.of_answers_N * y_N),
            se=math.sqrt(math.fsum((self.score_CN @ y_N) ** 2)),
            df=self.df,
        )


def cluster_design(
    x_NP: FloatArray, cluster_N: NDArray[np.generic], contrast_P: FloatArray, *, inseparable: str
) -> ClusterDesign:
    """Prepare CR2 for a design.

    Parameters
    ----------
    x_NP
        Columns of the fit, shape (N, P).
    cluster_N
        Cluster of every row, shape (N,).
    contrast_P
        What is estimated, as a weighted sum of coefficients, shape (P,).
    inseparable
        What to say where the columns do not tell the coefficients apart.

    Raises
    ------
    NotThisDesign
        The columns are linearly dependent.
    TooFewUnits
        Fewer than two clusters, or fewer than 2 df.

    Notes
    -----
    Working model: independent answers of one variance. Our own, as statsmodels has neither CR2 nor its df; equal to
    R's clubSandwich. Bell & McCaffrey (2002), Survey Methodology 28, 169-181; Pustejovsky & Tipton (2018),
    https://doi.org/10.1080/07350015.2016.1247004
    """
    gram_PP = x_NP.T @ x_NP
    if np.linalg.matrix_rank(gram_PP, hermitian=True) < gram_PP.shape[0]:
        raise NotThisDesign(inseparable)
    clusters = np.unique(cluster_N)
    if len(clusters) < 2:
        raise TooFewUnits("one cluster: there is no variance between clusters")
    bread_PP = np.linalg.inv(gram_PP)
    score_CN = np.zeros((len(clusters), len(x_NP)))
    for place, cluster in enumerate(clusters):
        rows = cluster_N == cluster
        x_uP = x_NP[rows]
        b_u = _adjustment(np.eye(len(x_uP)) - x_uP @ bread_PP @ x_uP.T) @ (x_uP @ bread_PP @ contrast_P)
        score_CN[place] = -x_NP @ (bread_PP @ (x_uP.T @ b_u))
        score_CN[place, rows] += b_u
    form_CC = score_CN @ score_CN.T
    df = float(np.trace(form_CC) ** 2 / np.sum(form_CC**2))
    if not df >= LEAST_DF * (1 - 1e-9):
        raise TooFewUnits(f"CR2 leaves {df:.3g} Satterthwaite df; below {LEAST_DF:g} its interval is not to be trusted")
    return ClusterDesign(of_answers_N=x_NP @ bread_PP @ contrast_P, score_CN=score_CN, df=df)


def fit_cr2(
    x_NP: FloatArray, y_N: FloatArray, cluster_N: NDArray[np.generic], contrast_P: FloatArray, *, inseparable: str
) -> ClusterFit:
    """Least squares and CR2 in one go; parameters and refusals as for `cluster_design`, `y_N` the answers."""
    return cluster_design(x_NP, cluster_N, contrast_P, inseparable=inseparable).fit(y_N)


def _adjustment(left_over: FloatArray) -> FloatArray:
    """Symmetric inverse square root; directions that the fit absorbs entirely are left out."""
    values, vectors = np.linalg.eigh(left_over)
    kept = values > 1e-10
    return np.asarray((vectors[:, kept] / np.sqrt(values[kept])) @ vectors[:, kept].T)
