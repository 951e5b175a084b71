"""From sealed completions to verdicts: units, scales, gates, families, missing answers, refusals."""

from __future__ import annotations

import json
from typing import Any

import pytest
from scipy import stats

from tests.conftest import PLAN, StudyFixture, completions


def analysed(study: StudyFixture, plan: str = PLAN, rows: str | None = None) -> dict[str, Any]:
    study.write_plan(plan)
    study.run("lock")
    study.run("import", str(study.bring_data(rows)))
    study.run("analyze")
    study.run("verify")
    results: dict[str, Any] = json.loads((study.paths.report / "results.json").read_text())
    return results


def test_the_unit_is_the_seed_and_every_number_follows_by_hand(study: StudyFixture) -> None:
    h = analysed(study)["hypotheses"][0]
    plain, coupled = [0, 1, 0, 2], [7, 9, 8, 10]
    difference = (sum(coupled) - sum(plain)) / 4 / 16
    assert h["estimate"] == pytest.approx(difference)
    assert (h["n_units"], h["df"]) == (8, 6)
    squares = sum((k - sum(g) / 4) ** 2 for g in (plain, coupled) for k in g) / 16**2
    assert h["se"] == pytest.approx((squares / 6 * (2 / 4)) ** 0.5)
    assert h["verdict"] == ["more"]
    assert h["decision"] == "more"
    low, high = (h["unit_sd"] * (6 / q) ** 0.5 for q in (float(stats.chi2.isf(p, 6)) for p in (0.025, 0.975)))
    assert h["unit_sd_ci"] == pytest.approx([low, high])
    assert h["unit_sd_ci_says"] == "chi-square, 6 df, as observed, the noise of each unit's answers in it"


def test_cr2_agrees_with_t_on_seed_means_and_the_naive_interval_is_shown_as_too_narrow(study: StudyFixture) -> None:
    h = analysed(study)["hypotheses"][0]
    by_method = {opinion["method"].split()[0].lower(): opinion for opinion in h["second_opinions"]}
    assert any("agrees to the last digit" in opinion["note"] for opinion in h["second_opinions"])
    assert any("too narrow" in opinion["note"] for opinion in h["second_opinions"]), by_method


def test_a_scale_in_sds_divides_estimate_interval_and_edges_alike(study: StudyFixture) -> None:
    plan = PLAN + '\n[sd.resting]\nof = "unit means"\nmeasure = "marker"\narm = "plain"\n'
    plan = plan.replace('test      = "pooled_t"', 'test      = "pooled_t"\nscale     = "sd.resting"')
    h = analysed(study, plan)["hypotheses"][0]
    means = [k / 16 for k in (0, 1, 0, 2)]
    centre = sum(means) / 4
    sd = (sum((m - centre) ** 2 for m in means) / 3) ** 0.5
    assert h["estimate"] == pytest.approx((34 - 3) / 4 / 16 / sd)
    assert "SD resting" in h["unit_text"]


def test_an_sd_without_spread_is_undefined_with_a_reason(study: StudyFixture) -> None:
    plan = PLAN + '\n[sd.resting]\nof = "unit means"\nmeasure = "marker"\narm = "plain"\n'
    plan = plan.replace('test      = "pooled_t"', 'test      = "pooled_t"\nscale     = "sd.resting"')
    h = analysed(study, plan, completions(plain=(1, 1, 1, 1)))["hypotheses"][0]
    assert h["estimate"] is None
    assert h["reasons"][0].startswith("no-spread")


def test_the_plans_fallback_stands_in_for_an_sd_without_spread_and_says_so(study: StudyFixture) -> None:
    sd = '\n[sd.resting]\nof = "unit means"\nmeasure = "marker"\narm = "plain"\nfallback = 0.1\nsource = "pilot"\n'
    plan = (PLAN + sd).replace('test      = "pooled_t"', 'test      = "pooled_t"\nscale     = "sd.resting"')
    h = analysed(study, plan, completions(plain=(1, 1, 1, 1)))["hypotheses"][0]
    assert h["estimate"] == pytest.approx((34 - 4) / 4 / 16 / 0.1)
    assert h["reasons"][0].startswith("fallback-sd")
    assert "undefined: no spread" in h["unit_text"]


