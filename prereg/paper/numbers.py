r"""`numbers.tex`: what a paper inputs to print a study's numbers by their keys, `\seedlock{H1.estimate}`."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from seedlock.prereg.paper.keys import bound_values
from seedlock.prereg.paper.tex import number

NAME = "numbers.tex"
MARK = "% Written by  seedlock export"
"""How every file of an export begins; only such a file is written over, and not read as an author's text."""
MACROS = r"""\makeatletter
\providecommand\seedlockstudy[3]{\gdef\seedlock@study{#1}\ifdefined\seedlock@main\else\gdef\seedlock@main{#1}\fi}
\providecommand\seedlocknumber[2]{\expandafter\gdef\csname seedlock:\seedlock@study/\detokenize{#1}\endcsname{#2}}
\providecommand\seedlockfigure[2]{}
\providecommand\seedlock@print[1]{%
  \ifcsname seedlock:\detokenize{#1}\endcsname\csname seedlock:\detokenize{#1}\endcsname
  \else\ifcsname seedlock:\seedlock@main/\detokenize{#1}\endcsname
    \csname seedlock:\seedlock@main/\detokenize{#1}\endcsname
  \else\PackageError{seedlock}{No value '\detokenize{#1}' in numbers.tex}{Its keys are listed there.}??\fi\fi}
\providecommand\seedlock[2][]{\if\relax\detokenize{#1}\relax\seedlock@print{#2}\else#1\fi}
\providecommand\seedlockfree[1]{#1}
\providecommand\seedlockcode[1]{\texttt{#1}}
\providecommand\seedlockunicode[1]{%
  \ifdefined\Umathcode
    \iffontchar\font"#1\relax\char"#1\relax\else\texttt{[U+#1]}\fi
  \else\texttt{[U+#1]}\fi}
\makeatother
"""


def numbers_file(study: str, results: Mapping[str, Any], pages: Collection[str], *, results_sha256: str) -> str:
    """The whole of `numbers.tex` but its figures: macros, a line for the study and its digests, a line a value.

    Parameters
    ----------
    results, pages
        results.json as plain data, and the report's pages, which say how each number is rounded.
    """
    lines = [
        f"{MARK} {study} --format latex;  seedlock verify --paper  holds it.",
        *MACROS.splitlines(),
        rf"\seedlockstudy{{{study}}}{{{results_sha256}}}{{{results['lock_id']}}}",
    ]
    values = bound_values(results, pages)
    lines += [rf"\seedlocknumber{{{key}}}{{{number(one.text)}}}" for key, one in values.items()]
    return "".join(f"{line}\n" for line in lines)


_LINE = re.compile(r"\\seedlock(study|number|figure)\{([^{}]*)\}\{(.*)\}$")


def read_lines(text: str) -> Iterator[tuple[int, str, str, str]]:
    """Place, kind (study, number, figure), name and content of every line that an export writes."""
    for n, line in enumerate(text.splitlines(), start=1):
        if found := _LINE.match(line):
            yield n, found[1], found[2], found[3]


def other_lines(text: str) -> Iterator[str]:
    """Every line that is none of these: the mark and the macros."""
    yield from (line for line in text.splitlines() if not _LINE.match(line))
