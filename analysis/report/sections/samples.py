"""What the models said: hostile until shown otherwise, so escaped, made visible and folded when long."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from analysis.report.pieces import Line, has_hidden, joined, pointer, shows_hidden
from analysis.report.sections.records import key_pieces, value_line

FOLD_AFTER = 600
_TEXTS = ("prompt", "question", "text", "completion")


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
    """One sampled answer: what it is an answer of, and its texts."""

    about: Line
    texts: tuple[SampleText, ...]
    has_hidden: bool


def sample_views(results: Mapping[str, Any]) -> tuple[SampleView, ...]:
    """Every sample, in the order of results.json."""
    return tuple(_view(pointer("samples", i), sample) for i, sample in enumerate(results["samples"]))


def _view(ref: str, sample: Mapping[str, Any]) -> SampleView:
    texts = tuple(_text(ref, key, sample[key]) for key in _TEXTS if isinstance(sample.get(key), str))
    rest = {key: value for key, value in sample.items() if key not in _TEXTS or not isinstance(value, str)}
    about = joined(
        (
            (*key_pieces(key), " ", *value_line(f"{ref}{pointer(key)}", value, key, "number3"))
            for key, value in rest.items()
        ),
        " · ",
    )
    return SampleView(
        about=about,
        texts=texts,
        has_hidden=any(has_hidden(sample[t]) for t in _TEXTS if t in sample and isinstance(sample[t], str)),
    )


def _text(ref: str, key: str, text: str) -> SampleText:
    shown = shows_hidden(text)
    is_exact = shown == text
    return SampleText(
        label="asked" if key in {"prompt", "question"} else "answered",
        ref=f"{ref}{pointer(key)}" if is_exact else "",
        shown=shown,
        preview=shown[: FOLD_AFTER // 2].rstrip() + " …" if len(shown) > FOLD_AFTER else "",
    )
