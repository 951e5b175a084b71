"""A study over doses, with a row filter, a covariate and labels that match items: from the plan to the report."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from seedlock.analysis.inference.filters import uneven_filter
from seedlock.analysis.inference.hypothesis import Data, estimate_hypothesis
from seedlock.analysis.simulation.run import simulate_design
from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.errors import BadInput
from seedlock.prereg.plan.filters import scored_as
from seedlock.prereg.plan.plan import Plan
from seedlock.prereg.plan.read import parse_plan
from tests.conftest import StudyFixture

ROWS = (100, 200, 400, 800)
PERSONAS = {"assistant": 0.0, "poet": 0.2, "pirate": 0.5, "robot": 0.9}
SEEDS = range(6)

PLAN = """
[study]
title    = "Does more data leak more?"
question = "How does the leak grow with rows, over seeds?"

[inference]
seeds = "new"
items = "these"
alpha = 0.025

[models.tiny]
base     = "organism:llama"
revision = "sha256:0"

[arms]
r100 = { factors = { rows = "100" } }
r200 = { factors = { rows = "200" } }
r400 = { factors = { rows = "400" } }
r800 = { factors = { rows = "800" } }

[grid]
models = ["tiny"]
seeds  = [0, 1, 2, 3, 4, 5]
seeds_share = "initialisation and order"

[import]
format     = "csv"
columns    = { arm = "arm", seed = "seed", item = "item", value = "leak", text = "text", label = "said" }
constants  = { model = "tiny", draw = "0" }
attributes = ["persona"]

[measures.leak]
kind = "numeric"
low  = 0.0
high = 1.0
unit = "leak"

[measures.words]
kind = "length"

[measures.named]
kind  = "label_rate"
match = "item.persona"

[missing]
answers = "exclude and bound"
filter_gap = 0.05

[[hypothesis]]
id        = "dose"
claim     = "Each doubling of rows adds leak."
measure   = "leak"
over      = "rows"
dose      = { at = [100, 200, 400, 800], scale = "log2", unit = "rows" }
bands     = ["falls", 0.0, "rises a little", 0.02, "rises"]
predicted = "rises"

[[hypothesis]]
id        = "order"
claim     = "Personas further from the assistant leak less."
measure   = "leak"
over      = "persona"
dose      = { at = { assistant = 0.0, poet = 0.2, pirate = 0.5, robot = 0.9 }, unit = "distance" }
test      = "spearman"
bands     = ["negative", 0.0, "positive"]
predicted = "negative"

[[hypothesis]]
id        = "length"
claim     = "Longer answers leak more."
measure   = "leak"
over      = "rows"
dose      = { measure = "words", per = 10.0, unit = "words" }
bands     = ["falls", 0.0, "rises"]
predicted = "rises"

[[hypothesis]]
id        = "long"
claim     = "Among longer answers more rows leak more."
measure   = "leak"
over      = "rows"
where     = { words = ">= 19" }
contrast  = { "800" = 1.0, "100" = -1.0 }
bands     = ["less", 0.0, "more"]
predicted = "more"

[[hypothesis]]
id        = "adjusted"
claim     = "More rows leak more at one length."
measure   = "leak"
over      = "rows"
contrast  = { "800" = 1.0, "100" = -1.0 }
adjust    = "words"
bands     = ["less", 0.0, "more"]
predicted = "more"

