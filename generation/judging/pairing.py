"""Two texts at a time: pairs of either class, on one question of one run, in an order that gives nothing away."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from seedlock.generation.judging.reading import Against, Reading, Verdict
from seedlock.prereg.base.canonical import sha256_json
from seedlock.prereg.plan.judges import CORRECT, JudgeTable, Pairs


def paired(readings: Sequence[Reading], judge: JudgeTable, pairs: Pairs) -> list[Reading]:
    """Pair every text of the class to find with one of the other class, as far as both go.

    Partners answer the same question in the same run, drawn by the plan's seed; no text is in two pairs. In one half of
    a run's pairs, drawn by the same seed, the text to find is shown first: whoever always says "first" is right in one
    half of them (of an odd number, in one more or less).

    Returns
    -------
    list
        Readings of the class to find, in the order they came, each with its partner.
    """
    groups: defaultdict[tuple[str, str], tuple[list[Reading], list[Reading]]] = defaultdict(lambda: ([], []))
    for reading in readings:
        if reading.group is not None:
            groups[str(reading.run_id), reading.group][reading.own_class != pairs.find].append(reading)
    partner_of: dict[str, Reading] = {}
    for ours, others in groups.values():
        drawn = (_shuffled(texts, judge.seed, "pair") for texts in (ours, others))
        partner_of |= {one.id: other for one, other in zip(*drawn, strict=False)}
    kept = [reading for reading in readings if reading.id in partner_of]
    first = frozenset(_shown_first(kept, judge.seed))
    return [_against(reading, partner_of[reading.id], is_first=reading.id in first) for reading in kept]


def _shown_first(readings: Sequence[Reading], seed: int) -> Iterator[str]:
    """Ids of one half of each run's readings; of an odd number the odd one goes by the run's own draw."""
    runs: defaultdict[str, list[Reading]] = defaultdict(list)
    for reading in readings:
        runs[str(reading.run_id)].append(reading)
    for run, own in runs.items():
        odd = int(sha256_json([seed, "odd", run])[:8], 16) % 2
        yield from (reading.id for reading in _shuffled(own, seed, "order")[odd::2])


def _shuffled(readings: Sequence[Reading], seed: int, what: str) -> list[Reading]:
    return sorted(readings, key=lambda reading: sha256_json([seed, what, reading.id]))


def _against(reading: Reading, other: Reading, *, is_first: bool) -> Reading:
    return replace(reading, against=Against(id=other.id, text=other.text, is_second=is_first))


def pairs_made(verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """What the ledger keeps of pairs: which they were, and how often the first was right, and was chosen."""
    told = [(v, v.reading.against) for v in verdicts if v.reading.against is not None]
    if not told:
        return {}
    judged = [(v.label == CORRECT, against.is_second) for v, against in told if v.status == "ok"]
    which = sorted([v.reading.id, v.reading.reading, against.id, against.is_second] for v, against in told)
    return {
        "pairs": len(told),
        "pairs_sha256": sha256_json(which),
        "pairs_judged": len(judged),
        "first_was_right": sum(is_first for _, is_first in judged),
        "first_was_chosen": sum(is_correct == is_first for is_correct, is_first in judged),
    }
