r"""Read a paper's LaTeX: its files, what it binds with `\seedlock{KEY}`, and the numbers that stand unbound.

Not a TeX engine: an author's own macros are not expanded. What is no prose (options, references, lengths, code,
pictures) is left out.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from seedlock.prereg.base.reading import is_regular, read_regular_text
from seedlock.prereg.paper.numbers import MARK

MAX_FILES = 200
_COMMENT = re.compile(r"(?<!\\)((?:\\\\)*)%.*")
_INPUT = re.compile(r"\\(?:input|include|subfile)\s*\{([^{}]*)\}")
_USE = re.compile(r"\\seedlock(?:\[((?:[^\[\]{}]|\{[^{}]*\})*)\])?\{([^{}]*)\}")
_UNREAD = re.compile(
    r"\\(begin|end)\{(?:verbatim\*?|lstlisting|minted|tikzpicture|thebibliography|filecontents\*?)\}", re.S
)
_VERB = re.compile(r"\\(?:verb\*?|lstinline)([^A-Za-z\s])(?:(?!\1).)*\1")
_NO_PROSE = (
    "seedlockfree|seedlockcode|texttt|label|input|include|subfile|usepackage|RequirePackage|documentclass|url|nolinkurl"
    "|includegraphics|bibliography|bibliographystyle|vspace|hspace|vskip|hskip|setlength|addtolength|setcounter"
    "|addtocounter|hypersetup|begin|end|bibitem|date|geometry|color|textcolor|fontsize|cline|cmidrule|pagestyle"
    "|newcommand|renewcommand|providecommand|definecolor|href|setstretch|linespread|raisebox|rule|resizebox|scalebox"
    "|thanks|orcid|affil|num"
)
_PASSED_OVER = re.compile(
    rf"\\(?:(?:{_NO_PROSE})\*?|[A-Za-z]*(?:cite|ref)[a-z]*\*?)(?![A-Za-z])(?:\s*+\[[^\[\]]{{0,400}}+\])*+"
)
_NUMBER = re.compile(r"(?<![\w.\\\-])(\d{1,3}(?:(?:,|\{,\}|\\,)\d{3})+|\d+)(\.\d+)?(?![\w]|\.\d)")
_LENGTH = re.compile(r"\s*(?:pt|em|ex|cm|mm|in|bp|\\(?:text|line|column|paper)(?:width|height))\b")
_RELATED = re.compile(r"(?:=|<|>|\\(?:pm|leq?|geq?|approx|sim)|\\ensuremath\{[<>]\})[\s~$+\-]*$")
_UNIT = re.compile(
    r"[\s~$}]*(?:\\?%|\\,\\%|pp\b|per ?cent|(?:percentage[ -])?points?\b|times\b|log-odds\b"
    r"|(?:[a-z-]+\s+)?(?:seeds?|runs?|units?|answers?|items?|questions?|models?|arms?|completions?|samples?)\b)"
)
_NAMED = re.compile(
    r"(?:[Ss]ections?|Sec\.|[Ff]igures?|Figs?\.|[Tt]ables?|Tab\.|[Aa]ppendix|[Cc]hapter|[Ee]quations?|Eqs?\.|[Pp]ages?"
    r"|pp?\.|[Ll]ines?|[Vv]ersions?|[Ss]teps?|[Nn]o\.|Python|Seedlock|\bv)[\s~(]*$"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    r"""One `\seedlock[SHOWN]{KEY}`; `shown` is what the author typed for it, or nothing."""

    file: Path
    line: int
    key: str
    shown: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Loose:
    """A number that looks like a result and that nothing binds, with the words around it."""

    file: Path
    line: int
    number: str
    around: str


def paper_files(main: Path) -> Iterator[tuple[Path, str]]:
    """The paper and every file that it inputs, in order and once, without comments; what is not there is left out.

    Raises
    ------
    UnreadableFile
        The paper, or a file of it, is not a readable text.
    """
    left, seen = [main], set[Path]()
    while left and len(seen) < MAX_FILES:
        file = left.pop(0).resolve()
        if file in seen:
            continue
        seen.add(file)
        text = _without_comments(read_regular_text(file))
        yield file, text
        named = [main.resolve().parent / name.strip() for name in _INPUT.findall(text)]
        inputs = [path if path.suffix else path.with_suffix(".tex") for path in named]
        left = [path for path in inputs if is_regular(path.resolve())] + left


def _without_comments(text: str) -> str:
    """The text, its lines where they were; a mark of an export's own stays, since it says what the file is."""
    first, _, rest = text.partition("\n")
    return f"{first if first.startswith(MARK) else _COMMENT.sub(r'\1', first)}\n{_COMMENT.sub(r'\1', rest)}"


