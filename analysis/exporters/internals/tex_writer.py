"""Lines of a report as LaTeX."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from seedlock.analysis.report.text.pieces import Code, Line, Link, Number, Piece, Quote, Strong
from seedlock.prereg.base.json_pointer import resolve
from seedlock.prereg.paper.tex import latex
from seedlock.prereg.verify.number_binding import format_value

_BREAKS = re.compile(r"(/|\\_|:|@|,|=)(?=\S)")


@dataclass(frozen=True, slots=True, kw_only=True)
class TexWriter:
    r"""Writes a report's lines as LaTeX: numbers as `\seedlock{KEY}`, settings as code, links as they read."""

    results: Any
    keys: Mapping[str, str]

    def line(self, line: Line) -> str:
        """The line, escaped."""
        return "".join(self._piece(piece) for piece in line)

    def _piece(self, piece: Piece) -> str:
        match piece:
            case Number(ref, spec):
                key = self.keys.get(ref)
                return rf"\seedlock{{{key}}}" if key else latex(format_value(resolve(self.results, ref), spec))
            case Quote(ref):
                return latex(str(resolve(self.results, ref)))
            case Code(text):
                return rf"\seedlockcode{{{breakable(text)}}}"
            case Strong(text):
                return rf"\textbf{{{latex(text)}}}"
            case Link(text, url):
                return rf"\seedlockfree{{{latex(text)}, \seedlockcode{{{breakable(url)}}}}}"
            case str():
                return " " * piece.startswith(" ") + latex(piece) + " " * (len(piece) > 1 and piece.endswith(" "))


def breakable(text: str) -> str:
    """Code, escaped, that may break after a slash, an underscore, a colon, and every sixteen letters of a digest."""
    parts = re.split(r"([0-9a-f]{32,})", text)
    broken = [
        r"\allowbreak{}".join(re.findall(r".{1,16}", part)) if i % 2 else _BREAKS.sub(r"\1\\allowbreak{}", latex(part))
        for i, part in enumerate(parts)
    ]
    return "".join(broken)
