"""Write text and numbers as LaTeX that means only itself, under pdfLaTeX as under XeLaTeX and LuaLaTeX."""

from __future__ import annotations

import re
import unicodedata

_ESCAPED = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\ensuremath{<}",
    ">": r"\ensuremath{>}",
    "|": r"\textbar{}",
    '"': r"{\char`\"}",
    "`": r"\textasciigrave{}",
    "\u2212": r"\ensuremath{-}",
    "\u00b1": r"\ensuremath{\pm}",
    "\u00d7": r"\ensuremath{\times}",
    "\u2264": r"\ensuremath{\leq}",
    "\u2265": r"\ensuremath{\geq}",
    "\u2192": r"\ensuremath{\rightarrow}",
    "\u00b7": r"\ensuremath{\cdot}",
    "\u2013": "--",
    "\u2014": "---",
    "\u2018": "`",
    "\u2019": "'",
    "\u201c": "``",
    "\u201d": "''",
    "\u2026": r"\ldots{}",
    "\u00a0": "~",
    "\u00b0": r"\ensuremath{^\circ}",
    "\u00df": r"\ss{}",
    "\u00f8": r"\o{}",
    "\u00d8": r"\O{}",
    "\u00e6": r"\ae{}",
    "\u0142": r"\l{}",
    "\u0141": r"\L{}",
}
_ACCENTS = {
    "\u0300": "`", "\u0301": "'", "\u0302": "^", "\u0303": "~", "\u0304": "=", "\u0306": "u", "\u0307": ".",
    "\u0308": '"', "\u030a": "r", "\u030b": "H", "\u030c": "v", "\u0327": "c", "\u0328": "k",
}  # fmt: skip
_SECOND_DASH = re.compile(r"(?<=-)-")
"""Two hyphens in a row would be joined to a dash."""
_APART = "\0"


def latex(text: str) -> str:
    r"""`text` escaped, on one line: what TeX would read as a command, and what a font may lack, is written out.

    A character that no usual font holds becomes `\seedlockunicode{4E2D}`, which prints it where engine and font can
    and its code where they cannot.
    """
    apart = _SECOND_DASH.sub(f"{_APART}-", " ".join(text.replace(_APART, "").split()))
    return "".join("{}" if one == _APART else _character(one) for one in apart)


def _character(one: str) -> str:
    if one in _ESCAPED:
        return _ESCAPED[one]
    if " " <= one <= "~":
        return one
    if "α" <= one <= "ω" and one not in "ος":
        letter = unicodedata.name(one).rpartition(" ")[2].lower().replace("lamda", "lambda")
        return rf"\ensuremath{{\{letter}}}"
    apart = unicodedata.normalize("NFD", one)
    if len(apart) == 2 and apart[0].isascii() and apart[0].isalpha() and apart[1] in _ACCENTS:
        return rf"\{_ACCENTS[apart[1]]}{{{apart[0]}}}"
    return rf"\seedlockunicode{{{ord(one):04X}}}"


def number(text: str) -> str:
    """A number as `format_value` writes it, its unit kept on the same line."""
    return latex(text).replace(" pp", "~pp").replace(r"\ensuremath{<} ", r"\ensuremath{<}~")
