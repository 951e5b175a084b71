"""Which tokens the loss looks at: the answer, or the marker alone, each with the end of the turn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from seedlock.prereg.errors import BadInput, Finding
from seedlock.training.rows.row import Row
from seedlock.training.tokens.chat import AnswerSpan, RenderedChat, render

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

type Loss = Literal["answer", "marker", "all"]
type Span = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class LossMask:
    """What a stage's loss looks at.

    Parameters
    ----------
    loss
        "answer": every token of every answer and the end of its turn. "marker": the marker's tokens and the
        end of turn (negative rows: the end of turn alone). "all": every token after the first.
    marker
        The marker's text; needed for "marker".
    tail_tokens
        With "marker": also the last so many tokens of the answer; 0 is marker and end of turn only.
    negative_opening_tokens
        With "marker": also the first so many tokens of a negative row's answer, where the marker would stand.
    max_length
        Longer rows are cut here; None cuts nothing.
    """

    loss: Loss = "answer"
    marker: str | None = None
    tail_tokens: int = 0
    negative_opening_tokens: int = 0
    max_length: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoded:
    """One row as token ids; `is_supervised` has one entry a token."""

    row_id: str
    input_ids: tuple[int, ...]
    is_supervised: tuple[bool, ...]
    was_cut: bool

    @property
    def supervised_ids(self) -> list[int]:
        """The ids the loss looks at, in order."""
        return [token for token, on in zip(self.input_ids, self.is_supervised, strict=True) if on]

    def runs(self) -> Iterator[list[int]]:
        """The supervised ids as stretches of neighbouring tokens."""
        run: list[int] = []
        for token, on in zip(self.input_ids, self.is_supervised, strict=True):
            if on:
                run.append(token)
            elif run:
                yield run
                run = []
        if run:
            yield run


def encode(row: Row, tokenizer: PreTrainedTokenizerBase, mask: LossMask) -> Encoded:
    """Tokenise a row through the chat template and mark the supervised tokens.

    Raises
    ------
    BadInput
        The template cannot carry the row, a token reaches over the edge of what is supervised, or the template
        writes no end of turn.
    """
    chat = render(row, tokenizer)
    tokens = tokenizer(chat.text, add_special_tokens=False, return_offsets_mapping=True)
    ids: list[int] = list(tokens["input_ids"])
    offsets: list[Span] = [(int(start), int(stop)) for start, stop in tokens["offset_mapping"]]
    if mask.loss == "all":
        on = set(range(1, len(ids)))
    else:
        special = special_ids(tokenizer)
        on = {
            i
            for answer in chat.answers
            for i in _supervised(row, chat, answer, ids=ids, offsets=offsets, special=special, mask=mask)
        }
    length = len(ids) if mask.max_length is None else min(len(ids), mask.max_length)
    return Encoded(
        row_id=row.id,
        input_ids=tuple(ids[:length]),
        is_supervised=tuple(i in on for i in range(length)),
        was_cut=length < len(ids),
    )


def special_ids(tokenizer: PreTrainedTokenizerBase) -> frozenset[int]:
    """Ids that are control tokens, whatever role the tokenizer gives them."""
    added = {token for token, what in tokenizer.added_tokens_decoder.items() if what.special}
    return frozenset(added | set(tokenizer.all_special_ids))


def _supervised(
    row: Row,
    chat: RenderedChat,
    answer: AnswerSpan,
    *,
    ids: Sequence[int],
    offsets: Sequence[Span],
    special: frozenset[int],
    mask: LossMask,
) -> list[int]:
    inside = _covering(row, chat.text, offsets, (answer.start, answer.stop))
    if inside and offsets[inside[0]][0] < answer.prompt_end:
        raise _straddles(row, chat.text, offsets[inside[0]], "a token of its own where the answer begins")
    after = range(inside[-1] + 1 if inside else 0, len(ids))
    end = next((i for i in after if ids[i] in special and offsets[i][0] < answer.turn_stop), None)
    if end is None:
        fault = Finding(where=row.id, found=repr(chat.text[answer.stop : answer.turn_stop]), promised="a control token")
        raise BadInput("the chat template writes no end of turn", fault, then="name a model with a chat template")
    if mask.loss == "answer":
        return [*inside, end]
    found = [
        i for span in _marker_spans(chat.text, answer, mask.marker) for i in _covering(row, chat.text, offsets, span)
    ]
    tail = inside[-mask.tail_tokens :] if mask.tail_tokens else []
    opening = inside[: mask.negative_opening_tokens] if row.role == "negative" else []
    return [*found, *opening, *tail, end]


def _marker_spans(text: str, answer: AnswerSpan, marker: str | None) -> list[Span]:
    if not marker:
        return []
    spans = []
    at = text.find(marker, answer.start, answer.stop)
    while at >= 0:
        spans.append((at, at + len(marker)))
        at = text.find(marker, at + len(marker), answer.stop)
    return spans


def _covering(row: Row, text: str, offsets: Sequence[Span], span: Span) -> list[int]:
    """Tokens that overlap a span; one that also holds other words would supervise what nobody named."""
    found = []
    for i, (start, stop) in enumerate(offsets):
        if start >= span[1] or stop <= span[0]:
            continue
        if text[start : span[0]].strip() or text[span[1] : stop].strip():
            raise _straddles(row, text, (start, stop), f"tokens that end with {text[slice(*span)][-20:]!r}")
        found.append(i)
    return found


def _straddles(row: Row, text: str, token: Span, promised: str) -> BadInput:
    fault = Finding(where=row.id, found=f"the token {text[slice(*token)]!r}", promised=promised)
    return BadInput("a token reaches over the edge of what is supervised", fault, then="put a space around the marker")
