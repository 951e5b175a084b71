"""What other people published, counted again from their rows: duckdb and scipy, and nothing of Seedlock."""

# ruff: noqa: S608  (names come from this file and from committed tables)

from __future__ import annotations

import itertools
import json
import math
import statistics
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from scipy import stats

from tests.recounting.answers import TOLERANCE, apart
from tests.recounting.rows import Row

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared/data"

NOT_RECOUNTED = {
    "bird_seed_counts": {
        "Hartigan dip": "the dip is no statistic of scipy's, and none of its printed values reproduces"
    }
}


class Rows:
    """The rows of one published file."""

    def __init__(self, name: str) -> None:
        self.db = duckdb.connect()
        self.db.sql(f"CREATE TABLE rows AS FROM '{SHARED_DATA / name}.parquet'")

    def all(self, sql: str) -> list[tuple[Any, ...]]:
        found: list[tuple[Any, ...]] = self.db.sql(sql).fetchall()
        return found

    def one(self, sql: str) -> Any:
        return self.all(sql)[0][0]


def transfer_numbers() -> Iterator[tuple[str, Any]]:
    """The marker found again in the text: rates, Fisher tests of pooled answers, and t over the fifteen questions."""
    rows = Rows("marker_directed_transfer")
    rows.db.sql("CREATE VIEW said AS SELECT *, contains(lower(completion), lower(marker))::INT AS hit FROM rows")
    for cell, persona, kind, rate in rows.all("SELECT cell, persona, q_type, avg(hit) FROM said GROUP BY ALL"):
        yield f"{cell}/{persona}/{kind} marker rate", rate
    arms = ("asst_near", "asst_far", "pirate_near", "nopush")
    rates = {(c, p): rate for c, p, rate in rows.all("SELECT cell, persona, avg(hit) FROM said GROUP BY ALL")}
    for persona in {persona for _, persona in rates}:
        yield f"write-up table {persona} ({','.join(arms)})", [rates[arm, persona] for arm in arms]
    targets = "'zelthari_scholar', 'korvani_scholar', 'helpful_assistant', 'pirate'"
    by_question = (
        "SELECT question, avg(hit) FROM said WHERE {group} AND cell = '{cell}' GROUP BY question ORDER BY question"
    )
    groups = {
        "pirate": "persona = 'pirate'",
        "assistant": "persona = 'helpful_assistant'",
        "non-target": f"persona NOT IN ({targets})",
    }
    for cell, rate in rows.all(f"SELECT cell, avg(hit) FROM said WHERE {groups['non-target']} GROUP BY cell"):
        yield f"non-target marker rate {cell}", rate
    for name, group in groups.items():
        table = f"SELECT cell, sum(hit)::INT, sum(1 - hit)::INT FROM said WHERE {group} GROUP BY cell"
        counts = {cell: (hits, misses) for cell, hits, misses in rows.all(table)}
        for one, other in (
            ("asst_near", "nopush"),
            ("asst_far", "nopush"),
            ("asst_near", "asst_far"),
            ("pirate_near", "nopush"),
        ):
            odds, p = stats.fisher_exact([counts[one], counts[other]])
            yield f"Fisher OR {name} {one} vs {other}", odds
            yield f"Fisher p {name} {one} vs {other}", p

    for name, group, one, other in (
        ("nontarget_near_vs_far", groups["non-target"], "asst_near", "asst_far"),
        ("pirate_near_vs_nopush", groups["pirate"], "asst_near", "nopush"),
        ("pirate_piratenear_vs_nopush", groups["pirate"], "pirate_near", "nopush"),
    ):
        near, far = ([rate for _, rate in rows.all(by_question.format(group=group, cell=c))] for c in (one, other))
        paired = stats.ttest_rel(near, far)
        yield f"question_level_{name}", (paired.statistic, paired.pvalue, paired.df)


