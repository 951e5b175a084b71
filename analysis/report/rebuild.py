"""R7: the published report is, byte for byte, the one that its results, plan and ledger give when built again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import zip_longest
from typing import Any

from seedlock.analysis.report.drawn_with import drawn_with
from seedlock.prereg.base.canonical import read_json
from seedlock.prereg.base.paths import CHECKOUT, StudyPaths
from seedlock.prereg.base.reading import is_regular, read_regular, walk
from seedlock.prereg.base.tool import this_tool
from seedlock.prereg.errors import Finding, SeedlockError
from seedlock.prereg.lock.document import lock_paths, read_lock
from seedlock.prereg.lock.gate import LockedPlan, require_lock
from seedlock.prereg.lock.ledger import Event, read_ledger
from seedlock.prereg.lock.run_at_lock import run_by_builder
from seedlock.prereg.verify.checks import Check, failed, not_checked, verdict
from seedlock.prereg.verify.code import UNCONFIRMED, holder_of
from seedlock.prereg.verify.manifest import MANIFEST

ID, LINK = "R7", "report"
WHAT = "page, appendix, Markdown and figures are those that results, plan and ledger give when they are built again"
_FIRST = ("report.html", "appendix.html", "report.md", "REVIEW.md")
_GIVEN = ("data/", "posteriors/")
"""Folders of the report that are copied or kept, not drawn; other links of the chain hold them."""
_AROUND = 60
"""Characters shown of a line before and after the place where it differs."""


def rebuild_check(paths: StudyPaths, *, by_its_builder: bool = False) -> Check:
    """Build the report again in memory and compare it, where this very Seedlock built it; nothing is written.

    Parameters
    ----------
    by_its_builder
        Where another Seedlock built it, have that one look, if it is a commit of this checkout or the one that
        `SEEDLOCK_AT_LOCK` names; the study's own repository is never asked for code to run.

    Figures are compared byte for byte where the drawing libraries are those of then; elsewhere a figure is held to
    the data that it plots, and its picture is taken as it was published.
    """
    built = next((event for event in reversed(read_ledger(paths.ledger)) if event.name == "report.built"), None)
    if built is None:
        return not_checked(ID, LINK, WHAT, "no report yet", f"seedlock analyze {paths.name}")
    tool = built.body.get("tool")
    if tool is None:
        return _without_builder(paths, built)
    try:
        if tool["files_sha256"] != this_tool().files_sha256:
            return (_built_again_by(paths, tool) if by_its_builder else None) or _another(paths, tool)
        try:
            locked = require_lock(paths, only_reading=True)
        except SeedlockError:
            return not_checked(ID, LINK, WHAT, "lock, plan or ledger do not hold", "mend what fails above first")
        faults = [*_faults(locked, built, is_same_ink=tool["libraries_sha256"] == drawn_with())]
    except SeedlockError as error:
        return failed(ID, LINK, error)
    except (LookupError, TypeError, ValueError) as error:
        shape = Finding(where=paths.relative(paths.report), found=f"{type(error).__name__}: {error}"[:200], promised="")
        faults = [replace(shape, promised="results and a ledger that a report can be built from")]
    return verdict(ID, LINK, WHAT, faults, exit_code=3)


def _without_builder(paths: StudyPaths, built: Event) -> Check:
    """Every Seedlock that makes locks of version 2 names itself where it builds a report."""
    if read_lock(lock_paths(paths)[-1]).version > 1:
        silent = Finding(
            where=f"ledger line {built.n}", found="no builder", promised="the Seedlock that built the report"
        )
        return verdict(ID, LINK, WHAT, [silent], exit_code=3)
    return not_checked(ID, LINK, WHAT, "built before the ledger kept which Seedlock builds a report")


def _another(paths: StudyPaths, tool: Mapping[str, Any]) -> Check:
    """Which Seedlock built the report, and how to have it look; one that nobody here knows of confirms nothing."""
    commit = tool["commit"]
    home = holder_of(commit, paths)
    found = f"built by Seedlock {tool['version']}, files sha256:{str(tool['files_sha256'])[:12]}, not by this one"
    take = f"pip install seedlock=={tool['version']}  and then  seedlock verify {paths.name}"
    if commit is not None:
        take = f"seedlock verify {paths.name} --replay"
        take = take if home == CHECKOUT is not None else f"in a clone of Seedlock:  {take} --root FOLDER"
    check = not_checked(ID, LINK, WHAT, found if home else f"{found}, which is in no history here", take)
    return check if home else replace(check, exit_code=UNCONFIRMED)


def _built_again_by(paths: StudyPaths, tool: Mapping[str, Any]) -> Check | None:
    """What the Seedlock that the ledger names finds when it builds the report again; None where it is not here."""
    done = run_by_builder(paths, tool, "verify", paths.name, "--json")
    if done is None:
        return None
    who = f"Seedlock {tool['version']}, files sha256:{str(tool['files_sha256'])[:12]}"
    try:
        said = next(check for check in read_json(done.stdout)["checks"] if check["id"] == ID)
        found = tuple(Finding(**finding) for finding in said["findings"])
        state = said["state"]
    except (LookupError, StopIteration, TypeError, ValueError):
        last = (done.stderr.decode("utf-8", "replace").strip().splitlines() or [f"exit {done.returncode}"])[-1]
        state, found = "", (Finding(where=LINK, found=last[:200], promised=f"what {who} finds"),)
    if state in {"pass", "fail"}:
        return verdict(ID, LINK, f"{WHAT}, by the {who} that built them", found, exit_code=3)
    # Its commit holds other files than the ledger says, or it no longer runs: nothing confirms the page.
    other = Finding(where=LINK, found=f"{who} is not its commit's, or does not run here", promised="it builds the page")
    return Check(id=ID, link=LINK, state="not checked", what=WHAT, findings=(other, *found), exit_code=UNCONFIRMED)


def _faults(now: LockedPlan, built: Event, *, is_same_ink: bool) -> Iterator[Finding]:
    # A second of imports that only a report of this Seedlock needs.
    from seedlock.analysis.report.build import report_files  # noqa: PLC0415
    from seedlock.analysis.report.kept_draws import draws_faults, read_draws  # noqa: PLC0415
    from seedlock.analysis.results.schema import Results  # noqa: PLC0415

    paths = now.paths
    locked = replace(now, events=tuple(event for event in now.events if event.n < built.n))
    results = Results.model_validate_json(read_regular(paths.report / "results.json"))
    data = results.model_dump(mode="json")
    draws = read_draws(paths.report, data)
    yield from draws_faults(draws, data)
    published = _published(paths)
    promised = report_files(results, locked, draws, pictures={} if is_same_ink else published)
    for name in sorted(promised.keys() | published.keys(), key=lambda name: (name not in _FIRST, name)):
        if promised.get(name) != published.get(name):
            yield _difference(f"{paths.relative(paths.report)}/{name}", published.get(name), promised.get(name))


def _published(paths: StudyPaths) -> dict[str, bytes]:
    """Name and bytes of every file of the report that is drawn."""
    files = {path.relative_to(paths.report).as_posix(): path for path in walk(paths.report) if is_regular(path)}
    given = {"results.json", MANIFEST}
    return {n: read_regular(path) for n, path in files.items() if n not in given and not n.startswith(_GIVEN)}


def _difference(where: str, found: bytes | None, promised: bytes | None) -> Finding:
    """The first line in which a file differs, around the place where it does."""
    if found is None or promised is None:
        said = ["no such file" if content is None else f"{len(content)} bytes" for content in (found, promised)]
        return Finding(where=where, found=said[0], promised=said[1])
    if where.endswith(".png"):
        at = next(i for i, (one, other) in enumerate(zip_longest(found, promised)) if one != other)
        return Finding(where=f"{where} byte {at}", found="another picture", promised="the one drawn from the results")
    pairs = enumerate(zip_longest(_lines(found), _lines(promised)), start=1)
    line, one, other = next((n, a, b) for n, (a, b) in pairs if a != b)
    return Finding(where=f"{where} line {line}", found=_shown(one, other), promised=_shown(other, one))


def _lines(content: bytes) -> list[str]:
    return content.decode("utf-8", "replace").split("\n")


def _shown(line: str | None, other: str | None) -> str:
    if line is None:
        return "no such line"
    at = next((i for i, (a, b) in enumerate(zip_longest(line, other or "")) if a != b), 0)
    return line[max(0, at - _AROUND) : at + _AROUND] or "an empty line"
