"""An archive without texts: what holds questions, training texts or answers stays out, by name, size and digest.

Scores, counts, readings, results and a report without sampled answers take its place. Whoever has the files that stayed
out puts them back, and the archive verifies as it stands.
"""

from __future__ import annotations

import hashlib
import html
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from seedlock.analysis.report.build import report_files
from seedlock.analysis.report.kept_draws import read_draws
from seedlock.analysis.results.schema import read_results
from seedlock.analysis.study import Study
from seedlock.prereg.base.canonical import sha256_bytes
from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.errors import BadInput, Finding
from seedlock.prereg.lock.gate import require_lock
from seedlock.prereg.lock.ledger import Event

FOLDER = "without_texts"
LIST, README = "withheld.sha256", "WITHOUT-TEXTS.md"
TEXT_FREE = frozenset({"runs", "requests", "judgements", "counts", "cells", "readings", "conditions", "directions"})
"""Sealed tables that hold ids, labels and numbers."""
_PAGES = ("report.html", "report.md", "appendix.html", "results.json")
PROBE = 24
"""Letters by which a text is known again: one that begins so in what is archived has not stayed out."""


def without_texts(paths: StudyPaths, files: Mapping[str, bytes], events: Sequence[Event]) -> dict[str, bytes]:
    """The files of an archive, those with texts replaced by what can be said without them.

    Raises
    ------
    BadInput
        A withheld text would leave in the results, which no rule here takes out.
    """
    tables = {str(event.body["file"]): str(event.body["table"]) for event in events if event.name == "data.sealed"}
    held = {name: data for name, data in files.items() if _holds_texts(paths, name, tables)}
    probes = set(_probes(held))
    named_by_text = {
        n: d for n, d in files.items() if n not in held and n.endswith(".parquet") and probes & {*_probes({n: d})}
    }
    held = dict(sorted({**held, **named_by_text}.items()))
    free = dict(_in_their_place(paths, probes))
    listed = "".join(f"{sha256_bytes(data)}  {name}\n" for name, data in held.items()).encode()
    kept = {name: data for name, data in files.items() if name not in held}
    said = _readme(paths, held, free).encode()
    return dict(sorted({**kept, **free, LIST: listed, README: said}.items()))


def _holds_texts(paths: StudyPaths, name: str, tables: Mapping[str, str]) -> bool:
    """Whatever the plan names, the pages and results, and every sealed table that is not known to be free of texts."""
    study, report = f"{paths.relative(paths.study)}/", f"{paths.relative(paths.report)}/"
    if name.startswith(study):
        return name != f"{study}plan.toml"
    file = name.rpartition("/")[2]
    is_page = file in _PAGES and name.startswith(report)
    return is_page or (file in tables and tables[file] not in TEXT_FREE)


def _in_their_place(paths: StudyPaths, probes: set[str]) -> Iterator[tuple[str, bytes]]:
    """Results and report without sampled answers, a score for every answer; a page that quotes a text is left out."""
    results = read_results(paths).model_copy(update={"samples": [], "training_examples": []})
    written = results.to_bytes()
    if (quoted := _quoted(written.decode(), probes)) is not None:
        fault = Finding(where="results.json", found=f"a text that begins {quoted!r}", promised="no text but the plan's")
        raise BadInput("a text would leave with the results", fault, then="export without --without-texts")
    yield f"{FOLDER}/results.json", written
    locked = require_lock(paths, only_reading=True)
    pages = report_files(results, locked, read_draws(paths.report, results.model_dump(mode="json")))
    for name in _PAGES:
        if name in pages and _quoted(pages[name].decode(), probes) is None:
            yield f"{FOLDER}/{name}", pages[name]
    study = Study(paths.name, paths.root)
    if "completions" in study.tables:
        yield f"{FOLDER}/scores.parquet", _scores(study)


def _scores(study: Study) -> bytes:
    """Every measure's score of every answer; an item is known by a digest of its id, which may be its text."""
    scores = study.scores()[["model", "arm", "seed", "run_id", "item_id", "draw", "measure", "score"]]
    names = {item: f"item-{hashlib.sha256(item.encode()).hexdigest()[:12]}" for item in scores["item_id"].unique()}
    table = pa.Table.from_pandas(scores.assign(item_id=scores["item_id"].map(names)), preserve_index=False)
    file = io.BytesIO()
    pq.write_table(table.replace_schema_metadata(None), file)
    return file.getvalue()


def _probes(held: Mapping[str, bytes]) -> Iterator[str]:
    """How each withheld text begins, where it is long enough to be known by it."""
    for name, data in held.items():
        if name.endswith(".parquet"):
            table = pq.read_table(io.BytesIO(data))
            strings = [c for c, kind in zip(table.column_names, table.schema.types, strict=True) if _is_text(kind)]
            yield from _beginnings(one for c in strings if c not in _IDS for one in table[c].to_pylist())
        elif name.endswith((".jsonl", ".csv", ".txt")):
            yield from _beginnings(_strings(data.decode("utf-8", "replace")))


_IDS = {"request_id", "run_id"}


def _is_text(kind: Any) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _strings(text: str) -> Iterator[str]:
    """Strings of a file of rows: of each line's JSON, or the line itself."""
    for line in text.splitlines():
        try:
            yield from _leaves(json.loads(line))
        except ValueError:
            yield line


def _leaves(value: Any) -> Iterator[str]:
    match value:
        case str():
            yield value
        case dict():
            for one in value.values():
                yield from _leaves(one)
        case list():
            for one in value:
                yield from _leaves(one)


def _beginnings(texts: Iterable[str | None]) -> Iterator[str]:
    """An id has no spaces, and is no text."""
    plain = (" ".join(text.split()) for text in texts if text)
    yield from (text[:PROBE] for text in plain if len(text) >= PROBE and " " in text)


def _quoted(page: str, probes: set[str]) -> str | None:
    """The beginning of a withheld text that a page holds."""
    text = " ".join(html.unescape(page).split())
    return next((text[i : i + PROBE] for i in range(len(text) - PROBE + 1) if text[i : i + PROBE] in probes), None)


def _readme(paths: StudyPaths, held: Mapping[str, bytes], free: Mapping[str, bytes]) -> str:
    size = sum(map(len, held.values()))
    left = [name for name in ("report.html", "report.md") if f"{FOLDER}/{name}" not in free]
    quoting = f" Left out since they quote a text that stays out: {', '.join(left)}." if left else ""
    return (
        f"# {paths.name}, without texts\n\n"
        f"{len(held)} files with questions, training texts or answers ({size} bytes) are not here; `{LIST}` names each "
        f"with its SHA-256. `{FOLDER}/` holds the results, the report without sampled answers, and the score of every "
        f"answer that the study was decided on.{quoting}\n\n"
        f"Put the files back where `{LIST}` has them, then:\n\n"
        f"    sha256sum -c {LIST}\n    seedlock verify {paths.name} --root .\n\n"
        "Until then `verify` fails here for want of them.\n"
    )
