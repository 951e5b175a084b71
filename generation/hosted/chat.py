"""Single requests, many in flight: each ends as one outcome, and what may be paid for twice is counted."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Literal

from seedlock.generation.hosted.api import Api, Busy, Rejected, Unsettled
from seedlock.generation.hosted.asking import Ask, Outcome, no_answer
from seedlock.generation.hosted.journal import Journal
from seedlock.generation.hosted.rate_limit import Pace, backoff_s
from seedlock.prereg.errors import Finding, Incomplete
from seedlock.prereg.plan.hosted import Hosted

PATIENCE = 20
LONGEST_PAUSE_S = 600.0
INTERRUPTED = "the command ended while the answer was on its way; asking again could pay twice"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """What became of a request, and how that is known.

    "heard" from the provider; "known" from the journal; "lost" on the way, so that it may be paid for; "unanswered":
    sent as often as the plan allows, or rejected, and nothing was paid.
    """

    outcome: Outcome
    how: Literal["heard", "known", "lost", "unanswered"]


def chat(
    asks: Iterable[Ask], api: Api, settings: Hosted, journal: Journal, *, rng: random.Random | None = None
) -> Iterator[Outcome]:
    """Ask every request that the journal does not know, and yield one outcome for each, as they come.

    A request that was not carried out (429, 500, 503, no connection) is sent again after a growing wait, or the one the
    provider asks for. One whose answer was lost (time-out, broken line, unreadable answer, a killed process) is asked
    again or "missing", as `settings.unanswered` says; the journal counts how often each was sent. An idempotent
    endpoint is always asked again: it knows the request by its id. Failures count only where others are answered.

    Raises
    ------
    Incomplete
        The provider answers nothing: no row is made of that, and the next call goes on.
    BadInput
        The key or the model's name is wrong.
    """
    asker = _Asker(api, settings, journal, rng or random.Random())  # noqa: S311 - jitter needs no secrecy
    held: list[Outcome] = []
    silent: list[str] = []
    was_heard = False
    with closing(asker.run(asks)) as arriving:
        for found in arriving:
            if found.how == "heard":
                was_heard = True
                yield from asker.kept(held)
                held.clear()
                silent.clear()
            elif found.how != "known":
                silent.append(str(found.outcome.reason))
            if found.how == "unanswered":
                held.append(found.outcome)
            else:
                yield found.outcome
            if len(silent) >= PATIENCE:
                raise _silent(silent)
    if held and not was_heard:
        raise _silent(silent)
    yield from asker.kept(held)


def _silent(reasons: list[str]) -> Incomplete:
    said = list(dict.fromkeys(reasons))
    faults = [Finding(where="the provider", found=reason, promised="an answer") for reason in said[:5]]
    return Incomplete(
        f"the provider answered none of {len(reasons)} requests in a row",
        *faults,
        then="the same command again, once the cause is gone: nothing that was answered is asked again",
    )


class _Asker:
    """The requests in flight, and the event loop they run in: it turns only while an outcome is waited for."""

    def __init__(self, api: Api, settings: Hosted, journal: Journal, rng: random.Random) -> None:
        self._api = api
        self._settings = settings
        self._journal = journal
        self._rng = rng
        self._pace = Pace(settings.requests_per_minute, settings.tokens_per_minute)
        self._is_stopping = False
        self._asks_again = settings.unanswered == "ask again" or settings.idempotent

    def kept(self, outcomes: list[Outcome]) -> Iterator[Outcome]:
        """Enter outcomes in the journal and pass them on."""
        for outcome in outcomes:
            self._journal.keep(outcome)
            yield outcome

    def run(self, asks: Iterable[Ask]) -> Generator[_Found]:
        """Yield what becomes of every request."""
        waiting = iter(asks)
        with asyncio.Runner() as runner:
            loop = runner.get_loop()
            flying: set[asyncio.Task[_Found]] = set()
            try:
                while True:
                    while len(flying) < self._settings.at_once and (ask := next(waiting, None)) is not None:
                        known = self._known(ask)
                        if known is None:
                            flying.add(loop.create_task(self._ask(ask)))
                        else:
                            yield _Found(outcome=known, how="known")
                    if not flying:
                        break
                    done = runner.run(_first(flying))
                    for task in done:
                        found = task.result()
                        flying.discard(task)
                        yield found
            finally:  # what is under way is paid for: it is waited for, also after an interrupt
                self._is_stopping = True
                runner.run(_landed(flying, self._settings.timeout_s))
                runner.run(self._api.hang_up())

    def _known(self, ask: Ask) -> Outcome | None:
        """What an earlier call heard of a request, or was too late to hear."""
        known = self._journal.outcome(ask.id)
        if known is None and self._journal.is_under_way(ask.id) and not self._asks_again:
            known = no_answer(ask.id, INTERRUPTED)
            self._journal.keep(known)
        return known

    async def _ask(self, ask: Ask) -> _Found:
        said = ""
        for attempt in range(self._settings.attempts):
            await self._pace.turn(ask.tokens)
            if self._is_stopping:
                break
            self._journal.ask(ask.id)
            try:
                outcome = await self._api.ask(ask)
            except Busy as busy:
                self._journal.not_carried_out(ask.id)
                said = str(busy)
                await self._wait(attempt, busy.wait_s)
                continue
            except Rejected as rejected:
                self._journal.not_carried_out(ask.id)
                return _Found(outcome=no_answer(ask.id, str(rejected)), how="unanswered")
            except Unsettled as lost:
                said = f"{lost}; it may be paid for"
                if self._asks_again:
                    await self._wait(attempt, None)
                    continue
                found = _Found(outcome=no_answer(ask.id, said), how="lost")
            else:
                found = _Found(outcome=outcome, how="heard")
            self._journal.keep(found.outcome)
            return found
        return _Found(outcome=no_answer(ask.id, f"{said}, {self._settings.attempts} times"), how="unanswered")

    async def _wait(self, attempt: int, asked_s: float | None) -> None:
        """Wait before the next attempt; a pause that the provider asks for is everybody's."""
        if asked_s is not None:
            self._pace.pause(min(asked_s, LONGEST_PAUSE_S))
        else:
            await asyncio.sleep(backoff_s(attempt, self._rng))


async def _first[T](tasks: set[asyncio.Task[T]]) -> set[asyncio.Task[T]]:
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    return done


async def _landed[T](tasks: set[asyncio.Task[T]], seconds: float) -> None:
    """Wait for requests under way, then stop what is left and hear every failure of it."""
    if tasks:
        await asyncio.wait(tasks, timeout=seconds)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