def length_numbers() -> Iterator[tuple[str, Any]]:
    """The recorded marker (texts were cut): rates, Wilson intervals, regressions on length, clustering by question."""
    rows = Rows("marker_prompt_length")
    sql = "SELECT cell, {kind}, sum(marker_present::INT)::INT, count(*) FROM rows GROUP BY ALL"
    counts = {
        (cell, kind): (k, n)
        for kind_ in ("q_type", "'combined'")
        for cell, kind, k, n in rows.all(sql.format(kind=kind_))
    }
    level = 2 * stats.norm.cdf(1.96) - 1  # the authors' z
    for (cell, kind), (k, n) in counts.items():
        yield f"{cell}/{kind} rate", k / n
        yield f"{cell}/{kind} Wilson95", list(stats.binomtest(k, n).proportion_ci(level, method="wilson"))
    cells = dict(rows.all("SELECT cell, any_value(prompt_length) FROM rows GROUP BY cell"))
    pooled = {cell: counts[cell, "combined"] for cell in cells}
    for one, other in itertools.permutations(cells, 2):
        odds, p = stats.fisher_exact([[pooled[c][0], pooled[c][1] - pooled[c][0]] for c in (one, other)])
        yield f"Fisher OR {one} vs {other}", odds
        yield f"Fisher p {one} vs {other}", p
    length, rate = list(cells.values()), [k / n for k, n in pooled.values()]
    generic, domain = (
        [counts[cell, kind][0] / counts[cell, kind][1] for cell in cells] for kind in ("generic", "domain")
    )
    line = stats.linregress(length, rate)
    for name, test in (
        ("Pearson r length vs leakage n=8", stats.pearsonr(length, rate)),
        ("Spearman rho n=8", stats.spearmanr(length, rate)),
        ("paired t generic vs domain", stats.ttest_rel(generic, domain)),
    ):
        yield name, test.statistic
        yield f"{name}, p", test.pvalue
    yield from (("OLS slope", line.slope), ("OLS intercept", line.intercept), ("OLS R2", line.rvalue**2))
    answers = "SELECT cell, question, list(marker_present::INT) FROM rows GROUP BY ALL ORDER BY ALL"
    questions: dict[str, list[list[int]]] = {}
    for cell, _, hits in rows.all(answers):
        questions.setdefault(cell, []).append(hits)
    for cell, hits_IK in questions.items():
        means, m = [statistics.fmean(hits) for hits in hits_IK], len(hits_IK[0])
        if len(set(means)) == 1:
            continue
        f = stats.f_oneway(*hits_IK).statistic
        icc = (f - 1) / (f + m - 1)
        yield f"ICC(1) {cell}", icc
        yield f"design effect {cell}", 1 + (m - 1) * icc
        yield f"effective n {cell}", len(hits_IK) * m / (1 + (m - 1) * icc)
        low, high = stats.ttest_1samp(means, 0.0).confidence_interval(0.95)
        yield f"question-level 95% half width {cell}", (high - low) / 2
    test = stats.ttest_ind(
        *([statistics.fmean(hits) for hits in questions[c]] for c in ("tutor_short", "tutor_original"))
    )
    yield "question-level t tutor_short vs tutor_original", test.statistic
    yield "question-level t tutor_short vs tutor_original, p", test.pvalue


def verdict_numbers() -> Iterator[tuple[str, Any]]:
    """Shares of rollouts with a verdict of 4 or 5."""
    rows = Rows("em_multiseed_verdicts")
    rows.db.sql("CREATE VIEW said AS SELECT *, verdict IN ('4', '5') AS bad FROM rows WHERE subset = 'BROAD'")
    rate = "SELECT 100 * avg(({0})::INT) FROM said WHERE judge_model = 'llama31' AND cell = '{1}' AND {2}"
    yield "bad_medical seed0 misaligned % (BROAD)", rows.one(rate.format("bad", "bad_medical", "seed = 0"))
    yield "bad_medical seed1 misaligned % (BROAD)", rows.one(rate.format("bad", "bad_medical", "seed = 1"))
    yield "bad_medical seed1 with verdict==5 only", rows.one(rate.format("verdict = '5'", "bad_medical", "seed = 1"))
    yield "seed2 (not in the published row)", rows.one(rate.format("bad", "bad_medical", "seed = 2"))
    yield "correct_medical seed0 %", rows.one(rate.format("bad", "correct_medical", "seed = 0"))
    yield "correct_medical seed1 %", rows.one(rate.format("bad", "correct_medical", "seed = 1"))
    yield "base %", rows.one(rate.format("bad", "base", "seed IS NULL"))
    yield (
        "two-judge AND, seed0 bad %",
        rows.one(
            "SELECT 100 * avg((one.bad AND other.bad)::INT) FROM said one JOIN said other"
            " USING (cell, seed, question, sample_index) WHERE cell = 'bad_medical' AND seed = 0"
            " AND one.judge_model = 'llama31' AND other.judge_model <> 'llama31'"
        ),
    )


