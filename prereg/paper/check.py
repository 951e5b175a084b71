"""`seedlock verify --paper`: numbers that a paper binds are the report's; those that nothing binds are listed."""

from __future__ import annotations

import difflib
import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seedlock.prereg.base.canonical import read_json, sha256_bytes
from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.base.reading import found_at, read_regular, read_regular_text
from seedlock.prereg.errors import BadInput, Finding, UnreadableFile
from seedlock.prereg.paper.keys import Bound, bound_values
from seedlock.prereg.paper.numbers import MARK, numbers_file, other_lines, read_lines
from seedlock.prereg.paper.source import Loose, Use, loose_numbers, paper_files, uses
from seedlock.prereg.paper.typed import is_so
from seedlock.prereg.verify.checks import Check, not_checked, verdict
from seedlock.prereg.verify.pages import read_pages

BOUND, LOOSE = "N1", "N2"
LINK = "paper"
EXIT_CODE = 7
MAX_SUGGESTED = 3
_NUMERAL = re.compile(r"\d+(?:\.\d+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """What a paper says: the exports that it inputs, the keys that it prints, the numbers that nothing binds.

    `exports` gives the `numbers.tex` of each study; the first is the one whose keys need no study before them.
    """

    main: Path
    exports: Mapping[str, Path]
    uses: tuple[Use, ...]
    loose: tuple[Loose, ...]

    def where(self, file: Path, line: int) -> str:
        """A place as the author knows it."""
        folder = self.main.resolve().parent
        return f"{file.relative_to(folder) if file.is_relative_to(folder) else file} line {line}"


def read_paper(main: Path) -> Paper:
    """Read a paper and every file that it inputs.

    Raises
    ------
    BadInput
        It cannot be read, or is no LaTeX.
    """
    if main.suffix != ".tex":
        fault = Finding(where=str(main), found=main.suffix or "no suffix", promised=".tex")
        raise BadInput("a paper is checked in its LaTeX", fault)
    exports: dict[str, Path] = {}
    used: list[Use] = []
    loose: list[Loose] = []
    for file, text in paper_files(main):
        if text.startswith(MARK):
            exports |= {name: file for _, kind, name, _ in read_lines(text) if kind == "study" and name not in exports}
            if any(kind == "study" for _, kind, _, _ in read_lines(text)):
                continue
        used += uses(file, text)
        loose += loose_numbers(file, text)
    return Paper(main=main, exports=exports, uses=tuple(used), loose=tuple(loose))


def paper_checks(paper: Paper, paths: StudyPaths, *, is_first: bool) -> Iterator[Check]:
    """N1: what the paper prints of this study is what its report says. N2, for the first study: numbers left unbound.

    Parameters
    ----------
    is_first
        Whether this is the first of the studies that are verified; a paper's unbound numbers are listed once.
    """
    what = f"every number that {paper.main.name} binds is the one in results.json"
    if paths.name not in paper.exports:
        then = f"seedlock export {paths.name} --format latex"
        yield not_checked(BOUND, LINK, what, f"{paper.main.name} inputs no numbers of {paths.name}", then)
        values: dict[str, Bound] = {}
    else:
        try:
            written = read_regular(paths.report / "results.json")
            results, pages = read_json(written), read_pages(paths.report).values()
        except (UnreadableFile, ValueError) as error:
            fault = Finding(where=paths.relative(paths.report), found=str(error), promised="results and a report")
            yield verdict(BOUND, LINK, what, [fault], exit_code=EXIT_CODE)
            return
        values = bound_values(results, pages)
        ours = _of_study(paper, paths.name)
        faults = [*_uses(paper, ours, values)]
        faults += _export(paper, paths, results, pages, sha256_bytes(written))
        yield verdict(BOUND, LINK, f"{what} ({len(ours)} of {paths.name})", faults, exit_code=EXIT_CODE)
    if is_first:
        yield _unbound(paper, values)


def _of_study(paper: Paper, study: str) -> list[tuple[Use, str]]:
    """Uses of this study's keys, with the key as it is without the study's name."""
    is_main = next(iter(paper.exports)) == study
    ours = []
    for use in paper.uses:
        of, slash, key = use.key.partition("/")
        if slash and of in paper.exports:
            ours += [(use, key)] if of == study else []
        elif is_main:
            ours.append((use, use.key))
    return ours


def _uses(paper: Paper, ours: list[tuple[Use, str]], values: Mapping[str, Bound]) -> Iterator[Finding]:
    for use, key in ours:
        where = f"{paper.where(use.file, use.line)} {use.key}"
        bound = values.get(key)
        if bound is None:
            close = difflib.get_close_matches(key, values, n=1)
            promised = f"a key of numbers.tex{f', such as {close[0]}' if close else ''}"
            yield Finding(where=where, found="no such value in results.json", promised=promised)
        elif use.shown and not is_so(use.shown, bound):
            yield Finding(where=where, found=use.shown, promised=f"{bound.text}, as results.json has it at {bound.ref}")


def _export(paper: Paper, paths: StudyPaths, results: Any, pages: Collection[str], digest: str) -> Iterator[Finding]:
    """`numbers.tex` against the lines that the results give now, and its figures against their digests."""
    file = paper.exports[paths.name]
    written = read_regular_text(file)
    wanted_text = numbers_file(paths.name, results, pages, results_sha256=digest)
    promised = {(kind, name): content for _, kind, name, content in read_lines(wanted_text)}
    seen = set()
    if [*other_lines(written)] != [*other_lines(wanted_text)]:
        yield Finding(where=paper.where(file, 1), found="other macros", promised="those that the export writes")
    for n, kind, name, content in read_lines(written):
        where = f"{paper.where(file, n)} {name}"
        if kind == "figure":
            found = found_at(file.parent / "figures" / name)
            if found != f"sha256 {content}":
                yield Finding(where=where, found=found, promised=f"sha256 {content}, the figure that was exported")
            continue
        seen.add((kind, name))
        wanted = promised.get((kind, name), "no such value in results.json")
        if content != wanted:
            yield Finding(where=where, found=content, promised=wanted)
    gone = [name for kind, name in promised if (kind, name) not in seen]
    if gone:
        found = f"{len(gone)} values are not there: {', '.join(gone[:3])}"
        yield Finding(where=paper.where(file, 1), found=found, promised=f"seedlock export {paths.name} --format latex")


def _unbound(paper: Paper, values: Mapping[str, Bound]) -> Check:
    """A list, never a failure: a number may be another work's."""
    what = f"no number of {paper.main.name} that looks like a result stands unbound"
    printed = _by_numeral(values) if paper.loose else {}
    faults = tuple(
        Finding(
            where=paper.where(one.file, one.line),
            found=f"{one.number}  in: {one.around}",
            promised=_suggested(one, printed.get(one.number, [])),
        )
        for one in paper.loose
    )
    return Check(id=LOOSE, link=LINK, state="warn" if faults else "pass", what=what, findings=faults)


def _by_numeral(values: Mapping[str, Bound]) -> Mapping[str, list[str]]:
    """The keys whose numbers print a numeral."""
    found: dict[str, list[str]] = defaultdict(list)
    for key, bound in values.items():
        if not isinstance(bound.value, str):
            for numeral in set(_NUMERAL.findall(bound.text.replace(",", ""))):
                found[numeral].append(key)
    return found


def _suggested(loose: Loose, same: list[str]) -> str:
    r"""What would bind a number: keys that print so, the hypotheses' own first."""
    if not same:
        return rf"no value of the study is printed so;  \seedlockfree{{{loose.number}}}  if it is another work's"
    best = sorted(same, key=lambda key: (key.startswith("|"), key.count("."), len(key)))[:MAX_SUGGESTED]
    return "  or  ".join(rf"\seedlock{{{key}}}" for key in best)
