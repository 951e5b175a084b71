"""What a file's own path says of every row in it: the columns `file.NAME`."""

from __future__ import annotations

import difflib
import re
from pathlib import Path

from seedlock.prereg.errors import BadInput, Finding
from seedlock.prereg.plan.imports import Reading

FILE_PREFIX = "file."
PART = re.compile(r"\{(\w+)\}")


def path_end(path: Path, reading: Reading) -> str:
    """Return as much of a file's path as the plan speaks of: its name, or more folders where the plan names them."""
    spoken_of = [reading.file_pattern or "", *reading.file_constants]
    return "/".join(path.absolute().parts[-(1 + max(spelled.count("/") for spelled in spoken_of)) :])


def part_names(reading: Reading) -> set[str]:
    """Every NAME of a column `file.NAME` that the plan's pattern or table gives."""
    in_table = {name for constants in reading.file_constants.values() for name in constants}
    return in_table | set(PART.findall(reading.file_pattern or ""))


def file_parts(path: Path, reading: Reading) -> dict[str, str | None]:
    """Return the column `file.NAME` -> value of a file, null where it has no such part (a baseline's seed).

    The table says it where it names the file, the pattern otherwise.

    Raises
    ------
    BadInput
        The path does not end as the pattern says, or could in two ways; the table has no such file.
    """
    in_table = _lines_of(path, reading)
    if len(in_table) == 1:
        parts = reading.file_constants[in_table[0]]
    elif reading.file_pattern is not None and not in_table:
        parts = _by_pattern(path, reading.file_pattern)
    elif reading.file_constants:
        raise _not_in_table(path, reading, len(in_table))
    else:
        parts = {}
    return {f"{FILE_PREFIX}{name}": parts.get(name) for name in sorted(part_names(reading))}


def _by_pattern(path: Path, pattern: str) -> dict[str, str]:
    end = "/".join(path.absolute().parts[-(1 + pattern.count("/")) :])
    first, last = _readings(pattern, end, seed="-?[0-9]+")
    if first is None or last is None or first.groupdict() != last.groupdict():
        first, last = _readings(pattern, end)
    if first is None or last is None:
        fault = Finding(where="file", found=end, promised=f'a path that ends as file_pattern = "{pattern}"')
        raise BadInput("a file's name does not say which run it is", fault, then="rename it, or mend [import]")
    if first.groupdict() != last.groupdict():
        found = f"{end}: {first.groupdict()} or {last.groupdict()}"
        fault = Finding(where="file", found=found, promised=f'one reading of "{pattern}"')
        raise BadInput("a file's name can be read two ways", fault, then="give it a line in [import.file_constants]")
    return first.groupdict()


def _readings(pattern: str, end: str, seed: str | None = None) -> tuple[re.Match[str] | None, re.Match[str] | None]:
    """The end of a path with its first parts as short and as long as can be; `seed` is what a part of that name is."""
    shortest, longest = (_regex(pattern, many, seed) for many in ("+?", "+"))
    return re.fullmatch(shortest, end), re.fullmatch(longest, end)


def _regex(pattern: str, many: str, seed: str | None) -> str:
    """The pattern as a regular expression; a name that comes again must be the same."""
    seen: set[str] = set()
    parts = []
    for place, text in enumerate(PART.split(pattern)):
        if place % 2 == 0:
            parts.append(re.escape(text))
        else:
            value = seed if seed is not None and text == "seed" else f"[^/]{many}"
            parts.append(f"(?P={text})" if text in seen else f"(?P<{text}>{value})")
            seen.add(text)
    return "".join(parts)


def _lines_of(path: Path, reading: Reading) -> list[str]:
    """The lines of the table that name a file."""
    parts = path.absolute().parts
    return [key for key in reading.file_constants if "/".join(parts[-(1 + key.count("/")) :]) == key]


def _not_in_table(path: Path, reading: Reading, n_lines: int) -> BadInput:
    near = difflib.get_close_matches(path.name, reading.file_constants, n=1)
    guess = f"; did you mean {near[0]!r}?" if near else ""
    said = f"{n_lines} lines for it" if n_lines else f"no line for it{guess}"
    promised = f"one of: {', '.join(reading.file_constants)}"
    fault = Finding(where=f"file_constants.{path.name}", found=said, promised=promised)
    return BadInput("the plan does not say which run a file is", fault, then="add it to [import.file_constants]")
