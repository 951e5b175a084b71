"""Shapes in which others keep their rows: each is imported, or refused with the step that helps; no row is lost."""

from __future__ import annotations

import gzip
import json
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from seedlock.generation.import_completions import Imported
from seedlock.generation.import_rehearsal import planned_import, rehearsed, require_maps
from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.errors import BadInput
from seedlock.prereg.plan.read import parse_plan
from tests.conftest import PLAN as SPREAD
from tests.conftest import StudyFixture

PLAN = """
[study]
title    = "Shapes"
question = "Do the arms differ?"
[inference]
seeds = "new"
items = "these"
alpha = 0.025
[models.tiny]
base     = "none"
revision = "none"
[arms]
a = {}
b = {}
[grid]
models = ["tiny"]
seeds  = [0, 1]
[measures.points]
kind = "numeric"
low  = -100
high = 100
unit = "points"
[[hypothesis]]
id        = "H1"
claim     = "b scores higher."
measure   = "points"
contrast  = { b = 1.0, a = -1.0 }
test      = "pooled_t"
bands     = ["lower", 0.0, "higher"]
predicted = "higher"
"""
RUNS = [("a", 0), ("a", 1), ("b", 0), ("b", 1)]
FLAT = 'arm = "arm", seed = "seed", item = "q"'

type Rows = Sequence[dict[str, Any]]
type Writer = Callable[[Path], None]


def table(format: str, answer: str, *, columns: str = FLAT, draw: str = ', draw = "0"', more: str = "") -> str:
    """An `[import]` of one answer column."""
    return (
        f'[import]\nformat = "{format}"\ncolumns = {{ {columns}, {answer} }}\n'
        f'constants = {{ model = "tiny"{draw} }}\n{more}'
    )


def rows(**answer: Any) -> list[dict[str, Any]]:
    """One row a run, with the same further values in each."""
    return [{"arm": arm, "seed": seed, "q": "q1", **answer} for arm, seed in RUNS]


def text(content: str, encoding: str = "utf-8") -> Writer:
    return lambda path: void(path.write_bytes(content.encode(encoding)))


def lines(found: Rows) -> Writer:
    return text("".join(json.dumps(row) + "\n" for row in found))


def document(found: Any, indent: int | None = 1) -> Writer:
    return text(json.dumps(found, indent=indent))


def separated(found: Rows, delimiter: str = ",", encoding: str = "utf-8") -> Writer:
    names = list(found[0])
    body = [names, *([str(row[name]) for name in names] for row in found)]
    return text("\n".join(delimiter.join(record) for record in body) + "\n", encoding)


def parquet(found: Rows) -> Writer:
    return lambda path: pq.write_table(pa.Table.from_pylist(list(found)), path)


def packed(write: Writer, how: str) -> Writer:
    def pack(path: Path) -> None:
        write(path)
        plain = path.read_bytes()
        path.write_bytes(gzip.compress(plain) if how == "gzip" else pa.compress(plain, how, asbytes=True))

    return pack


def cut(write: Writer) -> Writer:
    def shorten(path: Path) -> None:
        write(path)
        path.write_bytes(path.read_bytes()[:-12])

    return shorten


def folder(files: dict[str, Writer]) -> Writer:
    def make(path: Path) -> None:
        for name, write in files.items():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            write(path / name)

    return make


