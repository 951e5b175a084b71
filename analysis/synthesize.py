"""Carry out a locked synthesis: the results of its studies in, sealed; the mean and its report out."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from typing import Any

from seedlock.analysis.pool_studies import Heads, compute, require_reported
from seedlock.analysis.replay import differences
from seedlock.analysis.report.drawn_with import builder, drawn_with
from seedlock.analysis.report.publish import manifest
from seedlock.analysis.report.sections.synthesis import sentences
from seedlock.analysis.report.synthesis import PAGE, TWIN, page_faults, synthesis_files
from seedlock.analysis.results.synthesis import SynthesisResults
from seedlock.prereg.base.canonical import Sha256, canonical_json, read_json, sha256_bytes, sha256_file, write_atomic
from seedlock.prereg.base.paths import StudyPaths, SynthesisPaths
from seedlock.prereg.base.reading import is_regular, read_regular, sha256_regular, walk
from seedlock.prereg.base.tool import this_tool
from seedlock.prereg.errors import Finding, LockedFileChanged, OutOfOrder, ReportRefused, SeedlockError
from seedlock.prereg.lock.ledger import Event, append_event, read_ledger
from seedlock.prereg.lock.looks import dangling_look
from seedlock.prereg.lock.own_folders import require_own_folders
from seedlock.prereg.lock.synthesis import LockedSynthesisPlan, heads_now, require_synthesis
from seedlock.prereg.lock.transaction import draft_of, finish_report, pending_of, transaction
from seedlock.prereg.plan.plan import Tolerances
from seedlock.prereg.verify.chain import verify_study
from seedlock.prereg.verify.checks import Check, failed, not_checked, verdict

REPLAYED = "the pooled results give the same numbers, and the same page, again"


def read_synthesis_results(paths: SynthesisPaths) -> SynthesisResults:
    """The results of a synthesis's last look.

    Raises
    ------
    OutOfOrder
        There are none yet.
    """
    file = paths.report / "results.json"
    if not is_regular(file):
        raise OutOfOrder(f"{paths.name} has no results yet", then=f"seedlock analyze {paths.name}")
    return SynthesisResults.model_validate_json(read_regular(file))


def synthesize(paths: SynthesisPaths, *, removed: Sequence[str] = ()) -> SynthesisResults:
    """Seal the results of every study that has some, pool them, and publish the report.

    Parameters
    ----------
    removed
        Studies that git history knows to have been locked, and that are gone.

    Raises
    ------
    LockedFileChanged
        A study that is pooled does not verify.
    Incomplete, BadInput
        An effect is not there, or cannot be pooled with the others.
    """
    require_own_folders(paths)
    with transaction(paths):
        locked = require_synthesis(paths)
        if (line := dangling_look(locked.events)) is not None:
            append_event(paths.ledger, "look.ended", {"line": line, "how": "killed"})
        heads = heads_now(paths.root, removed)
        require_reported(locked, heads)
        _require_verified(locked)
        digests = _seal(locked)
        body = {"lock_id": locked.lock_id, "data": digests, "heads": heads}
        opened = append_event(paths.ledger, "look.opened", body)
        try:
            results = results_of(locked, heads, read_ledger(paths.ledger))
            _publish(locked, results)
        except BaseException as error:
            if not pending_of(paths).exists():  # or the report is whole, and the next command enters it
                how = "refused" if isinstance(error, Exception) else "interrupted"
                append_event(paths.ledger, "look.ended", {"line": opened.n, "how": how})
            raise
    return results


def results_of(locked: LockedSynthesisPlan, heads: Heads, before: Sequence[Event]) -> SynthesisResults:
    """Everything of results.json, from sealed copies of the studies' results."""

    def read(study: str, digest: Sha256) -> bytes:
        places = locked.paths.seal_places(sealed_name(study, digest))
        file = next((place for place in places if is_regular(place)), places[0])
        data = read_regular(file)
        if sha256_bytes(data) != digest:
            fault = Finding(where=locked.paths.relative(file), found="other bytes", promised=f"sha256 {digest}")
            raise LockedFileChanged(f"the results of {study} are not the sealed ones", fault)
        return data

    results = compute(locked, heads, read, before=before)
    return results.model_copy(update={"sentences": sentences(results)})


def sealed_name(study: str, digest: Sha256) -> str:
    """File name of a study's results among the sealed data."""
    return f"{study}-{digest[:12]}.json"


def _require_verified(locked: LockedSynthesisPlan) -> None:
    """Every study that is pooled verifies by itself."""
    faults = []
    for name in locked.plan.studies:
        study = StudyPaths(root=locked.paths.root, name=name)
        if (study.report / "results.json").exists():
            checked = verify_study(study)
            first = checked.first_failure
            if checked.exit_code and first is not None:
                what = f"{first.id} {first.what}"
                faults.append(Finding(where=name, found=f"does not hold: {what}", promised="a study that verifies"))
    if faults:
        raise LockedFileChanged(
            "a study that is to be pooled does not verify", *faults, then=f"seedlock verify {faults[0].where}"
        )


