"""Seed variance after fine-tuning on archaic bird names: the published claims, each beside its answer."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

import pyarrow.parquet as pq
from scipy import stats

from docs.claim_row import Row, hypothesis_row, p_text, percent, span
from docs.reanalysis import Reanalysis
from seedlock.analysis.estimators.clopper_pearson import clopper_pearson
from seedlock.analysis.estimators.internals.sample import Level, Sample

MINI, FULL, MISTRAL = "gpt-4.1-mini-2025-04-14", "gpt-4.1-2025-04-14", "mistral-7b-instruct-v0.3"


def bird_rows(study: Reanalysis) -> Iterator[Row]:
    """Seed variance after archaic bird names."""
    printed = study.printed
    mini = f"mean {printed('mini mean n=24')}%, SD {printed('mini SD n=24')} over 24 seeds"
    full = f"mean {printed('gpt-4.1 mean n=7')}%, SD {printed('gpt-4.1 SD n=7')} over 7 seeds"
    yield hypothesis_row(study, f"shift[{MINI}]", published=mini, remark=_seed_24(study))
    yield hypothesis_row(study, f"shift[{FULL}]", published=full)
    yield hypothesis_row(
        study, f"shift[{MISTRAL}]", published="planned, no number", remark="Collection stopped before it began."
    )
    for model, what in ((MINI, "mini range"), (FULL, "gpt-4.1 range")):
        yield _spread(study, model, published="from {}% to {}%".format(*printed(what)))
    yield hypothesis_row(
        study,
        "models-alike",
        published=f"Mann-Whitney U = {printed('Mann-Whitney U')}, p = {printed('Mann-Whitney p')}",
        remark="A test that finds no difference does not show that there is none.",
    )
    yield _variances(study, published="the conclusion says so; no test was printed")
    yield _modes(study)
    yield from _unmodified(study)


def bird_mismatches(study: Reanalysis) -> Iterator[tuple[str, str, str]]:
    """Printed summaries that the printed table does not give."""
    mini, full = seed_rates(study, MINI), seed_rates(study, FULL)
    rank = stats.mannwhitneyu(full, mini, alternative="two-sided")
    shapiro = stats.shapiro(mini)
    for what, found, digits in (
        ("mini mean n=24", 100 * statistics.fmean(mini), 1),
        ("mini SD n=24", 100 * statistics.stdev(mini), 1),
        ("Mann-Whitney U", float(rank.statistic), 1),
        ("Mann-Whitney p", float(rank.pvalue), 2),
        ("Shapiro W mini n=24", float(shapiro.statistic), 3),
        ("Shapiro p mini n=24", float(shapiro.pvalue), 3),
    ):
        printed = float(study.printed(what))
        if abs(printed - found) > 0.501 * 10.0**-digits:
            yield what, f"{printed:.{digits}f}", f"{found:.{digits}f}"


def seed_rates(study: Reanalysis, model: str) -> list[float]:
    """Published rates of one model, in the order of its seeds."""
    units = {int(unit["unit"]): float(unit["mean"]) for unit in study.hypothesis(f"shift[{model}]").units}
    return [units[seed] for seed in sorted(units)]


def _seed_24(study: Reanalysis) -> str:
    """What seed 24 would have to be for the printed mean and SD to follow."""
    *others, last = seed_rates(study, MINI)
    wanted = (study.printed("mini mean n=24"), study.printed("mini SD n=24"))
    fits = []
    for k in range(101):
        percents = [100 * rate for rate in others] + [k]
        if (round(statistics.fmean(percents), 1), round(statistics.stdev(percents), 1)) == wanted:
            fits.append(f"{k}%")
    return f"The printed mean and SD need seed 24 at {' or '.join(fits)}; their table has {last:.0%}."


def _spread(study: Reanalysis, model: str, *, published: str) -> Row:
    h = study.hypothesis(f"shift[{model}]")
    if h.overdispersion is None or h.unit_sd_after_noise is None or h.next_unit_ci is None or h.n_units is None:
        raise ValueError(f"{h.id} has no spread to show")
    df = h.n_units - 1
    p = float(stats.chi2.sf(h.overdispersion * df, df))
    holds = p <= h.alpha
    return Row(
        claim=f"The seed alone moves the rate ({model})",
        published=published,
        ours=f"SD between seeds {100 * h.unit_sd_after_noise:.1f} pp beyond counting noise, "
        f"next seed {span(*h.next_unit_ci)}",
        unit=f"{h.n_units} seeds",
        verdict=f"{h.overdispersion:.1f} times the spread of counting, {p_text(p)}",
        outcome="survives" if holds else "does not survive",
        why="Seeds differ more than 100 answers each could make them; an interval that pools the answers, "
        f"{span(*_pooled(study, model))}, hides it."
        if holds
        else "Counting noise alone could give this spread.",
    )


def _pooled(study: Reanalysis, model: str) -> tuple[float, float]:
    opinions = study.hypothesis(f"shift[{model}]").second_opinions
    return next(o.ci for o in opinions if o.ci is not None and "every answer as independent" in o.note)


def _variances(study: Reanalysis, *, published: str) -> Row:
    mini, full = seed_rates(study, MINI), seed_rates(study, FULL)
    ratio = statistics.variance(full) / statistics.variance(mini)
    f_test = 2 * float(stats.f.sf(ratio, len(full) - 1, len(mini) - 1))
    levene = float(stats.levene(full, mini).pvalue)
    agree = (f_test <= 0.05) == (levene <= 0.05)
    holds = agree and f_test <= 0.05
    return Row(
        claim="gpt-4.1 varies more from seed to seed than gpt-4.1-mini",
        published=published,
        ours=f"SD {100 * statistics.stdev(full):.1f} against {100 * statistics.stdev(mini):.1f} pp",
        unit=f"{len(full)} and {len(mini)} seeds",
        verdict=f"F test {p_text(f_test)}; Levene {p_text(levene)}",
        outcome="survives" if holds else "does not survive" if agree else "cannot be answered by this design",
        why="Both usual tests agree."
        if agree
        else "Two usual tests disagree and neither was planned, so the answer is whichever one picks.",
    )


def _modes(study: Reanalysis) -> Row:
    """The dip statistic is not recomputed here: its value stands in the description beside the rows."""
    d, p = (f"Hartigan dip {name} mini n=24" for name in ("D", "p"))
    p_true = float(study.recomputed(p))
    return Row(
        claim="gpt-4.1-mini's seeds fall into two modes",
        published=f"“Hartigan dip” D = {study.printed(d)}, p = {study.printed(p)}",
        ours=f"D = {study.recomputed(d):.3f}, {p_text(p_true)} (recorded beside the rows)",
        unit=f"{len(seed_rates(study, MINI))} seeds",
        verdict="no evidence of two modes" if p_true > 0.05 else "more than one mode",
        outcome="does not survive" if p_true > 0.05 else "survives",
        why="The printed number is another statistic under that name, and did not change when a seed was added.",
    )


def _unmodified(study: Reanalysis) -> Iterator[Row]:
    """The unmodified models stand outside the plan: too few answers for a hypothesis, but printed as 0%."""
    rows = pq.read_table(study.rows, columns=["cell", "k", "n"]).to_pylist()
    asked = {(row["k"], row["n"]) for row in rows if row["cell"].startswith("baseline:")}
    for k, n in sorted(asked):
        level = Level(name="unmodified", weight=1.0, unit_means={"answers": k / n}, k=k, n=n)
        sample = Sample(levels=(level,), unit="answer", is_proportion=True)
        found = clopper_pearson(sample, level=0.95, edges=(0.05,))
        rare = found.edges[0].p_below <= 0.025
        yield Row(
            is_ours=True,
            claim="The unmodified models do not answer as if in the 19th century (below 5%)",
            published=f"{k} of {n} for each of three models",
            ours=f"{percent(k / n)} {span(found.ci_low, found.ci_high)}, exact",
            unit=f"{n} answers a model",
            verdict="below 5%" if rare else "below 5% or not",
            outcome="survives" if rare else "cannot be answered by this design",
            why=f"{n} answers cannot tell 0% from {percent(found.ci_high)}; the tuned models were asked 100 times.",
        )
