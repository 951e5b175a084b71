"""Ask in bulk: batches created once, found again after a crash, and collected until every request has its outcome."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from seedlock.generation.hosted.api import Api, Busy, Unsettled
from seedlock.generation.hosted.asking import Ask, Outcome, no_answer
from seedlock.generation.hosted.jobs import Job, Jobs
from seedlock.generation.hosted.journal import Journal
from seedlock.generation.hosted.rate_limit import LONGEST_WAIT_S, backoff_s
from seedlock.prereg.base.canonical import sha256_json
from seedlock.prereg.errors import BadInput, Finding, Incomplete
from seedlock.prereg.plan.hosted import Hosted

FIRST_LOOK_S = 1.0
LOOKS = 3
"""How often a batch that may exist is looked for before it is created again."""


class Batches:
    """The batches of one folder at one provider.

    A batch's file is on disk before the batch is created. A creation whose answer never came is settled by looking for
    the batch, in this process or the next one, so that no request is in two batches.
    """

    def __init__(
        self,
        api: Api,
        settings: Hosted,
        jobs: Jobs,
        journal: Journal,
        *,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        rng: random.Random | None = None,
    ) -> None:
        self._api = api
        self._settings = settings
        self._jobs = jobs
        self._journal = journal
        self._sleep = sleep
        self._now = now
        self._rng = rng or random.Random()  # noqa: S311 - jitter needs no secrecy

    def submit(self, asks: Iterable[Ask]) -> None:
        """Put every request that is in no batch into one; settle batches that an earlier call left unsettled.

        Raises
        ------
        Incomplete
            The provider does not answer; the next call goes on.
        BadInput
            The provider refuses.
        """
        by_id = {ask.id: ask for ask in asks}
        known = self._jobs.all()
        covered = {id for job in known for id in job.ids}
        for job in known:
            if job.state == "intended" and not by_id.keys().isdisjoint(job.ids):
                self._settle(job, by_id)
        new = [ask for ask in by_id.values() if ask.id not in covered and self._journal.outcome(ask.id) is None]
        for part in self._parts(new):
            ids = [ask.id for ask in part]
            job = Job(label=sha256_json({"ids": ids})[:32], ids=tuple(ids), intended_at=self._now())
            self._create(self._jobs.write(job), part)

    def outcomes(self, asks: Sequence[Ask]) -> Iterator[Outcome]:
        """Yield one outcome for every request, waiting for its batch."""
        wanted = {ask.id for ask in asks}
        for id in sorted(wanted):
            if (known := self._journal.outcome(id)) is not None:
                wanted.discard(id)
                yield known
        by_id = {ask.id: ask for ask in asks}
        while open_jobs := [job for job in self._jobs.of(wanted) if job.state == "created"]:
            ended = [job for job in open_jobs if self._has_ended(job)]
            for job in ended:
                collected = self._collect(job)
                if not collected:
                    self._settle(self._disown(job), by_id)
                yield from (outcome for outcome in collected if outcome.id in wanted)
                wanted -= {outcome.id for outcome in collected}
            if not ended:
                self._sleep(self._settings.poll_s)

    def _parts(self, asks: Sequence[Ask]) -> Iterator[list[Ask]]:
        """Cut requests into batches of one model each, within the provider's limits."""
        for model in dict.fromkeys(ask.model for ask in asks):
            part: list[Ask] = []
            size = 0
            for ask in (ask for ask in asks if ask.model == model):
                length = len(self._api.body(ask)) + 1
                if part and (len(part) == self._api.max_batch or size + length > self._api.max_batch_bytes):
                    yield part
                    part, size = [], 0
                part.append(ask)
                size += length
            if part:
                yield part

    def _settle(self, job: Job, by_id: dict[str, Ask]) -> None:
        """Find the batch of an unanswered creation, or create it: nobody else will."""
        asks = [by_id[id] for id in job.ids if id in by_id]
        found = self._find(job, asks)
        if found is not None:
            self._jobs.write(replace(job, state="created", batch=found))
        elif len(asks) == len(job.ids):
            self._create(job, asks)
        else:
            self._jobs.drop(job)

    def _create(self, job: Job, asks: Sequence[Ask]) -> None:
        said = ""
        for attempt in range(self._settings.attempts):
            try:
                made = self._api.create(job.label, asks)
            except Busy as busy:
                said = str(busy)
                wait_s = backoff_s(attempt, self._rng) if busy.wait_s is None else min(busy.wait_s, LONGEST_WAIT_S)
                self._sleep(wait_s)
                continue
            except Unsettled as lost:
                said = str(lost)
                found = self._find(job, asks)
                if found is None:
                    continue
                made = found
            self._jobs.write(replace(job, state="created", batch=made))
            return
        fault = Finding(where=f"batch {job.label}", found=f"{said}, {self._settings.attempts} times", promised="an id")
        raise Incomplete(
            "the provider creates no batch", fault, then="the same command again: the batch is looked for first"
        )

    def _find(self, job: Job, asks: Sequence[Ask]) -> str | None:
        """Look for a batch that may exist, several times: a list may lag behind."""
        taken = {other.batch for other in self._jobs.all() if other.batch is not None}.union(job.not_ours)
        for look in range(LOOKS):
            found = self._read(lambda: self._api.find(job.label, asks, since=job.intended_at, taken=taken))
            if found is not None:
                return found
            if look < LOOKS - 1:
                self._sleep(FIRST_LOOK_S * 2.0**look)
        return None

    def _has_ended(self, job: Job) -> bool:
        state = self._read(lambda: self._api.look(str(job.batch)))
        if state.refused is not None:
            self._jobs.drop(job)
            fault = Finding(where=f"batch {job.batch}", found=state.refused, promised="requests it can carry out")
            raise BadInput("the provider refuses a batch; nothing of it was carried out", fault, then="see its message")
        return state.ended

    def _disown(self, job: Job) -> Job:
        """Let go of a batch that was taken for ours and is not."""
        not_ours = (*job.not_ours, str(job.batch))
        return self._jobs.write(replace(job, state="intended", batch=None, not_ours=not_ours))

    def _collect(self, job: Job) -> list[Outcome]:
        """Take in every result of an ended batch, matched by id; none where all of them are a stranger's."""
        expected = set(job.ids)
        found: dict[str, Outcome] = {}
        unreadable = strangers = 0
        for result in self._read(lambda: list(self._api.results(str(job.batch)))):
            if isinstance(result, str):
                unreadable += 1
            elif result.id in expected:
                first = found.setdefault(result.id, result)
                if first != result:
                    found[result.id] = no_answer(result.id, "the batch holds two different results for this request")
            else:
                strangers += 1
        if strangers and not found:
            return []
        nothing = "the batch ended without a result for this request" + (
            f"; {unreadable} of its lines cannot be read" if unreadable else ""
        )
        new = [id for id in job.ids if self._journal.outcome(id) is None]
        self._journal.keep(*(found.get(id) or no_answer(id, nothing) for id in new))
        self._jobs.write(replace(job, state="collected"))
        return [outcome for id in job.ids if (outcome := self._journal.outcome(id)) is not None]

    def _read[T](self, reading: Callable[[], T]) -> T:
        """Repeat what costs nothing until it is answered."""
        said = ""
        for attempt in range(self._settings.attempts):
            try:
                return reading()
            except (Busy, Unsettled) as error:
                said = str(error)
                wait_s = error.wait_s if isinstance(error, Busy) else None
                self._sleep(backoff_s(attempt, self._rng) if wait_s is None else min(wait_s, LONGEST_WAIT_S))
        fault = Finding(where="batches", found=f"{said}, {self._settings.attempts} times", promised="an answer")
        raise Incomplete("the provider does not answer", fault, then="the same command again")
