"""Judgements made elsewhere: matched to this study's sealed completions, sealed beside them."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from seedlock.generation.import_completions import (
    Imported,
    Into,
    account,
    declared_file,
    import_files,
    import_request,
    nothing_fits,
    older_than_the_lock,
    seal_once,
    seal_refused,
)
from seedlock.generation.intake.source_files import source_digest
from seedlock.generation.loading.mostly_refused import require_most
from seedlock.generation.loading.names_met import require_names_met, require_numbers
from seedlock.generation.sealing.restore import restore_sealed
from seedlock.generation.sealing.run_and_item_tables import runs_table
from seedlock.generation.sealing.seals import Seals
from seedlock.prereg.errors import BadInput, Finding, OutOfOrder
from seedlock.prereg.lock.gate import LockedPlan, working_on
from seedlock.prereg.lock.superseded import judgements_of, numbered
from seedlock.prereg.plan.imports import Judged
from seedlock.schemas.store import Store

TABLE = "judgements"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedJudgements:
    """What an import of judgements brought in, and how many of the study's answers have a verdict now."""

    judge: str
    imported: Imported
    answers: int
    judged: int

    def as_json(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        return {**self.imported.as_json(), "judge": self.judge, "answers": self.answers, "judged": self.judged}

    def lines(self) -> list[str]:
        """The account, for a person."""
        without = self.answers - self.judged
        said = f"judge     {self.judge}: {self.judged} of {self.answers} answers have a verdict"
        return [*self.imported.lines(), said + (f", {without} have none" if without else "")]


def import_judgements(
    locked: LockedPlan,
    judge: str,
    files: Sequence[Path] = (),
    format: str | None = None,
    *,
    is_rehearsal: bool = False,
) -> ImportedJudgements:
    """Import a judge's rows under the plan's `[judgements.NAME]`, whole or not at all, then seal them.

    Parameters
    ----------
    is_rehearsal
        Check and count everything, and keep nothing.

    Raises
    ------
    BadInput
        The plan knows no such judge, no file is named, a file cannot be read as promised, or no row fits.
    OutOfOrder
        No completion is sealed yet, or this judge's rows are sealed already, from other files.
    """
    with working_on(locked) as now:
        return _import_alone(now, judge, files, format, is_rehearsal=is_rehearsal)


def _import_alone(
    locked: LockedPlan, judge: str, files: Sequence[Path], format: str | None, *, is_rehearsal: bool
) -> ImportedJudgements:
    declared = _declared(locked, judge)
    named = files or [declared_file(declared, Into.locked(locked), f"judgements.{judge}")]
    requests = [import_request(Into.locked(locked), declared, file, format, judge=judge) for file in named]
    _refuse_too_early(locked)
    _refuse_second(locked, judge, named)
    older = [said for file in named for said in older_than_the_lock(file, locked)]
    with Store.open(locked.paths.store) as store:
        Seals(locked, store).restore()
        restore_sealed(locked.paths, locked.events, store, [TABLE])
        store.append("runs", runs_table(locked.lock.runs))
        with contextlib.suppress(_Rehearsed), store.transaction():
            imported = Imported(reports=tuple(import_files(requests, store)), sealed=(), predates_lock=bool(older))
            require_most(requests, imported.reports, store)
            answers, judged = _counts(store, judge)
            if not judged:
                raise nothing_fits("no judgement fits a completion", imported)
            require_names_met(locked.plan, requests, imported.reports, store)
            require_numbers(requests[0], store)
            if is_rehearsal:
                raise _Rehearsed
        if is_rehearsal:
            return ImportedJudgements(judge=judge, imported=imported, answers=answers, judged=judged)
        with store.part(TABLE, "judge", [judge]) as own:
            body = {"judge": judge, **account(imported), **({"predates_lock": True, "older": older} if older else {})}
            sealed = [seal_once(locked.paths, own, TABLE, _file(locked, TABLE, judge), body)]
        sources = [request.name for request in requests]
        sealed += seal_refused(locked.paths, store, sources, _file(locked, "quarantine", judge))
    found = replace(imported, sealed=tuple(sealed))
    return ImportedJudgements(judge=judge, imported=found, answers=answers, judged=judged)


class _Rehearsed(Exception):
    """The end of a rehearsal: what was put into the store is taken out again."""


def _file(locked: LockedPlan, table: str, judge: str) -> str:
    """Where a judge's rows are sealed: where they are already, or beside that where answers came since it spoke."""
    first = f"{table}-{judge}.parquet"
    said = judgements_of(locked.events, judge)
    if said is None:
        return numbered(first, locked.events, table=TABLE, judge=judge)
    return str(said.body["file"]).replace(f"{TABLE}-", f"{table}-", 1)


def _declared(locked: LockedPlan, judge: str) -> Judged:
    known = locked.plan.judgements
    if judge not in known:
        raise BadInput(
            f"the plan of {locked.paths.name} does not say how judgements of {judge!r} map",
            Finding(where=f"judgements.{judge}", found="no such table", promised=", ".join(known) or "a table"),
            then=f"seedlock amend {locked.paths.name} --reason design-change --note 'adds it'  after adding it",
        )
    return known[judge]


def _refuse_too_early(locked: LockedPlan) -> None:
    """Judgements speak of completions that are sealed."""
    if not any(event.name == "data.sealed" and event.body["table"] == "completions" for event in locked.events):
        study = locked.paths.name
        raise OutOfOrder(
            f"{study} has no sealed completions to judge",
            Finding(where="ledger", found="no sealed completions", promised="completions before judgements"),
            then=f"seedlock import {study} FILE  or  seedlock generate {study}",
        )


def _refuse_second(locked: LockedPlan, judge: str, files: Sequence[Path]) -> None:
    """A judge's rows are sealed once for the answers there are; the same files again are a resumption."""
    if judgements_of(locked.events, judge) is None:
        return
    sealed = {
        str(source["sha256"])
        for event in locked.events
        if event.name == "data.sealed" and event.body.get("judge") == judge
        for source in event.body.get("sources", [])
    }
    others = [file for file in files if sealed and file.exists() and source_digest(file) not in sealed]
    if others:
        raise OutOfOrder(
            f"the judgements of {judge} are sealed",
            *(Finding(where=file.name, found="another file", promised="the sealed one") for file in others),
            then="name every file in one import, or give the other judge a name of its own",
        )


def _counts(store: Store, judge: str) -> tuple[int, int]:
    """Completions that are answers, and how many of them have a verdict of this judge."""
    found = store.con.execute(
        "SELECT count(*), count(judge) FROM completions LEFT JOIN"
        " (SELECT request_id, judge FROM judgements WHERE judge = ? AND status = 'ok') USING (request_id)"
        " WHERE status = 'ok'",
        [judge],
    ).fetchall()
    return int(found[0][0]), int(found[0][1])
