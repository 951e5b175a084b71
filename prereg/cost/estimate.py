"""What a study takes before anything is spent: counts as given, then time and money at stated or measured speeds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from seedlock.prereg.cost.amounts import Amount, Line, Part, about, amount_of, exact, total, unknown
from seedlock.prereg.cost.speeds import Timed, Work
from seedlock.prereg.plan.hosted import HOSTED_BACKENDS
from seedlock.prereg.plan.judges import HostedJudge
from seedlock.prereg.plan.model_shape import ModelShape
from seedlock.prereg.plan.plan import Plan
from seedlock.prereg.plan.rates import ModelRates, Rates

MILLION = 1_000_000
HOUR_S = 3600.0
TRAINING_FLOPS, READING_FLOPS = 6.0, 2.0
"""Operations a parameter and token: forward and backward; forward alone. LoRA needs fewer."""
PARTS: tuple[Part, ...] = ("corpus", "train", "generate", "judge", "inside", "memory", "disk", "time", "cost")
PROVIDER = "the provider's own pace"


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """Everything a study takes, and what should be looked at before it begins."""

    study: str
    source: str | None
    lines: tuple[Line, ...]
    warnings: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        lines = [line.as_json() for line in self.lines]
        return {"study": self.study, "source": self.source, "lines": lines, "warnings": list(self.warnings)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known beside the plan.

    Parameters
    ----------
    shapes
        Model -> its shape, where its config.json lies here.
    measured
        Model -> training tokens a second in runs of this study.
    timed
        Model -> how fast this machine was with it when it was timed.
    """

    shapes: Mapping[str, ModelShape]
    measured: Mapping[str, float]
    timed: Mapping[str, Timed] = field(default_factory=dict)


def estimate(study: str, plan: Plan, counted: Sequence[Line], known: Known) -> Estimate:
    """Add room, time and money to what was counted.

    Parameters
    ----------
    counted
        Lines of training and generation; a count that is not known leaves what follows from it not known, with the
        same reason.
    """
    lines = list(counted)
    disk = [line.amount for line in lines if line.part == "disk"]
    if disk:
        lines.append(Line(part="disk", of="", what="together", unit="bytes", amount=_whole(disk)))
    hours = list(_times(plan, counted, known))
    lines += hours
    costs = list(_costs(plan, counted, hours))
    lines += costs
    warnings = tuple(_warnings(study, plan, costs))
    source = None if plan.rates is None else plan.rates.source
    ordered = sorted(lines, key=lambda line: PARTS.index(line.part))
    return Estimate(study=study, source=source, lines=tuple(ordered), warnings=warnings)


def _whole(parts: Iterable[Amount]) -> Amount:
    """A sum without the notes of its parts, which stand beside them; with the reason where it is not known."""
    found = total(parts)
    return found if found.value is None else replace(found, note="")


def _times(plan: Plan, counted: Sequence[Line], known: Known) -> Iterator[Line]:
    """Seconds of one device for every model and stage, and of all devices together."""
    seconds: list[Amount] = []
    for model in plan.grid.models:
        speeds = _Speeds(plan=plan, model=model, known=known)
        if (tokens := amount_of(counted, "train", "tokens", model)) is not None:
            n = amount_of(counted, "train", "stages", model) or exact(0)
            spent = unknown(PROVIDER) if _is_trained_elsewhere(plan) else speeds.spent("training", tokens, n)
            yield Line(part="time", of=model, what="training", unit="s", amount=spent)
            seconds.append(spent)
        if (said := amount_of(counted, "generate", "new tokens", model)) is not None:
            read = amount_of(counted, "generate", "prompt tokens", model) or exact(0)
            n = amount_of(counted, "generate", "runs", model) or exact(0)
            apart = total([speeds.spent("answers", said, n), speeds.spent("reading", read, exact(0))])
            spent = unknown(PROVIDER) if _is_asked_elsewhere(plan) else apart
            yield Line(part="time", of=model, what="generation", unit="s", amount=spent)
            seconds.append(spent)
        if (inside := amount_of(counted, "inside", "prompt tokens", model)) is not None:
            spent = speeds.spent("reading", inside, exact(0))
            yield Line(part="time", of=model, what="looking inside", unit="s", amount=spent)
            seconds.append(spent)
    own = [spent for spent in seconds if spent.note != PROVIDER]
    if own:
        yield Line(part="time", of="", what="one device", unit="s", amount=_whole(own))
        gpus = 1 if plan.rates is None else plan.rates.gpus
        cpus = [timed.cores for timed in known.timed.values() if timed.device == "cpu"] if plan.rates is None else []
        if (at_once := min(cpus, default=gpus)) > 1:
            what = f"{at_once} {'cores' if cpus else 'devices'} at once"
            yield Line(part="time", of="", what=what, unit="s", amount=_whole(own).times(1 / at_once))


