"""What ran: libraries that were imported and did part of the analysis, with their versions; no other is named."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import version

from seedlock.analysis.results.schema import HypothesisResult, JudgeResult, SoftwareResult


def software_used(hypotheses: Sequence[HypothesisResult], judges: Sequence[JudgeResult]) -> list[SoftwareResult]:
    """Libraries behind the numbers of these results, in the order of the analysis.

    Parameters
    ----------
    hypotheses, judges
        Entries of results.json, computed in this process: a library that it did not import is not named.
    """
    return [
        SoftwareResult(name=name, version=version(name), did=did)
        for module, name, did in _work(hypotheses, judges)
        if module in sys.modules
    ]


def _work(hypotheses: Sequence[HypothesisResult], judges: Sequence[JudgeResult]) -> Iterator[tuple[str, str, str]]:
    """Module, distribution, and what it did where it ran."""
    yield "duckdb", "duckdb", "counted and averaged the sealed rows"
    if any(h.estimate is not None for h in hypotheses):
        yield "scipy", "scipy", "evaluated the distributions behind intervals and p-values"
    engines = {h.bayes.engine for h in hypotheses if h.bayes is not None and h.bayes.engine is not None}
    if "bambi" in engines:
        yield "bambi", "bambi", "stated the seed hierarchy and built it"
        yield "pymc", "pymc", "gave its log density"
    if engines:
        whose = "Seedlock's own log density of the seed hierarchy" if "seedlock" in engines else "it"
        yield "numba", "numba", f"compiled {whose}"
        yield "nutpie", "nutpie", "drew the posterior by NUTS"
        yield "arviz_stats", "arviz-stats", "computed R-hat, effective sample sizes and Pareto k"
    if any(judge.kappa is not None for judge in judges):
        yield "statsmodels", "statsmodels", "computed the judges' kappa"
    if any(size.value is not None for h in hypotheses for size in h.effect_sizes) or any(
        judge.icc is not None for judge in judges
    ):
        yield "pingouin", "pingouin", "computed effect sizes and intraclass correlations"
