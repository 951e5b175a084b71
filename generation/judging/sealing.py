"""Judgements and canaries of one judge become sealed files of their own, each with its line in the ledger."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from seedlock.generation.judging.reading import Verdict
from seedlock.prereg.base.canonical import Sha256, sha256_file, sha256_json
from seedlock.prereg.errors import Finding, OutOfOrder
from seedlock.prereg.lock.gate import LockedPlan
from seedlock.prereg.lock.ledger import Event, append_event, read_ledger
from seedlock.prereg.lock.superseded import judgements_of, numbered
from seedlock.prereg.plan.judges import Tested, files_of
from seedlock.schemas import TABLES
from seedlock.schemas.seal import seal
from seedlock.schemas.store import Store

SECOND = "/2"
"""Put behind the name of a judge whose second readings these are."""


def sealed_word(locked: LockedPlan, judge: str) -> Event | None:
    """Return the ledger's line on a judge's word on every sealed completion, given on the terms the plan states now.

    Raises
    ------
    OutOfOrder
        They were made with another rubric, sample or setting, before the plan was amended.
    """
    event = judgements_of(locked.events, judge)
    if event is not None and (found := event.body.get("terms_sha256")) != (promised := terms_of(locked, judge)):
        raise OutOfOrder(
            f"the judgements of {judge} are sealed, and the plan now states other terms",
            Finding(where=f"judges.{judge}", found=f"terms {found}", promised=f"terms {promised}"),
            then="give the new terms a judge of their own name, and amend",
        )
    return event


def terms_of(locked: LockedPlan, judge: str) -> Sha256:
    """Digest of everything that the plan says of a judge, its files included; who checks it later is another matter."""
    table = locked.plan.judges[judge]
    files = {key: sha256_file(locked.paths.study / file) for key, file in files_of(table).items()}
    said = table.model_dump(mode="json") | ({"gold": table.texts} if isinstance(table, Tested) else {})
    return sha256_json({"table": said, "files": files})


def judgement_rows(verdicts: Sequence[Verdict], judge: str) -> list[dict[str, Any]]:
    """Verdicts on completions as rows of `judgements`."""
    return [
        {
            "request_id": verdict.reading.id,
            "judge": judge if verdict.reading.reading == 1 else judge + SECOND,
            "label": verdict.label,
            "value": verdict.value,
            "status": verdict.status,
            "reason": verdict.reason,
        }
        for verdict in verdicts
    ]


def outcomes(rows: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Status -> rows."""
    return dict(sorted(Counter(str(row["status"]) for row in rows).items()))


def seal_judge(
    locked: LockedPlan,
    judge: str,
    judgements: Sequence[Mapping[str, Any]],
    canaries: Sequence[Mapping[str, Any]],
    made: Mapping[str, Any],
) -> list[Path]:
    """Seal what a judge said; the canaries first, so that judgements in the ledger are never without theirs.

    Parameters
    ----------
    made
        How the verdicts came about, for the ledger.
    """
    sealed = []
    files = {
        table: numbered(f"{table}-{judge}.parquet", locked.events, table="judgements", judge=judge)
        for table in ("canaries", "judgements")
    }
    if canaries:
        sealed.append(_seal(locked, "canaries", files["canaries"], canaries, {"judge": judge}))
    body = {
        "lock_id": locked.lock_id,
        "judge": judge,
        "terms_sha256": terms_of(locked, judge),
        "outcomes": outcomes(judgements),
        "judging": dict(made),
    }
    sealed.append(_seal(locked, "judgements", files["judgements"], judgements, body))
    return sealed


def seal_gold(locked: LockedPlan, source: str, rows: Sequence[Mapping[str, Any]], body: Mapping[str, Any]) -> Path:
    """Seal right answers beside the judgements that they check.

    Parameters
    ----------
    source
        Name that they stand under among the judgements.
    """
    first = f"judgements-{source.replace('/', '-')}.parquet"
    return _seal(locked, "judgements", numbered(first, locked.events, table="judgements", judge=source), rows, body)


def _seal(
    locked: LockedPlan, table: str, name: str, rows: Sequence[Mapping[str, Any]], body: Mapping[str, Any]
) -> Path:
    with Store.in_memory() as store:
        store.append(table, pa.Table.from_pylist(list(rows), schema=TABLES[table].arrow()))
        found = seal(store, table, locked.paths.runs / "sealed" / name)
    events = read_ledger(locked.paths.ledger)
    if not any(e.name == "data.sealed" and e.body["file"] == name and e.body["sha256"] == found.sha256 for e in events):
        own = {"table": table, "file": name, "sha256": found.sha256, "rows": found.rows}
        append_event(locked.paths.ledger, "data.sealed", {**own, **body})
    return found.file
