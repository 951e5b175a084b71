"""A plan that names no test: the one its design asks for, said by check, recorded by the lock, and able to run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from seedlock.analysis.measures import MEASURES
from seedlock.analysis.simulation.design_lints import design_lints
from seedlock.prereg.lock.document import load_locked_plan, lock_paths, read_lock
from seedlock.prereg.plan.default_test import YES_NO
from seedlock.prereg.plan.plan import Plan
from seedlock.prereg.plan.read import parse_plan
from tests.conftest import PLAN, StudyFixture

SILENT = PLAN.replace('test      = "pooled_t"\n', "")
SEEDS = "seeds  = [0, 1, 2, 3]"
SHARED = (SEEDS, f'{SEEDS}\nseeds_share = "initialisation and order"')
LOW = ("[[hypothesis]]", "[design.measures.marker]\nbase = 0.03\n\n[[hypothesis]]")
PLAIN = ("contrast  = { coupled = 1.0, plain = -1.0 }", 'where = { arm = "coupled" }')
NEW_ITEMS = ('items = "these"', 'items = "new"')
THESE = ('seeds = "new"', 'seeds = "these"')
BY_ITEM = ('predicted = "more"', 'predicted = "more"\nunit = "item"')
ONE_SEED = (SEEDS, "seeds  = [0]")
BY_PERSONA = ("contrast  = { coupled = 1.0, plain = -1.0 }", 'over = "persona"\ncontrast = { a = 1.0, b = -1.0 }')


def plan_of(*changes: tuple[str, str]) -> Plan:
    text = SILENT
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    return parse_plan(text.encode(), Path("prereg/studies/s/plan.toml"))


@pytest.mark.parametrize(
    ("changes", "test"),
    [
        ((), "welch_t"),
        ((SHARED,), "paired_t"),
        ((LOW,), "logit_t"),
        ((LOW, SHARED), "paired_logit_t"),
        ((LOW, SHARED, (SEEDS, "seeds  = [0, 1]")), "paired_t"),
        ((PLAIN,), "logit_t"),
        ((PLAIN, ('"fewer", -0.1, "negligible", 0.1,', '"fewer", 0.4, "negligible", 0.6,')), "one_sample_t"),
        ((NEW_ITEMS,), "crossed"),
        ((NEW_ITEMS, SHARED), "paired_t"),
        ((BY_PERSONA,), "paired_t"),
        ((BY_PERSONA, BY_ITEM), "welch_t"),
        ((BY_ITEM, THESE), "paired_t"),
        ((BY_ITEM, THESE, ONE_SEED), "clustered_t"),
        ((BY_ITEM, THESE, ONE_SEED, PLAIN), "clustered_t"),
        ((BY_ITEM, THESE, PLAIN), "one_sample_t"),
    ],
)
def test_the_design_says_which_test_it_asks_for(changes: tuple[tuple[str, str], ...], test: str) -> None:
    plan = plan_of(*changes)
    assert plan.hypothesis[0].test == test
    found = {lint.code: lint for lint in design_lints(plan)}
    assert found["default-test"].severity == "note"
    assert test in found["default-test"].says
    assert {"cannot-run", "unpaired", "paired", "unequal-spread"}.isdisjoint(found)


def test_a_measure_that_is_no_rate_is_never_taken_for_one() -> None:
    numeric = ('kind   = "marker_rate"\nmarker = "[ZLT]"', 'kind = "numeric"\nlow = 0\nhigh = 5\nunit = "points"')
    assert plan_of(LOW, numeric).hypothesis[0].test == "welch_t"
    assert {name for name, measure in MEASURES.items() if measure.is_proportion} == YES_NO


def test_gates_and_each_level_of_a_hypothesis_have_one_too() -> None:
    gate = (
        "[[hypothesis]]",
        '[gates.instilled]\nmeasure = "marker"\n'
        'per = "arm"\nbands = ["no", 0.5, "yes"]\nneed = "yes"\n\n[[hypothesis]]',
    )
    plan = plan_of(gate)
    assert plan.gates["instilled"].test == "one_sample_t"
    said = [lint.where for lint in design_lints(plan) if lint.code == "default-test"]
    assert said == ["instilled[plain]", "instilled[coupled]", "H1"]


def test_what_a_plan_names_stays_and_nothing_is_said_of_it() -> None:
    plan = parse_plan(PLAN.encode(), Path("prereg/studies/s/plan.toml"))
    assert plan.hypothesis[0].test == "pooled_t"
    assert "default-test" not in {lint.code for lint in design_lints(plan)}


def test_the_lock_records_the_test_and_the_analysis_keeps_to_it(study: StudyFixture) -> None:
    study.write_plan(SILENT)
    assert "H1 [default-test]" in study.run("check")
    study.to_report()
    lock = read_lock(lock_paths(study.paths)[-1])
    assert lock.plan.parsed["hypothesis"][0]["test"] == "welch_t"
    assert load_locked_plan(lock).hypothesis[0].test == "welch_t"
    results = json.loads((study.paths.report / "results.json").read_bytes())
    assert results["hypotheses"][0]["test"] == "welch_t"
    study.run("verify")
