"""Before the lock: spreads by arm, gates on the same seeds, low rates; promises that the whole rule breaks are said."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from scipy import special, stats

from seedlock.analysis.simulation.broken_promises import broken_promises
from seedlock.analysis.simulation.design_lints import design_lints
from seedlock.analysis.simulation.result import Measured, RuleRow, SimulationResult, share
from seedlock.analysis.simulation.run import simulate_design, simulation_path
from seedlock.analysis.simulation.table import tables
from seedlock.analysis.simulation.worst import worst_cases
from seedlock.prereg.base.canonical import sha256_file
from seedlock.prereg.errors import BadInput
from seedlock.prereg.plan.plan import Plan
from seedlock.prereg.plan.read import parse_plan
from tests.conftest import StudyFixture

HEAD = """
[study]
title    = "Does it move?"
question = "How far?"
[inference]
seeds = "new"
items = "these"
alpha = 0.05
[models.tiny]
base     = "organism:llama"
revision = "sha256:0"
[arms]
calm  = {{}}
eager = {{}}
[grid]
models = ["tiny"]
seeds  = {seeds}
[measures.score]
kind = "numeric"
unit = "points"
[measures.skill]
kind = "numeric"
unit = "points"
[measures.rate]
kind   = "marker_rate"
marker = "[ZLT]"
"""
TESTED = """
measure  = "{measure}"
contrast = {contrast}
test     = "{test}"
bands    = ["no", {edge}, "yes"]
"""
BETWEEN = "{ eager = 1.0, calm = -1.0 }"


def estimand(measure: str = "score", test: str = "pooled_t", contrast: str = BETWEEN, edge: float = 0.0) -> str:
    return TESTED.format(measure=measure, test=test, contrast=contrast, edge=edge)


def hypothesis(name: str = "H1", predicted: str = "yes", more: str = "", **how: Any) -> str:
    kind = f'[[hypothesis]]\nid = "{name}"\nclaim = "It does."\npredicted = "{predicted}"\n{more}'
    return kind + estimand(**how)


def gate(**how: Any) -> str:
    return '[gates.works]\nneed = "yes"\n' + estimand(**how)


def exact(sds: str = "[1.0]", more: str = "") -> str:
    """Numbers that differ between seeds and in nothing else."""
    own = "".join(
        f"[design.measures.{name}]\nseed_sd = {sds}\nitem_sd = 0.0\nanswer_sd = 0.0\n" for name in ("score", "skill")
    )
    return f"[design]\nitems = 5\n{more}\n{own}"


def plan_of(*parts: str, seeds: int = 2) -> Plan:
    text = HEAD.format(seeds=list(range(seeds))) + "\n".join(parts)
    return parse_plan(text.encode(), Path("s/plan.toml"))


def run(plan: Plan, simulations: int = 4000) -> SimulationResult:
    return simulate_design(plan, simulations=simulations, seed=7, most_seeds=0)


def close(found: Measured | None, expected: float) -> None:
    assert found is not None
    assert found.value is not None
    assert found.mc_error is not None
    assert abs(found.value - expected) <= 4 * found.mc_error, (found, expected)


def test_each_arm_has_its_own_seed_sd() -> None:
    arms = [hypothesis(arm, test="one_sample_t", contrast=f"{{ {arm} = 1.0 }}") for arm in ("calm", "eager")]
    found = run(plan_of(*arms, exact("{ calm = [0.5], eager = [3.0] }"), seeds=4))
    half = 2 * stats.t.isf(0.05, 3) / 2 * math.sqrt(2 / 3) * math.exp(special.gammaln(2) - special.gammaln(1.5))
    close(found.row("calm", "null").width, 0.5 * half)
    close(found.row("eager", "null").width, 3.0 * half)
    assert found.points == [{"score": 3.0}]
    assert found.arms_at == [{"score": {"calm": 0.5, "eager": 3.0}}]


@pytest.mark.parametrize(("test", "sds", "refused"), [
    ("pooled_t", "{ calm = [0.5], eager = [3.0] }", True),
    ("pooled_t", "{ calm = [0.5], eager = [0.5] }", False),
    ("welch_t", "{ calm = [0.5], eager = [3.0] }", False),
])  # fmt: skip
def test_one_spread_for_arms_whose_planned_spreads_differ_is_refused(test: str, sds: str, refused: bool) -> None:
    found = design_lints(plan_of(hypothesis(test=test), exact(sds), seeds=4))
    assert [lint.severity for lint in found if lint.code == "unequal-spread"] == (["refuse"] if refused else [])


def test_an_arm_without_a_seed_sd_is_named() -> None:
    with pytest.raises(BadInput) as refusal:
        plan_of(hypothesis(), exact("{ calm = [0.5], eagre = [3.0] }"))
    found = [finding.found for finding in refusal.value.findings]
    assert any("eagre" in words for words in found)
    assert "nothing for eager" in found


def test_the_worst_case_over_ratios_of_spread_is_said_where_a_test_takes_one_spread() -> None:
    """Two seeds an arm, SDs 50 : 1: t of one df against the critical value of two."""
    stretched = exact(more="seed_sd_ratio = [50.0]")
    pooled = run(plan_of(hypothesis(), stretched))
    assert len(pooled.points) == 3
    worst = next(one for one in pooled.worst if one.what == "error")
    close(worst.rate, stats.t.sf(stats.t.isf(0.05, 2), 1))
    assert worst.point in {1, 2}
    assert worst.is_broken
    assert any(said.startswith("H1: error ") and "50" in said for said in pooled.findings)
    assert "50" in str([table.title for table in tables(pooled)])
    assert not run(plan_of(hypothesis(test="welch_t"), stretched, seeds=3)).findings
    close(pooled.row("H1", "null", point=0).error, 0.05)


def test_the_error_given_an_open_gate_is_shown_where_gate_and_outcome_share_their_seeds() -> None:
    """Two seeds, the gate's true difference two SDs: it opens by the noncentral t, and every error lies among those."""
    parts = (hypothesis(), gate(measure="skill"))
    opens = float(stats.nct.sf(stats.t.isf(0.05, 2), 2, 2.0))
    moved = run(plan_of(*parts, exact(more="within_run = 1.0"))).row("H1", "null")
    close(moved.gates_open, opens)
    close(moved.error_given_open, 0.05 / opens)
    close(moved.error, 0.05)
    apart = run(plan_of(*parts, exact()))
    close(apart.row("H1", "null").error_given_open, 0.05)
    assert not apart.findings


