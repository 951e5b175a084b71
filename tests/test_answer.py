"""The report's first words: two sentences made from the verdicts, and a confidence with its grounds and limits."""

from __future__ import annotations

import math
from typing import Any, Literal

import pytest
from scipy import stats

from seedlock.analysis.findings.confidence import units_needed
from seedlock.analysis.findings.summary_sentences import write_answer
from seedlock.analysis.results.posterior import BayesResult
from seedlock.analysis.results.schema import Accounting, Answer, ClaimResult, Correlation, GateResult, HypothesisResult
from tests.report_fixture import bands, hypothesis

SPELLED = ["lower", -0.05, "negligible", 0.05, "higher"]


def difference(name: str, *, left: list[str], n_units: int = 8, **changes: Any) -> HypothesisResult:
    """A paired difference of rates whose predicted band is "negligible"."""
    entry = hypothesis(
        name,
        claim="Other names do nothing.",
        contrast={"other": 1.0, "modern": -1.0},
        bands=bands(SPELLED, left=set(left), p=[0.004, 0.9, 0.002], posterior=[0.01, 0.98, 0.01]),
        predicted="negligible", verdict=left,
        decision=left[0] if len(left) == 1 else f"inconclusive: {' or '.join(left)}",
        estimate=-0.00625, se=0.019542764463021677, df=n_units - 1.0, n_units=n_units, unit="seed", alpha=0.025,
        ci=[-0.05246, 0.03996] if len(left) > 1 else [-0.03, 0.02], ci_level=0.95,
        alpha_in_family=None, p_adjusted=None,
    )  # fmt: skip
    return HypothesisResult.model_validate({**entry, **changes})


def claim(
    decision: Literal["supported", "not supported", "undecided", "not testable"], *members: str, **changes: Any
) -> ClaimResult:
    entry = {"id": "headline", "says": "Only old names matter.", "rule": "all_of", "members": list(members),
             "p_value": 0.01, "decision": decision, "reasons": []}  # fmt: skip
    return ClaimResult.model_validate({**entry, **changes})


def accounted(**changes: Any) -> Accounting:
    entry = {"runs_planned": 16, "runs_with_data": 16, "runs_missing": [], "answers": 1600, "answers_missing": {},
             "quarantined": {}, "looks_planned": 1, "looks_used": 1, "amendments": 0}  # fmt: skip
    return Accounting.model_validate({**entry, **changes})


def gate(*, passed: bool, r: float | None = None) -> GateResult:
    found = ["instilled"] if passed else ["absent"]
    beside = [Correlation(hypothesis="calm", n=8, r=r, r_within=None)] if r is not None else []
    return GateResult(
        name="organism", need="instilled", verdict=found, estimate=0.9, ci=(0.8, 0.95), passed=passed, reasons=[],
        correlations=beside,
    )  # fmt: skip


def modelled(**changes: Any) -> BayesResult:
    """A posterior whose checks all hold, unless told otherwise."""
    calm = {"model": "seed_hierarchy", "p_predicted": 0.98, "gates_passed": True,
            "power_scaling": {"priors": {"run_sd": 0.01}, "diagnosis": "the data decide"},
            "predictive_checks": [replicated(0.2, "sd", 0.4)]}  # fmt: skip
    return BayesResult.model_validate({**calm, **changes})


def replicated(observed: float, statistic: str, p: float) -> dict[str, Any]:
    return {"level": "other", "statistic": statistic, "observed": observed, "replicated_mean": 0.3, "p": p}


def copies(equal: float, near: float) -> dict[str, Any]:
    return {"runs": ("a-1", "a-2"), "n": 40, "equal": equal, "near": near}


def answer(
    *hypotheses: HypothesisResult,
    claims: tuple[ClaimResult, ...] = (),
    status: Literal["confirmatory", "deviated", "retrospective", "exploratory"] = "confirmatory",
    gates: tuple[GateResult, ...] = (),
    accounting: Accounting | None = None,
    new_seeds: bool = True,
) -> Answer:
    return write_answer(
        status, hypotheses, claims, gates, accounting or accounted(), speaks_of_new_seeds=new_seeds
    )  # fmt: skip


DECIDED = difference("calm", left=["negligible"])
OPEN = difference("torn", left=["lower", "negligible"])


def test_an_open_headline_has_no_confidence_and_says_what_would_settle_it() -> None:
    found = answer(DECIDED, OPEN, claims=(claim("undecided", "calm", "torn"),))
    assert found.confidence == "none"
    assert found.grounds == []
    assert found.reasons == [
        "torn may be lower or negligible: 8 seeds leave \u22125.2 pp to 4.0 pp; were estimate and spread to stay as "
        "they are, about 9 seeds would settle it"
    ]
    assert found.sentences == [
        "The data leave this claim open: Only old names matter; of the 2 findings it needs 1 came out, and torn may "
        "still be lower or negligible.",
        "The estimate for torn is \u22120.6 pp (95% interval \u22125.2 pp to 4.0 pp, 8 seeds).",
        "Of 2 hypotheses 1 ended in the band that was predicted and 1 left several bands standing.",
    ]


