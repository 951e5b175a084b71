"""Which completions a judge is given: by the plan's conditions, classes and seeded sample; nothing else decides."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from seedlock.generation.judging.marker import holds, stripped
from seedlock.generation.judging.pairing import paired
from seedlock.generation.judging.reading import Reading, Verdict, no_verdict
from seedlock.generation.judging.tables import SealedStudy
from seedlock.prereg.base.canonical import sha256_json
from seedlock.prereg.errors import BadInput, Finding
from seedlock.prereg.plan.judges import ClassifierJudge, HostedJudge, JudgeTable
from seedlock.prereg.plan.plan import Plan

LEAST_TELLING = 3
"""Shorter values of a blinded name are not looked for in texts: they stand in any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What a judge is given.

    Parameters
    ----------
    readings
        Completions to judge, in order of run, item and draw; of pairs those of the class that is to be found.
    unread
        Completions that were chosen and are no answer, or of which nothing is left without the marker.
    left_out
        Completions that a classifier is not given, so that both classes of a run weigh the same; of pairs, those that
        have no partner.
    told
        Texts that hold a value of a name the judge is blind to.
    """

    readings: tuple[Reading, ...]
    unread: tuple[Verdict, ...]
    left_out: int
    told: int


type _Row = tuple[str | None, dict[str, Any]]
"""A completion and its class."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One class of completions: the items that belong to it, by run."""

    name: str | None
    items_of: Mapping[str, frozenset[str]]

    def rows(self, batch: pa.Table) -> Iterator[dict[str, Any]]:
        """Completions of a batch that belong to it."""
        anywhere = frozenset().union(*self.items_of.values()) if self.items_of else frozenset()
        chosen = pc.and_(_among(batch["run_id"], self.items_of), _among(batch["item_id"], anywhere))
        for row in batch.filter(chosen).to_pylist():
            if row["item_id"] in self.items_of[row["run_id"]]:
                yield row


def choose(study: SealedStudy, plan: Plan, name: str) -> Chosen:
    """Choose the completions of the plan's judge `name`.

    Raises
    ------
    BadInput
        No completion meets the conditions, one belongs to two classes, or a name to show or group by does not exist.
    """
    judge = plan.judges[name]
    kinds = kinds_of(study, plan, judge, f"judges.{name}")
    rows = _sampled(_rows(study, kinds, judge), judge)
    if not rows:
        fault = Finding(where=f"judges.{name}", found="no completion", promised="completions that meet its conditions")
        raise BadInput("a judge has nothing to judge", fault, then="edit the plan, and amend")
    _require_names(study, judge, f"judges.{name}")
    readings: list[Reading] = []
    unread: list[Verdict] = []
    told = 0
    for own_class, row in rows:
        reading = _reading(study, judge, own_class, row)
        if row["status"] != "ok":
            unread.append(no_verdict(reading, row["status"], f"the completion is no answer: {row['reason']}"))
        elif not reading.text:
            unread.append(no_verdict(reading, "error", "nothing is left of the text to judge"))
        else:
            readings.append(reading)
            told += _tells(study, judge, row["item_id"], reading)
    if judge.pairs is not None:
        pairs = paired(readings, judge, judge.pairs)
        found = tuple(verdict for verdict in unread if verdict.reading.own_class == judge.pairs.find)
        left_out = len(readings) + len(unread) - 2 * len(pairs) - len(found)
        return Chosen(readings=tuple(pairs), unread=found, left_out=left_out, told=told)
    kept = _balanced(readings, judge) if isinstance(judge, ClassifierJudge) else readings
    left_out = len(readings) - len(kept)
    return Chosen(readings=tuple(kept), unread=tuple(unread), left_out=left_out, told=told)


def kinds_of(study: SealedStudy, plan: Plan, judge: JudgeTable, at: str) -> list[Kind]:
    """The classes of completions that a judge is given, each with its items by run; one without a name, if no more."""
    inside = study.pairs(judge.where, plan, judge.items, at=f"{at}.where")
    if not judge.classes:
        return [Kind(name=None, items_of=inside)]
    kinds = []
    for name, item_set in judge.classes.items():
        own = study.pairs({}, plan, [item_set], at=f"{at}.classes.{name}")
        kinds.append(Kind(name=name, items_of={run: items & own[run] for run, items in inside.items()}))
    for one, other in combinations(kinds, 2):
        if any(items & other.items_of[run] for run, items in one.items_of.items()):
            fault = Finding(
                where=f"{at}.classes", found=f"{one.name} and {other.name} overlap", promised="one class a completion"
            )
            raise BadInput("a completion would belong to two classes", fault, then="edit the plan, and amend")
    return kinds