def uses(file: Path, text: str) -> Iterator[Use]:
    """Every key that the text prints."""
    line_of = _lines(text)
    for found in _USE.finditer(_blanked(text, _VERB)):
        yield Use(file=file, line=line_of(found.start()), key=found[2].strip(), shown=(found[1] or "").strip())


def loose_numbers(file: Path, text: str) -> Iterator[Loose]:
    """Numbers of the prose that look like results: decimals, percentages, amounts in a relation, counts from 10 on."""
    start, line_of = text.find(r"\begin{document}"), _lines(text)
    prose = _prose(text if start < 0 else re.sub(r"[^\n]", " ", text[:start]) + text[start:])
    for found in _NUMBER.finditer(prose):
        before, after = prose[max(0, found.start() - 40) : found.start()], prose[found.end() : found.end() + 40]
        if _is_result(found, before, after):
            around = " ".join(f"{before[-25:]}{found[0]}{after[:25]}".split())
            yield Loose(file=file, line=line_of(found.start()), number=plain_number(found[0]), around=around)


def plain_number(text: str) -> str:
    """A numeral without the marks between its thousands."""
    return re.sub(r",|\{,\}|\\,", "", text)


def _is_result(found: re.Match[str], before: str, after: str) -> bool:
    if _LENGTH.match(after) or _NAMED.search(before):
        return False
    if found[2] or _UNIT.match(after) or _RELATED.search(before):
        return True
    whole = int(plain_number(found[1]))
    is_year = len(found[1]) == 4 and 1900 <= whole <= 2100
    return whole >= 10 and not is_year


def _prose(text: str) -> str:
    """The text with everything blanked that is bound, quoted or no prose; every place stays where it was."""
    text = _blanked(_without_environments(text), _VERB)
    text = _blanked(text, _USE)
    pieces, at = [], 0
    for found in _PASSED_OVER.finditer(text):
        if found.start() < at:
            continue
        end = _end_of_arguments(text, found.end())
        pieces += [text[at : found.start()], re.sub(r"[^\n]", " ", text[found.start() : end])]
        at = end
    return "".join([*pieces, text[at:]])


def _end_of_arguments(text: str, at: int) -> int:
    """Where the braces that follow end."""
    while at < len(text) and text[at] == "{":
        depth = 0
        for place in range(at, len(text)):
            depth += {"{": 1, "}": -1}.get(text[place], 0) if text[place - 1] != "\\" else 0
            if depth == 0:
                break
        at = place + 1
    return at


def _without_environments(text: str) -> str:
    kept, at, opened = [], 0, None
    for found in _UNREAD.finditer(text):
        if found[1] == "begin" and opened is None:
            kept.append(text[at : found.start()])
            opened = found.start()
        elif found[1] == "end" and opened is not None:
            kept.append(re.sub(r"[^\n]", " ", text[opened : found.end()]))
            at, opened = found.end(), None
    return "".join([*kept, text[at:]]) if opened is None else "".join(kept)


def _blanked(text: str, pattern: re.Pattern[str]) -> str:
    return pattern.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), text)


def _lines(text: str) -> Callable[[int], int]:
    """Give the line of a place in the text, from 1."""
    ends = [found.start() for found in re.finditer("\n", text)]
    return lambda at: bisect_left(ends, at) + 1
