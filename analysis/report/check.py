"""The report's lint where it counts: no page with a fault is published, and `verify` reads the published one again."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from seedlock.analysis.findings.summary_sentences import answer_of
from seedlock.analysis.report.contradictions import fault
from seedlock.analysis.report.headlines import overclaims
from seedlock.analysis.report.lint import lint_report, lint_words
from seedlock.analysis.report.verdict_words import verdict_faults
from seedlock.analysis.results.schema import Results
from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.base.reading import is_regular, read_regular, read_regular_text
from seedlock.prereg.base.tool import this_tool
from seedlock.prereg.errors import Finding, ReportRefused, SeedlockError
from seedlock.prereg.lock.document import load_locked_plan, lock_paths, read_lock
from seedlock.prereg.lock.gate import differences, has_moved_on
from seedlock.prereg.lock.ledger import read_ledger
from seedlock.prereg.plan.plan import Plan
from seedlock.prereg.verify.checks import Check, failed, not_checked, verdict
from seedlock.prereg.verify.pages import read_pages


def require_sound(folder: Path, results: Results, plan: Plan, *, study: str) -> None:
    """Refuse a report that says something its results do not.

    Raises
    ------
    ReportRefused
        With every fault; the report that stood before stays.
    """
    markdown = read_regular_text(folder / "report.md")
    if faults := lint_report(read_pages(folder), markdown, results, plan):
        raise ReportRefused(
            f"the report of {study} says something that its results do not; it was not published",
            *faults,
            then=f"mend what writes the page, then  seedlock analyze {study}  (the report before it still stands)",
        )


def stale_answer(results: Results, plan: Plan) -> list[Finding]:
    """Sentences and confidence that are not those which the verdicts give."""
    promised = answer_of(results, plan).model_dump()
    found = results.answer.model_dump()
    return [
        fault(f"/answer/{key}", str(found[key])[:200], f"{promised[key]}"[:200])
        for key in promised
        if found[key] != promised[key]
    ]


def reading_check(paths: StudyPaths) -> Check:
    """Read the published report as `analyze` did before it let it out.

    A report made by code that has moved on since is held to
    the rules of today, and only warned of; but a headline that claims more than its bands allow, and a verdict or
    status that is not the results', fail whoever wrote them.
    """
    what = "the report claims no more than its verdicts allow, and nothing twice in two ways"
    if not is_regular(paths.report / "results.json"):
        return not_checked("R6", "report", what, "no report yet", f"seedlock analyze {paths.name}")
    moved_on = False
    try:
        lock = read_lock(lock_paths(paths)[-1])
        moved_on = _is_by_another(paths) or has_moved_on(lock)
        plan = load_locked_plan(lock)
        said = read_regular(paths.report / "results.json")
        pages = read_pages(paths.report)
        if moved_on and (claimed := [*_overclaimed(said), *_misworded(pages, paths, said)]):
            return verdict("R6", "report", what, claimed, exit_code=3)
        results = Results.model_validate_json(said)
        if moved_on:  # its numbers are bound or not by R4, whoever built it
            faults = lint_words(pages, results, plan, knows_tests=False)
        else:
            faults = lint_report(pages, read_regular_text(paths.report / "report.md"), results, plan)
        faults += [] if moved_on else stale_answer(results, plan)
    except SeedlockError as error:
        return failed("R6", "report", error)
    except ValidationError as error:
        shape = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        where = paths.relative(paths.report / "results.json")
        faults = [Finding(where=where, found=line[:200], promised="results as they are now") for line in shape]
    except (OSError, ValueError, LookupError) as error:  # a list that is empty or a name that leads nowhere, too
        unreadable = Finding(where=paths.relative(paths.report), found=str(error)[:200], promised="a report to read")
        return verdict("R6", "report", what, [unreadable], exit_code=3)
    if faults and moved_on:
        older = f"{what}: made before today's rules"
        return Check(id="R6", link="report", state="warn", what=older, findings=tuple(faults))
    return verdict("R6", "report", what, faults, exit_code=3)


def _is_by_another(paths: StudyPaths) -> bool:
    """Whether the ledger names another Seedlock than this one as the report's builder; False where it names none."""
    tool = next((e.body.get("tool") for e in reversed(read_ledger(paths.ledger)) if e.name == "report.built"), None)
    return tool is not None and tool.get("files_sha256") != this_tool().files_sha256


def _overclaimed(said: bytes) -> list[Finding]:
    """`overclaims` of results of any version; without an answer there is no headline to hold."""
    try:
        return list(overclaims(json.loads(said)))
    except (AttributeError, KeyError, TypeError):
        return []


def promise_check(paths: StudyPaths) -> Iterator[Check]:
    """P5, of a replication: what the lock says that the original promises follows from the original's results."""
    what = "the original's promises in the lock are those that its results give"
    try:
        lock = read_lock(lock_paths(paths)[-1])
        if lock.replication is None:
            return
        from seedlock.analysis.inference.replication import replication_of  # noqa: PLC0415 - scipy, for these alone

        derived = replication_of(load_locked_plan(lock), paths)
    except (SeedlockError, KeyError, TypeError) as error:
        fault = Finding(
            where=f"lockfiles/{paths.name}", found=str(error)[:200], promised="promises that can be derived"
        )
        yield verdict("P5", "plan", what, [fault], exit_code=3)
        return
    promised = {} if derived is None else derived.model_dump(mode="json")
    faults = [
        Finding(where=f"lock replication.{where}", found=found, promised=f"{derived_} (derived)")
        for where, found, derived_ in differences(
            _rounded(lock.replication.model_dump(mode="json")), _rounded(promised)
        )
    ]
    yield verdict("P5", "plan", what, faults, exit_code=3)


def _rounded(value: Any) -> Any:
    """Numbers to nine significant digits: other machines round the last ones otherwise."""
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_rounded(inner) for inner in value]
    return float(f"{value:.9g}") if isinstance(value, float) else value


def _misworded(pages: Mapping[str, str], paths: StudyPaths, said: bytes) -> list[Finding]:
    """`verdict_faults` of results of any version; results without verdicts are a fault of their own."""
    try:
        return list(verdict_faults(pages, read_regular_text(paths.report / "report.md"), json.loads(said)))
    except (AttributeError, KeyError, TypeError) as error:
        shape = f"{type(error).__name__}: {error}"[:200]
        return [Finding(where="results.json", found=shape, promised="hypotheses, status and answer")]
