"""Tables of records whose keys the analysis chose: every value bound, undefined ones said so."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from seedlock.analysis.report.text.formats import exact_spec, interval, spread_spec
from seedlock.analysis.report.text.pieces import Code, Line, Number, Piece, Quote, Table, joined, pointer

_P_VALUES = {"p", "p_value", "p_adjusted", "p_above", "p_below"}
_SPREADS = {"sd", "se", "unit_sd"}
_AS_GIVEN = {"number", "per"}
"""Doses and covariates: a whole one is no count."""
_LEVELS = {"ci_level", "level", "alpha"}


def records_table(
    ref: str,
    rows: Sequence[Mapping[str, Any]],
    *,
    caption: str,
    spec: str,
    drop: frozenset[str] = frozenset(),
    names: Mapping[str, str] | None = None,
) -> Table | None:
    """One row a record, one column a key; None where there are no records.

    Parameters
    ----------
    ref
        Pointer of the list in results.json.
    spec
        Format of numbers on the scale of the entry.
    drop
        Keys left out (they are in results.json).
    names
        Key -> column heading, where the key itself reads badly.
    """
    if not rows:
        return None
    keys = [key for key in dict.fromkeys(key for row in rows for key in row) if key not in drop]
    table = tuple(
        tuple(value_line(f"{ref}{pointer(i, key)}", row[key], key, spec) if key in row else () for key in keys)
        for i, row in enumerate(rows)
    )
    is_numeric = {
        j for j, key in enumerate(keys) if all(_is_number(row.get(key)) for row in rows if row.get(key) is not None)
    }
    head = tuple((names or {}).get(key, words(key)) for key in keys)
    return Table(caption=caption, head=head, rows=table, numeric=frozenset(is_numeric))


def value_line(ref: str, value: Any, key: str, spec: str) -> Line:  # noqa: PLR0911 - one branch a kind of JSON
    """One value in the reader's format."""
    match value:
        case None:
            return (Number(ref, "text"),)
        case bool():
            return ("yes" if value else "no",)
        case int() | float() if key in _AS_GIVEN:
            return (Number(ref, exact_spec(float(value))),)
        case int():
            return (Number(ref, "integer"),)
        case float():
            return (Number(ref, spec_of(key, value, spec)),)
        case str():
            return (Quote(ref),)
        case [float() | int(), float() | int()]:
            return interval(ref, value, spec)
        case list():
            return joined(value_line(f"{ref}{pointer(i)}", item, key, spec) for i, item in enumerate(value))
        case dict():
            return mapping_line(ref, value, spec)
        case _:
            return (Code(str(value)),)


def mapping_line(ref: str, values: Mapping[str, Any], spec: str, *, by: str = ", ") -> Line:
    """`key value, key value`."""
    lines = ((*key_pieces(key), " ", *value_line(f"{ref}{pointer(key)}", v, key, spec)) for key, v in values.items())
    return joined(lines, by)


def reasons_line(ref: str, counts: Mapping[str, int]) -> Line:
    """`reason n, reason n`: reasons may hold words of the data, so that they stand as code."""
    return joined((Code(reason), " ", Number(f"{ref}{pointer(reason)}", "integer")) for reason in counts)


def key_pieces(key: str) -> tuple[Piece, ...]:
    """A key in words, or as code where it carries digits."""
    return (Code(key),) if any(c.isdigit() for c in key) else (words(key),)


def words(key: str) -> str:
    """`new_unit_ci` as "new unit interval"."""
    return " ".join("interval" if word == "ci" else word for word in key.replace("_", " ").split())


def spec_of(key: str, value: float, spec: str) -> str:
    """The format of one named number: p-values and levels have their own, the rest is on the entry's scale."""
    if key in _P_VALUES:
        return "p"
    if key.startswith(("p_predicted", "posterior", "probability")):
        return "percent1"
    if key in _LEVELS:
        return exact_spec(value, "number" if key == "alpha" else "percent")
    return spread_spec(spec) if key in _SPREADS else spec


def _is_number(value: Any) -> bool:
    if isinstance(value, list):
        return len(value) == 2 and all(_is_number(end) for end in value)
    return isinstance(value, int | float) and not isinstance(value, bool)


def bullets(ref: str, texts: Iterable[str]) -> tuple[Line, ...]:
    """One quotation a line for a list of texts at `ref`."""
    return tuple((Quote(f"{ref}{pointer(i)}"),) for i, _ in enumerate(texts))