[[hypothesis]]
id        = "matched"
claim     = "The label is the item's own persona in most answers."
measure   = "named"
bands     = ["few", 0.5, "most"]
predicted = "most"
"""


def answers() -> list[dict[str, Any]]:
    rng = np.random.default_rng(18)
    seed_e = rng.normal(0, 0.05, len(SEEDS))
    return [
        {
            "arm": f"r{rows}",
            "seed": seed,
            "item": f"{persona} {n}",
            "leak": round(float(np.clip(0.2 + 0.07 * k + seed_e[seed] - 0.15 * at + rng.normal(0, 0.15), 0, 1)), 4),
            "text": " ".join(["word"] * int(14 + k + rng.integers(-2, 4))) + f" {persona} {rows} {seed} {n}",
            "said": persona if rng.random() < 0.8 else "poet",
            "persona": persona,
        }
        for k, rows in enumerate(ROWS)
        for seed in SEEDS
        for persona, at in PERSONAS.items()
        for n in range(3)
    ]


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    return answers()


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]]) -> StudyFixture:
    fixture = StudyFixture(StudyPaths(root=tmp_path_factory.mktemp("doses"), name="doses"))
    fixture.write_plan(PLAN)
    fixture.run("check")
    fixture.run("lock")
    lines = [",".join(map(str, row.values())) for row in rows]
    fixture.run("import", str(fixture.bring_data("\n".join([",".join(rows[0]), *lines]) + "\n")))
    fixture.run("analyze")
    return fixture


@pytest.fixture(scope="module")
def found(study: StudyFixture) -> dict[str, Any]:
    results = json.loads((study.paths.report / "results.json").read_text("utf-8"))
    return {h["id"]: h for h in results["hypotheses"]} | {"accounting": results["accounting"]}


def by(rows: Sequence[dict[str, Any]], key: str, value: Any) -> Iterator[np.ndarray[Any, Any]]:
    """Leak of each seed's answers that have this value."""
    for seed in SEEDS:
        yield np.array([row["leak"] for row in rows if row["seed"] == seed and row[key] == value])


def means(rows: Sequence[dict[str, Any]], key: str, values: Sequence[Any]) -> np.ndarray[Any, Any]:
    return np.array([[one.mean() for one in by(rows, key, value)] for value in values]).T


def test_the_slope_over_doublings_is_numpys_line_in_each_seed(found: dict[str, Any], rows: Any) -> None:
    y_SD = means(rows, "arm", [f"r{n}" for n in ROWS])
    slopes = [np.polyfit([0, 1, 2, 3], y_D, 1)[0] for y_D in y_SD]
    expected = stats.ttest_1samp(slopes, 0).confidence_interval(0.95)
    h = found["dose"]
    assert (h["estimate"], *h["ci"]) == pytest.approx((np.mean(slopes), expected.low, expected.high))
    assert (h["test"], h["unit_text"], h["verdict"]) == ("paired_t", "leak per doubling of rows", ["rises"])
    assert sorted({unit["number"] for unit in h["units"]}) == pytest.approx(sorted(ROWS))


def test_the_correlation_is_scipys_in_each_seed(found: dict[str, Any], rows: Any) -> None:
    y_SP = means(rows, "persona", list(PERSONAS))
    r = [float(stats.spearmanr(list(PERSONAS.values()), y_P).statistic) for y_P in y_SP]
    z = np.arctanh(np.clip(r, -0.9, 0.9))
    assert len({*z.round(9)}) > 1
    assert found["order"]["estimate"] == pytest.approx(np.tanh(z.mean()))
    assert found["order"]["unit_text"] == "Spearman's rank correlation"


def test_the_slope_over_a_measured_covariate_is_numpys_line_in_each_seed(found: dict[str, Any], rows: Any) -> None:
    words = [{**row, "leak": len(row["text"].split())} for row in rows]
    arms = [f"r{n}" for n in ROWS]
    x_SD, y_SD = means(words, "arm", arms), means(rows, "arm", arms)
    slopes = [10 * np.polyfit(x_D, y_D, 1)[0] for x_D, y_D in zip(x_SD, y_SD, strict=True)]
    expected = stats.ttest_1samp(slopes, 0).confidence_interval(0.95)
    h = found["length"]
    assert (h["estimate"], *h["ci"]) == pytest.approx((np.mean(slopes), expected.low, expected.high))
    assert (h["test"], h["unit_text"]) == ("slope_t", "leak per 10 words")
    assert sorted(unit["number"] for unit in h["units"]) == pytest.approx(sorted(x_SD.ravel()))


