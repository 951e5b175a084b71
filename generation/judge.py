"""`seedlock judge`: sealed completions to the plan's judges, blind and within budget; then the seal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from filelock import FileLock, Timeout

from seedlock.generation.judges import open_judge
from seedlock.generation.judging.canaries import Canary, read_canaries, row_of
from seedlock.generation.judging.cost import Estimate
from seedlock.generation.judging.pairing import pairs_made
from seedlock.generation.judging.progress import JudgeProgress, Quiet
from seedlock.generation.judging.protocol import Bench, Judge
from seedlock.generation.judging.reading import Reading, Verdict
from seedlock.generation.judging.sample import Chosen, choose
from seedlock.generation.judging.sealing import judgement_rows, outcomes, seal_judge, sealed_word
from seedlock.generation.judging.tables import sealed_study
from seedlock.prereg.base.canonical import sha256_json
from seedlock.prereg.errors import BadInput, Finding, Incomplete
from seedlock.prereg.lock.gate import LockedPlan
from seedlock.prereg.lock.ledger import Event
from seedlock.prereg.plan.judges import ExamplesJudge, HostedJudge, LexiconJudge
from seedlock.sentences import Encoder, open_encoder


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeAccount:
    """What one judge did.

    Parameters
    ----------
    state
        "sealed" now, "already sealed", or "submitted" and not waited for.
    judgements
        Rows: completions chosen, and second readings.
    statuses
        What became of them.
    canaries
        Texts whose right answer is known, put among them.
    sealed
        Sealed files, relative to the repository.
    """

    judge: str
    state: str
    judgements: int
    statuses: Mapping[str, int]
    canaries: int
    made: Mapping[str, Any]
    sealed: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What `seedlock judge` did, judge by judge."""

    judges: tuple[JudgeAccount, ...]

    def as_json(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        return asdict(self)

    def lines(self) -> Iterator[str]:
        """The account, for a person."""
        for one in self.judges:
            yield f"judge     {one.judge}: {one.state}"
            if one.state != "already sealed":
                said = ", ".join(f"{n} {status}" for status, n in one.statuses.items())
                yield f"became    {one.judgements} judgements" + (f": {said}" if said else "")
            if one.canaries:
                yield f"canaries  {one.canaries} texts whose right answer is known"
            if "cost" in one.made:
                yield f"cost      {one.made['cost']} {one.made['currency']}"
            yield from (f"sealed    {file}" for file in one.sealed)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """One judge and everything it is given, canaries among the rest."""

    name: str
    judge: Judge
    chosen: Chosen
    seconds: tuple[Reading, ...]
    canaries: tuple[Canary, ...]

    @property
    def readings(self) -> list[Reading]:
        """All that the judge reads; a hosted one shuffles them."""
        return [*self.chosen.readings, *self.seconds, *(canary.reading for canary in self.canaries)]


def judge_study(
    locked: LockedPlan,
    *,
    only: str | None = None,
    submit_only: bool = False,
    progress: JudgeProgress | None = None,
) -> Judged:
    """Put the sealed completions of a locked study to its judges, then seal what they said.

    Every chosen completion ends as one row a judge: a verdict, or the reason there is none. What a hosted judge will
    cost is told before the first request, and refused beyond the plan's cap.

    Parameters
    ----------
    only
        One judge of the plan; all of them otherwise.
    submit_only
        Hand in batches and do not wait for them; called again without it, the verdicts are collected.

    Raises
    ------
    OutOfOrder
        No completion is sealed yet, or a judge's judgements are sealed on other terms than the plan's.
    BadInput
        The plan names no judge, a file or condition cannot be used, or the cap would be exceeded.
    Incomplete
        A provider does not answer; the next call goes on.
    """
    names = _names(locked, only)
    before = {name: event for name in names if (event := sealed_word(locked, name)) is not None}
    told = progress or Quiet()
    with _alone(locked):
        study = sealed_study(locked)
        work = {name: _work(locked, name, choose(study, locked.plan, name)) for name in names if name not in before}
        for estimate in _estimates(list(work.values())):
            told.estimate(estimate)
            estimate.require_within_cap()
        accounts = [
            _done_before(name, before[name])
            if name in before
            else (_submit(work[name]) if submit_only else _carry_out(locked, work[name], told))
            for name in names
        ]
    return Judged(judges=tuple(accounts))


def _names(locked: LockedPlan, only: str | None) -> list[str]:
    judges, study = locked.plan.judges, locked.paths.name
    if not judges:
        fault = Finding(where="[judges.NAME]", found="none", promised="at least one judge")
        raise BadInput(f"the plan of {study} names no judge", fault, then=f"seedlock analyze {study}")
    if only is not None and only not in judges:
        fault = Finding(where="--judge", found=only, promised=f"one of: {', '.join(judges)}")
        raise BadInput(f"{study} has no such judge", fault, then=f"seedlock judge {study}")
    return list(judges) if only is None else [only]


@contextmanager
def _alone(locked: LockedPlan) -> Iterator[None]:
    """One process a study: two would ask everything twice."""
    folder = locked.paths.runs / "judges"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / ".lock", timeout=0):
            yield
    except Timeout:
        fault = Finding(where=locked.paths.relative(folder), found="another process at work", promised="one at a time")
        raise BadInput("the judges are at work already", fault, then="wait for the other command") from None


