"""Carry out a locked synthesis: the results of its studies in, sealed; the mean and its report out."""

from __future__ import annotations

import shutil
from collections.abc import Sequence

from seedlock.analysis.pool_again import results_of, sealed_name
from seedlock.analysis.pool_studies import require_reported
from seedlock.analysis.report.drawn_with import builder
from seedlock.analysis.report.publish import manifest
from seedlock.analysis.report.synthesis import page_faults, synthesis_files
from seedlock.analysis.results.synthesis import SynthesisResults
from seedlock.prereg.base.canonical import Sha256, canonical_json, read_json, sha256_file, write_atomic
from seedlock.prereg.base.paths import StudyPaths, SynthesisPaths
from seedlock.prereg.base.reading import is_regular, read_regular, sha256_regular
from seedlock.prereg.errors import Finding, LockedFileChanged, ReportRefused
from seedlock.prereg.lock.ledger import append_event, read_ledger
from seedlock.prereg.lock.looks import dangling_look
from seedlock.prereg.lock.own_folders import require_own_folders
from seedlock.prereg.lock.synthesis import LockedSynthesisPlan, heads_now, require_synthesis
from seedlock.prereg.lock.transaction import draft_of, finish_report, pending_of, transaction
from seedlock.prereg.verify.chain import verify_study


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