def workbook(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("xl/workbook.xml", "<workbook/>")


def void(_: object) -> None:
    """A writer returns nothing."""


@dataclass(frozen=True, kw_only=True)
class Shape:
    """Files, the plan's table, and what must come of them.

    Parameters
    ----------
    physical
        Rows that the files hold, counted by hand.
    answers
        The accepted answers, sorted; None for a row that is a missing one.
    statuses
        What the missing ones are.
    refused
        What the refusal must say; such a file is refused whole.
    """

    name: str
    files: dict[str, Writer]
    table: str
    physical: int = 4
    answers: Sequence[object] = ()
    statuses: dict[str, int] = field(default_factory=dict)
    quarantined: int = 0
    left_out: int = 0
    refused: tuple[str, ...] = ()


def one(name: str, file: str, write: Writer, table: str, **expected: Any) -> Shape:
    return Shape(name=name, files={file: write}, table=table, **expected)


VALUE, TEXT = 'value = "score"', 'text = "said"'
TWO = [0.5, 0.5, 0.5, 0.5]
HI = ["hi"] * 4
SCORED, SAID = rows(score=0.5), rows(said="hi")
LOGPROBS = {
    "content": [{"token": "Yes", "top_logprobs": [{"token": "No", "logprob": -2.0}, {"token": "Yes", "logprob": -0.5}]}]
}
GAP = """[import.differences]
gap = ["lp.content.0.top_logprobs[token=Yes].logprob", "lp.content.0.top_logprobs[token=No].logprob"]
"""
CHAT = [
    {
        "id": f"c{n}",
        "object": "chat.completion",
        "metadata": {"arm": arm, "seed": str(seed), "q": "q1"},
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}],
    }
    for n, (arm, seed) in enumerate(RUNS)
]
OF_CHAT = 'arm = "metadata.arm", seed = "metadata.seed", item = "metadata.q"'
GEMINI = [
    {
        "key": f"{arm}|{seed}|q1",
        "metadata": {"arm": arm, "seed": seed, "q": "q1"},
        "response": {
            "candidates": [
                {"content": {"parts": [{"text": "hm", "thought": True}, {"text": "hi"}]}, "finishReason": "STOP"}
            ]
        },
    }
    for arm, seed in RUNS
]
BLOCKED = {**GEMINI[0], "response": {"promptFeedback": {"blockReason": "SAFETY"}}}
LATE = {**GEMINI[1], "response": {"candidates": [{"content": {}, "finishReason": "MAX_TOKENS"}]}}
LOST = {"key": "x", "metadata": GEMINI[2]["metadata"], "error": {"code": 13, "message": "internal"}}
INSPECT: Any = {
    "version": 2,
    "status": "success",
    "eval": {"task": "t", "model": "m"},
    "results": {"total_samples": 4, "scores": [{"name": "match"}]},
    "samples": [
        {
            "id": "q1",
            "epoch": 1,
            "input": "?",
            "metadata": {"arm": arm, "seed": seed},
            "scores": {"match": {"value": "C"}},
            "output": {"choices": [{"message": {"role": "assistant", "content": "hi"}, "stop_reason": "stop"}]},
        }
        for arm, seed in RUNS
    ],
}
OF_FILE = 'arm = "file.arm", seed = "file.seed", item = "q"'
SHARD = [{**row, "score": 0.5} for row in rows()]

CHATS = rows(messages=[{"role": "user", "content": "?"}, {"role": "assistant", "content": "hi"}])

