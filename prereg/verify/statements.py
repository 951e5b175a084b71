"""Typed statements to sign or to stamp: where the ledger stands, and that a replay gave the same numbers.

A lock is signed as it is. The others are canonical JSON of their own kind, so that no file can pass for another.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seedlock.prereg.base.canonical import canonical_json, read_json, write_atomic
from seedlock.prereg.base.json_shape import is_count, is_mapping
from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.base.reading import read_regular
from seedlock.prereg.errors import BadInput, Finding, OutOfOrder, UnreadableFile
from seedlock.prereg.lock.ledger import Event

MAX_STATEMENTS = 100
_LEDGER = re.compile(r"ledger-line-\d{4,}\.json")
_REPLAY = re.compile(r"replay-[A-Za-z0-9_.-]{1,80}\.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A statement that is of its kind and speaks of this ledger; `line` is the last line that it covers."""

    file: Path
    line: int
    body: Mapping[str, Any]


def ledger_statement(paths: StudyPaths, events: Sequence[Event]) -> Path:
    """Write the statement of where the ledger stands now.

    Raises
    ------
    OutOfOrder
        There is no ledger.
    """
    if not events:
        raise OutOfOrder(f"{paths.name} has no ledger", then=f"seedlock lock {paths.name}")
    file = paths.locks / f"ledger-line-{events[-1].n:04d}.json"
    return _write(file, _position("ledger", paths, events))


def replay_statement(paths: StudyPaths, events: Sequence[Event], *, by: str, said: str, tool: str) -> Path:
    """Write the statement that a replay gave the numbers of the newest report.

    Parameters
    ----------
    by
        A short name of whoever replayed; it becomes part of the file's name.
    said
        What the replay's check said, with the number of numbers compared.
    """
    built = [event for event in events if event.name == "report.built"]
    if not built or not _REPLAY.fullmatch(f"replay-{by}.json"):
        fault = Finding(where="--by", found=by, promised="letters, digits, dots, dashes; and a report to replay")
        raise BadInput("a replay is stated of a report, under a short name", fault, then="seedlock sign --help")
    told = {"results_sha256": built[-1].body["results_sha256"], "said": said, "tool": tool}
    return _write(paths.locks / f"replay-{by}.json", {**_position("replay", paths, events), **told})


def _position(kind: str, paths: StudyPaths, events: Sequence[Event]) -> dict[str, Any]:
    head = events[-1]
    return {"kind": f"seedlock-{kind}@v1", "study": paths.name, "line": head.n, "sha256": head.sha256}


def _write(file: Path, body: dict[str, Any]) -> Path:
    data = canonical_json(body) + b"\n"
    if file.exists() and read_regular(file) != data:
        found = Finding(where=file.name, found="another statement", promised="none: one is never replaced")
        raise OutOfOrder(f"{file.name} is there already", found, then="use another name with --by")
    write_atomic(file, data)
    return file


def ledger_statements(paths: StudyPaths, events: Sequence[Event]) -> tuple[list[Statement], list[Finding]]:
    """Statements of where the ledger stood, and those that speak of another ledger."""
    return _read(paths, events, "ledger", _LEDGER)


def replay_statements(paths: StudyPaths, events: Sequence[Event]) -> tuple[list[Statement], list[Finding]]:
    """Statements of replays, and those that speak of another ledger."""
    return _read(paths, events, "replay", _REPLAY)


def _read(
    paths: StudyPaths, events: Sequence[Event], kind: str, named: re.Pattern[str]
) -> tuple[list[Statement], list[Finding]]:
    here = sorted(paths.locks.iterdir()) if paths.locks.is_dir() else []
    files = [file for file in here if named.fullmatch(file.name)][:MAX_STATEMENTS]
    good, faults = [], []
    for file in files:
        try:
            data = read_regular(file, limit=65_536)
            body = read_json(data)
            is_plain = is_mapping(body) and canonical_json(body) + b"\n" == data
        except (UnreadableFile, ValueError) as error:
            faults.append(Finding(where=file.name, found=str(error)[:200], promised=f"a {kind} statement"))
            continue
        fault = _fault(body, kind, paths, events) if is_plain else "not canonical JSON"
        if fault is None:
            good.append(Statement(file=file, line=int(body["line"]), body=body))
        else:
            faults.append(Finding(where=file.name, found=fault, promised=f"seedlock-{kind}@v1 of this ledger"))
    return good, faults


def _fault(body: Mapping[str, Any], kind: str, paths: StudyPaths, events: Sequence[Event]) -> str | None:
    if body.get("kind") != f"seedlock-{kind}@v1":
        return f"kind {str(body.get('kind'))[:60]!r}"
    if body.get("study") != paths.name:
        return f"of study {str(body.get('study'))[:60]!r}"
    line: Any = body.get("line")
    if not is_count(line) or not 0 < line <= len(events):
        return f"of line {str(line)[:20]} of {len(events)}"
    return None if events[line - 1].sha256 == body.get("sha256") else f"line {line} of another ledger"
