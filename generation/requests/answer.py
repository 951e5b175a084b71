"""What comes back for a request: an answer, a score, or the reason there is neither."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa

from seedlock.generation.requests.request import Request
from seedlock.prereg.plan.runs import Decoding
from seedlock.schemas import TABLES
from seedlock.schemas.statuses import Status

NOT_FINITE = "the model gave no finite number"

Finish = Literal["stop", "length", "scored", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One request's outcome: exactly one row of `completions` and one of `requests`.

    `new_tokens` and `prompt_tokens` are None where a provider does not say; tokens of a prompt written here are counted
    here.
    """

    request: Request
    finish: Finish
    new_tokens: int | None = 0
    prompt_tokens: int | None = None
    text: str | None = None
    label: str | None = None
    value: float | None = None
    option_mass: float | None = None
    status: Status = "ok"
    reason: str | None = None


def failed(request: Request, reason: str) -> Answer:
    """Give a request that cannot be answered its row."""
    return Answer(request=request, finish="failed", status="error", reason=reason)


def said(
    request: Request,
    text: str,
    *,
    finish: Literal["stop", "length"],
    new_tokens: int | None,
    decoding: Decoding,
    prompt_tokens: int | None = None,
) -> Answer:
    """Make the row of a text, the same for every backend: at the planned length it is an answer or missing."""
    told: dict[str, Any] = {"new_tokens": new_tokens, "prompt_tokens": prompt_tokens, "text": text}
    if finish == "length" and decoding.cut_off == "missing":
        reason = f"no end within {decoding.max_new_tokens if new_tokens is None else new_tokens} tokens"
        return Answer(request=request, finish=finish, status="cut off", reason=reason, **told)
    return Answer(request=request, finish=finish, **told)


def scored(request: Request, log_p: Sequence[float], *, first: int | None = None, text: str | None = None) -> Answer:
    """Make the row of a probe from log-probabilities, the same for every backend.

    For a pair of options `value` is log P(pro) - log P(con), positive when the model favours pro whichever is named
    first. For a rating scale it is the expected rating over the scale's own numbers. For a choice it is the
    log-probability of the right option less that of the best other one. For a passage it is the mean negative
    log-probability a token, in nats.

    Parameters
    ----------
    log_p
        One an option, each scored whole; of a passage one a token.
    first
        The most probable next token after the prompt, spelled `text`. `label` is the option that it begins, null where
        it begins none or several; for a choice `label` is the option with the highest log-probability instead.
    """
    probe = request.prompt.probe
    if probe is None or not log_p or not all(map(math.isfinite, log_p)):
        return failed(request, NOT_FINITE)
    if probe.kind == "passage":
        value = -math.fsum(log_p) / len(log_p)
        return Answer(request=request, finish="scored", value=value)
    label = _begun(request, first)
    if probe.is_rating:
        weights = [math.exp(one - max(log_p)) for one in log_p]
        value = math.fsum(w * float(n) for w, n in zip(weights, probe.labels, strict=True)) / math.fsum(weights)
    elif probe.right is not None:
        value = log_p[probe.right] - max(one for i, one in enumerate(log_p) if i != probe.right)
        label = probe.labels[log_p.index(max(log_p))]
    else:
        value = log_p[0] - log_p[1]
    mass = math.fsum(map(math.exp, log_p))
    return Answer(request=request, finish="scored", text=text, label=label, value=value, option_mass=mass)


def _begun(request: Request, first: int | None) -> str | None:
    """The label of the one option that a token begins."""
    probe = request.prompt.probe
    if probe is None or first is None:
        return None
    begun = [label for label, option in zip(probe.labels, request.prompt.options, strict=True) if option[0] == first]
    return begun[0] if len(begun) == 1 else None


def tables_of(answers: Sequence[Answer]) -> dict[str, pa.Table]:
    """Answers as rows of the tables they fill."""
    completions, requests = [], []
    for answer in answers:
        request = answer.request
        named = {
            "request_id": request.request_id,
            "run_id": request.run_id,
            "item_id": request.prompt.item_id,
            "draw": request.draw,
        }
        completions.append(
            {
                **named,
                "text": answer.text,
                "label": answer.label,
                "value": answer.value,
                "status": answer.status,
                "reason": answer.reason,
            }
        )
        requests.append(
            {
                **named,
                "seed": request.seed,
                "prompt_sha256": request.prompt.sha256,
                "prompt_tokens": len(request.prompt.tokens) or answer.prompt_tokens,
                "new_tokens": answer.new_tokens,
                "finish": answer.finish,
                "option_mass": answer.option_mass,
            }
        )
    rows = {"completions": completions, "requests": requests}
    return {name: pa.Table.from_pylist(found, schema=TABLES[name].arrow()) for name, found in rows.items()}