SHAPES = [
    one("csv", "a.csv", separated(SCORED), table("csv", VALUE), answers=TWO),
    one(
        "csv with semicolons", "a.csv", separated(SCORED, ";"), table("csv", VALUE, more='delimiter = ";"'), answers=TWO
    ),
    one(
        "csv with semicolons, unsaid",
        "a.csv",
        separated(SCORED, ";"),
        table("csv", VALUE),
        refused=("3 ';' and no ','", 'delimiter = ";"'),
    ),
    one("tabs", "a.tsv", separated(SCORED, "\t"), table("csv", VALUE, more='delimiter = "\\t"'), answers=TWO),
    one("tabs, unsaid", "a.tsv", separated(SCORED, "\t"), table("csv", VALUE), refused=('delimiter = "\\t"',)),
    one(
        "decimal comma",
        "a.csv",
        separated(rows(score="0,5"), ";"),
        table("csv", VALUE, more='delimiter = ";"\ndecimal = ","'),
        answers=TWO,
    ),
    one(
        "decimal comma, unsaid",
        "a.csv",
        separated(rows(score="0,5"), ";"),
        table("csv", VALUE, more='delimiter = ";"'),
        refused=("'0,5'", 'decimal = ","'),
    ),
    one(
        "decimal point where a comma is said",
        "a.csv",
        separated(SCORED, ";"),
        table("csv", VALUE, more='delimiter = ";"\ndecimal = ","'),
        refused=('decimal = "."',),
    ),
    one(
        "cp1252",
        "a.csv",
        separated(rows(said="naïve “yes”"), encoding="cp1252"),
        table("csv", TEXT, more='encoding = "cp1252"'),
        answers=["naïve “yes”"] * 4,
    ),
    one(
        "utf-16",
        "a.csv",
        separated(SAID, encoding="utf-16"),
        table("csv", TEXT, more='encoding = "utf-16"'),
        answers=HI,
    ),
    one(
        "utf-16, unsaid",
        "a.csv",
        separated(SAID, encoding="utf-16"),
        table("csv", TEXT),
        refused=("UTF-16", 'encoding = "..."'),
    ),
    one(
        "another encoding than said",
        "a.csv",
        separated(rows(said="\xff\xfe"), encoding="latin-1"),
        table("csv", TEXT, more='encoding = "shift_jis"'),
        refused=("text in shift_jis", "mend  encoding"),
    ),
    one(
        "a quote left open",
        "a.csv",
        text('arm,seed,q,said\na,0,q1,"hi\na,1,q1,hi\nb,0,q1,hi\nb,1,q1,hi\n'),
        table("csv", TEXT),
        refused=("row 1", "close the quote"),
    ),
    one(
        "a byte-order mark and quoted names",
        "a.csv",
        text('\ufeff"arm","seed","q","score"\n' + "".join(f"{arm},{seed},q1,0.5\n" for arm, seed in RUNS)),
        table("csv", VALUE),
        answers=TWO,
    ),
    one(
        "line ends of Windows in quoted cells",
        "a.csv",
        text("arm,seed,q,said\r\n" + "".join(f'{arm},{seed},q1,"hi\r\nyou, too"\r\n' for arm, seed in RUNS)),
        table("csv", TEXT),
        answers=["hi\r\nyou, too"] * 4,
    ),
    one(
        "line ends of old Macs",
        "a.csv",
        text("arm,seed,q,score\r" + "".join(f"{arm},{seed},q1,0.5\r" for arm, seed in RUNS)),
        table("csv", VALUE),
        answers=TWO,
    ),
    one(
        "a mapped name twice in the header",
        "a.csv",
        text("arm,seed,q,score,score\n" + "".join(f"{arm},{seed},q1,0.5,1\n" for arm, seed in RUNS)),
        table("csv", VALUE),
        refused=("2 columns", "one of that name"),
    ),
    one(
        "an unmapped name twice in the header, and a column without a name",
        "a.csv",
        text(",arm,seed,q,score,z,z\n" + "".join(f"0,{arm},{seed},q1,0.5,1,1\n" for arm, seed in RUNS)),
        table("csv", VALUE),
        answers=TWO,
    ),
    one(
        "spaces around names",
        "a.csv",
        text("arm , seed,q,score\n" + "".join(f"{arm},{seed},q1,0.5\n" for arm, seed in RUNS)),
        table("csv", VALUE),
        refused=("did you mean 'arm '?", "did you mean ' seed'?"),
    ),
    one(
        "seeds with leading zeros",
        "a.csv",
        text("arm,seed,q,score\n" + "".join(f"{arm},0{seed},q1,0.5\n" for arm, seed in RUNS)),
        table("csv", VALUE),
        refused=("'00', in 2 rows; did you mean '0'?", "[import.levels]"),
    ),
    one(
        "seeds with leading zeros, said",
        "a.csv",
        text("arm,seed,q,score\n" + "".join(f"{arm},0{seed},q1,0.5\n" for arm, seed in RUNS)),
        table("csv", VALUE, more='[import.levels]\nseed = { "00" = "0", "01" = "1" }'),
        answers=TWO,
    ),
    one("an Excel workbook", "a.xlsx", workbook, table("csv", VALUE), refused=("an Excel workbook", "as CSV")),
    one(
        "an old Excel workbook",
        "a.xls",
        lambda path: void(path.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600))),
        table("csv", VALUE),
        refused=("an Excel workbook", "as CSV"),
    ),
    one(
        "a first line for Excel",
        "a.csv",
        text("sep=;\narm;seed;q;score\n" + "".join(f"{arm};{seed};q1;0.5\n" for arm, seed in RUNS)),
        table("csv", VALUE, more='delimiter = ";"'),
        refused=("'sep=;'", "delete that line"),
    ),
    one(
        "NaN and infinity as words",
        "a.csv",
        separated([{**row, "score": x} for row, x in zip(rows(), ("nan", "inf", "-Infinity", "0.5"), strict=True)]),
        table("csv", VALUE),
        answers=[None, None, None, 0.5],
        statuses={"unparsed": 3},
    ),
    *(
        one(
            f"numbers written as {written}",
            "a.csv",
            text("arm,seed,q,score\n" + "".join(f'{arm},{seed},q1,"{written}"\n' for arm, seed in RUNS)),
            table("csv", VALUE),
            refused=("no row has a number in score", repr(written), "plain numbers"),
        )
        for written in ("50%", "1,234.5", "True")
    ),
    one(
        "a cell of two megabytes",
        "a.csv",
        separated(rows(said="x" * 2_000_000)),
        table("csv", TEXT),
        answers=["x" * 2_000_000] * 4,
    ),
    *(
        one(f"chats in {format}", f"a.{format}", write(CHATS), table(format, f'text = "{path}"'), answers=HI)
        for format, write in (("jsonl", lines), ("parquet", parquet))
        for path in ("messages.1.content", "messages[role=assistant].content")
    ),
    *(
        one(
            f"a column of JSON as text in {format}",
            f"a.{format}",
            write(rows(out='{"score": 0.5}')),
            table(format, 'value = "out.score"'),
            refused=("'out' is one value a row", "their own columns"),
        )
        for format, write in (("jsonl", lines), ("parquet", parquet))
    ),
    one("gzip of json lines", "a.jsonl.gz", packed(lines(SCORED), "gzip"), table("jsonl", VALUE), answers=TWO),
    one("gzip", "a.csv.gz", packed(separated(SCORED), "gzip"), table("csv", VALUE), answers=TWO),
    one("zstandard", "a.jsonl.zst", packed(lines(SCORED), "zstd"), table("jsonl", VALUE), answers=TWO),
    one(
        "gzip cut short",
        "a.csv.gz",
        cut(packed(separated(rows(said="x" * 500)), "gzip")),
        table("csv", TEXT),
        refused=("a whole gzip file", "again"),
    ),
    one("json lines", "a.jsonl", lines(SCORED), table("jsonl", VALUE), answers=TWO),
    one(
        "json lines with NaN in a column not mapped",
        "a.jsonl",
        lines(rows(score=0.5, loss=float("nan"))),
        table("jsonl", VALUE),
        answers=TWO,
    ),
    one(
        "json lines with NaN in the column mapped",
        "a.jsonl",
        lines([*SCORED[:3], {**SCORED[3], "score": float("nan")}]),
        table("jsonl", VALUE),
        answers=[0.5, 0.5, 0.5, None],
        statuses={"error": 1},
    ),
    one(
        "dotted paths in json",
        "a.jsonl",
        lines([{"meta": {"arm": a, "seed": s}, "q": "q1", "out": {"score": 0.5}} for a, s in RUNS]),
        table("jsonl", 'value = "out.score"', columns='arm = "meta.arm", seed = "meta.seed", item = "q"'),
        answers=TWO,
    ),
    one(
        "a dotted path misspelt",
        "a.jsonl",
        lines([{**row, "out": {"score": 0.5}} for row in rows()]),
        table("jsonl", 'value = "out.scores"'),
        refused=("did you mean 'out.score'?", "one of: arm, seed, q, out.score"),
    ),
    one(
        "structs in parquet",
        "a.parquet",
        parquet([{**row, "out": {"score": 0.5, "n": 1}} for row in rows()]),
        table("parquet", 'value = "out.score"'),
        answers=TWO,
    ),
    one(
        "a parquet path misspelt",
        "a.parquet",
        parquet([{**row, "out": {"score": 0.5, "n": 1}} for row in rows()]),
        table("parquet", 'value = "out.scoer"'),
        refused=("out.score",),
    ),
    one(
        "lists of answers in json",
        "a.jsonl",
        lines(rows(said=["hi", "ho"])),
        table("jsonl", 'text = "said.*", draw = "*"', draw=""),
        physical=8,
        answers=["hi"] * 4 + ["ho"] * 4,
    ),
    one(
        "lists of answers in parquet",
        "a.parquet",
        parquet(rows(said=["hi", "ho"])),
        table("parquet", 'text = "said.*", draw = "*"', draw=""),
        physical=8,
        answers=["hi"] * 4 + ["ho"] * 4,
    ),
    one(
        "lists side by side",
        "a.jsonl",
        lines(rows(said=[{"t": "hi"}, {"t": "ho"}], score=[1, 2])),
        table("jsonl", 'text = "said.*.t", value = "score.*", draw = "*"', draw=""),
        physical=8,
        answers=["hi"] * 4 + ["ho"] * 4,
    ),
    one(
        "lists side by side of different lengths",
        "a.jsonl",
        lines(rows(said=["hi"], score=[1, 2])),
        table("jsonl", 'text = "said.*", value = "score.*", draw = "*"', draw=""),
        refused=("lists of different lengths: said 1, score 2",),
    ),
    one(
        "a list mapped as a value",
        "a.jsonl",
        lines(rows(said=["hi", "ho"])),
        table("jsonl", TEXT),
        refused=("said.* makes a row of each element",),
    ),
    one(
        "the difference of two columns",
        "a.csv",
        separated(rows(yes=-0.5, no=-2.0)),
        table("csv", 'value = "gap"', more='[import.differences]\ngap = ["yes", "no"]'),
        answers=[1.5] * 4,
    ),
    one(
        "log-probabilities by token",
        "a.jsonl",
        lines(rows(lp=LOGPROBS)),
        table("jsonl", 'value = "gap"', more=GAP),
        answers=[1.5] * 4,
    ),
    one(
        "a token that is not among the likeliest",
        "a.jsonl",
        lines([*rows(lp=LOGPROBS)[:3], rows(lp={"content": [{"top_logprobs": []}]})[3]]),
        table("jsonl", 'value = "gap"', more=GAP),
        answers=[1.5] * 3 + [None],
        statuses={"error": 1},
    ),
    one(
        "a long file of several judges",
        "a.csv",
        separated([{**row, "judge": j, "score": s} for row in rows() for j, s in (("x", 1), ("y", 2))]),
        table("csv", VALUE, more='only = { judge = ["y"] }'),
        physical=8,
        answers=[2.0] * 4,
        left_out=4,
    ),
    one(
        "a long file of several judges, unsaid",
        "a.csv",
        separated([{**row, "judge": j, "score": s} for row in rows() for j, s in (("x", 1), ("y", 2))]),
        table("csv", VALUE),
        refused=('only = { "judge" = ["x"] }', "[judgements.NAME]"),
    ),
    one(
        "a long file of several scores, each an item of its own",
        "a.csv",
        separated([{**row, "metric": m, "score": s} for row in rows() for m, s in (("fluent", 1), ("kind", 2))]),
        table("csv", VALUE, columns='arm = "arm", seed = "seed", item = ["q", "metric"]'),
        physical=8,
        answers=[1.0] * 4 + [2.0] * 4,
    ),
    one(
        "a filter on another score",
        "a.csv",
        separated([{**row, "score": 0.5, "coherent": c} for row, c in zip(rows(), (90, 10, 50, 49.9), strict=True)]),
        table("csv", VALUE, more="[import.keep]\ncoherent = { at_least = 50 }"),
        answers=TWO,
        statuses={"filtered": 2},
    ),
    one(
        "a filter on a column that is not there",
        "a.csv",
        separated(rows(score=0.5, coherent=90)),
        table("csv", VALUE, more="[import.keep]\ncoherence = { at_least = 50 }"),
        refused=("did you mean 'coherent'?",),
    ),
    one(
        "finish reasons in their own words",
        "a.csv",
        separated(
            [
                {**row, "said": "hi", "end": e}
                for row, e in zip(rows(), ("stop", "eos", "length", "content_filter"), strict=True)
            ]
        ),
        table(
            "csv",
            f'{TEXT}, status = "end"',
            more='[import.status_words]\nstop = "ok"\neos = "ok"\nlength = "cut off"\ncontent_filter = "refusal"',
        ),
        answers=["hi", "hi", "hi", "hi"],
        statuses={"cut off": 1, "refusal": 1},
    ),
    one(
        "cut-off answers kept by a word of the source",
        "a.csv",
        separated([{**row, "said": "hi", "end": "length"} for row in rows()]),
        table("csv", f'{TEXT}, status = "end"', more='cut_off = "keep"\nstatus_words = { length = "cut off" }'),
        answers=HI,
    ),
    one(
        "finish reasons, unsaid",
        "a.csv",
        separated(rows(said="hi", end="stop")),
        table("csv", f'{TEXT}, status = "end"'),
        refused=("status_words maps others",),
    ),
    one(
        "think blocks",
        "a.jsonl",
        lines(
            [
                {**row, "said": t}
                for row, t in zip(
                    rows(), ("<think>no</think>\nhi", "no</think>hi", "hi", "<think>endless"), strict=True
                )
            ]
        ),
        table("jsonl", TEXT, more='think = ["<think>", "</think>"]'),
        answers=["<think>endless", "hi", "hi", "hi"],
        statuses={"cut off": 1},
    ),
    one("a json array", "a.json", document(SCORED), table("json", VALUE), answers=TWO),
    one("a json array on one line", "a.json", document(SCORED, None), table("json", VALUE), answers=TWO),
    one(
        "a json array in an object",
        "a.json",
        document({"meta": 1, "data": {"rows": SCORED}}),
        table("json", VALUE, more='rows_at = "data.rows"'),
        answers=TWO,
    ),
    one(
        "a json array in an object, unsaid",
        "a.json",
        document({"meta": 1, "results": SCORED}),
        table("json", VALUE),
        refused=('rows_at = "results"',),
    ),
    one(
        "a json array read as lines",
        "a.json",
        document(SCORED, None),
        table("jsonl", VALUE),
        refused=('format = "json"',),
    ),
    one(
        "a json array cut short",
        "a.json",
        cut(document(SCORED)),
        table("json", VALUE),
        refused=("a whole JSON document",),
    ),
    one(
        "an inspect log in json",
        "a.json",
        document(INSPECT),
        table(
            "inspect", 'value = "numbers.match"', columns='arm = "metadata.arm", seed = "metadata.seed", item = "id"'
        ),
        answers=[1.0] * 4,
    ),
    one(
        "an inspect log in json that lacks samples",
        "a.json",
        document({**INSPECT, "samples": INSPECT["samples"][:2]}),
        table("inspect", TEXT, columns='arm = "metadata.arm", seed = "metadata.seed", item = "id"'),
        refused=("4, as the header says", "eval-retry"),
    ),
    one(
        "chat completions as lines",
        "a.jsonl",
        lines(CHAT),
        table("openai_chat", 'text = "text"', columns=OF_CHAT),
        answers=HI,
    ),
    one(
        "chat completions as list pages",
        "a.json",
        text(
            json.dumps({"object": "list", "data": CHAT[:2], "has_more": True}, indent=1)
            + json.dumps({"object": "list", "data": CHAT[2:], "has_more": False}, indent=1)
        ),
        table("openai_chat", 'text = "text"', columns=OF_CHAT),
        answers=HI,
    ),
    one(
        "a list without its last page",
        "a.json",
        document({"object": "list", "data": CHAT, "has_more": True, "last_id": "c3"}),
        table("openai_chat", 'text = "text"', columns=OF_CHAT),
        refused=("after c3", "cat page*.json"),
    ),
    one(
        "gemini batches", "a.jsonl", lines(GEMINI), table("gemini_batch", 'text = "text"', columns=OF_CHAT), answers=HI
    ),
    one(
        "gemini batches with failures",
        "a.jsonl",
        lines([BLOCKED, LATE, LOST, GEMINI[3]]),
        table("gemini_batch", 'text = "text"', columns=OF_CHAT),
        answers=["hi", None, None, None],
        statuses={"refusal": 1, "cut off": 1, "error": 1},
    ),
    Shape(
        name="a file a run, by its name",
        table=table("csv", VALUE, columns=OF_FILE, more='file_pattern = "{arm}-seed{seed}.csv"'),
        files={f"{a}-seed{s}.csv": text("q,score\nq1,0.5\n") for a, s in RUNS},
        answers=TWO,
    ),
    Shape(
        name="a file a run, by its path",
        table=table("jsonl", VALUE, columns=OF_FILE, more='file_pattern = "{arm}/seed-{seed}/out.jsonl"'),
        files={f"{a}/seed-{s}/out.jsonl": lines([{"q": "q1", "score": 0.5}]) for a, s in RUNS},
        answers=TWO,
    ),
    one(
        "a file whose name does not follow the pattern",
        "a_0.csv",
        separated(SCORED),
        table("csv", VALUE, columns=OF_FILE, more='file_pattern = "{arm}-seed{seed}.csv"'),
        refused=("a_0.csv", "{arm}-seed{seed}.csv"),
    ),
    one(
        "a file whose name can be read two ways",
        "a--1.csv",
        separated(SCORED),
        table("csv", VALUE, columns=OF_FILE, more='file_pattern = "{arm}-{seed}.csv"'),
        refused=("two ways", "file_constants"),
    ),
    Shape(
        name="constants a file",
        table=table(
            "csv",
            VALUE,
            columns=OF_FILE,
            more="[import.file_constants]\n"
            + "".join(f'"job{n}.csv" = {{ arm = "{a}", seed = "{s}" }}\n' for n, (a, s) in enumerate(RUNS)),
        ),
        files={f"job{n}.csv": text("q,score\nq1,0.5\n") for n in range(4)},
        answers=TWO,
    ),
    one(
        "a file without constants",
        "job9.csv",
        separated(SCORED),
        table("csv", VALUE, columns=OF_FILE, more='[import.file_constants]\n"job1.csv" = { arm = "a", seed = "0" }'),
        refused=("did you mean 'job1.csv'?",),
    ),
    one(
        "shards of one split",
        "data",
        folder({f"train-0000{n}-of-00002.parquet": parquet(SHARD[2 * n : 2 * n + 2]) for n in (0, 1)}),
        table("hf_dataset", VALUE),
        answers=TWO,
    ),
    one(
        "shards with structs",
        "data",
        folder(
            {
                f"train-0000{n}-of-00002.parquet": parquet(
                    [{**row, "out": {"score": 0.5}} for row in SHARD[2 * n : 2 * n + 2]]
                )
                for n in (0, 1)
            }
        ),
        table("hf_dataset", 'value = "out.score"'),
        answers=TWO,
    ),
    one(
        "shards of which one is missing",
        "data",
        folder({"train-00000-of-00002.parquet": parquet(SHARD)}),
        table("hf_dataset", VALUE),
        refused=("1 of 2 parts", "train-00001-of-00002", "copy the whole folder"),
    ),
    one(
        "shards of two splits",
        "data",
        folder({f"{s}-00000-of-00001.parquet": parquet(SHARD) for s in ("train", "test")}),
        table("hf_dataset", VALUE),
        refused=("splits test, train", "a folder of their own"),
    ),
]


