"""Read the sample files that lm-eval writes with `--log_samples` (`samples_TASK_TIME.jsonl`).

Columns are dotted paths into a line: `doc_id`, `filter`, `doc.KEY`, the metrics by name (`acc`, `exact_match`), and
`filtered_resps.0.0`, the log-probability of the first option, which lm-eval writes as text. Added are `text` (the
answer's words, where the task generates), `choice` (the place of the likeliest option, where it ranks options) and
`repeat` (0, 1, ...; where a column asks for it, each repeated answer is a row).

A document appears once for each filter: pick one with `only = { filter = ["none"] }`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from seedlock.generation.intake.answers import readable
from seedlock.generation.intake.json_lines import json_objects
from seedlock.generation.intake.raw import Fault, RawBatch
from seedlock.generation.intake.records import Record, record_batches

OWN_KEYS = {"doc_id", "doc", "arguments", "resps", "filtered_resps"}


def read(path: Path, columns: Sequence[str]) -> Iterator[RawBatch]:
    """Yield the wanted columns of a sample file; a row's number is its line, plus the repeats before it.

    Raises
    ------
    BadInput
        No line is a logged sample, or a wanted column leads nowhere.
    """
    return record_batches(path, columns, _records(path, is_repeated="repeat" in columns))


def _records(path: Path, *, is_repeated: bool) -> Iterator[Record | Fault]:
    further = 0
    for line in json_objects(path):
        if isinstance(line, Fault):
            yield Fault(row=line.row + further, reason=line.reason, content=line.content)
            continue
        number, sample = line
        if absent := sorted(OWN_KEYS - sample.keys()):
            reason = f"not a logged sample of lm-eval: no {', '.join(absent)}"
            yield Fault(row=number + further, reason=reason, content=readable(sample))
            continue
        answers = _repeats(sample) if is_repeated else [_words(sample["filtered_resps"])]
        choice = _likeliest(sample["filtered_resps"])
        for repeat, text in enumerate(answers):
            added = {"repeat": repeat, "text": text, "choice": choice}
            yield Record(row=number + further + repeat, fields={**added, **sample})
        further += len(answers) - 1


def _repeats(sample: Mapping[str, Any]) -> list[str | None]:
    """Every generated answer to one document; one None where the task generates nothing."""
    found = sample["resps"]
    inner = found[0] if isinstance(found, list) and len(found) == 1 else None
    words = [_words([one]) for one in inner] if isinstance(inner, list) else []
    return words or [None]


def _words(responses: object) -> str | None:
    """The first answer, where it is words."""
    while isinstance(responses, list) and len(responses) >= 1 and isinstance(responses[0], list):
        if len(responses[0]) != 1:
            return None
        responses = responses[0]
    first = responses[0] if isinstance(responses, list) and responses else None
    return first if isinstance(first, str) else None


def _likeliest(responses: object) -> int | None:
    """The place of the largest log-probability; None where options tie, or are not ranked at all."""
    pairs = responses if isinstance(responses, list) else []
    told = [_number(pair[0]) if isinstance(pair, list) and len(pair) == 2 else None for pair in pairs]
    known = [number for number in told if number is not None]
    if len(known) < 2 or len(known) < len(told) or known.count(max(known)) > 1:
        return None
    return known.index(max(known))


def _number(value: object) -> float | None:
    """A number, or text that is one; None otherwise, and for NaN."""
    try:
        number = float(value) if isinstance(value, int | float | str) else math.nan
    except (ValueError, OverflowError):
        return None
    return None if math.isnan(number) else number
