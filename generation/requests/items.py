"""Items as the plan's files hold them: what is said to the model, and the attributes a contrast may select by."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from seedlock.generation.requests.probes import ORDERS, PROBE_KEYS, Probe, parse_probe
from seedlock.prereg.base.canonical import canonical_json, read_json
from seedlock.prereg.errors import BadInput, Finding
from seedlock.prereg.lock.gate import LockedPlan
from seedlock.prereg.plan.plan import Plan
from seedlock.prereg.plan.runs import listed
from seedlock.schemas.asked import Asked, pair_name
from seedlock.schemas.identity import item_id

TURN_KEYS = frozenset({"item_id", "messages", "user", "system"})
ROLES = ("system", "user", "assistant")
RESERVED = ("items", "asked")
"""Columns of the items table that are not attributes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One turn of a chat."""

    role: str
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One question of one item set; `probe` is None where the model answers freely."""

    item_set: str
    item_id: str
    turns: tuple[Turn, ...]
    attributes: Mapping[str, str | None]
    probe: Probe | None

    @property
    def asked(self) -> Asked:
        """How the item is put to a model: "answer" where it answers freely, else the kind of the probe."""
        return "answer" if self.probe is None else self.probe.kind

    @property
    def pair(self) -> str | None:
        """What the two orders of one question share; None where the item has no orders."""
        return pair_name(self.attributes) if self.probe is not None and self.probe.is_pair else None


def read_items(locked: LockedPlan) -> list[Item]:
    """Every item of every set that a locked plan names by file; see `plan_items`."""
    return plan_items(locked.plan, locked.paths.study)


def plan_items(plan: Plan, folder: Path) -> list[Item]:
    """Every item of every set that a plan names by file, in plan order.

    A line is one item: `messages`, or `user` (else `question`) with an optional `system`; `item_id`, or it is made of
    the other keys; every further key is an attribute. An item of a probe also has `pro` and `con` with `order`
    ("pro first" or "con first"); or `scale` = [lowest, highest]; or `options` with the right one as `answer`; or
    `passage`, a fixed text, which needs no `user`.

    Parameters
    ----------
    folder
        The study's own, where the files lie.

    Raises
    ------
    BadInput
        With every line that is not an item, ids that name two different items, and options without both orders.
    """
    items: list[Item] = []
    faults: list[Finding] = []
    for name, item_set in plan.items.items():
        if item_set.file is not None:
            path = folder / item_set.file
            for number, line in enumerate(path.read_bytes().splitlines(), start=1):
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


def audit_items(plan: Plan, items: Sequence[Item]) -> frozenset[str]:
    """Items of the plan's metric audit, by id; those that only some runs have (`same`, `differs`) are among them."""
    if plan.audit is None:
        return frozenset()
    name, item_set = plan.audit.items, plan.items[plan.audit.items]
    wanted = {key: listed(value) for key, value in item_set.where.items()}
    return frozenset(
        item.item_id
        for item in items
        if (item_set.file is None or item.item_set == name)
        and all(str({**item.attributes, "asked": item.asked}.get(key)) in levels for key, levels in wanted.items())
    )


def _parse(line: bytes, *, item_set: str, is_probe: bool) -> Item:
    row = read_json(line)
    if not isinstance(row, dict):
        raise ValueError("not a JSON object")
    probe = parse_probe(row) if is_probe else None
    is_passage_alone = probe is not None and probe.kind == "passage" and not TURN_KEYS & set(row) - {"item_id"}
    turns = () if is_passage_alone else tuple(_turns(row))
    left_out = TURN_KEYS | PROBE_KEYS if is_probe else TURN_KEYS
    attributes = {key: _text(value) for key, value in row.items() if key not in left_out}
    if taken := [name for name in RESERVED if name in attributes]:
        raise ValueError(f"an attribute named {taken[0]}")
    given = row.get("item_id")
    if given is not None and (not isinstance(given, str) or not given):
        raise ValueError(f"item_id {given!r}")
    if probe is not None and probe.kind == "passage" and given is None:
        raise ValueError("a passage without item_id")
    named = given or item_id([value or "" for value in attributes.values()] or [turns[-1].content])
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


def _two_meanings(items: Sequence[Item]) -> Iterator[Finding]:
    """An id names one prompt; the same item may stand in several sets, but once in each."""
    seen: dict[str, Item] = {}
    for item in items:
        first = seen.setdefault(item.item_id, item)
        if first is not item and (first.item_set == item.item_set or _said(first) != _said(item)):
            found = f"in {first.item_set} and in {item.item_set}"
            yield Finding(where=f"item {item.item_id}", found=found, promised="an id names one item")


def _said(item: Item) -> str:
    probe = None if item.probe is None else [item.probe.options, item.probe.right]
    return json.dumps([[(t.role, t.content) for t in item.turns], probe, dict(item.attributes)], sort_keys=True)


def _one_sided(items: Sequence[Item]) -> Iterator[Finding]:
    """Each question stands once in each order of its options: otherwise position passes for opinion."""

    def key(item: Item) -> tuple[str, str]:
        return item.item_set, item.pair or ""

    pairs = sorted((item for item in items if item.pair is not None), key=key)
    for (item_set, pair), group in groupby(pairs, key=key):
        counted = [item.attributes.get("order") for item in group]
        n_pro, n_con = (counted.count(order) for order in ORDERS)
        if (n_pro, n_con) != (1, 1):
            found = f"{n_pro} pro first, {n_con} con first"
            promised = "both orders of each question once; name a question by the attribute pair, or by its others"
            yield Finding(where=f"items.{item_set} {pair}", found=found, promised=promised)
