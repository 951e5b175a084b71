"""Runs that live behind an API, as a backend of `seedlock generate`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

from seedlock.generation.hosted.asking import Ask, Outcome
from seedlock.generation.hosted.journal import Journal
from seedlock.generation.hosted.open import JOURNAL, Place, Provider, open_place
from seedlock.generation.requests.answer import Answer, failed, said, scored
from seedlock.generation.requests.due import Due
from seedlock.generation.requests.items import Item
from seedlock.generation.requests.request import Prompt, Request
from seedlock.generation.requests.run_models import RunModel
from seedlock.prereg.base.canonical import sha256_json
from seedlock.prereg.errors import BadInput, Finding
from seedlock.prereg.plan.hosted import Hosted
from seedlock.prereg.plan.runs import Decoding

TOP = 20
"""Most probable first tokens that an API names at most."""


class HostedBackend:
    """Asks a provider; everything asked and answered is remembered in `workbench/hosted`."""

    def __init__(self, provider: Provider, decoding: Decoding, hosted: Hosted, workbench: Path) -> None:
        self._provider = provider
        self._decoding = decoding
        self._hosted = hosted
        self._folder = workbench / "hosted"

    def describe(self, requests: Sequence[Request]) -> dict[str, Any]:
        """Return what the ledger keeps of who answered these requests, and of how many were sent again."""
        journal = Journal(self._folder / JOURNAL)
        journal.close()
        again = sum(journal.sent_again(request.request_id) > 0 for request in requests)
        return {
            "mode": self._hosted.mode,
            "sampling_sent": self._hosted.sampling,
            "seed_sent": self._provider == "openai",
            "served_by": journal.served_by,
            "lost_and_asked_again": again,
            "may_be_paid_twice": 0 if self._hosted.idempotent else again,
        }

    def prompts(self, model: RunModel, items: Sequence[Item]) -> list[Prompt]:  # noqa: ARG002 - the API writes tokens
        """Items as they are said; the API's own template makes tokens of them.

        Raises
        ------
        BadInput
            With every probe that the API cannot score.
        """
        once = {item.item_id: item for item in items}
        faults = [
            Finding(where=item.item_id, found=f"a {item.asked} probe", promised="what this API can score")
            for item in once.values()
            if item.probe is not None and (self._provider == "anthropic" or item.probe.kind == "passage")
        ]
        if faults:
            then = "ask for free answers, or score these items with a backend that has the weights"
            raise BadInput("probes that an API gives no log-probabilities for", *faults[:20], then=then)
        return [self._prompt(item) for item in once.values()]

    def _prompt(self, item: Item) -> Prompt:
        options = [] if item.probe is None else list(item.probe.options)
        spelled = {
            "turns": [[turn.role, turn.content] for turn in item.turns],
            "options": options,
            "right": None if item.probe is None else item.probe.right,
            "sampling": self._hosted.sampling,
        }
        return Prompt(
            item_id=item.item_id, tokens=(), sha256=sha256_json(spelled), probe=item.probe, options=(), turns=item.turns
        )

    def prepare(self, work: Sequence[Due]) -> None:
        """Put everything into batches, all runs at once, where the plan says so."""
        if work and self._hosted.mode == "batch":
            with self._open() as place:
                place.submit([self._ask(due.model, request) for due in work for request in due.left])

    def answer(self, model: RunModel, batches: Iterable[Sequence[Request]]) -> Iterator[list[Answer]]:
        """Yield answers as they come."""
        requests = {request.request_id: request for request in chain.from_iterable(batches)}
        with self._open() as place:
            for outcome in place.outcomes([self._ask(model, request) for request in requests.values()]):
                yield [self._answer(requests[outcome.id], outcome)]

    def _open(self) -> Place:
        return open_place(self._provider, self._hosted, self._folder)

    def _ask(self, model: RunModel, request: Request) -> Ask:
        is_probe = request.prompt.probe is not None
        is_sampled = self._hosted.sampling
        return Ask(
            id=request.request_id,
            model=model.served or model.base,
            turns=request.prompt.turns,
            max_tokens=1 if is_probe else self._decoding.max_new_tokens,
            temperature=self._decoding.temperature if is_sampled else None,
            top_p=self._decoding.top_p if is_sampled and self._decoding.top_p < 1 else None,
            seed=request.seed if self._provider == "openai" else None,
            top_logprobs=TOP if is_probe else None,
        )

    def _answer(self, request: Request, outcome: Outcome) -> Answer:
        told: dict[str, Any] = {"new_tokens": outcome.new_tokens, "prompt_tokens": outcome.prompt_tokens}
        if outcome.status != "ok" or outcome.text is None or outcome.finish == "failed":
            reason = outcome.reason or "no reason given"
            return replace(failed(request, reason), status=outcome.status, text=outcome.text, **told)
        if request.prompt.probe is not None:
            return replace(_scored(request, outcome), **told)
        return said(request, outcome.text, finish=outcome.finish, decoding=self._decoding, **told)


def _scored(request: Request, outcome: Outcome) -> Answer:
    """Score a probe from the first tokens that the API names; an option that is none of them has no number."""
    probe = request.prompt.probe
    if probe is None or not outcome.top:
        return failed(request, "the API gave no log-probabilities")
    named = dict(reversed(outcome.top))
    first = max(outcome.top, key=lambda one: one[1])[0]
    absent = [option for option in probe.options if option not in named]
    if absent:
        reason = f"{absent} not among the {len(outcome.top)} most probable first tokens that the API names"
        return Answer(request=request, finish="scored", text=first, status="unparsed", reason=reason)
    answer = scored(request, [named[option] for option in probe.options], text=first)
    begun = dict(zip(probe.options, probe.labels, strict=True)).get(first)
    return answer if probe.right is not None else replace(answer, label=begun)


def open_hosted(provider: Provider, decoding: Decoding, hosted: Hosted | None, workbench: Path | None) -> HostedBackend:
    """Make the backend of a provider.

    Raises
    ------
    BadInput
        There is no folder to remember in what was asked.
    """
    if workbench is None:
        fault = Finding(where="workbench", found="none", promised="a folder under runs/")
        raise BadInput("a provider is only asked where what was asked is remembered", fault)
    return HostedBackend(provider, decoding, hosted or Hosted(), workbench)
