"""What judging takes before there is a completion: how many texts each judge will be given, and at what length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from seedlock.generation.cost.token_counts import new_tokens
from seedlock.generation.judging.prompt import PAIR_RULES, RULES
from seedlock.generation.judging.sample import kinds_of
from seedlock.generation.judging.tables import SealedStudy
from seedlock.generation.requests.items import Item
from seedlock.generation.requests.request import draws_of
from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.cost.amounts import BY_BYTES, BYTES_A_TOKEN, Amount, Line, about, at_most, exact, total
from seedlock.prereg.plan.judges import AnyJudge, ClassifierJudge, HostedJudge
from seedlock.prereg.plan.plan import Plan

BOUNDARY_BYTES = 80
JUDGEMENT_BYTES = 60.0
NO_RETRIES = "without second attempts at what failed"


def judge_lines(paths: StudyPaths, plan: Plan, items: Sequence[Item]) -> Iterator[Line]:
    """Every judge of the plan: judgements, and for a model behind an API requests and tokens."""
    if not plan.judges:
        return
    study = unsealed(plan, items)
    for name, judge in plan.judges.items():
        chosen = _chosen(study, plan, name, items)
        judgements = total([chosen, _seconds(judge, chosen)])
        yield Line(part="judge", of=name, what="judgements", amount=judgements)
        size = judgements.times(JUDGEMENT_BYTES, certainty="about")
        yield Line(part="disk", of=name, what="sealed judgements", unit="bytes", amount=size)
        canaries = _canaries(paths, judge)
        if canaries:
            yield Line(part="judge", of=name, what="canaries", amount=exact(canaries))
        if isinstance(judge, HostedJudge):
            calls = total([judgements, exact(canaries)])
            yield Line(part="judge", of=name, what="requests", amount=calls.times(1, note=NO_RETRIES))
            each = _prompt_tokens(paths, plan, judge)
            prompt = calls.times(each.value or 0.0, certainty=each.certainty, note=each.note)
            yield Line(part="judge", of=name, what="prompt tokens", unit="tokens", amount=prompt)
            said = calls.times(judge.max_tokens, certainty="at most", note="each verdict at its longest")
            yield Line(part="judge", of=name, what="new tokens", unit="tokens", amount=said)


def unsealed(plan: Plan, items: Sequence[Item]) -> SealedStudy:
    """The planned runs and items as a judge will find them once they are sealed; runs go by their labels."""
    factors = sorted({name for run in plan.runs() for name in run.factors})
    sets: dict[str, set[str]] = {}
    for item in items:
        sets.setdefault(item.item_id, set()).add(item.item_set)
    return SealedStudy(
        tables=(),
        runs={
            run.label: {
                "model": run.model,
                "arm": run.arm,
                "seed": None if run.seed is None else str(run.seed),
                **{name: run.factors.get(name) for name in factors},
            }
            for run in plan.runs()
        },
        items={item.item_id: {**item.attributes, "asked": item.asked, "pair": item.pair} for item in items},
        sets={name: frozenset(found) for name, found in sets.items()},
    )


def _chosen(study: SealedStudy, plan: Plan, name: str, items: Sequence[Item]) -> Amount:
    """Completions that a judge will be given, over all runs."""
    judge, decoding = plan.judges[name], plan.decoding
    assert decoding is not None  # noqa: S101 - the caller looked
    once = {item.item_id: draws_of(item.probe, decoding) for item in items}
    counts: dict[str, list[int]] = {}
    kinds = kinds_of(study, plan, judge, f"judges.{name}")
    for kind in kinds:
        for run, found in kind.items_of.items():
            n = sum(once[item] for item in found)
            counts.setdefault(run, []).append(n if judge.sample is None else min(n, judge.sample))
    if judge.pairs is not None:
        place = [kind.name for kind in kinds].index(judge.pairs.find)
        return at_most(sum(own[place] for own in counts.values()), "one pair for each text of the class to find")
    if isinstance(judge, ClassifierJudge):
        balanced = sum(len(kinds) * min(own) for own in counts.values())
        return at_most(balanced, "texts that hold nothing, or no marker, are left out of both classes")
    n = sum(map(sum, counts.values()))
    needs = any(judge.needs_marker(kind.name) for kind in kinds)
    return at_most(n, "completions with the marker may be fewer") if needs else exact(n)


def _seconds(judge: AnyJudge, chosen: Amount) -> Amount:
    if not isinstance(judge, HostedJudge) or not judge.twice:
        return exact(0)
    return chosen.times(judge.twice, certainty="about", note=f"a share of {judge.twice:g} is read twice")


def _canaries(paths: StudyPaths, judge: AnyJudge) -> int:
    if isinstance(judge, ClassifierJudge) or judge.texts is None:
        return 0
    gold = (paths.study / judge.texts).read_bytes().splitlines()
    return sum(bool(line.strip()) for line in gold) + judge.injections


def _prompt_tokens(paths: StudyPaths, plan: Plan, judge: HostedJudge) -> Amount:
    """Tokens of one request: rubric, our rules, and one answer or a pair, each cut where the plan says."""
    rules, texts = (RULES, 1) if judge.pairs is None else (PAIR_RULES, 2)
    fixed = len((paths.study / judge.rubric).read_bytes()) + len(rules.encode()) + BOUNDARY_BYTES
    text = new_tokens(plan, 1)
    cut = judge.longest / BYTES_A_TOKEN
    shown = text if text.value is None or text.value <= cut else at_most(cut, f"longest {judge.longest} characters")
    return total([about(fixed / BYTES_A_TOKEN, BY_BYTES), shown.times(texts)])