def _is_trained_elsewhere(plan: Plan) -> bool:
    return any(plan.stages[stage].trainer == "hosted" for stage in plan.used_stages)


def _is_asked_elsewhere(plan: Plan) -> bool:
    return plan.decoding is not None and plan.decoding.backend in HOSTED_BACKENDS


def _over(tokens: Amount, speed: Amount) -> Amount:
    """Seconds for so many tokens."""
    if not tokens.value:
        return tokens
    if speed.value is None:
        return speed
    return tokens.times(1 / speed.value, certainty=speed.certainty, note=speed.note)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Speeds:
    """Tokens a second of one model on one device: stated, measured in runs, timed here, or reckoned from its size."""

    plan: Plan
    model: str
    known: Known

    def spent(self, work: Work, tokens: Amount, times: Amount) -> Amount:
        """Seconds for so many tokens; begun so many times, which is known only of work that was timed here."""
        speed = {"training": self.training, "answers": self.generation, "reading": self.reading}[work]()
        spent = _over(tokens, speed)
        timed = self.known.timed.get(self.model)
        is_timed = timed is not None and (found := timed.amount(work)) is not None and found.note == speed.note
        if timed is None or not is_timed or not times.value or not timed.begin(work).value:
            return spent
        begun = timed.begin(work)
        return total([spent, begun.times(times.value, certainty=times.certainty)])

    def training(self) -> Amount:
        """As [rates] states, else as runs of this study went, else by operations."""
        stated = self._own.training_tokens_per_second
        if stated is None and self.model in self.known.measured:
            measured = self.known.measured[self.model]
            return about(measured, f"{measured:.0f} tokens a second, as this study's finished stages went")
        return self._speed("training", stated, "training_tokens_per_second", TRAINING_FLOPS, self._rates.training_share)

    def generation(self) -> Amount:
        """New tokens a second."""
        stated = self._own.generation_tokens_per_second
        return self._speed(
            "answers", stated, "generation_tokens_per_second", READING_FLOPS, self._rates.generation_share
        )

    def reading(self) -> Amount:
        """Prompt tokens a second; reading costs no more than training, and reaches its share of the peak."""
        stated = self._own.prompt_tokens_per_second
        return self._speed("reading", stated, "prompt_tokens_per_second", READING_FLOPS, self._rates.training_share)

    @property
    def _rates(self) -> Rates:
        return self.plan.rates or Rates(source="none")

    @property
    def _own(self) -> ModelRates:
        return self._rates.of(self.model)

    def _speed(self, work: Work, stated: float | None, key: str, flops: float, share: float) -> Amount:
        if stated is not None:
            return about(stated, f"{stated:g} tokens a second (rates)")
        timed = self.known.timed.get(self.model)
        if timed is not None and (found := timed.amount(work)) is not None:
            return found
        shape = self.known.shapes.get(self.model) or self._own.shape
        if shape is None or self._rates.flops_per_second is None:
            return unknown(f"state rates.{key}, or add --measure where the model lies here")
        value = self._rates.flops_per_second * share / (flops * shape.parameters)
        note = f"{flops:g} x {shape.parameters / 1e9:.3g}e9 operations a token at {share:.0%} of the peak (rates)"
        return about(value, note)