def test_the_seeds_that_would_settle_it_are_the_fewest_whose_interval_fits() -> None:
    """By hand: t(0.975, 7) x 0.0195 = 0.0462 is more than the gap, 0.04375; t(0.975, 8) x 0.0184 is less."""
    needed = units_needed(OPEN)
    assert needed == 9
    assert OPEN.se is not None
    widths = [float(stats.t.ppf(0.975, n - 1)) * OPEN.se * math.sqrt(8 / n) for n in (8, 9)]
    assert widths[0] > 0.04375 > widths[1]


def test_an_estimate_at_an_edge_is_not_a_matter_of_more_seeds() -> None:
    at_the_edge = difference("torn", left=["lower", "negligible"], estimate=-0.0499)
    assert units_needed(at_the_edge) == 81
    assert "not even 80 seeds would settle it" in answer(at_the_edge).reasons[0]


def test_missing_answers_are_named_as_what_keeps_a_headline_open() -> None:
    words, codes = ["missing-answers: the verdict depends on them"], ["missing-answers"]
    lost = difference("torn", left=["lower", "negligible"], reasons=words, reason_codes=codes)
    assert answer(lost).reasons == ["torn may be lower or negligible: answers that never came could move it either way"]


def test_a_decided_headline_says_what_speaks_for_it() -> None:
    found = answer(DECIDED, gates=(gate(passed=True),))
    assert (found.confidence, found.reasons) == ("high", [])
    assert found.grounds == [
        "the plan was locked before the data came, and was followed",
        "no interval crosses an edge of its band: calm comes closest, 2.0 pp away",
        "every gate held",
        "every planned run has data",
        "at least 98.0% of the posterior lies in the same band",
    ]


@pytest.mark.parametrize("crossing", [{"ci": [-0.06, 0.02]}, {"left": ["negligible", "higher"]}])
def test_one_interval_across_an_edge_is_enough_not_to_say_that_none_is(crossing: dict[str, Any]) -> None:
    """Where bands are not excluded by the interval's own t test, one band may be left that does not hold all of it."""
    at_odds = difference("torn", **{"left": ["negligible"], "predicted": "lower", **crossing})
    clear = difference("calm", left=["negligible"], predicted="lower")
    both = claim("not supported", "calm", "torn")
    assert any("no interval crosses" in ground for ground in answer(clear, claims=(both,)).grounds)
    assert not any("no interval crosses" in ground for ground in answer(clear, at_odds, claims=(both,)).grounds)


def test_the_least_share_of_a_posterior_is_not_rounded_up() -> None:
    posterior = bands(SPELLED, left={"negligible"}, p=[0.004, 0.9, 0.002], posterior=[0.01, 0.97996, 0.01004])
    assert answer(difference("calm", left=["negligible"], bands=posterior)).grounds[-1] == (
        "at least 97.9% of the posterior lies in the same band"
    )