def paths_of(root: Path) -> StudyPaths:
    return StudyPaths(root=root, name="shapes")


def rehearse(shape: Shape, root: Path) -> tuple[Imported, list[dict[str, Any]]]:
    """Import as `seedlock check STUDY FILE ...` does."""
    files = []
    for name, write in shape.files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        write(root / name)
        files.append(root / name)
    paths = paths_of(root)
    plan = parse_plan((PLAN + shape.table).encode(), paths.plan)
    with rehearsed(planned_import(paths, plan), files, None) as (imported, store):
        return imported, [row for batch in store.read("completions") for row in batch.to_pylist()]


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_a_shape_is_imported_row_by_row_or_refused_with_the_next_step(shape: Shape, tmp_path: Path) -> None:
    if shape.refused:
        with pytest.raises(BadInput) as refusal:
            rehearse(shape, tmp_path)
        for said in shape.refused:
            assert said in str(refusal.value)
        return
    imported, stored = rehearse(shape, tmp_path)
    reports = imported.reports
    assert sum(report.read for report in reports) == shape.physical
    assert sum(report.quarantined for report in reports) == shape.quarantined
    assert sum(report.not_selected for report in reports) == shape.left_out
    assert len(stored) == shape.physical - shape.quarantined - shape.left_out
    answers = [row["text"] if row["text"] is not None else row["value"] for row in stored]
    assert sorted(answers, key=str) == sorted(shape.answers, key=str)
    failed = [row["status"] for row in stored if row["status"] != "ok"]
    assert {status: failed.count(status) for status in failed} == shape.statuses
    if not shape.left_out:
        assert len({row["run_id"] for row in stored}) == len(RUNS)


