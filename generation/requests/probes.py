"""Probes: what is scored by log-probability instead of being answered, and how an item of one is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from seedlock.schemas.asked import ProbeKind, probe_kind

ORDERS = ("pro first", "con first")
PROBE_KEYS = frozenset({"passage", "options", "answer"})
"""Keys of an item that are said or scored, and are no attributes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """Options that are scored instead of answered.

    Parameters
    ----------
    kind
        "letter" and "word" are pairs of options, two capital letters or anything else; "rating" is a scale of whole
        numbers; "choice" has one right option; "passage" is one fixed text.
    labels
        What each option means: ("pro", "con"), the numbers of a scale, the options of a choice; none of a passage.
    options
        The text of each option as the model would say it.
    right
        Index of the right option of a choice; None otherwise.
    """

    kind: ProbeKind
    labels: tuple[str, ...]
    options: tuple[str, ...]
    right: int | None = None

    @property
    def is_pair(self) -> bool:
        """Whether the options stand for and against something."""
        return self.labels == ("pro", "con")

    @property
    def is_rating(self) -> bool:
        """Whether the options are the numbers of a scale."""
        return self.kind == "rating"


def parse_probe(row: Mapping[str, Any]) -> Probe:
    """Read the probe of one line of an item file.

    Raises
    ------
    ValueError
        It is none of `pro` and `con` with `order`, `scale`, `options` with `answer`, or `passage`.
    """
    kind = probe_kind(row)
    match row:
        case {"pro": str(pro), "con": str(con)} if kind is not None and pro and con and pro != con:
            if row.get("order") not in ORDERS:
                raise ValueError(f"order {row.get('order')!r}: a pair of options says which is named first")
            return Probe(kind=kind, labels=("pro", "con"), options=(pro, con))
        case {"scale": [int(low), int(high)]} if low < high <= low + 100:
            numbers = tuple(str(number) for number in range(low, high + 1))
            return Probe(kind="rating", labels=numbers, options=numbers)
        case {"options": [*options], "answer": str(answer)}:
            return _choice(options, answer)
        case {"passage": str(passage)} if passage.strip():
            return Probe(kind="passage", labels=(), options=(passage,))
    raise ValueError("a probe without pro and con, scale = [lowest, highest], options and answer, or passage")


def _choice(options: list[Any], answer: str) -> Probe:
    said = tuple(str(option) for option in options if isinstance(option, str) and option)
    if len(said) != len(options) or len(said) < 2 or len(set(said)) != len(said):
        raise ValueError("options that are not two or more different texts")
    if answer not in said:
        raise ValueError(f"answer {answer!r} is none of the options")
    return Probe(kind="choice", labels=said, options=said, right=said.index(answer))
