"""What is asked of a model behind an API, and what comes back: an answer, or the reason there is none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from seedlock.generation.requests.items import Turn
from seedlock.prereg.cost.amounts import BYTES_A_TOKEN
from seedlock.schemas.statuses import Status

ID_LENGTH = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """One request.

    Parameters
    ----------
    id
        Our own name for it: at most 64 letters, digits, "-" and "_", the same for the same request for ever.
    model
        The model's name at the provider.
    turns
        The chat, ending with the user.
    max_tokens
        New tokens at most.
    temperature, top_p, seed
        None is not sent.
    top_logprobs
        So many most probable first tokens are wanted, with log-probabilities; None asks for none.
    schema
        A JSON schema that the answer must fit: structured output. The answer's text is then that JSON.
    """

    id: str
    model: str
    turns: tuple[Turn, ...]
    max_tokens: int
    temperature: float | None = None
    top_p: float | None = None
    seed: int | None = None
    top_logprobs: int | None = None
    schema: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        if not 0 < len(self.id) <= ID_LENGTH or not set(self.id) <= _ALLOWED:
            raise ValueError(f"id {self.id!r}: at most {ID_LENGTH} letters, digits, - and _")

    @property
    def tokens(self) -> int:
        """Roughly what it costs of a limit in tokens a minute; what was used is read from the answer."""
        said = sum(len(turn.content.encode()) for turn in self.turns)
        return said // BYTES_A_TOKEN + self.max_tokens


_ALLOWED = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one request.

    Parameters
    ----------
    status
        "ok", or why there is no answer: "refusal", "error", "expired", "canceled". An answer that reached `max_tokens`
        has status "ok" and finish "length": what to make of it is the caller's to say.
    finish
        How the answer ended.
    prompt_tokens, new_tokens
        As the provider counted them; None where it did not say.
    top
        Most probable first tokens with their log-probabilities, where they were asked for and given.
    served_by
        What the provider calls the model that answered.
    """

    id: str
    status: Status
    finish: Literal["stop", "length", "failed"]
    text: str | None = None
    reason: str | None = None
    prompt_tokens: int | None = None
    new_tokens: int | None = None
    top: tuple[tuple[str, float], ...] | None = None
    served_by: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Plain data for the journal."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Outcome:
        """Read what `as_json` wrote."""
        top = data["top"]
        return cls(**{**data, "top": None if top is None else tuple((str(t), float(lp)) for t, lp in top)})


def no_answer(id: str, reason: str, status: Status = "error") -> Outcome:
    """Give a request that has no answer its outcome."""
    return Outcome(id=id, status=status, finish="failed", reason=reason)