def _costs(plan: Plan, counted: Sequence[Line], times: Iterable[Line]) -> Iterator[Line]:
    """Money: devices by the hour, hosted models by the token, judges by their own prices."""
    rates = plan.rates or Rates(source="none")
    own: list[Line] = []
    for line in times:
        if line.what == "one device":
            price = rates.gpu_hour_cost
            cost = unknown("state rates.gpu_hour_cost") if price is None else line.amount.times(price / HOUR_S)
            own.append(Line(part="cost", of="", what="devices", unit=rates.currency, amount=cost))
    for model in plan.grid.models:
        own += _hosted_costs(plan, counted, model, rates)
    own += _judge_costs(plan, counted)
    yield from own
    if own and all(line.unit == rates.currency for line in own):
        whole = _whole(line.amount for line in own)
        yield Line(part="cost", of="", what="together", unit=rates.currency, amount=whole)


def _hosted_costs(plan: Plan, counted: Sequence[Line], model: str, rates: Rates) -> Iterator[Line]:
    prices = rates.of(model)
    tokens = amount_of(counted, "train", "tokens", model)
    if tokens is not None and _is_trained_elsewhere(plan):
        cost = _priced(tokens, prices.training_per_million, f"rates.models.{model}.training_per_million")
        yield Line(part="cost", of=model, what="training", unit=rates.currency, amount=cost)
    if _is_asked_elsewhere(plan):
        read = amount_of(counted, "generate", "prompt tokens", model) or exact(0)
        said = amount_of(counted, "generate", "new tokens", model) or exact(0)
        cost = total(
            [
                _priced(read, prices.input_per_million, f"rates.models.{model}.input_per_million"),
                _priced(said, prices.output_per_million, f"rates.models.{model}.output_per_million"),
            ]
        )
        yield Line(part="cost", of=model, what="generation", unit=rates.currency, amount=cost)


def _judge_costs(plan: Plan, counted: Sequence[Line]) -> Iterator[Line]:
    for name, judge in plan.judges.items():
        if isinstance(judge, HostedJudge):
            read = amount_of(counted, "judge", "prompt tokens", name) or exact(0)
            said = amount_of(counted, "judge", "new tokens", name) or exact(0)
            prices = judge.budget
            cost = total([_priced(read, prices.input_per_million, ""), _priced(said, prices.output_per_million, "")])
            yield Line(part="cost", of=name, what="judging", unit=judge.budget.currency, amount=cost)


def _priced(tokens: Amount, per_million: float | None, key: str) -> Amount:
    return unknown(f"state {key}") if per_million is None else tokens.times(per_million / MILLION)


def _warnings(study: str, plan: Plan, costs: Sequence[Line]) -> Iterator[str]:
    """Costs above what the plan allows, each with the next command."""
    again = f"then  seedlock estimate {study}"
    for line in costs:
        judge = plan.judges.get(line.of)
        cap = judge.budget.cap if isinstance(judge, HostedJudge) and line.what == "judging" else None
        if cap is not None and (line.amount.value or 0.0) > cap:
            yield (
                f"judges.{line.of}: {line.amount.certainty} {line.amount.value:.2f} {line.unit}, over its cap of "
                f"{cap:.2f}: judge fewer completions (sample = ...) or raise the cap, {again}"
            )
    whole = next((line for line in costs if line.what == "together"), None)
    budget = None if plan.rates is None else plan.rates.budget
    if budget is None or whole is None:
        return
    if whole.amount.value is None:
        yield f"rates.budget of {budget:g} {whole.unit} cannot be held against the cost: {whole.amount.note}"
    elif whole.amount.value > budget:
        yield (
            f"{whole.amount.certainty} {whole.amount.value:.2f} {whole.unit} together, over rates.budget of "
            f"{budget:.2f}: ask for less in the plan or raise the budget, {again}"
        )