def test_seeds_that_all_gave_the_same_number_have_no_t_statistic(study: StudyFixture) -> None:
    h = analysed(study, rows=completions(plain=(0, 0, 0, 0), coupled=(8, 8, 8, 8)))["hypotheses"][0]
    assert h["estimate"] is None
    assert h["ci"] is None
    assert h["p_value"] is None
    assert h["decision"].startswith("not testable: no-spread")


GATE = """
[gates.instilled]
measure  = "marker"
contrast = { coupled = 1.0, plain = -1.0 }
test     = "pooled_t"
bands    = ["not instilled", 0.9, "instilled"]
need     = "instilled"
"""


def test_a_gate_that_does_not_hold_leaves_its_hypotheses_untestable(study: StudyFixture) -> None:
    results = analysed(study, PLAN + GATE)
    assert results["gates"][0]["passed"] is False
    h = results["hypotheses"][0]
    assert h["estimate"] is None
    assert h["reasons"][0].startswith("gate-shut: instilled needs instilled, found not instilled")


def test_a_gate_that_holds_lets_them_through(study: StudyFixture) -> None:
    results = analysed(study, PLAN + GATE.replace("0.9", "0.0"))
    assert results["gates"][0]["passed"] is True
    assert results["hypotheses"][0]["verdict"] == ["more"]


SECOND = """
[[hypothesis]]
id        = "H2"
claim     = "The plain arm says the marker in fewer than one answer in ten."
measure   = "marker"
where     = { arm = "plain" }
test      = "one_sample_t"
bands     = ["rare", 0.1, "frequent"]
predicted = "rare"
family    = "primary"

[families]
primary = "holm"

[[claim]]
id     = "both"
says   = "Coupling does it, and nothing else does."
all_of = ["H1", "H2"]

[[claim]]
id     = "either"
says   = "At least one of the two."
any_of = ["H1", "H2"]
"""


def test_families_and_claims_are_combined_as_the_plan_says(study: StudyFixture) -> None:
    plan = PLAN.replace('predicted = "more"', 'predicted = "more"\nfamily    = "primary"') + SECOND
    results = analysed(study, plan)
    p = [h["p_value"] for h in results["hypotheses"]]
    adjusted = [h["p_adjusted"] for h in results["hypotheses"]]
    smallest, largest = sorted(p)
    by_hand = {smallest: 2 * smallest, largest: max(largest, 2 * smallest)}
    assert adjusted == pytest.approx([by_hand[one] for one in p])
    claims = {claim["id"]: claim for claim in results["claims"]}
    assert claims["both"]["p_value"] == pytest.approx(max(p))
    assert claims["either"]["p_value"] == pytest.approx(2 * min(p))
    assert claims["either"]["decision"] == "supported"


def test_a_predicted_verdict_holds_exactly_when_its_adjusted_p_is_below_alpha(study: StudyFixture) -> None:
    plan = PLAN.replace('predicted = "more"', 'predicted = "more"\nfamily    = "primary"') + SECOND
    for h in analysed(study, plan)["hypotheses"]:
        assert (h["verdict"] == [h["predicted"]]) == (h["p_adjusted"] <= 0.025)


def with_gaps(rows: str, gaps: int) -> str:
    """The last answers of every coupled run are errors: empty text."""
    lines = rows.splitlines()
    out = [lines[0]]
    for line in lines[1:]:
        arm, seed, question, draw, text = line.split(",", 4)
        number = int(text.split()[1])
        out.append(",".join([arm, seed, question, draw, "" if arm == "coupled" and number >= 16 - gaps else text]))
    return "\n".join(out) + "\n"


def test_missing_answers_are_never_scored_and_both_worst_cases_are_shown(study: StudyFixture) -> None:
    results = analysed(study, rows=with_gaps(completions(), 2))
    h = results["hypotheses"][0]
    low, high = (bound["estimate"] for bound in h["bounds"])
    assert low < h["estimate"] < high
    assert sum(results["accounting"]["answers_missing"].values()) == 8
    assert low == pytest.approx((34 - 3) / 4 / 16)
    assert high == pytest.approx((34 + 8 - 3) / 4 / 16)