@pytest.mark.parametrize(
    ("changes", "given", "level", "words"),
    [
        ({"n_units": 4}, {}, "moderate", "few units: calm rests on 4 seeds"),
        ({"n_units": 6, "units_per_level": {"other": 3, "modern": 3}}, {}, "moderate", "3 seeds an arm, 6 runs"),
        ({"n_units": 10, "units_per_level": {"other": 2, "modern": 8}}, {}, "low", "2 to 8 seeds an arm, 10 runs"),
        ({"n_units": 4, "units_per_level": {"other": 4, "modern": 4}}, {}, "moderate", "4 seeds in every arm"),
        (
            {"drawn_once": ["stage1"], "replicated": "stage1 was drawn once a level"},
            {},
            "moderate",
            "calm: stage1 was drawn once a level",
        ),
        ({"bounds": [{"estimate": -0.03}, {"estimate": 0.02}]}, {}, "moderate", "missing answers at their worst move"),
        ({"bayes": modelled(predictive_checks=[replicated(0.9, "sd", 0.004)])}, {}, "moderate", "does not make units"),
        (
            {"bayes": modelled(left_out=[{"left_out": "unit", "n": 8, "n_influential": 1, "worst_pareto_k": 1.06}])},
            {},
            "moderate",
            "leans on 1 of 8 single units (Pareto k up to 1.06)",
        ),
        (
            {"bayes": modelled(power_scaling={"priors": {"run_sd": 0.08}, "diagnosis": "the prior decides"})},
            {},
            "moderate",
            "moves with the prior of its run sd",
        ),
        (
            {"bayes": modelled(sensitivity=[{"prior": "half-t3(2.5)", "p_predicted": 0.7}])},
            {},
            "moderate",
            "under the prior half-t3(2.5) the probability that calm is negligible moves by 28.0 pp",
        ),
        ({"bayes": modelled(gates_passed=False, reason="R-hat 1.2")}, {}, "moderate", "gave no answer (R-hat 1.2)"),
        ({}, {"gates": (gate(passed=True, r=0.9992),)}, "moderate", "organism and calm are one quantity over 8 runs"),
        ({}, {"accounting": accounted(near_copies=[copies(0.0, 1.0)])}, "moderate", "near copies: 100.0%"),
        ({"n_units": 2}, {}, "low", "few units: calm rests on 2 seeds"),
        ({}, {"status": "retrospective"}, "low", "retrospective"),
        ({}, {"status": "exploratory"}, "low", "exploratory"),
        ({}, {"status": "deviated"}, "moderate", "deviated"),
        ({}, {"gates": (gate(passed=False),)}, "moderate", "gates that did not hold: organism"),
        ({}, {"accounting": accounted(runs_with_data=15, runs_missing=["a/1"])}, "moderate", "1 of 16 planned runs"),
        ({}, {"new_seeds": False}, "moderate", "these runs only"),
        ({"bands": bands(SPELLED, left={"negligible"}, p=[0.02, 0.9, 0.002])}, {}, "moderate", "half the error rate"),
        (
            {"bands": bands(SPELLED, left={"negligible"}, p=[0.004, 0.9, 0.002], posterior=[0.6, 0.3, 0.1])},
            {},
            "low",
            "frequentist and Bayesian answers differ on calm",
        ),
        ({"n_units": 4}, {"status": "deviated"}, "low", "deviated"),
    ],
)
def test_each_limit_lowers_the_confidence_and_is_named(
    changes: dict[str, Any], given: dict[str, Any], level: str, words: str
) -> None:
    found = answer(difference("calm", left=["negligible"], **changes), **given)
    assert found.confidence == level
    assert any(words in reason for reason in found.reasons)
    assert [limit.says for limit in found.limits] == found.reasons
    assert len({limit.code for limit in found.limits}) == len(found.limits)


def test_checks_that_hold_lower_nothing() -> None:
    near = accounted(near_copies=[copies(0.05, 0.3)])
    found = answer(
        difference("calm", left=["negligible"], bayes=modelled(), units_per_level={"other": 8, "modern": 8}),
        gates=(gate(passed=True, r=0.6),),
        accounting=near,
    )
    assert (found.confidence, found.limits) == ("high", [])


def test_what_ails_another_hypothesis_does_not_lower_the_headline() -> None:
    other = difference("aside", left=["negligible"], n_units=2)
    assert answer(DECIDED, other, claims=(claim("supported", "calm"),)).confidence == "high"


def test_a_contradicted_claim_names_what_came_out_instead() -> None:
    against = difference("calm", left=["higher"])
    found = answer(against, claims=(claim("not supported", "calm"),))
    assert found.sentences[0] == "The data contradict the claim: Only old names matter; calm came out higher."


def test_a_headline_without_a_number_gives_the_reason() -> None:
    silent = difference("calm", left=["negligible"], estimate=None, ci=None, verdict=[], reasons=["empty-cell: nobody"])
    found = answer(silent)
    assert found.sentences[0] == "The data cannot test the claim: Other names do nothing; empty-cell: nobody."
    assert found.sentences[1] == "There is no estimate."
    assert found.confidence == "none"


def test_a_retrospective_study_never_says_predicted() -> None:
    found = answer(DECIDED, claims=(claim("supported", "calm"),), status="retrospective")
    assert found.sentences[0] == "These data fit the claim: Only old names matter."
    assert not any("predicted" in sentence for sentence in found.sentences)


def test_levels_of_one_hypothesis_stand_in_one_sentence_and_others_are_not_of_it() -> None:
    found = answer(difference("calm[llama]", left=["negligible"]), difference("calm[qwen]", left=["negligible"]),
                   difference("other", left=["negligible"]))  # fmt: skip
    one = "\u22120.6 pp (95% interval \u22123.0 pp to 2.0 pp, 8 seeds)"
    assert found.sentences[1] == f"The estimate for calm is {one} in llama and {one} in qwen."


def test_a_number_that_does_not_carry_its_unit_is_given_it() -> None:
    log_odds = difference("calm", left=["negligible"], is_proportion=False, unit_text="log-odds of the letter")
    assert answer(log_odds).sentences[1].endswith(", in log-odds of the letter, in the band negligible.")
    assert ", in " not in answer(difference("calm", left=["negligible"])).sentences[1].removesuffix(
        ", in the band negligible."
    )
