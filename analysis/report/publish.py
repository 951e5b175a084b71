"""A report becomes public whole: built in a folder of its own, moved into place, entered in the ledger."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from seedlock.analysis.bayes.posteriors import Posterior, save_posteriors
from seedlock.analysis.report.build import build_report
from seedlock.analysis.report.drawn_with import builder
from seedlock.analysis.report.kept_draws import keep_draws, read_draws
from seedlock.analysis.results.schema import Results
from seedlock.prereg.base.canonical import canonical_json, sha256_file, write_atomic
from seedlock.prereg.lock.gate import LockedPlan, SealedTable
from seedlock.prereg.lock.superseded import superseded
from seedlock.prereg.lock.transaction import draft_of, finish_report, pending_of


def publish(
    locked: LockedPlan, tables: Sequence[SealedTable], results: Results, found: Mapping[str, Posterior]
) -> None:
    """Build the report in a folder of its own, move it into place whole, and enter it in the ledger."""
    draft = draft_of(locked.paths)
    shutil.rmtree(draft, ignore_errors=True)
    try:
        body = _build(locked, tables, results, found, draft) | _look_of(results)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    write_atomic(pending_of(locked.paths), canonical_json(body))
    finish_report(locked.paths)


def _look_of(results: Results) -> dict[str, Any]:
    """What the ledger keeps of a planned look, for the stages after it: its seeds, and whether the plan goes on."""
    look = results.accounting.look
    return {} if look is None else {"look": {"seeds": look.seeds, "goes_on": look.goes_on}}


def _build(
    locked: LockedPlan, tables: Sequence[SealedTable], results: Results, found: Mapping[str, Posterior], draft: Path
) -> dict[str, Any]:
    """Write every file of the report; return what the ledger records of it."""
    (draft / "data").mkdir(parents=True)
    for path in (*(table.path for table in tables), *_replaced(locked)):
        shutil.copyfile(path, draft / "data" / path.name)
    write_atomic(draft / "results.json", results.to_bytes())
    save_posteriors(found, draft)
    keep_draws({identity: p.draws for identity, p in found.items() if p.draws is not None}, draft)
    build_report(results, locked, read_draws(draft, results.model_dump(mode="json")), draft)
    write_atomic(draft / "manifest.sha256", manifest(draft))
    return {
        "lock_id": locked.lock_id,
        "manifest_sha256": sha256_file(draft / "manifest.sha256"),
        "results_sha256": sha256_file(draft / "results.json"),
        "tool": builder(),
    }


def _replaced(locked: LockedPlan) -> Iterator[Path]:
    """Sealed files that no number comes from any more; they stay beside those that replaced them."""
    for file in sorted(superseded(locked.events)):
        yield next(path for path in locked.paths.seal_places(file) if path.is_file())


def manifest(folder: Path) -> bytes:
    """Digests of every file of the report, in path order, as `sha256sum -c` reads them."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "manifest.sha256")
    return "".join(f"{sha256_file(path)}  {path.relative_to(folder).as_posix()}\n" for path in files).encode()