def _rows(study: SealedStudy, kinds: Sequence[Kind], judge: JudgeTable) -> Iterator[_Row]:
    """Completions of every class; texts without the marker only where the plan does not ask for it."""
    for batch in study.completions():
        for kind in kinds:
            for row in kind.rows(batch):
                is_text = row["text"] is not None or row["status"] != "ok"
                if is_text and (not judge.needs_marker(kind.name) or holds(row["text"] or "", judge.strip)):
                    yield kind.name, row


def _among(column: pa.ChunkedArray, names: Iterable[str]) -> pa.ChunkedArray:
    return pc.is_in(column, value_set=pa.array(sorted(names), pa.string()))


def _sampled(rows: Iterator[_Row], judge: JudgeTable) -> list[_Row]:
    """The first `sample` of a seeded shuffle of each run and class, back in order of run, item and draw."""
    if judge.sample is None:
        found = list(rows)
    else:
        shuffled = sorted(rows, key=lambda row: sha256_json([judge.seed, row[1]["request_id"]]))
        seen: Counter[tuple[str | None, str]] = Counter()
        found = []
        for own_class, row in shuffled:
            place = (own_class, row["run_id"])
            seen[place] += 1
            if seen[place] <= judge.sample:
                found.append((own_class, row))
    return sorted(found, key=lambda row: (row[1]["run_id"], row[1]["item_id"], row[1]["draw"]))


def _balanced(readings: Sequence[Reading], judge: ClassifierJudge) -> list[Reading]:
    """As many of either class in each run, drawn by the plan's seed."""
    shuffled = sorted(readings, key=lambda reading: sha256_json([judge.seed, "balance", reading.id]))
    n = Counter((reading.run_id, reading.own_class) for reading in readings)
    seen: Counter[tuple[str | None, str | None]] = Counter()
    kept = set()
    for reading in shuffled:
        seen[reading.run_id, reading.own_class] += 1
        if seen[reading.run_id, reading.own_class] <= min(n[reading.run_id, name] for name in judge.classes):
            kept.add(reading.id)
    return [reading for reading in readings if reading.id in kept]


def _reading(study: SealedStudy, judge: JudgeTable, own_class: str | None, row: Mapping[str, Any]) -> Reading:
    attributes = study.items[row["item_id"]]
    shows = judge.shows if isinstance(judge, HostedJudge) else []
    named = judge.pairs.by if judge.pairs is not None else judge.group if isinstance(judge, ClassifierJudge) else None
    group = None if named is None else attributes.get(named)
    return Reading(
        id=row["request_id"],
        text=stripped(row["text"] or "", judge.strip),
        shown={name: value for name in shows if (value := attributes.get(name)) is not None},
        run_id=row["run_id"],
        group=row["item_id"] if isinstance(judge, ClassifierJudge) and group is None else group,
        own_class=own_class,
    )


def _require_names(study: SealedStudy, judge: JudgeTable, at: str) -> None:
    """Attributes that the plan names exist."""
    known = {name for row in study.items.values() for name in row}
    named = (
        {"shows": (judge.shows, known), "blind": (judge.blind, known | study.factors)}
        if isinstance(judge, HostedJudge)
        else {}
    )
    if isinstance(judge, ClassifierJudge):
        named = {"group": ([judge.group], known)}
    if judge.pairs is not None:
        named["pairs.by"] = ([judge.pairs.by], known)
    faults = [
        Finding(where=f"{at}.{key}", found=f"no attribute {name!r}", promised=f"one of: {', '.join(sorted(allowed))}")
        for key, (names, allowed) in named.items()
        for name in names
        if name not in allowed
    ]
    if faults:
        raise BadInput("a judge names what the data do not have", *faults, then="edit the plan, and amend")


def _tells(study: SealedStudy, judge: JudgeTable, item_id: str, reading: Reading) -> bool:
    """Whether a text gives away what the judge must not know."""
    if not isinstance(judge, HostedJudge):
        return False
    values = {**study.runs[str(reading.run_id)], **study.items[item_id]}
    hidden = (values.get(name) for name in judge.blind)
    text = reading.text.casefold()
    return any(value.casefold() in text for value in hidden if value is not None and len(value) >= LEAST_TELLING)
