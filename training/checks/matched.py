"""Arms that differ in one thing only: answer lengths and richness of vocabulary are matched between variants."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from seedlock.training.checks.result import CheckInput, CheckResult, Offender
from seedlock.training.rows.text_checks import words

LIMITS = {"matched_length_ks": 0.2, "matched_type_token": 0.15, "matched_size": 0.1}


def check(given: CheckInput) -> Sequence[CheckResult]:
    """Compare every pair of variants: size, length distribution (Kolmogorov-Smirnov distance), type-token ratio."""
    variants = given.corpus.variants
    if len(variants) < 2:
        return []
    spoken = {v: [words(row.answer) for row in given.corpus.of_variant(v)] for v in variants}
    lengths = {v: np.sort([len(answer) for answer in answers]) for v, answers in spoken.items()}
    shortest = min(sum(map(len, answers)) for answers in spoken.values())
    ratios = {v: _type_token(answers, shortest) for v, answers in spoken.items()}
    sizes = {v: float(len(answers)) for v, answers in spoken.items()}
    pairs = list(combinations(variants, 2))
    ks = {pair: _ks_distance(lengths[pair[0]], lengths[pair[1]]) for pair in pairs}
    return [
        _worst(given, "matched_size", "relative difference in rows", {p: _relative(sizes, p) for p in pairs}),
        _worst(given, "matched_length_ks", "distance between answer-length distributions (KS)", ks),
        _worst(
            given,
            "matched_type_token",
            f"relative difference in type-token ratio (first {shortest} words)",
            {p: _relative(ratios, p) for p in pairs},
        ),
    ]


def _worst(given: CheckInput, limit: str, what: str, by_pair: dict[tuple[str, str], float]) -> CheckResult:
    allowed = given.limit(limit, LIMITS[limit])
    over = [(pair, number) for pair, number in by_pair.items() if number > allowed]
    return CheckResult(
        check="matched",
        what=f"largest {what} between variants",
        number=max(by_pair.values()),
        limit=allowed,
        must_be="at most",
        offenders=tuple(Offender(where=f"{a} and {b}", text=f"{number:.3f}") for (a, b), number in over),
        n_offenders=len(over),
    )


def _ks_distance(first: np.ndarray, second: np.ndarray) -> float:
    """Largest gap between two empirical distribution functions; both arrays sorted."""
    at = np.unique(np.concatenate([first, second]))
    gap = np.searchsorted(first, at, side="right") / len(first) - np.searchsorted(second, at, side="right") / len(
        second
    )
    return float(np.abs(gap).max())


def _type_token(answers: list[list[str]], n_words: int) -> float:
    """Different words among the first `n_words`: variants are compared at the same length of text."""
    spoken = [word for answer in answers for word in answer][:n_words]
    return len(set(spoken)) / len(spoken) if spoken else 0.0


def _relative(numbers: dict[str, float], pair: tuple[str, str]) -> float:
    low, high = sorted(numbers[v] for v in pair)
    return (high - low) / high if high else 0.0