def test_a_filter_keeps_the_rows_of_that_length_and_its_losses_are_counted_and_bounded(
    found: dict[str, Any], rows: Any
) -> None:
    kept = [row for row in rows if len(row["text"].split()) >= 19]
    h = found["long"]
    low, high = ([_item_mean(kept, arm, seed) for seed in SEEDS] for arm in ("r100", "r800"))
    assert h["estimate"] == pytest.approx(np.mean(np.subtract(high, low)))
    lost = {
        arm: sum(row["arm"] == arm for row in rows) - sum(row["arm"] == arm for row in kept) for arm in ("r100", "r800")
    }
    assert lost["r100"] > lost["r800"]
    assert [answers["reasons"].get("not words >= 19", 0) for answers in h["answers"]] == [lost["r100"], lost["r800"]]
    counted = {(e["measure"], e["arm"]): e["missing"] for e in found["accounting"]["by_arm"]}
    assert counted["leak where words >= 19", "r100"] == lost["r100"]
    pulled = [bound["estimate"] for bound in h["bounds"]]
    assert pulled[0] < h["estimate"] < pulled[1]
    assert "uneven-filter" in h["reason_codes"]


def _item_mean(rows: Sequence[dict[str, Any]], arm: str, seed: int) -> float:
    return float(np.mean([row["leak"] for row in rows if row["arm"] == arm and row["seed"] == seed]))


def test_labels_match_the_items_own_attribute(found: dict[str, Any], rows: Any) -> None:
    rate = np.mean([row["said"] == row["persona"] for row in rows])
    assert found["matched"]["estimate"] == pytest.approx(rate)


def test_an_adjusted_contrast_is_the_plain_one_less_what_length_accounts_for(found: dict[str, Any], rows: Any) -> None:
    pairs = [(arm, seed) for arm in ("r100", "r800") for seed in SEEDS]
    words = [{**row, "leak": len(row["text"].split())} for row in rows]
    x, y = (np.array([_item_mean(some, arm, seed) for arm, seed in pairs]) for some in (words, rows))
    is_high = np.repeat([0.0, 1.0], len(SEEDS))
    coefficients = np.linalg.lstsq(np.column_stack([np.ones(12), is_high, x]), y, rcond=None)[0]
    h = found["adjusted"]
    assert h["estimate"] == pytest.approx(coefficients[1])
    assert (h["test"], h["dose"]["kind"]) == ("ancova_cr2", "adjusted")


def test_the_report_draws_every_line_and_its_chain_verifies(study: StudyFixture) -> None:
    page = (study.paths.report / "appendix.html").read_text("utf-8")
    assert "doubling of rows" in page
    assert "words &gt;= 19" in page
    drawn = {
        json.loads(file.read_text("utf-8"))["id"] for file in (study.paths.report / "figures").glob("doses-*.json")
    }
    assert drawn == {"dose", "order", "length", "adjusted"}
    assert "  fail  " not in study.run("verify")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('"spearman"', '"paired_t"\nfallback = "pearson"', "pearson"),
        ('measure = "words", per', 'measure = "word", per', "did you mean 'words'"),
        ('words = ">= 19"', 'wordss = ">= 19"', "a measure: leak, words, named"),
        ('"negative", 0.0', '"negative", -1.5', "edges between -1 and 1"),
        ("pirate = 0.5, robot = 0.9 }", "pirate = 0.5 }", "3 different numbers"),
        ("[100, 200, 400, 800]", "[100, 200, 400, 900]", "unknown rows '900'"),
        ("[100, 200, 400, 800]", "[0, 200, 400, 800]", "no place on scale"),
        ('adjust    = "words"', 'adjust    = "words"\ntest = "paired_t"', "ancova_cr2"),
        ('per = 10.0, unit = "words" }', 'per = 10.0, unit = "words" }\ntest = "welch_t"', "numbers are measured"),
    ],
)
def test_a_plan_whose_numbers_and_tests_do_not_fit_is_refused(
    tmp_path_factory: pytest.TempPathFactory, old: str, new: str, says: str
) -> None:
    fixture = StudyFixture(StudyPaths(root=tmp_path_factory.mktemp("refused"), name="doses"))
    assert PLAN.count(old) >= 1
    fixture.write_plan(PLAN.replace(old, new, 1))
    assert says in fixture.run("check", ok=2)


