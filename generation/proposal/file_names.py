"""What the names of several files say: the parts in which they differ, as a `file_pattern`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

SEPARATORS = (r"/_.\-=", r"/_.=", r"/.\-=", r"/.=")
"""Characters that part a name, tried in this order: an arm may have a dash or an underscore of its own."""
TIME = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.\-]*[0-9]"
NUMBERED = re.compile(r"([A-Za-z]*?)([0-9]+)")
ENDS_IN_NUMBER = re.compile(r"(.*?[^0-9_\-])([_\-]?(?:seed|run|rep|s)?[_\-]?)([0-9]+)")


def pattern_of(files: Sequence[Path]) -> str | None:
    """The end of the files' paths with `{NAME}` for what differs; None where their names are not built alike.

    A part that is a number in every name is the seed, the first other one the arm; further ones keep their number.
    """
    pieces = _pieces(files)
    if len(files) < 2 or pieces is None:
        return None
    names: list[str] = []
    spelled = [values[0] if len(set(values)) == 1 else _part(values, names) for values in zip(*pieces, strict=True)]
    return "".join(spelled) if names else None


def _part(values: Sequence[str], names: list[str]) -> str:
    """What stands in the pattern for a part that differs, its names added to those in use."""

    def named(wanted: str) -> str:
        names.append(wanted if wanted not in names else f"part{len(names) + 1}")
        return "{" + names[-1] + "}"

    if all(re.fullmatch(TIME, value) for value in values):
        return named("time")
    numbered = [found for value in values if (found := NUMBERED.fullmatch(value))]
    if len(numbered) == len(values) and len({found[1] for found in numbered}) == 1:
        return numbered[0][1] + named("seed")
    ending = [found for value in values if (found := ENDS_IN_NUMBER.fullmatch(value))]
    if len(ending) == len(values) and len({found[2] for found in ending}) == 1 and len({f[1] for f in ending}) > 1:
        return named("arm") + ending[0][2] + named("seed")
    return named("arm")


def _pieces(files: Sequence[Path]) -> list[list[str]] | None:
    """The ends of the paths in as many pieces each, by the first separators that do so."""
    ends = [_end(file, files) for file in files]
    for separators in SEPARATORS:
        pieces = [re.findall(f"{TIME}|[^{separators}]+|[{separators}]+", end) for end in ends]
        if len({len(found) for found in pieces}) == 1:
            return pieces
    return None


def _end(file: Path, files: Sequence[Path]) -> str:
    """As much of a path as tells the files apart, were it not for the time: the name, or folders too."""

    def end(one: Path, n: int) -> str:
        return "/".join(one.absolute().parts[-n:])

    for n in range(1, len(file.absolute().parts)):
        if len({re.sub(TIME, "", end(other, n)) for other in files}) == len(files):
            return end(file, n)
    return file.name
