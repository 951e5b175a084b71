"""A few real answers of a plan, timed on this machine: what `seedlock estimate --measure` does for generation."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from seedlock.generation.local.answering import Desk
from seedlock.generation.local.tokenizers import load_tokenizer
from seedlock.generation.requests.items import plan_items
from seedlock.generation.requests.prompts import prompts_for
from seedlock.generation.requests.request import Request, requests_of
from seedlock.generation.requests.run_models import RunModel
from seedlock.prereg.base.base_models import model_folder
from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.cost.speeds import Speed, Work
from seedlock.prereg.plan.bases import chat_template_of
from seedlock.prereg.plan.plan import Plan

ASKED, NEW_TOKENS = 64, 16
"""Requests of each kind that are tried, and new tokens of an answer, at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Took:
    """Seconds and processor seconds of some work, and the new tokens that came of it."""

    seconds: float
    processor_s: float
    tokens: int


def time_answers(paths: StudyPaths, plan: Plan, model: str) -> dict[Work, Speed]:
    """Put a few of the plan's items to a base model and time it: reading prompts and options, and writing.

    What one new token of every answer takes is reading; what the others take is writing. Adapters are merged before a
    run is asked, so that a run is as fast as its base.
    """
    assert plan.decoding is not None  # noqa: S101 - the caller looked
    base = plan.models[model]
    own = RunModel(
        run_id="timed",
        label=model,
        base=str(model_folder(base.base, paths.root, base.revision)),
        revision=base.revision,
        is_local=True,
        adapter=None,
        adapter_sha256=None,
        chat_template=chat_template_of(base, paths.study),
    )
    items = list({item.item_id: item for item in plan_items(plan, paths.study)}.values())
    requests = list(requests_of(own, prompts_for(items, load_tokenizer(own)), plan.decoding))
    asked = _some([request for request in requests if request.prompt.probe is None])
    probes = _some([request for request in requests if request.prompt.probe is not None])
    few = min(plan.decoding.max_new_tokens, NEW_TOKENS)
    began = time.monotonic()
    desk = Desk.here(plan.decoding.model_copy(update={"max_new_tokens": 1}))
    desk.loaded(own)
    begin_s = time.monotonic() - began
    read = _timed(desk, own, [*probes, *asked])
    n_read = sum(len(r.prompt.tokens) + sum(map(len, r.prompt.options)) for r in [*probes, *asked])
    found: dict[Work, Speed] = {"reading": _speed(n_read, read, begin_s)}
    if asked and few > 1:
        once = _timed(desk, own, asked)
        desk.decoding = plan.decoding.model_copy(update={"max_new_tokens": few})
        written = _timed(desk, own, asked)
        apart = _Took(
            seconds=written.seconds - once.seconds,
            processor_s=written.processor_s - once.processor_s,
            tokens=written.tokens - once.tokens,
        )
        if apart.seconds > 0 and apart.tokens > 0:
            found["answers"] = _speed(apart.tokens, apart, begin_s)
    return found


def _some(requests: Sequence[Request]) -> list[Request]:
    """Requests from all over a list, so that no item set is left out for its place."""
    step = max(1, -(-len(requests) // ASKED))
    return list(requests[::step])


def _timed(desk: Desk, model: RunModel, requests: Sequence[Request]) -> _Took:
    began, processor = time.monotonic(), time.process_time()
    answers = desk.answer(model, requests)
    tokens = sum(answer.new_tokens or 0 for answer in answers)
    return _Took(seconds=time.monotonic() - began, processor_s=time.process_time() - processor, tokens=tokens)


def _speed(tokens: int, took: _Took, begin_s: float) -> Speed:
    share = min(max(took.processor_s / max(took.seconds, 1e-3), 0.01), 1.0)
    return Speed(per_second=max(tokens, 1) / max(took.seconds, 1e-3), begin_s=begin_s, share=share)
