"""`seedlock label`: a judge's right answers are asked for, blind, and `seedlock import --gold` seals them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from seedlock.generation.import_completions import older_than_the_lock
from seedlock.generation.intake.source_files import source_digest
from seedlock.generation.judging.gold import CANNOT_TELL, GoldTask, checked_by_people, gold_task
from seedlock.generation.judging.gold_sheet import PAGE, SHEET, read_sheet, write_page, write_sheet
from seedlock.generation.judging.sealing import outcomes, seal_gold
from seedlock.prereg.base.reading import is_regular
from seedlock.prereg.errors import BadInput, Finding, Incomplete, OutOfOrder
from seedlock.prereg.lock.gate import LockedPlan, working_on
from seedlock.prereg.lock.superseded import judgements_of
from seedlock.prereg.plan.gold import SUFFIX

SHOWN = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelling:
    """One judge's sheet: where it lies, and how far it is filled."""

    judge: str
    who: str
    sheet: str
    page: str
    texts: int
    answered: int
    is_sealed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """What `seedlock label` wrote, judge by judge."""

    study: str
    judges: tuple[Labelling, ...]

    def as_json(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        return asdict(self)

    def lines(self) -> Iterator[str]:
        """The account, for a person."""
        for one in self.judges:
            yield f"judge     {one.judge}, checked by {one.who}: {one.answered} of {one.texts} texts have an answer"
            if one.is_sealed:
                yield "          sealed"
                continue
            yield f"page      {one.page}  (open it in a browser; it needs no network)"
            yield f"sheet     {one.sheet}"
            yield f"seal      seedlock import {self.study} --gold {one.judge}  [FILE]  once every text has an answer"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedGold:
    """What an import of right answers sealed."""

    judge: str
    texts: int
    outcomes: Mapping[str, int]
    sealed: str

    def as_json(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        return asdict(self)

    def lines(self) -> Iterator[str]:
        """The account, for a person."""
        yield f"gold      {self.judge}: {self.texts} texts"
        yield f"became    {', '.join(f'{n} {status}' for status, n in self.outcomes.items())}"
        yield f"sealed    {self.sealed}"


def label_study(locked: LockedPlan, *, only: str | None = None) -> Labelled:
    """Write the sheet and the page of every judge that people check; answers that stand on the sheet stay.

    Raises
    ------
    BadInput
        No judge of the plan is checked by people, or a sheet cannot be read.
    OutOfOrder
        A judge has not spoken yet.
    """
    names = checked_by_people(locked)
    if only is None and not names:
        fault = Finding(where="[judges.NAME.gold]", found="none with who", promised="a judge that people check")
        raise BadInput(
            f"the plan of {locked.paths.name} has no judge checked", fault, then=f"seedlock status {locked.paths.name}"
        )
    return Labelled(
        study=locked.paths.name,
        judges=tuple(_write(locked, gold_task(locked, name)) for name in ([only] if only is not None else names)),
    )


def _write(locked: LockedPlan, task: GoldTask) -> Labelling:
    sheet, page = (_folder(locked, task.judge) / name for name in (SHEET, PAGE))
    given = read_sheet(sheet) if is_regular(sheet) else {}
    sheet.parent.mkdir(parents=True, exist_ok=True)
    for file, text in ((sheet, write_sheet(task, given)), (page, write_page(task, given))):
        file.write_text(text, "utf-8", newline="\n")
    return Labelling(
        judge=task.judge,
        who=task.gold.who or "",
        sheet=locked.paths.relative(sheet),
        page=locked.paths.relative(page),
        texts=len(task.texts),
        answered=sum(text.id in given for text in task.texts),
        is_sealed=judgements_of(locked.events, task.judge + SUFFIX) is not None,
    )


def _folder(locked: LockedPlan, judge: str) -> Path:
    return locked.paths.runs / "gold" / judge


def import_gold(locked: LockedPlan, judge: str, files: Sequence[Path] = ()) -> ImportedGold:
    """Seal the right answers to a judge: one for every text that was drawn, or a ? that says there is none.

    Parameters
    ----------
    files
        The sheet, or what the page saved, or several that together answer every text; without any, the sheet where
        `seedlock label` wrote it.

    Raises
    ------
    BadInput
        A file is no sheet, an answer is none of those that may be given, or a text that was not drawn is answered.
    Incomplete
        A text has no answer yet.
    OutOfOrder
        Right answers to this judge are sealed already, or the judge has not spoken.
    """
    with working_on(locked) as now:
        task = gold_task(now, judge)
        if (before := judgements_of(now.events, judge + SUFFIX)) is not None:
            return _again(now, task, [*files], before.body)
        sheets = [*files] or [_folder(now, judge) / SHEET]
        answers = _answers(now, task, sheets)
        rows = [_row(task, text.request_id, answers[text.id]) for text in task.texts]
        older = [said for file in sheets for said in older_than_the_lock(file, now)]
        body = {
            "lock_id": now.lock_id,
            "judge": judge + SUFFIX,
            "outcomes": outcomes(rows),
            "gold": {"of": judge, "who": task.gold.who, "seed": task.gold.seed},
            "sources": [_source(file) for file in sheets],
            **({"predates_lock": True, "older": older} if older else {}),
        }
        sealed = seal_gold(now, judge + SUFFIX, rows, body)
    return ImportedGold(judge=judge, texts=len(rows), outcomes=outcomes(rows), sealed=locked.paths.relative(sealed))


def _again(locked: LockedPlan, task: GoldTask, files: Sequence[Path], body: Mapping[str, Any]) -> ImportedGold:
    """The same files again are a resumption; others would be another set of right answers."""
    sealed = {str(source["sha256"]) for source in body["sources"]}
    if others := [file for file in files if source_digest(file) not in sealed]:
        faults = (Finding(where=file.name, found="another file", promised="the sealed one") for file in others)
        raise OutOfOrder(
            f"the right answers to {task.judge} are sealed", *faults, then=f"seedlock status {locked.paths.name}"
        )
    return ImportedGold(
        judge=task.judge, texts=int(body["rows"]), outcomes=dict(body["outcomes"]), sealed=str(body["file"])
    )


def _answers(locked: LockedPlan, task: GoldTask, sheets: Sequence[Path]) -> dict[str, str]:
    """Id -> answer, of every text that was drawn and no other."""
    given: dict[str, str] = {}
    faults: list[Finding] = []
    for sheet in sheets:
        for identity, answer in read_sheet(sheet).items():
            if given.setdefault(identity, answer) != answer:
                faults.append(Finding(where=identity, found=f"{given[identity]} and {answer}", promised="one answer"))
    drawn = {text.id for text in task.texts}
    faults += [Finding(where=i, found="an answer", promised="a text that was drawn") for i in given.keys() - drawn]
    faults += [
        Finding(where=identity, found=repr(answer[:80]), promised=", ".join((*task.answers, CANNOT_TELL)) or "a number")
        for identity, answer in given.items()
        if not _may_be(task, answer)
    ]
    if faults:
        raise BadInput("the right answers cannot be used", *faults[:SHOWN], then="mend the sheet; nothing was sealed")
    if absent := [text.id for text in task.texts if text.id not in given]:
        raise Incomplete(
            f"{len(absent)} of {len(task.texts)} texts have no answer yet",
            *(Finding(where=i, found="nothing", promised=f"an answer, or {CANNOT_TELL}") for i in absent[:SHOWN]),
            then=f"seedlock label {locked.paths.name}",
        )
    return given


def _may_be(task: GoldTask, answer: str) -> bool:
    if answer == CANNOT_TELL or answer in task.answers:
        return True
    return task.is_number and not task.answers and _number(answer) is not None


def _number(answer: str) -> float | None:
    try:
        value = float(answer)
    except ValueError:
        return None
    return value if abs(value) < float("inf") else None


def _row(task: GoldTask, request_id: str, answer: str) -> dict[str, Any]:
    """One right answer as a row of `judgements`."""
    is_none = answer == CANNOT_TELL
    return {
        "request_id": request_id,
        "judge": task.judge + SUFFIX,
        "label": None if is_none or task.is_number else answer,
        "value": None if is_none or not task.is_number else _number(answer),
        "status": "unparsed" if is_none else "ok",
        "reason": "no right answer could be given" if is_none else None,
    }


def _source(file: Path) -> dict[str, Any]:
    return {"file": file.name, "sha256": source_digest(file), "bytes": file.stat().st_size}