@pytest.mark.parametrize("within_run", [0.0, 1.0])
def test_a_shut_gate_holds_back_power_claims_and_families_as_in_the_analysis(within_run: float) -> None:
    claim = '\n[[claim]]\nid = "c"\nsays = "It does."\nany_of = ["H1"]\n[families]\nall = "holm"\n'
    parts = (hypothesis(more='family = "all"\n'), gate(measure="skill"), claim)
    opens = float(stats.nct.sf(stats.t.isf(0.05, 2), 2, 2.0))
    found = run(plan_of(*parts, exact(more=f"within_run = {within_run}")))
    row = found.row("H1", "expected")  # two SDs past its edge, as the gate is
    both, neither = (opens, 0.05) if within_run else (opens**2, 0.05 * opens)
    close(row.power, both)
    close(next(v.probability for v in row.verdicts if v.left == ["yes"]), both)
    for name in ("c", "all"):
        close(next(r.rate for r in found.rules if r.id == name and r.scenario == "null"), neither)
    assert {left.code for left in found.not_simulated} == {"lost-runs"}


def test_a_look_goes_on_where_a_gate_is_shut() -> None:
    looks = "\n[[look]]\nseeds = 2\n[[look]]\nseeds = 3\n"
    when = 'when = { hypothesis = "H1", undecided = ["no", "yes"] }\n'
    found = run(plan_of(hypothesis(), gate(measure="skill"), looks + when, exact(), seeds=3))
    decided = float(stats.nct.sf(stats.t.isf(0.05, 2), 2, 2.0))
    (reached,) = (row.reached for row in found.reached if row.scenario == "expected")
    close(reached, 1 - decided**2)