def _seal(locked: LockedSynthesisPlan) -> list[Sha256]:
    """Copy the results of every reported study, and enter each in the ledger by its digest."""
    paths = locked.paths
    sealed = {str(e.body["sha256"]) for e in locked.events if e.name == "data.sealed"}
    digests = []
    for name in locked.plan.studies:
        file = StudyPaths(root=paths.root, name=name).report / "results.json"
        if not is_regular(file):
            continue
        data, digest = read_regular(file), sha256_regular(file)
        copy = paths.runs / "sealed" / sealed_name(name, digest)
        write_atomic(copy, data)
        if digest not in sealed:
            rows = len(read_json(data)["hypotheses"])
            append_event(
                paths.ledger, "data.sealed", {"table": "results", "file": copy.name, "sha256": digest, "rows": rows}
            )
        digests.append(digest)
    return sorted(digests)


def _publish(locked: LockedSynthesisPlan, results: SynthesisResults) -> None:
    """Build the report in a folder of its own, move it into place whole, and enter it in the ledger."""
    paths = locked.paths
    files = synthesis_files(results)
    if faults := list(page_faults(files, results.model_dump(mode="json"))):
        raise ReportRefused(f"the report of {paths.name} says something that its results do not", *faults[:20])
    draft = draft_of(paths)
    shutil.rmtree(draft, ignore_errors=True)
    (draft / "data").mkdir(parents=True)
    for event in read_ledger(paths.ledger):
        if event.name == "data.sealed":
            source = next(place for place in paths.seal_places(str(event.body["file"])) if is_regular(place))
            shutil.copyfile(source, draft / "data" / source.name)
    for name, content in {"results.json": results.to_bytes(), **files}.items():
        write_atomic(draft / name, content)
    write_atomic(draft / "manifest.sha256", manifest(draft))
    body = {
        "lock_id": locked.lock_id,
        "manifest_sha256": sha256_file(draft / "manifest.sha256"),
        "results_sha256": sha256_file(draft / "results.json"),
        "tool": builder(),
    }
    write_atomic(pending_of(paths), canonical_json(body))
    finish_report(paths)


def again_check(paths: SynthesisPaths) -> Check:
    """X1 of a synthesis: pool the sealed results again and build the page; it takes no time, and is always made."""
    events = read_ledger(paths.ledger)
    built = next((event for event in reversed(events) if event.name == "report.built"), None)
    if built is None:
        return not_checked("X1", "replay", REPLAYED, "no report yet", f"seedlock analyze {paths.name}")
    try:
        locked = require_synthesis(paths, only_reading=True)
        faults = list(_again_faults(locked, built))
    except SeedlockError as error:
        return failed("X1", "replay", error)
    except (KeyError, TypeError, ValueError, StopIteration) as error:
        where = paths.relative(paths.report)
        shape = Finding(
            where=where, found=f"{type(error).__name__}: {error}"[:200], promised="results that can be pooled"
        )
        return verdict("X1", "replay", REPLAYED, [shape], exit_code=10)
    return verdict("X1", "replay", REPLAYED, faults, exit_code=10)


def _again_faults(locked: LockedSynthesisPlan, built: Event) -> Iterator[Finding]:
    paths = locked.paths
    look = next(e for e in reversed(locked.events) if e.name == "look.opened" and e.n < built.n)
    before = [event for event in locked.events if event.n <= look.n]
    again = results_of(locked, look.body["heads"], before).model_dump(mode="json")
    published: Any = read_json(read_regular(paths.report / "results.json"))
    yield from differences(published, again, Tolerances())
    yield from page_faults({name: read_regular(paths.report / name) for name in (PAGE, TWIN)}, published)
    yield from _drawn_faults(paths, built)


def _drawn_faults(paths: SynthesisPaths, built: Event) -> Iterator[Finding]:
    """Files of the report that this very Seedlock, with the same drawing libraries, builds otherwise."""
    tool = built.body.get("tool", {})
    if tool.get("files_sha256") != this_tool().files_sha256 or tool.get("libraries_sha256") != drawn_with():
        return
    promised = synthesis_files(read_synthesis_results(paths))
    own = {"results.json", "manifest.sha256"}
    here = {path.relative_to(paths.report).as_posix(): path for path in walk(paths.report)}
    found = {name: read_regular(p) for name, p in here.items() if name not in own and not name.startswith("data/")}
    for name in sorted(promised.keys() | found.keys()):
        if promised.get(name) != found.get(name):
            where = f"{paths.relative(paths.report)}/{name}"
            yield Finding(where=where, found="other bytes", promised="what its results give when they are drawn again")