@pytest.mark.parametrize(
    ("mistake", "said"),
    [
        ('delimeter = ";"', "did you mean 'delimiter'?"),
        ('decimals = ","', "did you mean 'decimal'?"),
        ('encodings = "utf-16"', "did you mean 'encoding'?"),
        ('file_patern = "{arm}.csv"', "did you mean 'file_pattern'?"),
        ("[import.file_constant]", "did you mean 'file_constants'?"),
        ("[import.diferences]", "did you mean 'differences'?"),
        ("[import.keeps]", "did you mean 'keep'?"),
        ("[import.keep]\nscore = { atleast = 3 }", "did you mean 'at_least'?"),
        ("[import.keep]\nscore = {}", "at_least, at_most, or both"),
        ("[import.status_word]", "did you mean 'status_words'?"),
        ('thinks = ["<t>", "</t>"]', "did you mean 'think'?"),
        ('row_at = "x"', "did you mean 'rows_at'?"),
        ('encoding = "utf8-8"', "an encoding that Python knows"),
        ('attribute = ["q"]', "did you mean 'attributes'?"),
        ("[import.missing_label]", "did you mean 'missing_labels'?"),
        ('[import.missing_labels]\nX = "refused"', "refusal"),
        ("constant = {}", "did you mean 'constants'?"),
        ('[import.status_words]\nstop = "okay"', "ok"),
        ('file_pattern = "out.csv"', "a {NAME} in it"),
        ('[import.differences]\ngap = ["a", "b"]', "used nowhere"),
        ('rows_at = "x"', "format = 'json'"),
    ],
)
def test_a_misspelt_key_of_the_import_is_caught_without_a_file(mistake: str, said: str, tmp_path: Path) -> None:
    paths = paths_of(tmp_path)
    with pytest.raises(BadInput) as refusal:
        require_maps(paths, parse_plan((PLAN + table("csv", VALUE, more=mistake)).encode(), paths.plan))
    assert said in str(refusal.value)


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ('seed = "seed"', 'sed = "seed"', "did you mean 'seed'?"),
        ('value = "score"', 'valeu = "score"', "did you mean 'value'?"),
        ('format = "csv"', 'format = "cvs"', "csv"),
        ('draw = "0"', 'drow = "0"', "did you mean 'draw'?"),
        ('arm = "arm"', 'arm = "file.arn"', "file.arm"),
    ],
)
def test_a_misspelt_role_or_format_is_caught_without_a_file(right: str, wrong: str, said: str, tmp_path: Path) -> None:
    paths = paths_of(tmp_path)
    spelled = table("csv", VALUE, more='file_pattern = "{arm}.csv"').replace(right, wrong)
    with pytest.raises(BadInput) as refusal:
        require_maps(paths, parse_plan((PLAN + spelled).encode(), paths.plan))
    assert said in str(refusal.value)


