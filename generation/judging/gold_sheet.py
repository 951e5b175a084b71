"""The sheet and the page on which right answers are given, and reading them back."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path

from seedlock.generation.judging.gold import CANNOT_TELL, GoldTask
from seedlock.prereg.base.canonical import sha256_json
from seedlock.prereg.base.reading import read_regular
from seedlock.prereg.errors import BadInput, Finding

SHEET, PAGE = "sheet.csv", "label.html"
TEMPLATE = Path(__file__).with_name("label.html")
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""How a cell begins that a spreadsheet would run."""


def write_sheet(task: GoldTask, answers: Mapping[str, str]) -> str:
    """The texts as CSV: id, attributes, text, and an empty `answer`, but where there is one already."""
    names = list(task.gold.shows)
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, fieldnames=["id", *names, "text", "answer"], lineterminator="\n")
    writer.writeheader()
    for text in task.texts:
        cells = {"text": text.text, **{name: text.shown.get(name, "") for name in names}}
        shown = {name: f"'{cell}" if cell.startswith(FORMULA) else cell for name, cell in cells.items()}
        writer.writerow({"id": text.id, **shown, "answer": answers.get(text.id, "")})
    return out.getvalue()


def write_page(task: GoldTask, answers: Mapping[str, str]) -> str:
    """The texts as one page that asks nothing of a network and keeps its answers in the browser."""
    told = {
        "key": sha256_json([task.judge, [text.id for text in task.texts]])[:16],
        "answers": [*task.answers, CANNOT_TELL],
        "isFree": not task.answers,
        "rubric": task.rubric,
        "given": dict(answers),
        "texts": [{"id": t.id, "text": t.text, "shown": dict(t.shown)} for t in task.texts],
    }
    # Within a script element nothing may look like its end: a text is whatever a model wrote.
    data = json.dumps(told, ensure_ascii=True).replace("<", "\\u003c").replace("&", "\\u0026")
    return TEMPLATE.read_text("utf-8").replace("__DATA__", data)


def read_sheet(file: Path) -> dict[str, str]:
    """Id -> what stands as its answer, empty ones left out; a sheet or what the page saved.

    Raises
    ------
    BadInput
        The file is no CSV with columns `id` and `answer`, or answers a text twice and differently.
    """
    try:
        rows = list(csv.DictReader(io.StringIO(read_regular(file).decode("utf-8-sig"), newline="")))
    except (UnicodeDecodeError, csv.Error) as error:
        fault = Finding(where=file.name, found=str(error), promised="CSV in UTF-8")
        raise BadInput("the sheet cannot be read", fault, then="save it as CSV, UTF-8") from None
    if not rows or not {"id", "answer"} <= rows[0].keys():
        found = ", ".join(map(str, rows[0])) if rows else "no row"
        fault = Finding(where=file.name, found=found, promised="columns id and answer")
        raise BadInput("this is no sheet of right answers", fault, then="seedlock label STUDY  writes one")
    found_answers: dict[str, str] = {}
    faults = []
    for row in rows:
        answer = (row["answer"] or "").strip()
        if answer and found_answers.setdefault(row["id"], answer) != answer:
            faults.append(Finding(where=str(row["id"]), found="two answers", promised="one"))
    if faults:
        raise BadInput("a text has two right answers", *faults[:20], then="keep one of them")
    return found_answers
