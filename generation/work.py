"""What `generate` has to ask, run by run, laid out when it is come to: requests of all runs are never held at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import batched

from seedlock.generation.backends import Backend
from seedlock.generation.requests.due import Due
from seedlock.generation.requests.items import Item
from seedlock.generation.requests.request import Prompt, Request, draws_of, requests_of
from seedlock.generation.requests.run_models import RunModel
from seedlock.generation.sealing.seals import Part
from seedlock.prereg.plan.runs import Decoding

LAID_OUT = 200_000
"""Requests that are laid out at once; a run of more is laid out alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One run and its prompts; requests and batches follow from them and the plan alone.

    Parameters
    ----------
    prompts
        In the order they are asked: by length, then by name; shared by all runs on one base model.
    items
        Where the audit comes first, the items of this stage; None where there is only one.
    """

    model: RunModel
    prompts: tuple[Prompt, ...]
    decoding: Decoding
    batch_size: int
    items: tuple[str, ...] | None = None
    is_audit: bool = False

    @property
    def rows(self) -> int:
        """Requests, without laying them out."""
        return sum(draws_of(prompt.probe, self.decoding) for prompt in self.prompts)

    @property
    def part(self) -> Part:
        """What is sealed of it."""
        return Part(run_id=self.model.run_id, rows=self.rows, items=self.items, is_audit=self.is_audit)

    def probes(self) -> Work:
        """The probes alone."""
        return replace(self, prompts=tuple(prompt for prompt in self.prompts if prompt.probe is not None))

    def requests(self) -> Iterator[Request]:
        """Every request: answers before probes."""
        for is_probe in (False, True):
            own = [prompt for prompt in self.prompts if (prompt.probe is not None) == is_probe]
            yield from requests_of(self.model, own, self.decoding)

    def batches(self) -> Iterator[tuple[Request, ...]]:
        """Every batch; none holds answers and probes."""
        for is_probe in (False, True):
            own = [prompt for prompt in self.prompts if (prompt.probe is not None) == is_probe]
            yield from batched(requests_of(self.model, own, self.decoding), self.batch_size)

    def due(self, stored: set[str]) -> Due:
        """What has no row yet, in whole batches; `stored` are the ids of the run's rows."""
        batches = [batch for batch in self.batches() if any(request.request_id not in stored for request in batch)]
        left = [request for batch in batches for request in batch if request.request_id not in stored]
        return Due(model=self.model, batches=batches, left=left)


def lay_out(
    models: Sequence[RunModel], items: Sequence[Item], place: Backend, decoding: Decoding, batch_size: int
) -> list[Work]:
    """Every run with its prompts; runs on one base model stand together, so that an engine stays as it is."""
    written: dict[tuple[str, str], tuple[Prompt, ...]] = {}
    work = []
    for model in models:
        key = (model.base, model.revision)
        if key not in written:
            prompts = place.prompts(model, items)
            written[key] = tuple(sorted(prompts, key=lambda prompt: (len(prompt.tokens), prompt.item_id)))
        work.append(Work(model=model, prompts=written[key], decoding=decoding, batch_size=batch_size))
    order = {base: number for number, base in enumerate(written)}
    return sorted(work, key=lambda one: order[one.model.base, one.model.revision])


def audit_first(work: Sequence[Work], first: frozenset[str]) -> list[Work]:
    """The items of the audit over all runs, then all other items over all runs; each with batches of its own."""
    staged = []
    for is_audit in (True, False):
        for one in work:
            own = tuple(prompt for prompt in one.prompts if (prompt.item_id in first) == is_audit)
            names = tuple(sorted({prompt.item_id for prompt in own}))
            staged.append(replace(one, prompts=own, items=names, is_audit=is_audit))
    return staged


def by_room(work: Sequence[tuple[Work, Work]]) -> Iterator[list[tuple[Work, Work]]]:
    """Runs in groups that are laid out together, in order."""
    group: list[tuple[Work, Work]] = []
    rows = 0
    for pair in work:
        if group and rows + pair[1].rows > LAID_OUT:
            yield group
            group, rows = [], 0
        group.append(pair)
        rows += pair[1].rows
    if group:
        yield group
