"""The framing is there and on one scale: a classifier tells the poles apart, and puts neutral in the middle.

TF-IDF of words and word pairs, logistic regression, scored on topics that it was not fitted on.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import Pipeline, make_pipeline

from seedlock.training.checks.result import MAX_OFFENDERS, CheckInput, CheckResult, Offender
from seedlock.training.rows.recipe import Poles
from seedlock.training.rows.row import Row

LIMITS = {"framing_auc": 0.9, "framing_neutral_gap": 0.15}
FOLDS = 5


def check(given: CheckInput) -> Sequence[CheckResult]:
    """Cross-validated AUC between the poles, and how far neutral rows lie from 0.5 on average."""
    poles = given.corpus.settings.poles_of_framing()
    if poles is None or not {poles.low, poles.high} <= set(given.corpus.variants):
        return []
    rows = [*given.corpus.of_variant(poles.low), *given.corpus.of_variant(poles.high)]
    is_high_R = np.array([row.variant == poles.high for row in rows])
    topics = sorted({row.topic for row in rows})
    folds = min(FOLDS, len(topics))
    if folds < 2 or min(is_high_R.sum(), (~is_high_R).sum()) < folds:
        return [_result(given, "framing_auc", None, note="needs two topics and five rows a pole")]
    p_high_R = _held_out(rows, is_high_R, folds)
    auc = float(roc_auc_score(is_high_R, p_high_R))
    wrong = np.flatnonzero((p_high_R > 0.5) != is_high_R)
    return [
        _result(given, "framing_auc", auc, rows=[rows[i] for i in wrong], p_R=p_high_R[wrong]),
        *_neutral(given, poles, rows, is_high_R),
    ]


def _classifier() -> Pipeline:
    return make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), LogisticRegression(max_iter=1000, C=10.0)
    )


def _held_out(rows: Sequence[Row], is_high_R: np.ndarray, folds: int) -> np.ndarray:
    """P(high) of each row from a model that saw no row of its topic's fold."""
    texts = np.array([row.answer for row in rows], dtype=object)
    topics = [row.topic for row in rows]
    p_high_R = np.zeros(len(rows))
    splitter = StratifiedGroupKFold(n_splits=folds, shuffle=True, random_state=0)
    for fit, held in splitter.split(texts, is_high_R, groups=topics):
        p_high_R[held] = _classifier().fit(texts[fit], is_high_R[fit]).predict_proba(texts[held])[:, 1]
    return p_high_R


def _neutral(given: CheckInput, poles: Poles, rows: Sequence[Row], is_high_R: np.ndarray) -> list[CheckResult]:
    neutral = given.corpus.of_variant(poles.neutral)
    if not neutral:
        return [_result(given, "framing_neutral_gap", None, note=f"the corpus has no {poles.neutral} rows")]
    fitted = _classifier().fit([row.answer for row in rows], is_high_R)
    p_R = fitted.predict_proba([row.answer for row in neutral])[:, 1]
    far = np.argsort(-np.abs(p_R - 0.5), kind="stable")[:MAX_OFFENDERS]
    gap = float(abs(p_R.mean() - 0.5))
    return [_result(given, "framing_neutral_gap", gap, rows=[neutral[i] for i in far], p_R=p_R[far])]


def _result(
    given: CheckInput,
    limit: str,
    number: float | None,
    *,
    rows: Sequence[Row] = (),
    p_R: np.ndarray | None = None,
    note: str = "",
) -> CheckResult:
    is_auc = limit == "framing_auc"
    shares = [] if p_R is None else p_R.tolist()
    return CheckResult(
        check="framing",
        what="cross-validated AUC between the poles" if is_auc else "distance of the mean neutral score from 0.5",
        number=number,
        limit=given.limit(limit, LIMITS[limit]),
        must_be="at least" if is_auc else "at most",
        offenders=tuple(
            Offender(where=row.id, text=f"P(high) {p:.2f}: {row.answer[:60]}")
            for row, p in list(zip(rows, shares, strict=True))[:MAX_OFFENDERS]
        ),
        n_offenders=len(rows),
        note=note,
    )