def test_answers_that_a_filter_takes_are_missing_by_arm_and_in_the_worst_cases(study: StudyFixture) -> None:
    """Half of b's answers are incoherent: 10 of its 20 are missing, all of a's are there; bounds by hand."""
    plan = table("csv", VALUE, more="[import.keep]\ncoherent = { at_least = 50 }")
    study.write_plan(PLAN + plan + '\n[report]\ncells = [["arm"]]\n')
    study.run("lock")
    found = [
        {
            "arm": arm,
            "seed": seed,
            "q": f"q{q}",
            "score": 10 * (arm == "b") + seed,
            "coherent": 30 if arm == "b" and q % 2 else 80,
        }
        for arm, seed in RUNS
        for q in range(10)
    ]
    file = study.paths.root / "scores.csv"
    separated(found)(file)
    assert "10 filtered" in study.run("import", str(file))
    study.run("analyze")
    results = json.loads((study.paths.report / "results.json").read_bytes())
    arms = {one["arm"]: one for one in results["accounting"]["by_arm"]}
    assert (arms["a"]["missing"], arms["b"]["missing"], arms["b"]["reasons"]) == (0, 10, {"filtered": 10})
    hypothesis = results["hypotheses"][0]
    # a: 0.5 over seeds; b: 10.5 where coherent; the other half of b at -100 or 100.
    assert hypothesis["estimate"] == pytest.approx(10.0)
    bounds = [bound["estimate"] for bound in hypothesis["bounds"]]
    assert bounds == pytest.approx([0.5 * 10.5 - 50 - 0.5, 0.5 * 10.5 + 50 - 0.5])


