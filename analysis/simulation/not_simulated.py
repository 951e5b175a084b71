"""What a simulation takes for granted of the plan at hand, each with its code: no rate of it covers these."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from seedlock.analysis.simulation.result import NotSimulated
from seedlock.prereg.plan.audit import AUDIT
from seedlock.prereg.plan.filters import row_filters

if TYPE_CHECKING:
    from seedlock.analysis.simulation.simulate import Design


def not_simulated(design: Design) -> Iterator[NotSimulated]:
    """Everything that decides in this plan and that its simulation leaves out, or computes in fewer studies."""
    yield _one(
        "lost-runs", "every hypothesis", "runs that never come; a unit of which no answer comes counts as refused"
    )
    yield from _posteriors(design)
    yield from _gates(design)
    yield from _audit(design)
    yield from _scales(design)
    yield from _judges(design)
    if filtered := [t.id for t in design.layout.targets if row_filters(design.plan, t.estimand.where)]:
        says = "what a row filter leaves out is not lost here, and neither are its worst cases"
        yield _one("row-filters", ", ".join(filtered), says)
    if slow := design.slow_targets():
        says = f"computed study by study, in the first {design.one_by_one} studies only"
        yield _one("fewer-studies", ", ".join(slow), says)


def _one(code: str, where: str, says: str) -> NotSimulated:
    return NotSimulated.model_validate({"code": code, "where": where, "says": says})


def _posteriors(design: Design) -> Iterator[NotSimulated]:
    modelled = [h.id for h in design.plan.hypothesis if h.bayes]
    if modelled:
        says = "what the Bayesian models would conclude (--bayes calibrates their posteriors)"
        yield _one("posteriors", ", ".join(modelled), says)


def _gates(design: Design) -> Iterator[NotSimulated]:
    """Gates whose test cannot be simulated; the others are tested in every study."""
    for target in design.layout.targets:
        if target.kind == "gate" and target.problem:
            yield _one("gate-held-open", target.id, f"taken to hold: {target.problem}")


def _audit(design: Design) -> Iterator[NotSimulated]:
    plan = design.plan
    resting = [h.id for h in plan.hypothesis if AUDIT in (h.requires or ())]
    resting += [claim.id for claim in plan.claim if claim.audited]
    if resting:
        says = (
            "the agreement of measures is not simulated: the audit is taken to pass, so power is at most what is shown"
        )
        yield _one("audit-held-open", ", ".join(resting), says)


def _judges(design: Design) -> Iterator[NotSimulated]:
    """Hypotheses on judges that are checked: labels are drawn as the error that they make."""
    checked = [t.id for t in design.layout.targets if design.assumed.variation[t.estimand.measure].right]
    if checked:
        says = (
            "gold labels are drawn as a normal error of the run's mean, under a judge that is right as often as "
            "judge_right says; labels that never come are not lost here"
        )
        yield _one("labels-as-error", ", ".join(checked), says)


def _scales(design: Design) -> Iterator[NotSimulated]:
    """Hypotheses in units of an SD that the analysis estimates, and whose error it carries into the test."""
    for name, sd in design.plan.sd.items():
        on_it = [t.id for t in design.layout.targets if t.estimand.scale == f"sd.{name}" and not t.problem]
        if on_it and (sd.of is not None or sd.df is not None):
            whose = "the study's own data give it" if sd.of is not None else f"it comes with {sd.df:g} df"
            says = (
                f"sd.{name} is taken as known, and {whose}: the analysis carries its error into the test, so that "
                "power and widths are better here than they will be"
            )
            yield _one("scale-known", ", ".join(on_it), says)
