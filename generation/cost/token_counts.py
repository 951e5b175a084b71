"""How long prompts and answers may be before a model read or wrote one."""

from __future__ import annotations

from seedlock.generation.requests.items import Item
from seedlock.prereg.cost.amounts import Amount, about, at_most, exact
from seedlock.prereg.plan.plan import Plan


def new_tokens(plan: Plan, answers: float) -> Amount:
    """Tokens of so many answers: what [rates] expects, or each at the planned length."""
    assert plan.decoding is not None  # noqa: S101 - the caller looked
    most = plan.decoding.max_new_tokens
    stated = None if plan.rates is None else plan.rates.tokens_per_answer
    if stated is not None:
        each = min(stated, most)
        return about(answers * each, f"{each:g} tokens an answer (rates.tokens_per_answer)")
    return at_most(answers * most, f"max_new_tokens {most}") if answers else exact(0)


def said_bytes(item: Item) -> int:
    """UTF-8 bytes of all that an item says, options among them; a chat template adds to it."""
    options = () if item.probe is None else item.probe.options
    return sum(len(text.encode()) for text in (*(turn.content for turn in item.turns), *options))