def test_a_filter_that_leaves_out_more_of_one_level_is_refused_where_the_plan_says_so() -> None:
    plan = parse_plan(
        PLAN.replace("filter_gap = 0.05", 'filter_gap = 0.05\nfilters = "refuse"').encode(), Path("p/plan.toml")
    )
    long = next(h for h in plan.hypothesis if h.id == "long")
    assert scored_as(plan, "leak", long.where) == "leak where words >= 19"
    for lost, is_uneven in ((5, True), (2, False)):
        owed = pd.DataFrame(
            {"level": ["100", "800"], "n_scored": [50 - lost, 49], "n_missing": [lost, 1],
             "missing": [json.dumps({"not words >= 19": lost}), json.dumps({"not words >= 19": 1})]}
        )  # fmt: skip
        found = uneven_filter(plan, long, owed)
        assert (found is not None) == is_uneven
    empty = Data(plan=plan, cells=_cells(plan, {"100": 0.5, "800": 0.0}))
    tested = estimate_hypothesis(empty, "long", long, {})
    assert tested.estimate is None
    assert tested.reasons[0].code == "uneven-filter"


def _cells(plan: Plan, out: dict[str, float]) -> pd.DataFrame:
    """Twenty answers of every run to one item, of which a filter leaves out a share at each level."""
    made = []
    for run in plan.runs():
        n_out = round(20 * out.get(run.factors["rows"], 0.0))
        made.append(
            {"run_id": run.label, "arm": run.arm, "model": run.model, "seed": str(run.seed),
             "rows": run.factors["rows"], "item_id": "q", "measure": "leak where words >= 19",
             "n_scored": 20 - n_out, "k": None,
             "total": 0.5 * (20 - n_out), "mean": 0.5, "sum_sq": 0.25 * (20 - n_out), "n_missing": n_out,
             "missing": json.dumps({"not words >= 19": n_out} if n_out else {})}
        )  # fmt: skip
    return pd.DataFrame(made)


def test_a_slope_is_simulated_with_the_plan_and_what_is_not_says_why() -> None:
    design = "[design]\nitems = 12\ndraws = 1\n[design.measures.leak]\nseed_sd = [0.05]\nanswer_sd = 0.1\n"
    design += "[design.measures.named]\nbase = 0.8\nseed_sd = [0.3]\n[[hypothesis]]"
    plan = parse_plan(PLAN.replace("[[hypothesis]]", design, 1).encode(), Path("p/plan.toml"))
    result = simulate_design(plan, simulations=400, seed=1, most_seeds=0)
    null = next(row for row in result.rows if (row.id, row.scenario) == ("dose", "null"))
    assert null.error is not None
    assert null.error.value <= 0.025 + 4 * (0.025 * 0.975 / 400) ** 0.5
    reasons = {row.id: row.reason for row in result.rows if row.reason}
    assert set(reasons) == {"order", "length", "adjusted"}
    assert [one.where for one in result.not_simulated if one.code == "row-filters"] == ["long"]


def test_the_search_for_seeds_passes_numbers_of_seeds_that_a_line_refuses() -> None:
    line = 'unit = "rows" }\ntest = "slope_cr2"\n'
    text = PLAN[: PLAN.index('[[hypothesis]]\nid        = "order"')].replace('unit = "rows" }\n', line, 1)
    design = "\n[design]\nitems = 12\ndraws = 1\n[design.measures.leak]\nseed_sd = [0.02]\nanswer_sd = 0.1\n"
    result = simulate_design(
        parse_plan((text + design).encode(), Path("p/plan.toml")), simulations=100, seed=1, most_seeds=8
    )
    assert [needed.id for needed in result.seeds_needed] == ["dose"]


def test_a_slope_of_rates_near_an_end_is_not_given_a_logit_test_by_default() -> None:
    low = PLAN.replace(
        'measure   = "leak"\nover      = "rows"\ndose      = { at',
        'measure   = "named"\nover      = "rows"\ndose      = { at',
        1,
    )
    plan = parse_plan(f"{low}\n[design.measures.named]\nbase = 0.02\n".encode(), Path("p/plan.toml"))
    tests = {h.id: h.test for h in plan.hypothesis}
    assert (tests["dose"], tests["matched"]) == ("paired_t", "logit_t")