def test_large_files_are_rehearsed_on_disk_with_the_same_account(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = paths_of(tmp_path)
    file = tmp_path / "scores.csv"
    separated(rows(score=0.5))(file)
    plan = parse_plan((PLAN + table("csv", VALUE)).encode(), paths.plan)
    told = []
    for most in (2**20, 0):
        monkeypatch.setattr("seedlock.generation.import_rehearsal.MOST_BYTES_IN_MEMORY", most)
        with rehearsed(planned_import(paths, plan), [file], None) as (imported, store):
            told.append((imported, list(store.read("completions")), bool(store.con.execute("SELECT path FROM "
            "duckdb_databases() WHERE database_name = 'rows'").fetchall())))  # fmt: skip
    assert told[0][:2] == told[1][:2]
    assert [on_disk for *_, on_disk in told] == [False, True]


def test_a_baseline_in_a_file_of_its_own_has_no_seed(tmp_path: Path) -> None:
    paths = paths_of(tmp_path)
    more = 'file_pattern = "{arm}-seed{seed}.csv"\n[import.file_constants]\n"before.csv" = { arm = "base" }'
    spelled = PLAN.replace("seeds  = [0, 1]", "seeds  = [0, 1]\nbaseline = true")
    spelled += table("csv", VALUE, columns=OF_FILE, more=more)
    files = [tmp_path / name for name in (*(f"{arm}-seed{seed}.csv" for arm, seed in RUNS), "before.csv")]
    for file in files:
        text("q,score\nq1,0.5\n")(file)
    plan = parse_plan(spelled.encode(), paths.plan)
    with rehearsed(planned_import(paths, plan), files, None) as (imported, _):
        assert imported.missing_runs == []
        assert len(imported.rows_by_run) == 5
    for file in files:
        text("arm,seed,q,score\nbase,0,q1,0.5\n")(file)
    plan = parse_plan(spelled.replace("file.arm", "arm").replace("file.seed", "seed").encode(), paths.plan)
    with (
        pytest.raises(BadInput, match="a baseline's seed is empty"),
        rehearsed(planned_import(paths, plan), files, None),
    ):
        pass


def test_one_long_file_holds_several_judges_each_brought_in_by_its_own_table(study: StudyFixture) -> None:
    columns = 'columns = { arm = "arm", seed = "seed", item = "q", draw = "draw", value = "score" }'
    judges = "".join(
        f'\n[judgements.{judge}]\nformat = "csv"\ndelimiter = ";"\n{columns}\nconstants = {{ model = "tiny" }}\n'
        f'only = {{ judge = ["{judge}"] }}\n'
        for judge in ("ada", "bob")
    )
    study.write_plan(SPREAD + judges)
    study.run("lock")
    study.run("import", str(study.bring_data()))
    sealed = pq.read_table(study.paths.runs / "sealed" / "completions.parquet").to_pylist()
    runs = {row["run_id"]: row for row in pq.read_table(study.paths.runs / "sealed" / "runs.parquet").to_pylist()}
    file = study.paths.root / "judged.csv"
    separated(
        [
            {
                "arm": runs[r["run_id"]]["arm"],
                "seed": runs[r["run_id"]]["seed"],
                "q": r["item_id"],
                "draw": r["draw"],
                "judge": judge,
                "score": score,
            }
            for r in sealed
            for judge, score in (("ada", 1), ("bob", 2))
        ],
        ";",
    )(file)
    for judge, score in (("ada", 1.0), ("bob", 2.0)):
        account = json.loads(study.run("import", str(file), "--judge", judge, "--json"))
        assert (account["answers"], account["judged"]) == (len(sealed), len(sealed))
        assert (account["files"][0]["read"], account["files"][0]["not_selected"]) == (2 * len(sealed), len(sealed))
        found = pq.read_table(study.paths.runs / "sealed" / f"judgements-{judge}.parquet").to_pylist()
        assert {row["value"] for row in found} == {score}