def _encoder(locked: LockedPlan, name: str) -> Encoder | None:
    """The plan's sentence encoder, where this judge reads by it."""
    if locked.plan.encoder is None or getattr(locked.plan.judges[name], "reads", "words") != "meaning":
        return None
    return open_encoder(locked.plan.encoder, locked.paths.root, locked.paths.name)


def _work(locked: LockedPlan, name: str, chosen: Chosen) -> _Work:
    planned = locked.plan.judges[name]
    paths = locked.paths
    bench = Bench(
        name=name,
        study=paths.study,
        folder=paths.runs / "judges" / name,
        retries=locked.plan.missing.judge_retries,
        encoder=_encoder(locked, name),
    )
    judge = open_judge(planned, bench)
    canaries: list[Canary] = []
    if isinstance(planned, LexiconJudge | ExamplesJudge | HostedJudge) and planned.texts is not None:
        shows = planned.shows if isinstance(planned, HostedJudge) else []
        canaries = read_canaries(
            paths.study / planned.texts,
            injections=planned.injections,
            answers=planned.answers if isinstance(planned, HostedJudge) else judge.labels,  # type: ignore[attr-defined]  # of a lexicon or examples
            shows=shows,
            seed=planned.seed,
            in_pairs=planned.pairs is not None,
        )
    share = planned.twice if isinstance(planned, HostedJudge) else 0.0
    again = [r for r in chosen.readings if _place(planned.seed, r.id) < share]
    seconds = tuple(reading.again() for reading in again)
    return _Work(name=name, judge=judge, chosen=chosen, seconds=seconds, canaries=tuple(canaries))


def _place(seed: int, id: str) -> float:
    """A completion's own number between 0 and 1: no order or generator has a part in it."""
    return int(sha256_json([seed, "twice", id])[:13], 16) / 16**13


def _estimates(work: Sequence[_Work]) -> list[Estimate]:
    found = (one.judge.estimate(one.readings) for one in work)
    return [estimate for estimate in found if estimate is not None]


def _carry_out(locked: LockedPlan, one: _Work, told: JudgeProgress) -> JudgeAccount:
    """Judge everything, require a row for each, and seal."""
    readings = one.readings
    told.begin(one.name, len(readings))
    canary_ids = {canary.reading.id: canary for canary in one.canaries}
    verdicts: list[Verdict] = list(one.chosen.unread)
    canaries = []
    for verdict in one.judge.verdicts(readings):
        told.judged(verdict)
        canary = canary_ids.get(verdict.reading.id)
        if canary is None:
            verdicts.append(verdict)
        else:
            canaries.append(row_of(canary, verdict, one.name))
    _require_all(locked, one, len(verdicts), len(canaries))
    rows = judgement_rows(verdicts, one.name)
    made = {
        **one.judge.describe(),
        "chosen": len(one.chosen.readings) + len(one.chosen.unread),
        "left_out_to_balance": one.chosen.left_out,
        "texts_that_tell_what_is_hidden": one.chosen.told,
        **pairs_made(verdicts),
    }
    sealed = seal_judge(locked, one.name, rows, canaries, made)
    return JudgeAccount(
        judge=one.name,
        state="sealed",
        judgements=len(rows),
        statuses=outcomes(rows),
        canaries=len(canaries),
        made=made,
        sealed=tuple(locked.paths.relative(file) for file in sealed),
    )


def _require_all(locked: LockedPlan, one: _Work, judgements: int, canaries: int) -> None:
    """Nothing is sealed while a text has no row."""
    promised = (len(one.chosen.readings) + len(one.chosen.unread) + len(one.seconds), len(one.canaries))
    if (judgements, canaries) != promised:
        fault = Finding(
            where=one.name, found=f"{judgements} and {canaries}", promised=f"{promised[0]} and {promised[1]}"
        )
        raise Incomplete("judgements or canaries are missing", fault, then=f"seedlock judge {locked.paths.name}")


def _submit(one: _Work) -> JudgeAccount:
    one.judge.submit(one.readings)
    return JudgeAccount(
        judge=one.name,
        state="submitted",
        judgements=len(one.readings) - len(one.canaries),
        statuses={},
        canaries=len(one.canaries),
        made={},
        sealed=(),
    )


def _done_before(name: str, event: Event) -> JudgeAccount:
    return JudgeAccount(
        judge=name,
        state="already sealed",
        judgements=int(event.body["rows"]),
        statuses=dict(event.body["outcomes"]),
        canaries=0,
        made=dict(event.body["judging"]),
        sealed=(),
    )
