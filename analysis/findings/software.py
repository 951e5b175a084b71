"""What ran: libraries that were imported and did part of the analysis, with their versions; no other is named."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import version

from seedlock.analysis.results.judge import AgreementResult, JudgeResult
from seedlock.analysis.results.schema import HypothesisResult, SoftwareResult

PINGOUINS = frozenset({"d", "g", "dz"})
"""Effect sizes whose value pingouin computes; the others divide an estimate by an SD."""


def software_used(
    hypotheses: Sequence[HypothesisResult], judges: Sequence[JudgeResult], agreements: Sequence[AgreementResult]
) -> list[SoftwareResult]:
    """Libraries behind the numbers of these results, in the order of the analysis.

    Parameters
    ----------
    hypotheses, judges, agreements
        Entries of results.json, computed in this process: a library that it did not import is not named.
    """
    return [
        SoftwareResult(name=name, version=version(name), did=did)
        for module, name, did in _work(hypotheses, judges, agreements)
        if module in sys.modules
    ]


def _work(
    hypotheses: Sequence[HypothesisResult], judges: Sequence[JudgeResult], agreements: Sequence[AgreementResult]
) -> Iterator[tuple[str, str, str]]:
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
    kinds = {found.kind for found in agreements if found.value is not None}
    if any(judge.kappa is not None for judge in judges) or any(kind and "kappa" in kind for kind in kinds):
        yield "statsmodels", "statsmodels", "computed the judges' kappa"
    has_sizes = any(size.value is not None and size.kind in PINGOUINS for h in hypotheses for size in h.effect_sizes)
    has_icc = any(judge.icc is not None for judge in judges) or any(kind and "ICC" in kind for kind in kinds)
    if has_sizes or has_icc:
        did = [*(["effect sizes"] if has_sizes else []), *(["intraclass correlations"] if has_icc else [])]
        yield "pingouin", "pingouin", f"computed {' and '.join(did)}"
