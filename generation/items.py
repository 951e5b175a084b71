"""Items as the plan's files hold them: what is said to the model, and the attributes a contrast may select by."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from prereg.canonical import canonical_json, read_json
from prereg.errors import BadInput, Finding
from prereg.gate import LockedPlan
from schemas.identity import item_id

TURN_KEYS = frozenset({"item_id", "messages", "user", "system"})
ROLES = ("system", "user", "assistant")
ORDERS = ("pro first", "con first")


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One turn of a chat."""

    role: str
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """Options that are scored instead of answered.

    Parameters
    ----------
    labels
        What each option means: ("pro", "con"), or the numbers of a rating scale as text.
    options
        The text of each option as the model would say it.
    """

    labels: tuple[str, ...]
    options: tuple[str, ...]

    @property
    def is_rating(self) -> bool:
        """Whether the options are the numbers of a scale."""
        return self.labels == self.options


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One question of one item set; `probe` is None where the model answers freely."""

    item_set: str
    item_id: str
    turns: tuple[Turn, ...]
    attributes: Mapping[str, str | None]
    probe: Probe | None


def read_items(locked: LockedPlan) -> list[Item]:
    """Every item of every set that the plan names by file, in plan order.

    A line is one item: `messages`, or `user` (else `question`) with an optional `system`; `item_id`, or it is made of
    the other keys; every further key is an attribute. An item of a probe also has `pro` and `con` with `order`
    ("pro first" or "con first"), or `scale` = [lowest, highest].

    Raises
    ------
    BadInput
        With every line that is not an item, ids that name two different items, and option orders that do not balance.
    """
    items: list[Item] = []
    faults: list[Finding] = []
    for name, item_set in locked.plan.items.items():
        if item_set.file is not None:
            path = locked.paths.study / item_set.file
            for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
                if line.strip():
                    try:
                        items.append(_parse(line, item_set=name, is_probe=item_set.probe))
                    except ValueError as error:
                        where = f"{item_set.file} line {number}"
                        faults.append(Finding(where=where, found=str(error), promised="an item"))
    faults += [*_two_meanings(items), *_one_sided(items)]
    if faults:
        raise BadInput("the item files cannot be used", *faults[:20], then="mend the files and amend the plan")
    if not items:
        fault = Finding(where="[items.NAME] file", found="none", promised="a JSON Lines file of items")
        raise BadInput("the plan names no items to put to the models", fault, then="name them under [items], and amend")
    return items


def _parse(line: str, *, item_set: str, is_probe: bool) -> Item:
    row = read_json(line.encode())
    if not isinstance(row, dict):
        raise ValueError("not a JSON object")
    turns = tuple(_turns(row))
    attributes = {key: _text(value) for key, value in row.items() if key not in TURN_KEYS}
    if "items" in attributes:
        raise ValueError("an attribute named items")
    given = row.get("item_id")
    if given is not None and (not isinstance(given, str) or not given):
        raise ValueError(f"item_id {given!r}")
    named = given or item_id([value or "" for value in attributes.values()] or [turns[-1].content])
    probe = _probe(row) if is_probe else None
    return Item(item_set=item_set, item_id=named, turns=turns, attributes=attributes, probe=probe)


def _turns(row: Mapping[str, Any]) -> Iterator[Turn]:
    if "messages" in row:
        if "user" in row or "system" in row:
            raise ValueError("messages and user or system: give one")
        for turn in row["messages"]:
            if set(turn) != {"role", "content"} or turn["role"] not in ROLES or not isinstance(turn["content"], str):
                raise ValueError(f"a message that is not role and content: {turn!r}")
            yield Turn(role=turn["role"], content=turn["content"])
        if not row["messages"] or row["messages"][-1]["role"] != "user":
            raise ValueError("messages that do not end with the user")
        return
    if row.get("persona") is not None and "system" not in row:
        raise ValueError("a persona without system: say what the model is told, or system = null")
    if row.get("system") is not None:
        yield Turn(role="system", content=str(row["system"]))
    user = row.get("user", row.get("question"))
    if not isinstance(user, str) or not user.strip():
        raise ValueError("neither messages, user nor question")
    yield Turn(role="user", content=user)


def _text(value: Any) -> str | None:
    """An attribute as text: what is not text is spelled as canonical JSON."""
    return value if value is None or isinstance(value, str) else canonical_json(value).decode()


def _probe(row: Mapping[str, Any]) -> Probe:
    match row:
        case {"pro": str(pro), "con": str(con)} if pro and con and pro != con:
            if row.get("order") not in ORDERS:
                raise ValueError(f"order {row.get('order')!r}: a pair of options says which is named first")
            return Probe(labels=("pro", "con"), options=(pro, con))
        case {"scale": [int(low), int(high)]} if low < high <= low + 100:
            numbers = tuple(str(number) for number in range(low, high + 1))
            return Probe(labels=numbers, options=numbers)
    raise ValueError("a probe without pro and con, or scale = [lowest, highest]")


def _two_meanings(items: Sequence[Item]) -> Iterator[Finding]:
    """An id names one prompt; the same item may stand in several sets, but once in each."""
    seen: dict[str, Item] = {}
    for item in items:
        first = seen.setdefault(item.item_id, item)
        if first is not item and (first.item_set == item.item_set or _said(first) != _said(item)):
            found = f"in {first.item_set} and in {item.item_set}"
            yield Finding(where=f"item {item.item_id}", found=found, promised="an id names one item")


def _said(item: Item) -> str:
    probe = None if item.probe is None else item.probe.options
    return json.dumps([[(t.role, t.content) for t in item.turns], probe, dict(item.attributes)], sort_keys=True)


def _one_sided(items: Sequence[Item]) -> Iterator[Finding]:
    """Each option is named first as often as the other: otherwise position passes for opinion."""

    def key(item: Item) -> tuple[str, str]:
        return item.item_set, item.attributes.get("form") or ""

    pairs = sorted((i for i in items if i.probe is not None and not i.probe.is_rating), key=key)
    for (item_set, form), group in groupby(pairs, key=key):
        counted = [item.attributes.get("order") for item in group]
        n_pro, n_con = (counted.count(order) for order in ORDERS)
        if n_pro != n_con:
            where = f"items.{item_set}" + (f" form {form}" if form else "")
            yield Finding(where=where, found=f"{n_pro} pro first, {n_con} con first", promised="both orders of each")
