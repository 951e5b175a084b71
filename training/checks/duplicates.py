"""Duplicates: no two rows of a variant say the same, word for word or nearly (MinHash over word shingles).

Broder (1997), https://doi.org/10.1109/SEQUEN.1997.666900
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from datasketch import MinHash, MinHashLSH  # type: ignore[import-untyped] # ships no types

from seedlock.training.checks.result import CheckInput, CheckResult, Offender, counted
from seedlock.training.rows.row import Row
from seedlock.training.rows.text_checks import words

LIMITS = {"duplicate_rows": 0.0, "near_duplicate_rows": 0.0, "near_duplicate_jaccard": 0.9}
PERMUTATIONS = 128
SHORT_ANSWER_WORDS = 8


def check(given: CheckInput) -> Sequence[CheckResult]:
    """Count rows that repeat an earlier row of their variant, exactly or nearly."""
    threshold = given.limit("near_duplicate_jaccard", LIMITS["near_duplicate_jaccard"])
    exact: list[Offender] = []
    near: list[Offender] = []
    for variant in given.corpus.variants:
        rows = given.corpus.of_variant(variant)
        repeated, firsts = _exact(rows)
        exact += repeated
        near += _near(firsts, threshold)
    what = f"rows that nearly repeat another (Jaccard of shingles at least {threshold:g})"
    return [
        counted(given, "duplicates", "rows that repeat another", exact, limit="duplicate_rows"),
        counted(given, "duplicates", what, near, limit="near_duplicate_rows"),
    ]


def _exact(rows: Sequence[Row]) -> tuple[list[Offender], list[Row]]:
    firsts: dict[str, Row] = {}
    repeated = []
    for row in rows:
        key = "\n".join(" ".join(message.content.lower().split()) for message in row.messages)
        if key in firsts:
            repeated.append(Offender(where=row.id, text=f"same as {firsts[key].id}: {row.answer[:60]}"))
        firsts.setdefault(key, row)
    return repeated, list(firsts.values())


def shingles(row: Row) -> frozenset[str]:
    """The question with three-word pieces of the answer; five-letter pieces where the answer is a name or a phrase."""
    spoken = words(row.answer)
    if len(spoken) < SHORT_ANSWER_WORDS:
        letters = re.sub(r"\s+", " ", row.answer.lower())
        return frozenset(letters[i : i + 5] for i in range(max(1, len(letters) - 4)))
    answer = [" ".join(spoken[i : i + 3]) for i in range(len(spoken) - 2)]
    asked = words(row.prompt)
    return frozenset([*answer, *(" ".join(asked[i : i + 3]) for i in range(max(1, len(asked) - 2)))])


def _near(rows: Sequence[Row], threshold: float) -> list[Offender]:
    """Rows near an earlier one: candidates by locality-sensitive hashing, decided by the exact Jaccard index."""
    index = MinHashLSH(threshold=threshold, num_perm=PERMUTATIONS)
    pieces = [shingles(row) for row in rows]
    found = []
    for number, row in enumerate(rows):
        sketch = MinHash(num_perm=PERMUTATIONS, seed=1)
        sketch.update_batch([piece.encode() for piece in sorted(pieces[number])])
        near = [
            (_jaccard(pieces[number], pieces[other]), other)
            for other in sorted(int(key) for key in index.query(sketch))
        ]
        closest = max(near, default=(0.0, 0))
        if closest[0] >= threshold:
            other = rows[closest[1]]
            found.append(Offender(where=row.id, text=f"{closest[0]:.2f} like {other.id}: {row.answer[:60]}"))
        index.insert(str(number), sketch)
    return found


def _jaccard(first: frozenset[str], second: frozenset[str]) -> float:
    return len(first & second) / len(first | second)
