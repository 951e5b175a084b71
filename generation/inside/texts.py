"""Texts that a direction is made from: rows of a corpus or items, with the pole and the fold of each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from seedlock.generation.inside.reading import Span
from seedlock.generation.requests.items import Item
from seedlock.generation.requests.prompts import TEMPLATE_DATE
from seedlock.prereg.base.canonical import read_json
from seedlock.prereg.errors import BadInput, Finding
from seedlock.prereg.lock.gate import LockedPlan
from seedlock.prereg.plan.inside import Direction


@dataclass(frozen=True, slots=True, kw_only=True)
class PoleText:
    """One text of one pole.

    Parameters
    ----------
    turns
        The chat as a template takes it; ends with the assistant where there is an answer.
    """

    turns: tuple[Mapping[str, str], ...]
    is_high: bool
    fold: str


def pole_texts(locked: LockedPlan, items: Sequence[Item], direction: Direction) -> list[PoleText]:
    """Every text of the two poles, in file order.

    Raises
    ------
    BadInput
        A pole without texts, texts without an answer where the answer is read, or fewer folds than are promised.
    """
    if direction.texts in locked.plan.corpora:
        found = list(_of_corpus(locked, direction))
    else:
        found = list(_of_items([item for item in items if item.item_set == direction.texts], direction))
    faults = [
        Finding(where=f"inside.direction.{name}", found="no text", promised=f"texts whose {direction.by} is {pole!r}")
        for name, pole, is_high in (("high", direction.high, True), ("low", direction.low, False))
        if not any(text.is_high is is_high for text in found)
    ]
    folds = {text.fold for text in found}
    if not faults and len(folds) < direction.folds:
        where = "inside.direction.folds"
        faults.append(
            Finding(where=where, found=f"{len(folds)} kinds of {direction.fold}", promised=f"{direction.folds}")
        )
    if direction.position == "answer" and any(text.turns[-1]["role"] != "assistant" for text in found):
        faults.append(Finding(where="inside.direction.position", found="items have no answer", promised='"last"'))
    if faults:
        raise BadInput("no direction can be made of these texts", *faults, then="edit the plan, and amend")
    return found


def spans_of(texts: Sequence[PoleText], tokenizer: Any, position: str) -> list[Span]:
    """Token ids of every text by the model's chat template, and what is read of each."""
    return [_span(text, tokenizer, position) for text in texts]


def _span(text: PoleText, tokenizer: Any, position: str) -> Span:
    turns = [dict(turn) for turn in text.turns]
    answer = turns.pop()["content"] if turns[-1]["role"] == "assistant" else ""
    written = str(
        tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True, date_string=TEMPLATE_DATE)
    )
    asked = tokenizer(written, add_special_tokens=False)["input_ids"]
    whole = tokenizer(written + answer, add_special_tokens=False)["input_ids"]
    start = len(asked) if position == "answer" else -1
    return Span(tokens=tuple(map(int, whole)), start=start)


def _of_corpus(locked: LockedPlan, direction: Direction) -> Iterable[PoleText]:
    path = locked.paths.study / locked.plan.corpus_file(direction.texts)
    for line in path.read_bytes().splitlines():
        row: Any = read_json(line)
        if (pole := row.get(direction.by)) in {direction.high, direction.low}:
            fold = str(row.get(direction.fold))
            yield PoleText(turns=tuple(row["messages"]), is_high=pole == direction.high, fold=fold)


def _of_items(items: Iterable[Item], direction: Direction) -> Iterable[PoleText]:
    for item in items:
        if (pole := item.attributes.get(direction.by)) in {direction.high, direction.low}:
            turns = tuple({"role": turn.role, "content": turn.content} for turn in item.turns)
            fold = str(item.attributes.get(direction.fold))
            yield PoleText(turns=turns, is_high=pole == direction.high, fold=fold)
