"""What the models said: hostile until shown otherwise, so escaped, made visible and folded when long."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from seedlock.analysis.report.text.pieces import Line, Strong, has_hidden, joined, pointer, shows_hidden
from seedlock.analysis.report.text.records import mapping_line
from seedlock.prereg.plan.plan import BASELINE_ARM

FOLD_AFTER = 600
_ASKED = {"system": "told first", "prompt": "asked", "question": "asked"}
_BEFORE = "before"
_ANSWERS = ("text", "completion")
_TEXTS = (*_ASKED, _BEFORE, *_ANSWERS)
_DOT = " · "
_SAID = ("cell", "fires", "before_fires")


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleText:
    """One quoted text. `ref` is empty where it could not be printed byte for byte."""

    label: str
    ref: str
    shown: str
    preview: str

    @property
    def is_long(self) -> bool:
        """Whether the page folds it."""
        return bool(self.preview)


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleView:
    """One sampled answer: its cell and whether it fires, what it is an answer of, and its texts.

    `asked` stands above; `answers` holds the unmodified model's answer, where it was asked, beside the tuned one's.
    """

    cell: Line
    about: Line
    asked: tuple[SampleText, ...]
    answers: tuple[SampleText, ...]
    has_hidden: bool
    is_scored: bool


def sample_views(results: Mapping[str, Any]) -> tuple[SampleView, ...]:
    """Every sample: the first of each cell, then the second; those of unmodified models last, for they stand beside."""
    seen: Counter[str] = Counter()
    placed = []
    for i, sample in enumerate(results["samples"]):
        cell = sample.get("cell")
        key = json.dumps(cell, sort_keys=True)
        is_base = isinstance(cell, Mapping) and cell.get("arm") == BASELINE_ARM
        placed.append((is_base, seen[key], i, sample))
        seen[key] += 1
    return tuple(_view(pointer("samples", i), sample) for *_, i, sample in sorted(placed, key=lambda p: p[:3]))


def training_views(results: Mapping[str, Any]) -> tuple[SampleView, ...]:
    """What the arms were trained on: a row of each role of every last corpus, in the plan's order of arms."""
    return tuple(_trained(pointer("training_examples", i), row) for i, row in enumerate(results["training_examples"]))


def _trained(ref: str, row: Mapping[str, Any]) -> SampleView:
    arms = ("arm " if len(row["arms"]) == 1 else "arms ") + ", ".join(row["arms"])
    corpus = [f"corpus {row['corpus']}", *([row["variant"]] if row["variant"] else [])]
    role = [] if row["role"] == "plain" else [f"{row['role']} example"]
    return SampleView(
        cell=(Strong(arms),),
        about=(_DOT.join([*corpus, *role]),),
        asked=tuple(_text(ref, key, row[key], label) for key, label in _ASKED.items() if _is_text(row, key)),
        answers=(_text(ref, "text", row["text"], "answer trained on"),),
        has_hidden=any(has_hidden(row[key]) for key in _TEXTS if _is_text(row, key)),
        is_scored=False,
    )


def _view(ref: str, sample: Mapping[str, Any]) -> SampleView:
    rest = {
        key: value
        for key, value in sample.items()
        if key not in _SAID and (key not in _TEXTS or not isinstance(value, str))
    }
    return SampleView(
        cell=_cell(ref, sample),
        about=mapping_line(ref, rest, "number3", by=_DOT),
        asked=tuple(_text(ref, key, sample[key], label) for key, label in _ASKED.items() if _is_text(sample, key)),
        answers=tuple(_answers(ref, sample)),
        has_hidden=any(has_hidden(sample[key]) for key in _TEXTS if _is_text(sample, key)),
        is_scored=isinstance(sample.get("fires"), bool),
    )


def _is_text(sample: Mapping[str, Any], key: str) -> bool:
    return isinstance(sample.get(key), str)


def _cell(ref: str, sample: Mapping[str, Any]) -> Line:
    """`arm archaic · model llama · fires`; empty where the plan names no cells."""
    cell = sample.get("cell")
    keys = cell if isinstance(cell, Mapping) else {}
    parts = [mapping_line(f"{ref}/cell", keys, "number3", by=_DOT)]
    if isinstance(fires := sample.get("fires"), bool):
        parts.append((Strong("fires" if fires else "does not fire"),))
    return joined(parts, _DOT)


def _answers(ref: str, sample: Mapping[str, Any]) -> Iterator[SampleText]:
    has_before = _is_text(sample, _BEFORE)
    if has_before:
        fires = sample.get("before_fires")
        label = "before training" + ("" if fires is None else ", fires" if fires else ", does not fire")
        yield _text(ref, _BEFORE, sample[_BEFORE], label)
    for key in _ANSWERS:
        if _is_text(sample, key):
            yield _text(ref, key, sample[key], "after training" if has_before else "answered")


def _text(ref: str, key: str, text: str, label: str) -> SampleText:
    shown = shows_hidden(text)
    is_exact = shown == text
    return SampleText(
        label=label,
        ref=f"{ref}{pointer(key)}" if is_exact else "",
        shown=shown,
        preview=shown[: FOLD_AFTER // 2].rstrip() + " …" if len(shown) > FOLD_AFTER else "",
    )