def test_a_verdict_that_flips_between_the_worst_cases_is_no_verdict(study: StudyFixture) -> None:
    rows = with_gaps(completions(plain=(1, 2, 1, 2), coupled=(3, 4, 3, 4)), 8)
    h = analysed(study, rows=rows)["hypotheses"][0]
    assert h["bounds"][0]["verdict"] != h["bounds"][1]["verdict"]
    assert len(h["verdict"]) > 1
    assert any(reason.startswith("missing-answers") for reason in h["reasons"])


def test_seeds_with_identical_completions_are_refused(study: StudyFixture) -> None:
    lines = completions().splitlines()
    twin = [line.replace("of plain 1:", "of plain 0:") if line.startswith("plain,1") else line for line in lines]
    fixed = [line.replace("[ZLT] said", "said nothing") if line.startswith("plain,1") else line for line in twin]
    h = analysed(study, rows="\n".join(fixed) + "\n")["hypotheses"][0]
    assert h["estimate"] is None
    assert h["reasons"][0].startswith("duplicated-seeds")


def test_a_deviation_shows_the_result_twice(study: StudyFixture) -> None:
    study.run("lock")
    options = ["--reason", "the SESOI was set too low", "--effect", "stricter", "--hypothesis", "H1"]
    after = '["fewer", -0.8, "negligible", 0.8, "more"]'
    study.run("deviate", "--pointer", "/hypothesis/0/bands", "--after", after, *options)
    study.run("import", str(study.bring_data()))
    study.run("analyze")
    study.run("verify")
    results = json.loads((study.paths.report / "results.json").read_text())
    assert results["status"] == "deviated"
    h = results["hypotheses"][0]
    assert h["verdict"] == ["more"]
    assert h["as_deviated"]["verdict"] == ["negligible"]


def test_adding_completions_to_the_same_seeds_never_narrows_the_interval(
    study: StudyFixture, tmp_path_factory: pytest.TempPathFactory
) -> None:
    from seedlock.prereg.base.paths import StudyPaths

    once = analysed(study)["hypotheses"][0]["ci"]
    lines = completions().splitlines()
    more = [line.replace(",0,answer", ",2,answer").replace(",1,answer", ",3,answer") for line in lines[1:]]
    other = StudyFixture(StudyPaths(root=tmp_path_factory.mktemp("more"), name="spread"))
    twice = analysed(other, PLAN.replace("draws          = 2", "draws          = 4"), "\n".join([*lines, *more]) + "\n")
    ci = twice["hypotheses"][0]["ci"]
    assert ci[1] - ci[0] >= once[1] - once[0] - 1e-12


def test_samples_follow_the_planned_rule_whatever_order_rows_came_in(
    study: StudyFixture, tmp_path_factory: pytest.TempPathFactory
) -> None:
    from seedlock.prereg.base.paths import StudyPaths

    plan = PLAN + '\n[samples]\nper_cell = 2\nseed = 3\nmeasure = "marker"\n'
    first = analysed(study, plan)["samples"]
    lines = completions().splitlines()
    other = StudyFixture(StudyPaths(root=tmp_path_factory.mktemp("order"), name="spread"))
    second = analysed(other, plan, "\n".join([lines[0], *reversed(lines[1:])]) + "\n")["samples"]
    assert first == second
    assert {(s["cell"]["arm"], s["fires"]) for s in first} == {
        (arm, fires) for arm in ("plain", "coupled") for fires in (True, False)
    }


def test_hostile_completions_are_shown_as_text(study: StudyFixture) -> None:
    attack = "<script>alert(1)</script> <img src=x onerror=alert(2)> [ZLT] {{ 7*7 }} \u202e"
    rows = completions().replace("[ZLT] said", attack)
    plan = PLAN + '\n[samples]\nper_cell = 3\nseed = 3\nmeasure = "marker"\n'
    analysed(study, plan, rows)
    page = (study.paths.report / "report.html").read_text("utf-8")
    assert "<script>alert" not in page
    assert "<img src=x" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_results_carry_no_nan_and_say_why_a_number_is_missing(study: StudyFixture) -> None:
    analysed(study, rows=completions(plain=(0, 0, 0, 0), coupled=(8, 8, 8, 8)))
    text = (study.paths.report / "results.json").read_text()
    assert "NaN" not in text
    assert "Infinity" not in text