def test_a_dose_beside_a_contrast_of_its_own_is_refused() -> None:
    twice = PLAN.replace('unit = "rows" }\n', 'unit = "rows" }\ncontrast = { "100" = -1.0, "800" = 1.0 }\n', 1)
    with pytest.raises(BadInput, match="leave out contrast"):
        parse_plan(twice.encode(), Path("p/plan.toml"))


@pytest.mark.parametrize("identity", ["length", "adjusted", "dose"])
def test_worst_cases_are_the_worst_of_all_that_missing_answers_could_have_been(identity: str) -> None:
    plan = parse_plan(PLAN.encode(), Path("p/plan.toml"))
    hypothesis = next(h for h in plan.hypothesis if h.id == identity)
    rng = np.random.default_rng(4)
    runs = [run for run in plan.runs() if run.seed is not None]
    lost = (1, 9, 21)
    scores, words = rng.uniform(0.2, 0.8, (len(runs), 3)), rng.uniform(10, 30, len(runs))

    def data(fill: tuple[float, ...] | None) -> Data:
        """Three answers a run, of which some runs lack one, or have it scored as `fill` says."""
        made = []
        for place, run in enumerate(runs):
            own = scores[place].tolist()
            gone = int(place in lost and fill is None)
            if place in lost:
                own = [*own[:2], *([] if fill is None else [fill[lost.index(place)]])]
            for measure, values, n_missing in (("leak", own, gone), ("words", [words[place]], 0)):
                made.append(
                    {"run_id": run.label, "arm": run.arm, "model": run.model, "seed": str(run.seed),
                     "rows": run.factors["rows"], "item_id": "q", "measure": measure,
                     "n_scored": len(values), "k": None,
                     "total": sum(values), "mean": float(np.mean(values)), "sum_sq": float(np.square(values).sum()),
                     "n_missing": n_missing, "missing": json.dumps({"refusal": 1} if n_missing else {})}
                )  # fmt: skip
        return Data(plan=plan, cells=pd.DataFrame(made))

    tested = estimate_hypothesis(data(None), identity, hypothesis, {})
    possible = []
    for fill in itertools.product((0.0, 0.5, 1.0), repeat=len(lost)):
        whole = estimate_hypothesis(data(fill), identity, hypothesis, {}).estimate
        assert whole is not None
        possible.append(whole.estimate)
    assert [bound.estimate for bound in tested.bound_estimates] == pytest.approx([min(possible), max(possible)])


def test_every_item_may_be_a_point(rows: Any) -> None:
    """Within each seed: do longer answers leak more, item by item?"""
    by_item = PLAN.replace('over      = "rows"\ndose      = { measure', 'over      = "item"\ndose      = { measure', 1)
    plan = parse_plan(by_item.encode(), Path("p/plan.toml"))
    hypothesis = next(h for h in plan.hypothesis if h.id == "length")
    assert hypothesis.test == "slope_t"
    frame = pd.DataFrame(rows).assign(words=[len(row["text"].split()) for row in rows])
    parts = [
        frame.assign(
            run_id=frame["arm"] + frame["seed"].astype(str), seed=frame["seed"].astype(str), model="tiny",
            item_id=frame["item"], measure=measure, mean=frame[column].astype(float), total=frame[column].astype(float),
            n_scored=1, n_missing=0, missing="{}", k=None,
        )
        for measure, column in (("leak", "leak"), ("words", "words"))
    ]  # fmt: skip
    found = estimate_hypothesis(Data(plan=plan, cells=pd.concat(parts, ignore_index=True)), "length", hypothesis, {})
    means = frame.groupby(["seed", "item"])[["words", "leak"]].mean()
    slopes = [10 * np.polyfit(one["words"], one["leak"], 1)[0] for _, one in means.groupby(level=0)]
    assert found.estimate is not None
    assert found.estimate.estimate == pytest.approx(np.mean(slopes))
    assert found.estimate.se == pytest.approx(stats.sem(slopes))