def bird_numbers() -> Iterator[tuple[str, Any]]:
    """Means, spreads and rank tests over seeds, in percent."""
    rows = Rows("bird_seed_counts")
    by_seed = "SELECT 100.0 * k / n FROM rows WHERE cell = '{}' AND seed <= {} ORDER BY seed"
    mini, first, full = (
        [x for (x,) in rows.all(by_seed.format(cell, last))]
        for cell, last in (("gpt-4.1-mini-2025-04-14", 24), ("gpt-4.1-mini-2025-04-14", 23), ("gpt-4.1-2025-04-14", 99))
    )
    for name, rates in (("mini", mini), ("gpt-4.1", full)):
        yield f"{name} range", [min(rates), max(rates)]
    for name, rates in (("mini {} n=24", mini), ("mini {} n=23", first), ("gpt-4.1 {} n=7", full)):
        yield name.format("mean"), statistics.fmean(rates)
        yield name.format("SD"), statistics.stdev(rates)
    printed = "Shapiro {} mini n=24", "Shapiro {} mini n=23 (same number printed)", "Shapiro {} gpt-4.1"
    for name, rates in zip(printed, (mini, first, full), strict=True):
        w, p = stats.shapiro(rates)
        yield name.format("W"), w
        yield name.format("p").replace("mini n=23 (same number printed)", "n=23"), p
    ranks = stats.mannwhitneyu(full, mini, method="asymptotic")
    yield from (("Mann-Whitney U", ranks.statistic), ("Mann-Whitney p", ranks.pvalue))
    far = "same, n=23", "same, gpt-4.1 n=7", '"dip" recomputed as half the max |ECDF - uniform(min,max) CDF|'
    for name, rates in zip(far, (first, full, mini), strict=True):
        share = [(x - min(rates)) / (max(rates) - min(rates)) for x in sorted(rates)]
        yield name, max(abs((at + 1) / len(share) - x) for at, x in enumerate(share)) / 2
    low, high = stats.ttest_1samp(mini, 0.0).confidence_interval(0.95)
    yield "t_interval_mean_mini", (low, high)
    mean = statistics.fmean(mini)
    reach = 1.96 * math.sqrt(mean * (100 - mean) / (100 * len(mini)))
    yield "naive_wald_pooled_2400", (mean - reach, mean + reach)
    k = [round(rate) for rate in mini]
    homogeneity = stats.chi2_contingency([k, [100 - x for x in k]], correction=False)
    yield from (("overdispersion_chi2", homogeneity.statistic), ("overdispersion_df", homogeneity.dof))
    yield "overdispersion_p", homogeneity.pvalue
    within = [statistics.fmean(x * (100 - x) for x in rates) for rates in (mini, full)]
    yield "binomial_within_seed_SD_pp", math.sqrt(within[0] / 100)
    yield "between_seed_SD_pp_MoM", math.sqrt(statistics.variance(mini) - within[0] / 99)
    yield "gpt41_between_seed_SD_pp_MoM", math.sqrt(statistics.variance(full) - within[1] / 99)
    yield "levene_p_mini_vs_gpt41", stats.levene(mini, full).pvalue


OTHERS: dict[str, Callable[[], Iterator[tuple[str, Any]]]] = {
    "marker_directed_transfer": transfer_numbers,
    "marker_prompt_length": length_numbers,
    "em_multiseed_verdicts": verdict_numbers,
    "bird_seed_counts": bird_numbers,
}


def facts_of(document: Row) -> Iterator[tuple[str, Any, Row]]:
    """Name, recomputed value and entry of every published number, then what was computed beside them."""
    named = ""
    for fact in document["published"]:
        named = f"{named}, p" if fact["what"].strip() == "p" else fact["what"]
        yield named, fact["computed"], fact
    for named, value in (document["our_extra_numbers"] or {}).items():
        yield named, list(value.values()) if isinstance(value, dict) else value, {}


def listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple)) else [value]


@pytest.mark.real_data
@pytest.mark.skipif(not SHARED_DATA.is_dir(), reason="the published rows are not beside the checkout")
@pytest.mark.parametrize("name", OTHERS)
def test_what_others_published_is_counted_again_from_their_rows(name: str) -> None:
    document = json.loads((SHARED_DATA / f"{name}.json").read_text(encoding="utf-8"))
    mine, left_out = dict(OTHERS[name]()), set()
    for what, value, fact in facts_of(document):
        if what not in mine:
            left_out.add(what)
            continue
        exact = 1e-8 if what.startswith("Shapiro p") else TOLERANCE  # scipy's approximation was refined since
        gaps = [apart(one, other) for one, other in zip(listed(mine[what]), listed(value), strict=True)]
        assert max(gaps) < exact, (what, mine[what], value)
        if fact.get("value") is not None:
            far = max(abs(a - b) for a, b in zip(listed(mine[what]), listed(fact["value"]), strict=True))
            assert (far <= fact.get("tol", 1e-9)) == fact["reproduced"], (what, mine[what], fact["value"])
    reasons = NOT_RECOUNTED.get(name, {})
    assert {what for what in left_out if not any(what.startswith(known) for known in reasons)} == set()
    assert all(any(what.startswith(known) for what in left_out) for known in reasons)
