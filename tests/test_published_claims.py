"""Claims that others published, under locked plans: the page follows from the command, and says what survives."""

from __future__ import annotations

import statistics
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from docs.claim_rows import bird, misalignment, transfer
from docs.make_claims import PAGE, SOURCES, page, reanalyses
from docs.reanalysis import PLANS, Reanalysis
from seedlock.analysis.simulation.design_lints import design_lints
from seedlock.prereg.plan.lint import require_lockable
from seedlock.prereg.plan.read import read_plan
from tests.conftest import SHARED_DATA

needs_data = pytest.mark.skipif(not SHARED_DATA.exists(), reason="the published rows are not beside the checkout")


@pytest.fixture(scope="module")
def studies() -> dict[str, Reanalysis]:
    return reanalyses(SHARED_DATA)


def outcomes(rows: object) -> dict[str, str]:
    return {row.claim: row.outcome for row in rows}  # type: ignore[attr-defined]  # rows of any source


@pytest.mark.parametrize("plan", sorted(PLANS.glob("*.toml")), ids=lambda path: path.stem)
def test_every_plan_of_a_published_claim_says_so_and_can_be_locked(plan: Path) -> None:
    parsed = read_plan(plan)
    require_lockable(plan.stem, design_lints(parsed))
    assert parsed.study.exposure == "published"
    assert plan.stem in {source.plan for source in SOURCES}


@pytest.mark.real_data
@needs_data
def test_the_page_is_what_the_command_writes(studies: dict[str, Reanalysis]) -> None:
    assert PAGE.read_text(encoding="utf-8") == page(studies), "run: .venv/bin/python -m docs.make_claims"


@pytest.mark.real_data
@needs_data
def test_every_reanalysis_is_marked_retrospective(studies: dict[str, Reanalysis]) -> None:
    assert {study.results.status for study in studies.values()} == {"retrospective"}


@pytest.mark.real_data
@needs_data
def test_paired_questions_reverse_a_fisher_test_of_pooled_answers(studies: dict[str, Reanalysis]) -> None:
    study = studies["marker_directed_transfer"]
    reference = study.facts["our_extra_numbers"]
    for identity, name, sign in (
        ("others-near-v-far", "question_level_nontarget_near_vs_far", 1),
        ("pirate-near-assistant", "question_level_pirate_near_vs_nopush", 1),
        ("pirate-near-pirate", "question_level_pirate_piratenear_vs_nopush", 1),
    ):
        h = study.hypothesis(identity)
        assert (h.df, h.n_units) == (reference[name]["df"], 15)
        assert h.p_value is not None
        assert 2 * h.p_value == pytest.approx(reference[name]["p"], abs=1e-9)
        assert h.estimate is not None
        assert h.se is not None
        assert sign * h.estimate / h.se == pytest.approx(reference[name]["t"], abs=1e-9)
    assert study.printed("Fisher p non-target asst_near vs asst_far") < 0.001
    assert study.hypothesis("others-near-v-far").verdict == ["less", "more"]
    rows = list(transfer.transfer_rows(study))
    assert [row.outcome for row in rows].count("survives") == 3
    assert rows[-1].outcome == "cannot be answered by this design"


@pytest.mark.real_data
@needs_data
def test_the_printed_table_of_personas_disagrees_with_its_rows_in_four_places(
    studies: dict[str, Reanalysis],
) -> None:
    found = [what.split()[3] for what, _, _ in transfer.transfer_mismatches(studies["marker_directed_transfer"])]
    assert found == ["poet", "software_engineer", "marine_biologist", "chef"]