def test_what_a_simulation_takes_for_granted_is_a_finding_of_its_plan_that_check_repeats(study: StudyFixture) -> None:
    scaled = hypothesis(more='scale = "sd.calm"\nrequires = ["audit"]\n', edge=0.5)
    sd = '[sd.calm]\nof = "unit means"\nmeasure = "score"\narm = "calm"\n'
    audit = (
        '[audit]\nitems = "bank"\nchoice = "skill"\nmatch = ["domain"]\nmeasures = ["skill"]\nneed = 1\n'
        '[items.bank]\nfile = "bank.jsonl"\n'
    )
    plan = plan_of(scaled, sd, audit, exact())
    found = {left.code: left.where for left in run(plan, 200).not_simulated}
    assert found == {"lost-runs": "every hypothesis", "audit-held-open": "H1", "scale-known": "H1"}
    study.paths.locks.mkdir(parents=True)
    text = {"plan_sha256": sha256_file(study.paths.plan), "not_simulated": [
        {"code": "scale-known", "where": "H1", "says": "known"}, {"code": "lost-runs", "where": "all", "says": "lost"},
    ]}  # fmt: skip
    simulation_path(study.paths).write_text(json.dumps(text), "utf-8")
    assert [(lint.code, lint.severity) for lint in broken_promises(study.paths)] == [("scale-known", "note")]


def test_a_gate_that_is_the_outcome_opens_only_for_errors() -> None:
    plan = plan_of(hypothesis(), gate(), exact())
    found = run(plan)
    close(found.row("H1", "null").gates_open, 0.05)
    given = found.row("H1", "null").error_given_open
    assert given is not None
    assert given.value == 1.0
    assert any(said.startswith("H1: error given open gates 1.000") for said in found.findings)
    assert [lint.where for lint in design_lints(plan) if lint.code == "gate-is-outcome"] == ["gates.works"]


@pytest.mark.parametrize("within_run", [0.0, 0.5])
def test_check_says_that_a_gate_shares_its_seeds_until_the_design_says_how_far(within_run: float) -> None:
    plan = plan_of(hypothesis(), gate(measure="skill"), exact(more=f"within_run = {within_run}"))
    found = [lint for lint in design_lints(plan) if lint.code.startswith("gate-")]
    assert [lint.code for lint in found] == ([] if within_run else ["gate-shares-seeds"])


def test_effects_within_a_run_are_correlated_as_the_design_says() -> None:
    """Two measures err together by chance where nothing is shared, and always where all is."""
    claim = '\n[[claim]]\nid = "both"\nsays = "Both."\nall_of = ["H1", "H2"]\n'
    two = (hypothesis(), hypothesis("H2", measure="skill"), claim)
    rates = {}
    for within_run in (0.0, 1.0):
        found = run(plan_of(*two, exact(more=f"within_run = {within_run}")))
        (row,) = (one for one in found.rules if one.scenario == "null")
        assert row.alpha == 0.05
        rates[within_run] = row.rate
    close(rates[0.0], 0.05**2)
    close(rates[1.0], 0.05)


def test_a_low_rate_breaks_the_promise_of_t_on_rates_and_not_that_of_t_on_logits() -> None:
    low = "[design]\nitems = 20\ndraws = 5\n[design.measures.rate]\nbase = 0.03\nseed_sd = [1.0]\nitem_sd = 0.0\n"

    def findings(test: str, simulations: int) -> list[str]:
        of = hypothesis(predicted="no", measure="rate", test=test, contrast="{ eager = 1.0 }", edge=0.03)
        return run(plan_of(of, low, seeds=5), simulations).findings

    assert any(said.startswith("H1: error ") for said in findings("one_sample_t", 1000))
    assert not findings("logit_t", 400)


def test_only_what_lies_beyond_monte_carlo_error_is_broken_and_true_claims_promise_nothing() -> None:
    def rule(name: str, hits: int, alpha: float | None) -> RuleRow:
        rate = share(hits, 1000)
        return RuleRow(id=name, kind="claim", scenario="null", point=0, rate=rate, reason=None, alpha=alpha)

    found = worst_cases([], [rule("near", 65, 0.05), rule("far", 90, 0.05), rule("true", 900, None)])
    assert [(one.id, one.is_broken) for one in found] == [("near", False), ("far", True)]


def test_check_repeats_what_the_simulation_of_this_plan_found(study: StudyFixture) -> None:
    paths = study.paths
    assert list(broken_promises(paths)) == []
    found = run(plan_of(hypothesis(), gate(), exact()))
    file = simulation_path(paths)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(found.model_copy(update={"plan_sha256": sha256_file(paths.plan)}).to_bytes())
    (lint, *_) = broken_promises(paths)
    assert (lint.code, lint.severity, lint.where) == ("simulated-error", "warn", "H1")
    assert lint.says.startswith("simulated, error")
    paths.plan.write_bytes(paths.plan.read_bytes() + b"\n")
    assert list(broken_promises(paths)) == []
