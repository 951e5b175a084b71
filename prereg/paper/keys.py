"""Every value of results.json under a name that an author can type, rounded as the report rounds it.

`H1.estimate` is the estimate of hypothesis H1, `H1.ci` its interval, `H1.ci.low` the lower end; everything else has its
path: `accounting.runs_planned`, `claims.headline.p_value`. A negative number also stands without its sign, as
`|H1.estimate|`, for "fell by".
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from seedlock.prereg.verify.number_binding import format_value, page_formats

type Value = float | int | str | bool | tuple[float | int, float | int] | None

WITHOUT = ("samples",)
"""Parts of results.json that hold no number of the study, but texts that models wrote."""
MAX_TEXT = 300
_UNSAFE = re.compile(r"[^A-Za-z0-9_.\[\]+=-]")
_ENDS = ("low", "high")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """One value of results.json as a paper prints it.

    Parameters
    ----------
    ref
        JSON pointer of the value in results.json.
    spec
        Its format, that of `number_binding.format_value`.
    text
        What is printed: `38.3 pp`, `[25.0 pp, 51.7 pp]`, `< 0.001`, "not defined".
    """

    key: str
    ref: str
    value: Value
    spec: str
    text: str


def bound_values(results: Mapping[str, Any], pages: Collection[str]) -> dict[str, Bound]:
    """Every value of results.json by its key, in the order of the file.

    Parameters
    ----------
    results
        results.json as plain data.
    pages
        Of the report: a number that they print has the format that it has there, any other three significant digits.
    """
    formats = page_formats(*pages)
    found: dict[str, Bound] = {}
    wanted = {key: value for key, value in results.items() if key not in WITHOUT}
    for key, ref, value in _leaves(wanted, "", ""):
        for one in _forms(_free(_UNSAFE.sub("-", key), found), ref, value, formats):
            found[one.key] = one
    return found


def _free(key: str, taken: Mapping[str, Bound]) -> str:
    """`key`, or with a number where another has it already."""
    n = 2
    while key in taken:
        key, n = f"{key.removesuffix(f'-{n - 1}')}-{n}", n + 1
    return key


def _leaves(value: Any, key: str, ref: str) -> Iterator[tuple[str, str, Value]]:
    match value:
        case dict():
            for name, inner in value.items():
                yield from _leaves(inner, _joined(key, name), f"{ref}/{name.replace('~', '~0').replace('/', '~1')}")
        case [int() | float(), int() | float()] if not any(isinstance(end, bool) for end in value):
            yield key, ref, (value[0], value[1])
        case list():
            for i, inner in enumerate(value):
                named = inner.get("id", inner.get("name")) if isinstance(inner, dict) else None
                of = "" if ref == "/hypotheses" and named else key
                yield from _leaves(inner, _joined(of, str(named or i)), f"{ref}/{i}")
        case str() if len(value) > MAX_TEXT:
            return
        case _:
            yield key, ref, value


def _joined(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name


def _forms(key: str, ref: str, value: Value, formats: Mapping[str, str]) -> Iterator[Bound]:
    """The value itself; of an interval also its ends; of a negative number also its size."""
    if isinstance(value, tuple):
        specs = [formats.get(f"{ref}/{i}") or _usual(end) for i, end in enumerate(value)]
        low, high = (format_value(end, spec) for end, spec in zip(value, specs, strict=True))
        yield Bound(key=key, ref=ref, value=value, spec=specs[0], text=f"[{low}, {high}]")
        for i, name in enumerate(_ENDS):
            yield from _forms(f"{key}.{name}", f"{ref}/{i}", value[i], formats)
        return
    if isinstance(value, bool):
        yield Bound(key=key, ref=ref, value=value, spec="text", text="yes" if value else "no")
        return
    spec = formats.get(ref) or _usual(value)
    yield Bound(key=key, ref=ref, value=value, spec=spec, text=format_value(value, spec))
    if isinstance(value, int | float) and value < 0:
        yield Bound(key=f"|{key}|", ref=ref, value=-value, spec=spec, text=format_value(-value, spec))


def _usual(value: Value) -> str:
    """The format of a value that the report does not print."""
    if isinstance(value, float):
        size = abs(value)
        digits = 3 if size == 0 else min(6, max(0, 2 - math.floor(math.log10(size))))
        return f"number{digits}"
    return "integer" if isinstance(value, int) else "text"