@pytest.mark.real_data
@needs_data
def test_three_seeds_against_two_show_a_difference_but_not_its_size(studies: dict[str, Reanalysis]) -> None:
    study = studies["em_multiseed_verdicts"]
    for identity in ("bad-minus-correct", "bad-minus-correct-five"):
        h = study.hypothesis(identity)
        assert (h.n_units, h.df, h.verdict) == (5, 2.0, ["more"])
        assert [bound["verdict"] for bound in h.bounds] == [["more"], ["more"]]
        bad = [unit["mean"] for unit in h.units if unit["level"] == "bad_medical"]
        # Both correct seeds are at 0: Welch has no answer, and the plan falls back on the spread of the three bad ones.
        half = stats.t.isf(0.025, 2) * np.std(bad, ddof=1) * (1 / 3 + 1 / 2) ** 0.5
        assert h.ci == pytest.approx((np.mean(bad) - half, np.mean(bad) + half))
        assert h.reasons[0].startswith("fallback-test: pooled_t decides")
    assert study.results.claims[0].decision == "supported"
    assert study.hypothesis("quarter").verdict == ["below 20%", "about a quarter", "above 30%"]
    exact = study.hypothesis("by-permutation")
    assert exact.estimate is None
    assert exact.reasons[0].startswith("unattainable: the smallest p of 10 assignments is 0.1")


@pytest.mark.real_data
@needs_data
def test_the_printed_rates_of_two_seeds_follow_two_cut_offs(studies: dict[str, Reanalysis]) -> None:
    study = studies["em_multiseed_verdicts"]
    assert misalignment.printed_rate(study, "four_or_five", "bad_medical", "0") == pytest.approx(26.2, abs=0.05)
    assert misalignment.printed_rate(study, "four_or_five", "bad_medical", "1") == pytest.approx(29.65, abs=0.01)
    assert misalignment.printed_rate(study, "five", "bad_medical", "1") == pytest.approx(24.8, abs=0.05)
    assert outcomes(misalignment.misalignment_rows(study))["The two printed rates come from one rule"] == (
        "does not survive"
    )


@pytest.mark.real_data
@needs_data
def test_the_second_judge_leaves_the_rate_open_because_answers_are_missing(studies: dict[str, Reanalysis]) -> None:
    h = studies["em_second_judge"].hypothesis("quarter")
    assert h.reasons[0].startswith("missing-answers")
    assert [bound["verdict"] for bound in h.bounds] == [
        ["below 20%", "about a quarter"],
        ["about a quarter", "above 30%"],
    ]


@pytest.mark.real_data
@needs_data
def test_bird_seeds_give_their_spread_and_the_next_seed(studies: dict[str, Reanalysis]) -> None:
    study = studies["bird_seed_counts"]
    reference = study.facts["our_extra_numbers"]
    h = study.hypothesis(f"shift[{bird.MINI}]")
    assert h.unit_sd_after_noise is not None
    assert 100 * h.unit_sd_after_noise == pytest.approx(reference["between_seed_SD_pp_MoM"], abs=0.01)
    assert h.overdispersion == pytest.approx(reference["overdispersion_chi2"] / reference["overdispersion_df"])
    assert h.ci == pytest.approx(tuple(x / 100 for x in reference["t_interval_mean_mini"]))
    rates = bird.seed_rates(study, bird.MINI)
    reach = stats.t.isf(0.025, 23) * statistics.stdev(rates) * (1 + 1 / 24) ** 0.5
    mean = statistics.fmean(rates)
    assert h.next_unit_ci == pytest.approx((mean - reach, mean + reach))


@pytest.mark.real_data
@needs_data
def test_optional_stopping_is_named_and_the_models_without_data_are_refused(studies: dict[str, Reanalysis]) -> None:
    study = studies["bird_seed_counts"]
    text = page(studies)
    assert f"24 of 100 for {bird.MINI}, 7 of 20 for {bird.FULL}, 0 of 100 for {bird.MISTRAL}" in text
    assert "optional stopping, undeclared" in text
    assert study.results.accounting.runs_with_data == 31
    assert study.hypothesis(f"shift[{bird.MISTRAL}]").estimate is None
    assert study.hypothesis(f"shift[{bird.FULL}]").verdict == ["minority", "majority"]
