"""What the page of a synthesis says: its answer in sentences, and its tables."""

from __future__ import annotations

from collections.abc import Iterator

from seedlock.analysis.report.sections.answer import Fact, StatusView
from seedlock.analysis.report.text.formats import Kind, exact_spec, interval, resolved_spec, spread_spec
from seedlock.analysis.report.text.pieces import Code, Line, Number, Quote, Table, pointer
from seedlock.analysis.results.synthesis import SynthesisResults
from seedlock.prereg.english import counted, plural
from seedlock.prereg.lock.gate import Status
from seedlock.prereg.verify.number_binding import format_value

MEANING: dict[Status, str] = {
    "confirmatory": "The plan was locked before anybody had looked at the data of its studies, and was followed.",
    "deviated": (
        "The plan was locked before anybody had looked at the data of its studies; what changed since stands below."
    ),
    "retrospective": (
        "Results of these studies could be known when the plan was locked. What follows sums them up; that they were "
        "chosen, and how they are pooled, was decided with them at hand."
    ),
    "exploratory": "The plan promises no confirmatory test.",
}


def status_view(results: SynthesisResults) -> StatusView:
    """What the synthesis may call itself."""
    return StatusView(name=results.status, meaning=MEANING[results.status])


def sentences(results: SynthesisResults) -> list[str]:
    """The answer in words: the mean, its verdict, how far effects differ, the next, and what is not in it."""
    of = results.of
    if results.estimate is None or results.ci is None or results.spread is None:
        return [f"{results.claim} Not testable: {'; '.join(results.reasons)}."]
    spec = spec_of(results)
    low, high = (format_value(end, spec) for end in results.ci)
    found = "as predicted" if results.verdict == [results.predicted] else "not as predicted"
    open_ = len(results.verdict) > 1
    said = f"inconclusive, {' or '.join(results.verdict)}" if open_ else f"{results.decision}, {found}"
    first = (
        f"{results.claim} Over {counted(results.k, of, plural(of))} the mean is {format_value(results.estimate, spec)} "
        f"({format_value(results.ci_level, 'percent0')} interval {low} to {high}): {said}."
    )
    return [first, _next_sentence(results, spec), *_silence(results)]


def _next_sentence(results: SynthesisResults, spec: str) -> str:
    spread, of = results.spread, results.of
    if spread is None or spread.prediction is None:
        return f"Two {plural(of)} say nothing of the next: no prediction can be made."
    low, high = (format_value(end, spec) for end in spread.prediction)
    edge = next((band for band in results.bands if band.name == results.predicted), None)
    inside = edge is not None and _holds(edge.lower, edge.upper, spread.prediction)
    rest = "all of it in the predicted band" if inside else "which reaches beyond the predicted band"
    return f"The true effect of the next {of} lies between {low} and {high} with the same confidence, {rest}."


def _holds(lower: float | None, upper: float | None, interval: tuple[float, float]) -> bool:
    return (lower is None or interval[0] >= lower) and (upper is None or interval[1] <= upper)


def _silence(results: SynthesisResults) -> list[str]:
    """What is not in the mean, counted."""
    said = []
    if results.left_out:
        said.append(f"Left out: {'; '.join(f'{one.name} ({one.why})' for one in results.left_out)}.")
    locked = len(results.registered)
    silent = len(results.silent)
    said.append(
        f"Of {counted(locked, 'study', 'studies')} locked in this repository, {silent} "
        f"{'has' if silent == 1 else 'have'} no report that counts{': ' if silent else ''}{', '.join(results.silent)}."
    )
    return said


def spec_of(results: SynthesisResults) -> str:
    """The one format in which all numbers of the effects' unit are printed."""
    width = None if results.ci is None else results.ci[1] - results.ci[0]
    return resolved_spec(width, kind_of(results))


def kind_of(results: SynthesisResults) -> Kind:
    """Percentage points for a difference of rates, percent for rates, else the number itself."""
    if not results.is_proportion:
        return "number"
    return "pp" if results.is_difference else "percent"


def effect_table(results: SynthesisResults) -> Table:
    """One row an effect, and the mean below them."""
    rows = tuple(_effect_row(results, i) for i, _ in enumerate(results.effects))
    spec = spec_of(results)
    mean: tuple[Line, ...] = (
        ("mean over all",),
        (),
        (Number("/estimate", spec),),
        (Number("/se", spread_spec(spec)),),
        interval("/ci", list(results.ci) if results.ci else None, spec),
        (),
        (Quote("/decision"),),
    )
    return Table(
        caption="What each study found, and the mean",
        head=("Effect", "Study", "Estimate", "SE over seeds", "Interval", "Weight", "Verdict"),
        rows=(*rows, mean),
        numeric=frozenset({2, 3, 5}),
    )


