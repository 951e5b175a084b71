"""A model behind an API as a judge: asked in a shuffled order, within its budget, again where a judgement failed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import batched
from typing import Any

from seedlock.generation.hosted.asking import Ask
from seedlock.generation.hosted.journal import Journal
from seedlock.generation.hosted.open import open_place
from seedlock.generation.judging.cost import Estimate, cost_of_ask, cost_of_outcome, over_cap, total_cost
from seedlock.generation.judging.prompt import ask_of, verdict_of
from seedlock.generation.judging.protocol import Bench
from seedlock.generation.judging.reading import Reading, Verdict
from seedlock.prereg.base.canonical import sha256_bytes, sha256_json
from seedlock.prereg.plan.judges import HostedJudge

ASKED_AGAIN = frozenset({"error", "expired", "canceled", "unparsed"})
"""Failed judgements. A refusal and a verdict that was cut off are what the judge said, and stay."""
BETWEEN_CHECKS = 8
"""Requests in flight times this are sent between two looks at the budget."""


class HostedJudging:
    """Judges through `generation.hosted`; killed and called again, it pays for nothing twice."""

    def __init__(self, judge: HostedJudge, bench: Bench) -> None:
        self._judge = judge
        self._bench = bench
        self._rubric = (bench.study / judge.rubric).read_text("utf-8")
        self._spent = 0.0
        self._asked = 0
        self._again = 0
        self._perhaps = 0.0
        self._cut = 0
        self._served_by: list[str] = []

    def estimate(self, readings: Sequence[Reading]) -> Estimate:
        """What is known, and what the first attempt at the rest may cost."""
        asks = self._asks(readings, attempt=0)
        spent, known = 0.0, 0
        new = []
        journal = Journal(self._bench.folder / "answers.jsonl")
        for ask in (ask for ask, _ in asks.values()):
            outcome = journal.outcome(ask.id)
            if outcome is None:
                new.append(ask)
            else:
                known += 1
                spent += cost_of_outcome(ask, outcome, self._judge.budget)
                spent += self._paid_again(ask, journal.sent_again(ask.id))
        journal.close()
        cost = total_cost(new, self._judge.budget)
        return Estimate(
            judge=self._bench.name, asks=len(new), known=known, cost=cost, spent=spent, budget=self._judge.budget
        )

    def submit(self, readings: Sequence[Reading]) -> None:
        """Hand in the first attempt at every reading, where the plan asks in batches."""
        with open_place(self._judge.kind, self._judge.hosted, self._bench.folder) as place:
            place.submit([ask for ask, _ in self._asks(readings, attempt=0).values()])

    def verdicts(self, readings: Sequence[Reading]) -> Iterator[Verdict]:
        """Yield one verdict for each reading; those that fail are asked again, as often as the plan says.

        Raises
        ------
        BadInput
            The budget is used up. What was answered is on disk.
        """
        self._cut = sum(len(text) > self._judge.longest for reading in readings for text in reading.texts)
        waiting = list(readings)
        with open_place(self._judge.kind, self._judge.hosted, self._bench.folder) as place:
            for attempt in range(self._bench.retries + 1):
                asks = self._asks(waiting, attempt=attempt)
                waiting = []
                for part in self._parts([ask for ask, _ in asks.values()]):
                    for outcome in place.outcomes(part):
                        ask, of = asks[outcome.id]
                        self._asked += 1
                        self._spent += cost_of_outcome(ask, outcome, self._judge.budget)
                        self._again += place.sent_again(ask.id) > 0
                        self._perhaps += self._paid_again(ask, place.sent_again(ask.id))
                        verdicts = [verdict_of(reading, outcome, self._judge) for reading in of]
                        if verdicts[0].status in ASKED_AGAIN and attempt < self._bench.retries:
                            waiting += of
                        else:
                            yield from verdicts
            self._served_by = place.served_by

    def describe(self) -> dict[str, Any]:
        """Model, rubric, sampling and cost; never the address or the key."""
        judge = self._judge
        return {
            "kind": judge.kind,
            "model": judge.model,
            "served_by": self._served_by,
            "rubric_sha256": sha256_bytes(self._rubric.encode()),
            "sampling_sent": judge.temperature is not None,
            "mode": judge.hosted.mode,
            "requests": self._asked,
            "texts_cut": self._cut,
            "cost": round(self._spent, 6),
            "lost_and_asked_again": self._again,
            "may_be_paid_twice": 0 if judge.hosted.idempotent else self._again,
            "cost_if_paid_twice": round(self._spent + self._perhaps, 6),
            "currency": judge.budget.currency,
        }

    def _asks(self, readings: Sequence[Reading], *, attempt: int) -> Mapping[str, tuple[Ask, list[Reading]]]:
        """Requests by id, in a shuffled order that the plan's seed decides; equal texts share one."""
        asks: dict[str, Ask] = {}
        of: defaultdict[str, list[Reading]] = defaultdict(list)
        for reading in readings:
            ask = ask_of(reading, self._judge, self._rubric, attempt=attempt)
            asks[ask.id] = ask
            of[ask.id].append(reading)
        shuffled = sorted(asks, key=lambda key: sha256_json([self._judge.seed, key]))
        return {key: (asks[key], of[key]) for key in shuffled}

    def _paid_again(self, ask: Ask, times: int) -> float:
        """What a request may have cost beside its answer, where earlier answers to it were lost."""
        return 0.0 if self._judge.hosted.idempotent else times * cost_of_ask(ask, self._judge.budget)

    def _parts(self, asks: Sequence[Ask]) -> Iterator[Sequence[Ask]]:
        """What is asked before the budget is looked at again: everything, in batches of the provider."""
        hosted = self._judge.hosted
        size = max(1, len(asks)) if hosted.mode == "batch" else hosted.at_once * BETWEEN_CHECKS
        journal = Journal(self._bench.folder / "answers.jsonl")
        known = {ask.id for ask in asks if journal.outcome(ask.id) is not None}
        journal.close()
        for part in batched(asks, size):
            coming = total_cost((ask for ask in part if ask.id not in known), self._judge.budget)
            spent = self._spent + self._perhaps
            if spent + coming > self._judge.budget.cap:
                raise over_cap(self._bench.name, spent + coming, self._judge.budget, "so far and next")
            yield part
