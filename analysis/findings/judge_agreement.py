"""Do the judges of one study agree with each other? Over the completions that several gave a verdict on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import combinations

import numpy as np
import pandas as pd
import pyarrow as pa

from seedlock.analysis.findings.agreement import Agreement, cohen_kappa, icc, krippendorff_alpha
from seedlock.analysis.results.judge import AgreementResult
from seedlock.prereg.errors import Refusal

SECOND = "/2"
_SEED = 20260101
type Verdicts = dict[str, float]


def judge_agreements(judgements: pa.Table | None, *, level: float) -> list[AgreementResult]:
    """Agreement of every two judges on the texts that both judged, and of all of them where there are more.

    Parameters
    ----------
    judgements
        The sealed table; second readings are left out.
    level
        Confidence level of kappa's and alpha's intervals.

    Notes
    -----
    Labels: Cohen's kappa, and Krippendorff's alpha over more than two judges. Scales: ICC(A,1), and alpha with the
    interval metric. Judges are compared with those who answer in the same way and share a label.
    """
    if judgements is None:
        return []
    rows = judgements.to_pandas()
    first = rows[(rows["status"] == "ok") & ~rows["judge"].str.endswith(SECOND)]
    return [*_of_labels(first[first["label"].notna()], level), *_of_scales(first[first["value"].notna()], level)]


def _of_labels(rows: pd.DataFrame, level: float) -> Iterator[AgreementResult]:
    codes = {label: float(code) for code, label in enumerate(sorted(rows["label"].unique()))}
    verdicts = _verdicts(rows.assign(code=rows["label"].map(codes)), "code")
    used = {judge: set(said.values()) for judge, said in verdicts.items()}
    comparable = [(one, other) for one, other in combinations(verdicts, 2) if used[one] & used[other]]
    for one, other in comparable:
        both = _shared(verdicts, one, other)
        yield _result((one, other), level, lambda both=both: cohen_kappa(*both.values(), level=level))  # type: ignore[misc]
    together = [judge for judge in verdicts if any(judge in pair for pair in comparable)]
    if len(together) > 2:
        rng = np.random.default_rng(_SEED)
        every = {judge: verdicts[judge] for judge in together}
        yield _result(together, level, lambda: krippendorff_alpha(every, metric="nominal", level=level, rng=rng))


def _of_scales(rows: pd.DataFrame, level: float) -> Iterator[AgreementResult]:
    verdicts = _verdicts(rows, "value")
    for one, other in combinations(verdicts, 2):
        both = _shared(verdicts, one, other)
        yield _result((one, other), level, lambda both=both: icc(both))  # type: ignore[misc]
    if len(verdicts) > 2:
        rng = np.random.default_rng(_SEED)
        yield _result([*verdicts], level, lambda: krippendorff_alpha(verdicts, metric="interval", level=level, rng=rng))


def _verdicts(rows: pd.DataFrame, column: str) -> dict[str, Verdicts]:
    """Judge -> text -> verdict."""
    return {
        str(judge): dict(zip(own["request_id"].astype(str), own[column].astype(float), strict=True))
        for judge, own in rows.groupby("judge", sort=True)
    }


def _shared(verdicts: Mapping[str, Verdicts], *judges: str) -> dict[str, Verdicts]:
    """The texts that all of the judges judged."""
    texts = set.intersection(*(set(verdicts[judge]) for judge in judges))
    return {judge: {text: verdicts[judge][text] for text in sorted(texts)} for judge in judges}


def _result(judges: list[str] | tuple[str, ...], level: float, made: Callable[[], Agreement]) -> AgreementResult:
    """The coefficient, or why there is none."""
    try:
        found = made()
    except Refusal as refusal:
        reason = f"{refusal.code}: {refusal.what}"
        return AgreementResult(judges=list(judges), kind=None, n=0, value=None, ci=None, ci_level=level, reason=reason)
    known = found.ci_low is not None and found.ci_high is not None
    return AgreementResult(
        judges=list(judges),
        kind=found.kind,
        n=found.n,
        value=found.value,
        ci=(float(found.ci_low or 0.0), float(found.ci_high or 0.0)) if known else None,
        ci_level=found.ci_level or level,
        reason=found.reason or None,
    )