def _effect_row(results: SynthesisResults, i: int) -> tuple[Line, ...]:
    ref, effect = pointer("effects", i), results.effects[i]
    spec = spec_of(results)
    units: Line = () if effect.n_units is None else (", ", Number(f"{ref}/n_units", "integer"), " seeds or pairs")
    known = ", known at the lock" if effect.was_known else ", open at the lock"
    return (
        (Quote(f"{ref}/name"),),
        (Code(effect.study), " ", Quote(f"{ref}/hypothesis"), " (", Quote(f"{ref}/status"), *units, known, ")"),
        (Number(f"{ref}/estimate", spec),),
        (Number(f"{ref}/se", spread_spec(spec)),),
        interval(f"{ref}/ci", list(effect.ci), spec),
        (Number(f"{ref}/weight", "percent0"),),
        (Quote(f"{ref}/decision"),),
    )


def spread_facts(results: SynthesisResults) -> tuple[Fact, ...]:
    """How far effects differ, and where the next would lie."""
    if results.spread is None:
        return ()
    spec = spec_of(results)
    of_tau, at = spread_spec(spec), "/spread"
    prediction: Line = (
        ("none: ", Quote(f"{at}/says"))
        if results.spread.prediction is None
        else (*interval(f"{at}/prediction", list(results.spread.prediction), spec), ", ", Quote(f"{at}/says"))
    )
    tau = (Number(f"{at}/tau", of_tau), " ", *interval(f"{at}/tau_ci", list(results.spread.tau_ci), of_tau))
    share = (Number(f"{at}/i2", "percent0"), " ", *interval(f"{at}/i2_ci", list(results.spread.i2_ci), "percent0"))
    bar = interval("/ci", list(results.ci) if results.ci else None, spec)
    q: Line = (Number(f"{at}/q", "number2"), ", ", Number(f"{at}/q_df", "integer"), " df, p ", Number(f"{at}/q_p", "p"))
    return (
        ("Mean", (Number("/estimate", spec), " ", *bar, ", ", Quote("/ci_method"))),
        ("Effects pooled", (Number("/k", "integer"),)),
        ("p that the mean is in the predicted band alone", (Number("/p_value", "p"),)),
        ("SD between true effects", tau),
        ("Share of the spread that is between them", share),
        ("Cochran's Q", q),
        ("The next true effect", prediction),
    )


def band_table(results: SynthesisResults) -> Table:
    """Every band, its p, and whether the mean is held out of it."""
    kind = kind_of(results)

    def edge(ref: str, value: float | None) -> Line:
        return ("no end",) if value is None else (Number(ref, exact_spec(value, kind)),)

    rows = tuple(
        (
            (Quote(f"{ref}/name"), " (predicted)" if band.name == results.predicted else ""),
            edge(f"{ref}/lower", band.lower),
            edge(f"{ref}/upper", band.upper),
            (Number(f"{ref}/p", "p"),),
            ("not tested" if band.excluded is None else "excluded" if band.excluded else "left",),
        )
        for i, band in enumerate(results.bands)
        for ref in [pointer("bands", i)]
    )
    return Table(caption="Bands of the mean", head=("Band", "From", "To", "p", "The data leave it"), rows=rows)


def other_table(results: SynthesisResults) -> Table | None:
    """The same effects pooled another way."""
    spec = spec_of(results)
    rows = tuple(
        (
            (Quote(f"{ref}/method"),),
            (Number(f"{ref}/estimate", spec),),
            interval(f"{ref}/ci", list(one.ci), spec),
            (Quote(f"{ref}/note"),),
        )
        for i, one in enumerate(results.others)
        for ref in [pointer("others", i)]
    )
    return Table(caption="Pooled another way", head=("Method", "Mean", "Interval", "Note"), rows=rows) if rows else None


def left_out_table(results: SynthesisResults) -> Table | None:
    """Effects of the plan that are not in the mean."""
    rows = tuple(
        ((Quote(f"{ref}/name"),), (Code(one.study), " ", Quote(f"{ref}/hypothesis")), (Quote(f"{ref}/why"),))
        for i, one in enumerate(results.left_out)
        for ref in [pointer("left_out", i)]
    )
    return (
        Table(caption="In the plan and not in the mean", head=("Effect", "Study", "Why"), rows=rows) if rows else None
    )


def registered_table(results: SynthesisResults) -> Table:
    """Every study that was locked here and what became of it, pooled or not."""
    rows = tuple(
        (
            (Code(one.study),),
            (Quote(f"{pointer('registered', i)}/state"),),
            ("pooled" if one.is_pooled else "not in the plan",),
        )
        for i, one in enumerate(results.registered)
    )
    head = ("Study", "What became of it", "In this synthesis")
    return Table(caption="Every study locked in this repository", head=head, rows=rows)


def reason_lines(results: SynthesisResults) -> Iterator[Line]:
    """What the status rests on."""
    for i, _ in enumerate(results.status_reasons):
        yield (Quote(pointer("status_reasons", i)),)
