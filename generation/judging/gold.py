"""Which of a judge's verdicts get a right answer: a part of every run, drawn by the plan's seed and shown blind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow.compute as pc

from seedlock.generation.judging.marker import stripped
from seedlock.generation.judging.tables import SealedStudy, sealed_study
from seedlock.prereg.base.canonical import sha256_json
from seedlock.prereg.errors import BadInput, Finding, OutOfOrder
from seedlock.prereg.lock.gate import LockedPlan
from seedlock.prereg.lock.superseded import judgements_of
from seedlock.prereg.plan.gold import Gold
from seedlock.prereg.plan.judges import HostedJudge, JudgeTable, verdict_labels
from seedlock.schemas.seal import unseal

CANNOT_TELL = "?"
"""What stands for an answer where there is none to give."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldText:
    """One completion that gets a right answer.

    Parameters
    ----------
    id
        What stands on the sheet; it tells neither run nor arm.
    request_id
        The completion.
    text
        As the judge read it. Hostile.
    shown
        Item attributes that stand beside it.
    """

    id: str
    request_id: str
    text: str
    shown: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldTask:
    """Everything that whoever gives the right answers is given.

    Parameters
    ----------
    texts
        In an order that mixes the runs.
    answers
        What may be answered; numbers where `is_number`, and any number where it is empty.
    rubric
        What the judge was told, where it was told anything.
    """

    judge: str
    gold: Gold
    texts: tuple[GoldText, ...]
    answers: tuple[str, ...]
    is_number: bool
    rubric: str


def checked_by_people(locked: LockedPlan) -> list[str]:
    """Judges of the plan whose right answers people give, in plan order."""
    names = [*locked.plan.judges, *locked.plan.judgements]
    return [n for n in names if (gold := locked.plan.gold_of(n)) is not None and gold.judge is None]


def gold_task(locked: LockedPlan, judge: str) -> GoldTask:
    """Draw what gets a right answer.

    Raises
    ------
    BadInput
        The plan has nobody check this judge, or a text or an attribute to show is not there.
    OutOfOrder
        The judge has not spoken on every sealed completion.
    """
    gold = _gold(locked, judge)
    verdicts = _verdicts(locked, judge)
    study = sealed_study(locked)
    table = locked.plan.judges.get(judge)
    rows = _drawn(study, gold, judge, frozenset(verdicts))
    texts = [_text(study, gold, table, row) for row in rows]
    said = sorted({label for label, _ in verdicts.values() if label is not None})
    answers, is_number = _answers(locked, gold, table, said)
    return GoldTask(
        judge=judge,
        gold=gold,
        texts=tuple(sorted(texts, key=lambda text: text.id)),
        answers=answers,
        is_number=is_number,
        rubric=(locked.paths.study / table.rubric).read_text("utf-8") if isinstance(table, HostedJudge) else "",
    )


def _gold(locked: LockedPlan, judge: str) -> Gold:
    known = checked_by_people(locked)
    gold = locked.plan.gold_of(judge)
    if judge not in known or gold is None:
        fault = Finding(where="--judge", found=judge, promised=f"one of: {', '.join(known) or 'none is planned'}")
        raise BadInput("the plan has nobody give right answers to this judge", fault, then="edit the plan, and amend")
    return gold


def _verdicts(locked: LockedPlan, judge: str) -> dict[str, tuple[str | None, float | None]]:
    """Request id -> label and value, of every verdict that the judge gave."""
    event = judgements_of(locked.events, judge)
    if event is None:
        study = locked.paths.name
        imported = judge in locked.plan.judgements
        fault = Finding(where=f"judge {judge}", found="no judgements", promised="a verdict to check")
        then = f"seedlock import {study} --judge {judge}" if imported else f"seedlock judge {study}"
        raise OutOfOrder(f"{judge} has not spoken yet", fault, then=then)
    path = next(path for path in locked.paths.seal_places(str(event.body["file"])) if path.is_file())
    found = {}
    for batch in unseal(path, sha256=str(event.body["sha256"])):
        own = batch.filter(pc.and_(pc.equal(batch["judge"], judge), pc.equal(batch["status"], "ok")))
        for row in own.to_pylist():
            found[row["request_id"]] = (row["label"], row["value"])
    return found


type _Row = Mapping[str, str | None]


def _drawn(study: SealedStudy, gold: Gold, judge: str, judged: frozenset[str]) -> list[_Row]:
    """Of every run the first so many of its judged answers, in an order that the seed decides."""
    by_run: dict[str, dict[str, _Row]] = {}
    for batch in study.completions():
        for row in batch.select(["request_id", "run_id", "item_id", "text", "status"]).to_pylist():
            if row["request_id"] in judged and row["status"] == "ok":
                by_run.setdefault(row["run_id"], {})[row["request_id"]] = row
    return [
        rows[request]
        for run, rows in sorted(by_run.items())
        for request in gold.drawn(judge, str(study.runs[run]["arm"]), rows)
    ]


def _text(study: SealedStudy, gold: Gold, table: JudgeTable | None, row: _Row) -> GoldText:
    attributes = study.items[str(row["item_id"])]
    if absent := sorted(set(gold.shows) - attributes.keys()):
        known = ", ".join(sorted(attributes))
        faults = (Finding(where="gold.shows", found=f"no attribute {n!r}", promised=f"one of: {known}") for n in absent)
        raise BadInput("gold labels name what the data do not have", *faults, then="edit the plan, and amend")
    if row["text"] is None:
        fault = Finding(where=f"request {row['request_id']}", found="no text", promised="a text to read")
        raise BadInput("completions without a text cannot be labelled", fault, then='gold = { judge = "..." }')
    return GoldText(
        id=sha256_json([gold.seed, "blind", row["request_id"]])[:12],
        request_id=str(row["request_id"]),
        text=stripped(row["text"], table.strip if table is not None else []),
        shown={name: value for name in gold.shows if (value := attributes[name]) is not None},
    )


def _answers(locked: LockedPlan, gold: Gold, table: object, said: Sequence[str]) -> tuple[tuple[str, ...], bool]:
    """What may be answered, and whether it is a number."""
    if gold.labels:
        return tuple(gold.labels), False
    if isinstance(table, HostedJudge) and table.scale is not None:
        return tuple(map(str, table.answers)), True
    if isinstance(table, JudgeTable):
        labels = verdict_labels(table, locked.paths.study)  # type: ignore[arg-type]  # any judge of a plan
        return tuple(labels or said), not (labels or said)
    return tuple(said), not said
