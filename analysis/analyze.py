"""The analysis stage: sealed tables in; results, figures, report and ledger entries out."""

from __future__ import annotations

from collections.abc import Mapping

from seedlock.analysis.bayes.models import Engine
from seedlock.analysis.bayes.posteriors import Posterior
from seedlock.analysis.decide import decide
from seedlock.analysis.findings.judges import require_judgements
from seedlock.analysis.findings.summary_sentences import answer_of
from seedlock.analysis.report.publish import publish
from seedlock.analysis.results.schema import Results
from seedlock.analysis.sealed import Sealed, open_sealed
from seedlock.analysis.simulation.design_lints import require_known
from seedlock.prereg.base.tool import tool_version
from seedlock.prereg.errors import Finding, Incomplete, OutOfOrder
from seedlock.prereg.lock.due_runs import missing_runs
from seedlock.prereg.lock.gate import (
    LockedPlan,
    deviated_plan,
    require_generated,
    require_lock,
    working_on,
)
from seedlock.prereg.lock.ledger import append_event
from seedlock.prereg.lock.looks import dangling_look
from seedlock.prereg.lock.superseded import readings_of
from seedlock.prereg.lock.transaction import pending_of
from seedlock.prereg.plan.extras import BAMBI, require
from seedlock.prereg.verify.chain import CANNOT_KNOW
from seedlock.prereg.verify.check_page import check_page_sha256


def analyze_study(locked: LockedPlan, *, engine: Engine = "seedlock") -> Results:
    """Analyse a locked study's sealed data and publish its report.

    Parameters
    ----------
    engine
        What samples the seed hierarchies; numbers differ by Monte Carlo error.

    Raises
    ------
    OutOfOrder, Incomplete, LockedFileChanged
        The gate: data not sealed, planned runs missing where the plan refuses that, or bytes that changed.
    ReportRefused
        The report that was built says something that its results do not; the one before it stays.
    """
    with working_on(locked) as now:
        dangling = dangling_look(now.events)
        if dangling is None:
            return _look(now, engine)
        append_event(now.paths.ledger, "look.ended", {"line": dangling, "how": "killed"})
        return _look(require_lock(now.paths), engine)


def _look(locked: LockedPlan, engine: Engine) -> Results:
    require_known(locked.plan)
    if engine == "bambi":
        require([BAMBI])
    sealed = open_sealed(locked)
    _require_runs(locked)
    require_judgements(locked)
    _require_readings(locked)
    data_digests = sorted(table.sha256 for table in sealed.tables)
    opened = append_event(locked.paths.ledger, "look.opened", {"lock_id": locked.lock_id, "data": data_digests})
    try:
        results, found = compute(locked, sealed, engine)
        publish(locked, sealed.tables, results, found)
    except BaseException as error:
        if not pending_of(locked.paths).exists():  # or the report is whole, and the next command enters it
            how = "refused" if isinstance(error, Exception) else "interrupted"
            append_event(locked.paths.ledger, "look.ended", {"line": opened.n, "how": how})
        raise
    return results


def compute(locked: LockedPlan, sealed: Sealed, engine: Engine = "seedlock") -> tuple[Results, Mapping[str, Posterior]]:
    """What was decided, and the words that follow from it alone; writes nothing."""
    decided = decide(locked, sealed, engine)
    results = Results(
        **dict(decided.numbers),
        answer=answer_of(decided.numbers, locked.plan),
        tool_version=tool_version(),
        check_page_sha256=check_page_sha256(),
        cannot_know=list(CANNOT_KNOW),
    )
    return results, decided.posteriors


def _require_runs(locked: LockedPlan) -> None:
    """Planned runs without data stop the analysis where the plan, or a declared deviation, does not say otherwise."""
    require_generated(locked)
    absent = missing_runs([e for e in locked.events if e.name == "data.sealed"], locked.lock)
    rule = (deviated_plan(locked) or locked.plan).missing.runs
    if absent and rule == "refuse":
        study = locked.paths.name
        raise Incomplete(
            f"{len(absent)} of {len(locked.lock.runs)} planned runs of {study} have no data",
            *(Finding(where=run, found="no row", promised="a run of the plan") for run in absent[:20]),
            then=f"seedlock deviate {study} --pointer /missing/runs --after '\"analyse and bound\"' ...",
        )


def _require_readings(locked: LockedPlan) -> None:
    """What the plan reads inside the models is read before the look, in every run that is due."""
    plan = locked.plan
    if plan.inside is not None and plan.import_ is None and readings_of(locked.events, due=len(locked.due)) is None:
        study = locked.paths.name
        fault = Finding(where="[inside]", found="models that were not read", promised="sealed readings of every run")
        raise OutOfOrder(f"{study} has not looked inside its models", fault, then=f"seedlock inside {study}")
