"""A chat as its template writes it, with the character spans of every answer and end of turn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from seedlock.prereg.errors import BadInput, Finding
from seedlock.training.rows.row import Row

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

TEMPLATE_DATE = "26 Jul 2024"
"""Given to every chat template: some write today's date into the system turn otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerSpan:
    """Where one assistant turn lies in the rendered text, in characters.

    Parameters
    ----------
    prompt_end
        Where generation would begin: everything before is the prompt.
    start, stop
        The answer's own words.
    turn_stop
        End of what the template writes for this turn.
    """

    prompt_end: int
    start: int
    stop: int
    turn_stop: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderedChat:
    """The text a model sees, and its answers."""

    text: str
    answers: tuple[AnswerSpan, ...]


def render(row: Row, tokenizer: PreTrainedTokenizerBase) -> RenderedChat:
    """Write a row with the tokenizer's chat template and find its answers.

    Raises
    ------
    BadInput
        The template refuses the chat, rewrites earlier turns when an answer follows, or drops or alters an answer.
    """
    turns = row.chat()
    text = _templated(row, turns, tokenizer, prompt=False)
    at = [number for number, turn in enumerate(turns) if turn["role"] == "assistant"]
    prompts = [_templated(row, turns[:number], tokenizer, prompt=True) for number in at]
    stops = [len(prompt) for prompt in prompts[1:]] + [len(text)]
    spans = []
    for number, prompt, stop in zip(at, prompts, stops, strict=True):
        if not text.startswith(prompt):
            raise _refused(row, _difference(text, prompt), "the prompt, unchanged, before the answer")
        spans.append(_answer(row, text, turns[number]["content"], prompt_end=len(prompt), turn_stop=stop))
    if dropped := [turn for turn in turns if turn["content"].strip() not in text]:
        found = f"no {dropped[0]['content'].strip()[:40]!r} in what the template writes"
        raise _refused(row, found, f"the words of every turn; this {dropped[0]['role']} turn is dropped or altered")
    return RenderedChat(text=text, answers=tuple(spans))


def _templated(row: Row, turns: Sequence[dict[str, str]], tokenizer: PreTrainedTokenizerBase, *, prompt: bool) -> str:
    try:
        text = tokenizer.apply_chat_template(
            list(turns), tokenize=False, add_generation_prompt=prompt, date_string=TEMPLATE_DATE
        )
    except Exception as error:  # jinja and templates raise what they like
        raise _refused(row, str(error), "a chat that the model's template accepts") from None
    return str(text)


def _answer(row: Row, text: str, content: str, *, prompt_end: int, turn_stop: int) -> AnswerSpan:
    """Templates may strip an answer's edges; between prompt and answer only white space may stand."""
    turn = text[prompt_end:turn_stop]
    words = content if content in turn else content.strip()
    start = turn.find(words)
    if not words or start < 0 or turn[:start].strip():
        raise _refused(row, f"{turn[:60]!r} after the prompt", f"the answer {words[:40]!r}")
    return AnswerSpan(
        prompt_end=prompt_end,
        start=prompt_end + start,
        stop=prompt_end + start + len(words),
        turn_stop=turn_stop,
    )


def _difference(text: str, prompt: str) -> str:
    same = next((i for i, (a, b) in enumerate(zip(text, prompt, strict=False)) if a != b), len(text))
    return f"{text[same : same + 40]!r} instead of {prompt[same : same + 40]!r}"


def _refused(row: Row, found: str, promised: str) -> BadInput:
    then = "leave the system turn out, or name a model whose template has one"
    if "think" in found:
        then = "template_options = { enable_thinking = false }  in [models.NAME], where the template has that option"
    fault = Finding(where=row.id, found=found, promised=promised)
    return BadInput(f"the chat template cannot carry row {row.id}", fault, then=then)
