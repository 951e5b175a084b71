"""One broken file of every format that an import reads, plain and compressed."""

from __future__ import annotations

import gzip
import json
import random
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from seedlock.generation.intake.request import ImportRequest, PlannedRun
from seedlock.generation.loading.load import import_file
from seedlock.schemas.store import Store
from tests.conftest import completions
from tests.fuzzing.mutations import dump, mutate_bytes, mutate_json
from tests.log_builders import answered, chat, eval_log, header, message, ranked, said, sample, zstd_zip

RUNS = (PlannedRun(run_id="m-a", model="m", arm="a", seed=None),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A format, the columns that are asked of it, and rows of it."""

    format: str
    name: str
    columns: dict[str, str]
    rows: list[dict[str, Any]] = field(default_factory=list)


PLAIN = {"item": "question", "draw": "draw", "text": "text"}
ANSWERS = [{"question": f"q{n}", "draw": 0, "text": f"answer {n}"} for n in range(40)]
GEMINI = {
    "key": "q1",
    "response": {"candidates": [{"content": {"parts": [{"text": "Yes."}]}, "finishReason": "STOP"}]},
}
KINDS = [
    Kind(format="csv", name="rows.csv", columns=PLAIN),
    Kind(format="jsonl", name="rows.jsonl", columns=PLAIN, rows=ANSWERS),
    Kind(format="json", name="rows.json", columns=PLAIN, rows=ANSWERS),
    Kind(format="parquet", name="rows.parquet", columns=PLAIN, rows=ANSWERS),
    Kind(
        format="inspect",
        name="log.eval",
        columns={"item": "id", "draw": "draw", "text": "text", "value": "numbers.match"},
        rows=[sample(1), sample(2), sample(3)],
    ),
    Kind(format="lm_eval", name="samples.jsonl", columns={"item": "doc_id", "value": "acc"}, rows=[ranked(1, "-1.0")]),
    Kind(
        format="openai_batch",
        name="batch.jsonl",
        columns={"item": "custom_id", "text": "text"},
        rows=[chat("q1"), chat("q2", None), answered("q3", {}, status_code=500)],
    ),
    Kind(
        format="anthropic_batch",
        name="batch.jsonl",
        columns={"item": "custom_id", "text": "text"},
        rows=[message("q1", [said("Yes.")])],
    ),
    Kind(format="gemini_batch", name="batch.jsonl", columns={"item": "key", "text": "text"}, rows=[GEMINI]),
]


def attempts(folder: Path) -> dict[str, Callable[[random.Random], tuple[str, Callable[[], str]]]]:
    """Name of a format -> what writes a broken file of it, and what then reads it."""

    def attempt(kind: Kind) -> Callable[[random.Random], tuple[str, Callable[[], str]]]:
        return lambda rng: (write_broken(kind, folder / kind.name, rng), lambda: read(kind, folder / kind.name))

    return {kind.format: attempt(kind) for kind in KINDS}


def read(kind: Kind, file: Path) -> str:
    """Import as the one run of a plan."""
    draw = {} if "draw" in kind.columns else {"draw": "0"}
    asked = ImportRequest(
        path=file,
        format=kind.format,
        columns=kind.columns,
        runs=RUNS,
        item_set="e",
        constants={"model": "m", "arm": "a", **draw},
    )
    with Store.in_memory() as store:
        report = import_file(asked, store)
    assert report.read == report.added + report.quarantined + report.not_selected
    return "read, with rows in quarantine" if report.quarantined else "read"


def write_broken(kind: Kind, file: Path, rng: random.Random) -> str:
    """Odd values in whole files, or broken bytes; some of them compressed, whole or broken again."""
    file.unlink(missing_ok=True)
    is_shaped = bool(kind.rows) and rng.random() < 0.6
    _write(kind, [mutate_json(row, rng) if is_shaped else row for row in kind.rows], file, rng)
    if not is_shaped:
        file.write_bytes(mutate_bytes(file.read_bytes(), rng))
    how = "odd values" if is_shaped else "broken bytes"
    if kind.format in {"parquet", "inspect"} or rng.random() < 0.6:
        return f"{kind.format}: {how}"
    packed = gzip.compress(file.read_bytes()) if rng.random() < 0.5 else _zstd(file.read_bytes())
    file.write_bytes(packed if rng.random() < 0.5 else mutate_bytes(packed, rng))
    return f"{kind.format}, compressed: {how}"


def _zstd(data: bytes) -> bytes:
    return bytes(pa.compress(data, codec="zstd", asbytes=True))


def _write(kind: Kind, rows: list[Any], file: Path, rng: random.Random) -> None:
    match kind.format:
        case "csv":
            file.write_text(completions(), "utf-8")
        case "json":
            file.write_bytes(dump(rows))
        case "parquet":
            columns = {name: [json.dumps(_at(row, name)) for row in rows] for name in PLAIN.values()}
            pq.write_table(pa.table(columns), file, compression=rng.choice(["zstd", "snappy", "none"]))
        case "inspect":
            _write_log(rows, file, rng)
        case _:
            file.write_bytes(b"".join(dump(row) + b"\n" for row in rows))


def _write_log(samples: list[Any], file: Path, rng: random.Random) -> None:
    """An archive of Inspect: as it writes them, deflated as it did once, or with members that are broken inside."""
    if rng.random() < 0.3 and all(isinstance(one, dict) and {"id", "epoch"} <= one.keys() for one in samples):
        eval_log(file, samples)
        return
    members = {f"samples/{n}_epoch_1.json": dump(one) for n, one in enumerate(samples)}
    top = header(len(samples))
    members["header.json"] = dump(mutate_json(top, rng) if rng.random() < 0.3 else top)
    broken = {name: mutate_bytes(data, rng) if rng.random() < 0.2 else data for name, data in members.items()}
    if rng.random() < 0.5:
        zstd_zip(file, broken)
        return
    with zipfile.ZipFile(file, "w", rng.choice([zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED, zipfile.ZIP_BZIP2])) as made:
        for name, data in broken.items():
            made.writestr(name, data)


def _at(row: Any, name: str) -> Any:
    return row.get(name) if isinstance(row, dict) else row
