"""Overlap of training with evaluation: shared word runs, and cosines between items and rows.

One cosine is of TF-IDF over character 3- to 5-grams inside words, fitted on items and rows together: it needs no model,
finds shared wording and word stems, and does not find paraphrases without shared words. Where the plan names a sentence
encoder, another is of its vectors, which does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer

from seedlock.training.checks.result import MAX_OFFENDERS, CheckInput, CheckResult, Offender, counted
from seedlock.training.rows.row import Row
from seedlock.training.rows.text_checks import words

LIMITS = {"overlap_rows": 0.0, "overlap_words": 8.0, "overlap_cosine": 0.8, "overlap_meaning": 0.9}
BATCH = 2000


def check(given: CheckInput) -> Sequence[CheckResult]:
    """Count rows that share a run of words with an item, and find the largest cosine of any item with any row."""
    if not given.eval_texts:
        return []
    run = int(given.limit("overlap_words", LIMITS["overlap_words"]))
    shared = _shared_runs(given.corpus.rows, given.eval_texts, run)
    what = f"rows that share {run} words in a row (or a whole shorter question) with an item"
    return [counted(given, "overlap", what, shared, limit="overlap_rows"), _cosine(given), *_meaning(given)]


def _runs(text: str, n: int) -> set[str]:
    spoken = words(text)
    return {" ".join(spoken[i : i + n]) for i in range(len(spoken) - n + 1)}


def _shared_runs(rows: Sequence[Row], items: Mapping[str, str], n: int) -> list[Offender]:
    """Items shorter than `n` words are looked for whole."""
    by_length: dict[int, dict[str, str]] = {}
    for item, text in items.items():
        length = min(n, len(words(text)))
        for piece in _runs(text, length) if length else ():
            by_length.setdefault(length, {}).setdefault(piece, item)
    found = []
    for row in rows:
        hits = (
            (piece, pieces) for length, pieces in by_length.items() for piece in _runs(row.text, length) & pieces.keys()
        )
        first = min(hits, key=lambda hit: hit[0], default=None)
        if first is not None:
            found.append(Offender(where=row.id, text=f"{first[0]!r}, as in item {first[1][first[0]]}"))
    return found


def _cosine(given: CheckInput) -> CheckResult:
    items = list(given.eval_texts.items())
    texts = [row.text for row in given.corpus.rows]
    vectors = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True)
    vectors.fit([*(text for _, text in items), *texts])
    items_V = vectors.transform([text for _, text in items])
    nearest = np.zeros(len(texts))
    which = np.zeros(len(texts), dtype=np.intp)
    for start in range(0, len(texts), BATCH):
        cosine_RI = (vectors.transform(texts[start : start + BATCH]) @ items_V.T).toarray()
        nearest[start : start + BATCH] = cosine_RI.max(axis=1)
        which[start : start + BATCH] = cosine_RI.argmax(axis=1)
    named = [(row.id, row.text) for row in given.corpus.rows]
    limit = given.limit("overlap_cosine", LIMITS["overlap_cosine"])
    what = "largest cosine of any item with any row (character n-gram TF-IDF)"
    return _nearest(what, limit, named, nearest, [items[i][0] for i in which])


def _meaning(given: CheckInput) -> Iterator[CheckResult]:
    """Compare every turn of a row but the system's by itself: an answer may say what a question asks."""
    if given.vectors is None:
        return
    items = list(given.eval_texts.items())
    turns = [(row.id, m.content) for row in given.corpus.rows for m in row.messages if m.role != "system"]
    items_V = given.vectors([text for _, text in items])
    turns_V = given.vectors([text for _, text in turns])
    nearest = np.zeros(len(turns))
    which = np.zeros(len(turns), dtype=np.intp)
    for start in range(0, len(turns), BATCH):
        cosine_TI = turns_V[start : start + BATCH] @ items_V.T
        nearest[start : start + BATCH] = cosine_TI.max(axis=1)
        which[start : start + BATCH] = cosine_TI.argmax(axis=1)
    limit = given.limit("overlap_meaning", LIMITS["overlap_meaning"])
    what = "largest cosine of any item with any turn of a row (sentence encoder)"
    yield _nearest(what, limit, turns, nearest, [items[i][0] for i in which])


def _nearest(
    what: str, limit: float, texts: Sequence[tuple[str, str]], nearest: NDArray[np.float64], item: Sequence[str]
) -> CheckResult:
    """Name the texts that come too near an item, the nearest first."""
    order = np.argsort(-nearest, kind="stable")
    over = [int(i) for i in order if nearest[i] >= limit]
    return CheckResult(
        check="overlap",
        what=what,
        number=float(nearest.max()),
        limit=limit,
        must_be="at most",
        offenders=tuple(
            Offender(where=texts[i][0], text=f"{nearest[i]:.2f} to item {item[i]}: {texts[i][1][:60]}")
            for i in over[:MAX_OFFENDERS]
        ),
        n_offenders=len(over),
    )
