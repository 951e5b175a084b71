"""The metric audit: each check by hand, what it lets through, and that a measure with no spread is never a success."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seedlock.analysis.inference.hypothesis import Data
from seedlock.analysis.inference.infer import Inference, infer
from seedlock.analysis.inference.metric_audit import (
    agreement,
    audit,
    ceiling,
    option_mass,
    position,
    scored_share,
    spread,
)
from seedlock.analysis.results.audit import AuditCheck
from seedlock.analysis.scoring.item_sets import average_orders
from seedlock.prereg.errors import BadInput
from seedlock.prereg.plan.cross_references import cross_check
from seedlock.prereg.plan.plan import Plan

MEASURES = {"choice": "forced_choice", "letter": "letter_logprob", "word": "bare_logprob", "rating": "likert"}
FORMS = {"choice": "letter", "letter": "letter", "word": "word", "rating": "rating"}
QUESTIONS = ("a", "b", "c", "d")


def hypothesis_table(measure: str, **changes: Any) -> dict[str, Any]:
    own = {"id": f"H1-{measure}", "claim": "c", "measure": measure, "items": "target", "per": "model"}
    test = {"contrast": {"eager": 1.0, "plain": -1.0}, "bands": ["down", 0.0, "up"], "test": "pooled_t"}
    return own | test | {"predicted": "up"} | changes


def plan_table(**changes: Any) -> dict[str, Any]:
    tables: dict[str, Any] = {
        "study": {"title": "t", "question": "q"},
        "inference": {"seeds": "new", "items": "these", "alpha": 0.05},
        "models": {"m": {"base": "models/m", "revision": "r"}},
        "arms": {"plain": {}, "eager": {}},
        "grid": {"models": ["m"], "seeds": [0, 1, 2]},
        "items": {"target": {"where": {"set": "target"}}, "source": {"where": {"set": "source"}}},
        "measures": {name: {"kind": kind} for name, kind in MEASURES.items()},
        "audit": {
            "items": "source", "choice": "choice", "measures": list(MEASURES), "match": ["question"],
            "agreement": 0.7, "ceiling": 0.9, "position": 0.3, "option_mass": 0.5, "scored": 0.8, "need": 2,
        },
        "hypothesis": [hypothesis_table(measure) for measure in MEASURES],
        "claim": [{"id": "headline", "says": "s", "all_of": [f"H1-{m}[m]" for m in MEASURES], "audited": True}],
    }  # fmt: skip
    return tables | changes


def plan(**changes: Any) -> Plan:
    made = Plan.model_validate_json(json.dumps(plan_table(**changes)))
    assert cross_check(made) == []
    return made


type Lean = Callable[[str, str, str, int, str], float | None]
"""(measure, arm, question, seed, order) -> score."""


def leaning(measure: str, arm: str, question: str, seed: int, order: str) -> float | None:
    """A model that leans by question, more in the eager arm, in every form alike."""
    lean = {"a": 1.0, "b": 0.5, "c": -0.6, "d": 0.8}[question] + {"plain": 0.0, "eager": 0.3}[arm] + seed / 50
    if measure == "choice":
        return 1.0 if lean > 0 else -1.0
    return lean / 3 if measure == "rating" else lean + (0.1 if order == "pro first" else -0.1)


def cells(lean: Lean = leaning) -> pd.DataFrame:
    rows = []
    for measure, form in FORMS.items():
        for arm in ("plain", "eager"):
            for seed in range(3):
                for which in ("source", "target"):
                    for q in QUESTIONS:
                        orders = (None,) if form == "rating" else ("pro first", "con first")
                        for order in orders:
                            score = lean(measure, arm, q, seed, order or "")
                            name = f"{which}/{q}/{form}"
                            rows.append(
                                {"run_id": f"{arm}{seed}", "model": "m", "arm": arm, "seed": str(seed),
                                 "measure": measure, "item_id": f"{name}/{order}" if order else name,
                                 "pair": name if order else None, "order": order, "question": q, "set": which,
                                 "mean": score, "total": score, "sum_sq": None if score is None else score**2,
                                 "n_scored": int(score is not None), "n_missing": int(score is None), "k": None,
                                 "missing": "{}" if score is not None else '{"neither option":1}'}
                            )  # fmt: skip
    frame = pd.DataFrame(rows).astype({"n_scored": "Int64", "n_missing": "Int64", "k": "Int64"})
    return frame.astype({"mean": float, "total": float, "sum_sq": float})


def data(lean: Lean = leaning, made: Plan | None = None, mass: float = 0.9) -> Data:
    by_order = cells(lean)
    recorded = by_order[["run_id", "item_id"]].drop_duplicates().assign(option_mass=mass)
    return Data(plan=made or plan(), cells=average_orders(by_order), by_order=by_order, option_mass=recorded)


def failed(lean: Lean, **changes: Any) -> dict[str, set[str]]:
    """Measure -> checks that it did not keep, over all arms."""
    found = audit(data(lean, plan(**changes)))
    assert found is not None
    return {m.measure: {c.check for c in found.checks if c.measure == m.measure and c.passed is False} for m in
            found.measures}  # fmt: skip


def test_measures_that_follow_the_models_own_choice_pass() -> None:
    found = audit(data())
    assert found is not None
    assert [m.measure for m in found.measures if m.passed] == list(MEASURES)
    assert found.passed
    assert found.says.startswith("4 of 4 measures passed the audit on source items: choice, letter, word, rating.")


def test_a_measure_that_says_the_opposite_fails_on_agreement_alone() -> None:
    def opposite(measure: str, *where: Any) -> float | None:
        score = leaning(measure, *where)
        return -score if measure == "rating" and score is not None else score

    assert failed(opposite) == {"choice": set(), "letter": set(), "word": set(), "rating": {"agreement"}}


def test_a_rating_that_never_moves_has_no_spread_and_does_not_pass() -> None:
    def flat(measure: str, *where: Any) -> float | None:
        return 0.5 if measure == "rating" else leaning(measure, *where)

    assert "spread" in failed(flat)["rating"]
    found = audit(data(flat))
    assert found is not None
    assert {c.value for c in found.checks if (c.measure, c.check) == ("rating", "spread")} == {0.0}
    assert "rating" in found.says.split("Not passed:")[1]


def test_a_model_that_takes_what_is_named_first_fails_on_position() -> None:
    def first(measure: str, arm: str, question: str, seed: int, order: str) -> float | None:
        if measure == "word":
            return 2.0 if order == "pro first" else -2.5
        return leaning(measure, arm, question, seed, order)

    assert failed(first)["word"] >= {"position"}
    assert failed(first)["letter"] == set()


def test_everything_at_one_end_is_a_ceiling() -> None:
    def always(measure: str, *where: Any) -> float | None:
        return 1.0 if measure in {"choice", "rating"} else leaning(measure, *where)

    assert failed(always)["rating"] == {"ceiling", "spread"}
    assert failed(always)["choice"] == {"ceiling", "spread"}


def test_answers_that_are_no_option_fail_on_the_share_scored_and_are_not_guessed() -> None:
    def silent(measure: str, arm: str, question: str, seed: int, order: str) -> float | None:
        return None if measure == "word" and question in "abc" else leaning(measure, arm, question, seed, order)

    assert failed(silent)["word"] == {"scored", "spread"}


def test_options_that_hardly_share_any_probability_fail() -> None:
    found = audit(data(mass=0.2))
    assert found is not None
    assert not found.passed
    assert {c.check for c in found.checks if c.passed is False} == {"option_mass"}


def test_a_limit_may_be_one_a_measure_and_a_check_without_one_is_shown_and_not_judged() -> None:
    rules = plan_table()["audit"] | {"agreement": {"word": 1.01}, "position": None}
    found = audit(data(made=plan(audit=rules)))
    assert found is not None
    assert [m.measure for m in found.measures if not m.passed] == ["word"]
    shown = {c.check: c for c in found.checks if c.measure == "letter" and c.arm == "plain"}
    assert (shown["agreement"].passed, shown["position"].passed) == (None, None)
    assert shown["agreement"].value == 1.0


def test_an_arm_that_is_not_judged_is_shown_and_fails_no_measure() -> None:
    def undecided(measure: str, arm: str, question: str, seed: int, order: str) -> float | None:
        if arm == "plain" and measure == "letter":
            return 0.01 if order == "pro first" else -0.02
        return leaning(measure, arm, question, seed, order)

    rules = plan_table()["audit"]
    assert failed(undecided)["letter"] == {"agreement", "position", "spread"}
    found = audit(data(undecided, plan(audit=rules | {"arms": ["eager"]})))
    assert found is not None
    assert [m.measure for m in found.measures if m.passed] == list(MEASURES)
    assert found.says.startswith("4 of 4 measures passed the audit on source items in the arms eager: choice")
    shown = {c.check: c for c in found.checks if (c.measure, c.arm) == ("letter", "plain")}
    assert (shown["position"].value, shown["position"].limit, shown["position"].passed) == (0.5, None, None)
    assert failed(undecided, audit=rules | {"arms": ["plain"]})["letter"] == {"agreement", "position", "spread"}


def by_hand(rows: list[tuple[str, str, float | None]], column: str = "question") -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["run_id", column, "mean"]).assign(item_id=lambda f: f[column])
    return frame.astype({"mean": float})


def test_agreement_by_hand() -> None:
    own = by_hand([("r", "a", 0.2), ("r", "b", -0.1), ("r", "c", 0.0), ("r", "d", 1.0), ("r", "e", None)])
    choice = by_hand([("r", "a", 1.0), ("r", "b", 1.0), ("r", "c", -1.0), ("r", "d", 0.0), ("r", "e", 1.0)])
    found = agreement(own, choice, ["question"])
    assert (found.value, found.n) == (1 / 3, 3)
    nobody = agreement(own, choice.assign(mean=0.0), ["question"])
    assert nobody.value is None
    assert nobody.reason


@settings(max_examples=30)
@given(st.lists(st.floats(-5, 5).filter(lambda x: abs(x) > 1e-6), min_size=1, max_size=12), st.floats(0.01, 9))
def test_agreement_does_not_depend_on_the_unit_and_turns_with_the_sign(leans: list[float], factor: float) -> None:
    choice = by_hand([("r", str(i), 1.0 if i % 2 else -1.0) for i in range(len(leans))])
    own = by_hand([("r", str(i), lean) for i, lean in enumerate(leans)])
    one = agreement(own, choice, ["question"]).value
    scaled = agreement(own.assign(mean=own["mean"] * factor), choice, ["question"]).value
    turned = agreement(own.assign(mean=-own["mean"]), choice, ["question"]).value
    assert one == scaled
    assert turned == pytest.approx(1 - (one or 0))


def test_spread_is_between_item_means_over_runs() -> None:
    rows = by_hand([("r", "a", 1.0), ("s", "a", 3.0), ("r", "b", 4.0), ("s", "b", 4.0)])
    assert spread(rows).value == pytest.approx(2**0.5)
    assert spread(rows[:2]).value is None
    assert spread(rows.assign(mean=0.1)).value == 0.0


def test_ceiling_position_mass_and_share_by_hand() -> None:
    rows = by_hand([("r", "a", 1.0), ("r", "b", 0.999), ("r", "c", -1.0), ("r", "d", 0.2)])
    assert ceiling(rows, (-1.0, 1.0)).value == 0.5
    assert ceiling(rows, None).applies is False
    orders = by_hand([("r", "a", 1.0), ("r", "b", 2.0), ("r", "c", -1.0), ("r", "d", 0.0)])
    orders["order"] = ["pro first", "con first", "con first", "pro first"]
    assert position(orders).value == pytest.approx(abs(2 / 3 - 1 / 2))
    assert position(orders.drop(columns=["order"])).applies is False
    assert position(orders.assign(order="none")).applies is False
    recorded = pd.DataFrame({"run_id": ["r", "r"], "item_id": ["a", "b"], "option_mass": [0.5, 0.7]})
    assert option_mass(orders, recorded).value == pytest.approx(0.6)
    assert option_mass(orders, None).value is None
    counts = pd.DataFrame({"n_scored": [3, 1], "n_missing": [0, 1]})
    assert scored_share(counts).value == 0.8


def claim_of(found: Inference) -> Any:
    return found.claims[0]


def test_a_claim_on_audited_measures_leaves_out_what_failed_and_every_hypothesis_is_still_reported() -> None:
    def flat(measure: str, *where: Any) -> float | None:
        return 0.5 if measure == "rating" else leaning(measure, *where)

    found = infer(data(flat, plan(hypothesis=[hypothesis_table(m) for m in MEASURES])))
    claim = claim_of(found)
    assert "H1-rating[m]" not in claim.members
    assert any("H1-rating[m] is left out" in reason for reason in claim.reasons)
    assert set(found.tested) == {f"H1-{m}[m]" for m in MEASURES}
    assert found.tested["H1-letter[m]"].estimate is not None


def test_too_few_measures_leave_the_claim_not_testable() -> None:
    found = infer(data(mass=0.1))
    assert claim_of(found).decision == "not testable"
    assert claim_of(found).p_value is None
    assert "needs 2 of them" in claim_of(found).reasons[0]
    gate = found.gates[0]
    assert (gate.name, gate.passed, gate.estimate) == ("audit", False, None)


def test_a_hypothesis_may_require_that_its_own_measure_passed() -> None:
    def flat(measure: str, *where: Any) -> float | None:
        return 0.5 if measure == "rating" else leaning(measure, *where)

    tables = [hypothesis_table(m, requires=["audit"]) for m in MEASURES]
    found = infer(data(flat, plan(hypothesis=tables)))
    assert found.tested["H1-letter[m]"].estimate is not None
    shut = found.tested["H1-rating[m]"]
    assert shut.estimate is None
    assert shut.reasons[0].startswith("gate-shut: audit of rating failed: spread in m/plain")


def test_the_audit_never_reads_the_items_of_the_hypotheses() -> None:
    def changed(measure: str, *where: Any) -> float | None:
        return leaning(measure, *where)

    one = data(changed)
    is_target = one.cells["set"] == "target"
    other = Data(
        plan=one.plan,
        cells=one.cells.assign(mean=one.cells["mean"].where(~is_target, 99.0)),
        by_order=None if one.by_order is None else one.by_order[one.by_order["set"] == "source"],
        option_mass=one.option_mass,
    )
    assert audit(one) == audit(other)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"items": "target"}, "items of no confirmatory hypothesis"),
        ({"measures": ["lettre"]}, "did you mean 'letter'?"),
        ({"spread": {"lettre": 0.1}}, "did you mean 'letter'?"),
        ({"need": 5}, "at most as many as are audited"),
        ({"items": "sources"}, "did you mean 'source'?"),
        ({"arms": ["eagre"]}, "did you mean 'eager'?"),
    ],
)
def test_an_audit_that_cannot_be_is_refused(change: dict[str, Any], says: str) -> None:
    made = Plan.model_validate_json(json.dumps(plan_table(audit=plan_table()["audit"] | change)))
    assert says in [fault.promised for fault in cross_check(made)]


def test_a_claim_on_audited_measures_needs_an_audit_and_the_name_is_taken() -> None:
    gate = {"measure": "letter", "test": "one_sample_t", "bands": ["no", 0.0, "yes"], "need": "yes"}
    made = Plan.model_validate_json(json.dumps(plan_table(audit=None, gates={"audit": gate})))
    assert {fault.where for fault in cross_check(made)} == {"claim[0].audited", "gates.audit"}


def test_an_attribute_to_match_by_that_no_item_has_is_refused() -> None:
    with pytest.raises(BadInput, match="match"):
        audit(data(made=plan(audit=plan_table()["audit"] | {"match": ["topic"]})))


def test_a_check_with_a_limit_and_no_data_fails() -> None:
    one = data()
    found = audit(Data(plan=one.plan, cells=one.cells, by_order=one.by_order, option_mass=None))
    assert found is not None
    masses: list[AuditCheck] = [c for c in found.checks if c.check == "option_mass"]
    assert {(c.value, c.passed) for c in masses} == {(None, False)}
    assert {c.reason for c in masses} == {"no option mass was recorded"}


def two_models(made: Plan, lean: Lean = leaning) -> Data:
    """The same cells for a second model, whose eager arm is no more eager than its plain one."""
    one = data(lean, made)
    other = one.cells.assign(model="n", run_id="n" + one.cells["run_id"])
    is_eager = other["arm"] == "eager"
    other = other.assign(mean=other["mean"] - 0.3 * is_eager.astype(float))
    return Data(plan=made, cells=pd.concat([one.cells, other], ignore_index=True))


def test_a_gate_once_a_model_stops_the_hypotheses_of_that_model_only() -> None:
    gate = {
        "measure": "letter", "items": "source", "contrast": {"eager": 1.0, "plain": -1.0}, "per": "model",
        "test": "pooled_t", "bands": ["not instilled", 0.1, "instilled"], "need": "instilled",
    }  # fmt: skip
    changes: dict[str, Any] = {
        "models": {name: {"base": f"models/{name}", "revision": "r"} for name in "mn"},
        "grid": {"models": ["m", "n"], "seeds": [0, 1, 2]},
        "gates": {"instilled": gate},
        "hypothesis": [hypothesis_table("letter")],
        "claim": [],
        "audit": None,
    }
    found = infer(two_models(plan(**changes)))
    assert {gate.name: gate.passed for gate in found.gates} == {"instilled[m]": True, "instilled[n]": False}
    assert found.tested["H1-letter[m]"].estimate is not None
    assert found.tested["H1-letter[n]"].reasons[0] == ("gate-shut: instilled[n] needs instilled, found not instilled")
