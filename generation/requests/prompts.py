"""Items as token ids: the model's own chat template, written once, and options as they follow the prompt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from seedlock.generation.requests.items import Item
from seedlock.generation.requests.request import Prompt
from seedlock.prereg.base.canonical import sha256_json
from seedlock.prereg.errors import BadInput, Finding

TEMPLATE_DATE = "26 Jul 2024"
"""Given to every chat template, here as in training: some write today's date into the system turn otherwise."""


def prompts_for(items: Sequence[Item], tokenizer: Any) -> list[Prompt]:
    """Write every item with the model's chat template; an item that stands in several sets is asked once.

    The template writes every special token itself, so nothing is added when its text is encoded: no second
    beginning-of-sequence token.

    Raises
    ------
    BadInput
        With every item that the template refuses, and every option that cannot be told from the prompt: its tokens
        would merge with those before it, or are how another option begins.
    """
    once = {item.item_id: item for item in items}
    prompts, faults = [], []
    written: dict[tuple[int, ...], Item] = {}
    for item in once.values():
        try:
            prompts.append(_prompt(item, tokenizer))
        except ValueError as error:
            faults.append(Finding(where=item.item_id, found=str(error), promised="a prompt this model can read"))
            continue
        first = written.setdefault(prompts[-1].tokens, item)
        if first.turns != item.turns and _spoken(first) != _spoken(item):
            found = f"written like {first.item_id}, whose turns are others"
            faults.append(Finding(where=item.item_id, found=found, promised="a prompt that differs"))
    if faults:
        raise BadInput(
            f"{len(faults)} of {len(once)} items cannot be put to the model",
            *faults[:20],
            then="mend the items, or leave the system turn out where the template has none",
        )
    return prompts


def _spoken(item: Item) -> list[str]:
    """Words of every turn, whatever space stands around them."""
    return [" ".join(turn.content.split()) for turn in item.turns]


def _prompt(item: Item, tokenizer: Any) -> Prompt:
    if item.probe is not None and not item.turns:
        tokens, options = _bare_passage(item.probe.options[0], tokenizer)
        return _named(item, tokens, (options,))
    turns = [{"role": turn.role, "content": turn.content} for turn in item.turns]
    try:
        text = str(
            tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True, date_string=TEMPLATE_DATE)
        )
    except Exception as error:  # jinja and templates raise what they like
        raise ValueError(f"{type(error).__name__}: {error}") from None
    if dropped := [turn for turn in item.turns if turn.content.strip() not in text]:
        words = dropped[0].content.strip()[:40]
        raise ValueError(f"the template drops or alters the {dropped[0].role} turn {words!r}")
    tokens = _encoded(tokenizer, text)
    if not tokens:
        raise ValueError("an empty prompt")
    said: tuple[tuple[int, ...], ...] = ()
    if item.probe is not None:
        said = tuple(_option(tokenizer, text, tokens, option) for option in item.probe.options)
        if any(a == b[: len(a)] for a in said for b in said if a is not b):
            raise ValueError(f"options {list(item.probe.options)} of which one begins another, in tokens")
    return _named(item, tokens, said)


def _named(item: Item, tokens: tuple[int, ...], options: tuple[tuple[int, ...], ...]) -> Prompt:
    spelled: dict[str, Any] = {"tokens": list(tokens), "options": [list(option) for option in options]}
    if item.probe is not None and item.probe.right is not None:
        spelled["right"] = item.probe.right
    return Prompt(item_id=item.item_id, tokens=tokens, sha256=sha256_json(spelled), probe=item.probe, options=options)


def _bare_passage(passage: str, tokenizer: Any) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """A text outside any chat: read after the beginning-of-sequence token, or else after its own first token."""
    tokens = _encoded(tokenizer, passage)
    _refuse_unknown(tokenizer, tokens, "the passage has words that are")
    begin = tokenizer.bos_token_id
    read = tokens if begin is None else (int(begin), *tokens)
    if len(read) < 2:
        raise ValueError("a passage of one token")
    return read[:1], read[1:]


def _option(tokenizer: Any, text: str, tokens: tuple[int, ...], option: str) -> tuple[int, ...]:
    """The tokens of an option in its exact context: "A" after the prompt, not "A" alone."""
    whole = _encoded(tokenizer, text + option)
    if whole[: len(tokens)] != tokens or len(whole) == len(tokens):
        raise ValueError(f"option {option!r} merges with the end of the prompt")
    tail = whole[len(tokens) :]
    _refuse_unknown(tokenizer, tail, f"option {option!r} is")
    return tail


def _refuse_unknown(tokenizer: Any, tokens: tuple[int, ...], what: str) -> None:
    if tokenizer.unk_token_id is not None and tokenizer.unk_token_id in tokens:
        raise ValueError(f"{what} unknown to the tokenizer")


def _encoded(tokenizer: Any, text: str) -> tuple[int, ...]:
    return tuple(int(token) for token in tokenizer(text, add_special_tokens=False)["input_ids"])
