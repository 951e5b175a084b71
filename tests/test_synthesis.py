"""A synthesis from plan to verified report: what it pools, counts, refuses, and what tampering it finds."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from seedlock.analysis.inference.synthesis import Told, gather
from seedlock.analysis.pool_again import again_check, read_synthesis_results
from seedlock.prereg.base.paths import StudyPaths, SynthesisPaths
from seedlock.prereg.errors import BadInput
from seedlock.prereg.lock.document import LockedEffect
from seedlock.prereg.lock.ledger import read_ledger
from seedlock.prereg.lock.synthesis import stood_effects
from seedlock.prereg.plan.synthesis import SynthesisPlan, parse_synthesis
from seedlock.prereg.site.registry import registry
from seedlock.prereg.verify.checks import Verification
from seedlock.prereg.verify.synthesis import verify_synthesis
from tests.conftest import PLAN, PROJECT, StudyFixture, completions

DRAWN = {
    "one": ((0, 1, 0, 2), (7, 9, 8, 10)),
    "two": ((1, 2, 1, 3), (9, 12, 10, 12)),
    "three": ((0, 0, 1, 1), (4, 6, 5, 6)),
}
"""Marked answers of 16, by study: of the plain and of the coupled arm's seeds."""
OF = [option for study in DRAWN for option in ("--of", f"{study}:H1")]


def _studies(root: Path) -> None:
    for name, (plain, coupled) in DRAWN.items():
        study = StudyFixture(StudyPaths(root=root, name=name))
        study.write_plan(PLAN)
        study.run("lock")
        _answer(study, plain, coupled)
    for name in ("silent", "ended"):
        study = StudyFixture(StudyPaths(root=root, name=name))
        study.write_plan(PLAN)
        study.run("lock")
    study.run("withdraw", "--reason", "No money.")


def _answer(study: StudyFixture, plain: tuple[int, ...], coupled: tuple[int, ...]) -> None:
    """Bring answers of a study's own, and report them."""
    rows = completions(plain, coupled).replace(",answer ", f",{study.paths.name} answer ")
    study.run("import", str(study.bring_data(rows)))
    study.run("analyze")


@pytest.fixture(scope="module")
def pooled(tmp_path_factory: pytest.TempPathFactory) -> StudyFixture:
    """Three studies and their synthesis, analysed; one study was never reported, one withdrawn."""
    root = tmp_path_factory.mktemp("pooled")
    _studies(root)
    synthesis = StudyFixture(SynthesisPaths(root=root, name="all"))
    synthesis.run("synthesize", *OF, "--include", "Every study of the marker.")
    for command in ("check", "lock", "analyze"):
        synthesis.run(command)
    return synthesis


@pytest.fixture
def copy(pooled: StudyFixture, tmp_path: Path) -> StudyFixture:
    shutil.copytree(pooled.paths.root, tmp_path / "copy")
    return StudyFixture(SynthesisPaths(root=tmp_path / "copy", name="all"))


def paths_of(fixture: StudyFixture) -> SynthesisPaths:
    assert isinstance(fixture.paths, SynthesisPaths)
    return fixture.paths


def verified(fixture: StudyFixture) -> Verification:
    return verify_synthesis(paths_of(fixture), again=again_check)


def failing(fixture: StudyFixture) -> list[str]:
    return [check.id for check in verified(fixture).checks if check.state == "fail"]


def test_the_mean_is_what_the_studies_own_estimates_and_standard_errors_give(pooled: StudyFixture) -> None:
    found = read_synthesis_results(paths_of(pooled))
    for effect in found.effects:
        plain, coupled = (np.array(counts) / 16 for counts in DRAWN[effect.study])
        assert effect.estimate == pytest.approx(coupled.mean() - plain.mean())
        assert effect.se == pytest.approx(np.sqrt((plain.var(ddof=1) + coupled.var(ddof=1)) / 4))
    assert found.spread is not None
    assert found.estimate is not None
    assert found.ci is not None
    weight = np.array([1 / (e.se**2 + found.spread.tau**2) for e in found.effects])
    y = np.array([e.estimate for e in found.effects])
    mean = float((weight * y).sum() / weight.sum())
    se = np.sqrt(max(1, (weight * (y - mean) ** 2).sum() / 2) / weight.sum())
    assert found.estimate == pytest.approx(mean)
    assert found.ci[1] == pytest.approx(min(1, mean + stats.t.isf(0.025, 2) * se))
    assert found.k == 3


def test_it_says_what_is_known_and_counts_the_silent(pooled: StudyFixture) -> None:
    found = read_synthesis_results(paths_of(pooled))
    assert found.status == "retrospective"
    assert len(found.status_reasons) == 3
    assert found.silent == ["ended: withdrawn", "silent: locked"]
    page = (pooled.paths.report / "report.html").read_text("utf-8")
    assert "2 have no report that counts: ended: withdrawn, silent: locked" in page
    assert pooled.run("show").count("|") > 20


def test_it_verifies_and_every_number_on_the_page_is_bound(pooled: StudyFixture) -> None:
    done = verified(pooled)
    assert done.exit_code == 0, [check for check in done.checks if check.state == "fail"]
    assert done.level is not None
    assert {check.id: check.state for check in done.checks}["X1"] == "pass"
    assert "all  lock" in pooled.run("verify")


@pytest.mark.parametrize(
    ("file", "change", "link"),
    [
        ("lockfiles/syntheses/all/lock-0001.json", lambda t: t.replace('at":true', 'at":false', 1), "L4"),
        ("prereg/syntheses/all/plan.toml", lambda t: t.replace("0.1", "0.2"), "P1"),
        ("reports/syntheses/all/results.json", lambda t: t.replace('"k":3', '"k":4'), "R1"),
        ("reports/syntheses/all/report.html", lambda t: t.replace("silent: locked", "all reported"), "R2"),
        ("lockfiles/one/ledger.jsonl", lambda t: t.replace("look.opened", "look.closed"), "L4"),
    ],
)  # fmt: skip
def test_what_was_changed_since_is_found(
    copy: StudyFixture, file: str, change: Callable[[str], str], link: str
) -> None:
    path = copy.paths.root / file
    before = path.read_text("utf-8")
    assert change(before) != before
    path.write_text(change(before), "utf-8")
    assert link in failing(copy)


def test_numbers_that_were_pooled_otherwise_are_found_though_every_digest_was_made_anew(copy: StudyFixture) -> None:
    """results.json, manifest and ledger forged together: pooling the sealed results again tells."""
    paths = paths_of(copy)
    results = json.loads((paths.report / "results.json").read_text("utf-8"))
    results["estimate"] = 0.1
    assert not again_check(paths).findings
    whole = (paths.report / "results.json").read_bytes()
    (paths.report / "results.json").write_text(json.dumps(results), "utf-8")
    assert again_check(paths).state == "fail"
    (paths.report / "results.json").write_bytes(whole)
    page = (paths.report / "report.html").read_text("utf-8")
    (paths.report / "report.html").write_text(page.replace("2 have no report", "1 has no report"), "utf-8")
    assert any("sentences" in finding.where for finding in again_check(paths).findings)


def test_a_synthesis_locked_while_its_studies_are_open_confirms(tmp_path: Path) -> None:
    for name in ("one", "two"):
        study = StudyFixture(StudyPaths(root=tmp_path, name=name))
        study.write_plan(PLAN)
        study.run("lock")
    synthesis = StudyFixture(SynthesisPaths(root=tmp_path, name="ahead"))
    synthesis.run("synthesize", "--of", "one:H1", "--of", "two:H1", "--include", "Both.")
    assert "status" not in synthesis.run("lock")
    refused = synthesis.run("analyze", ok=6)
    assert "one" in refused
    assert "wait for the reports" in refused
    assert [e.name for e in read_ledger(synthesis.paths.ledger)] == ["plan.locked"], "a refusal is no look"
    for name in ("one", "two"):
        study = StudyFixture(StudyPaths(root=tmp_path, name=name))
        _answer(study, *DRAWN[name])
    synthesis.run("analyze")
    found = read_synthesis_results(paths_of(synthesis))
    assert found.status == "confirmatory"
    assert found.spread is not None
    assert found.spread.prediction is None
    assert "Two studies say nothing of the next" in found.sentences[1]
    assert not failing(synthesis)


def test_effects_that_cannot_be_pooled_are_refused_before_the_lock(pooled: StudyFixture, tmp_path: Path) -> None:
    other = StudyFixture(replace(pooled.paths, name="other"))
    text = pooled.paths.plan.read_text("utf-8")
    other.paths.study.mkdir(parents=True)
    try:
        for old, new, said in (
            ('study      = "two"', 'study      = "none_such"', "no lock"),
            ('study      = "two"', 'study      = "one"', "named twice"),
            ('hypothesis = "H1"', 'hypothesis = "H9"', "has no H9"),
            ('include  = "Every study of the marker."', 'include  = ""', "include"),
        ):
            other.paths.plan.write_text(text.replace(old, new, 1), "utf-8")
            assert said in other.run("check", ok=2)
    finally:
        shutil.rmtree(other.paths.study)


def test_a_plan_names_each_effect_once() -> None:
    with pytest.raises(BadInput, match="fault"):
        parse_synthesis(b'[synthesis]\ntitle = "x"\n', Path("x/plan.toml"))


def test_an_effect_that_is_not_there_is_left_out_by_name_where_the_plan_says_so(copy: StudyFixture) -> None:
    partly = StudyFixture(SynthesisPaths(root=copy.paths.root, name="partly"))
    of = [option for study in ("one", "two", "three", "ended") for option in ("--of", f"{study}:H1")]
    partly.run("synthesize", *of, "--include", "All.")
    partly.run("lock")
    assert "ended" in partly.run("analyze", ok=6)
    text = partly.paths.plan.read_text("utf-8")
    partly.paths.plan.write_text(text.replace('absent = "refuse"', 'absent = "leave out"'), "utf-8")
    partly.run("amend", "--reason", "data-unavailable", "--note", "It was withdrawn.")
    partly.run("analyze")
    found = read_synthesis_results(paths_of(partly))
    assert [(one.name, one.why) for one in found.left_out] == [("ended", "withdrawn: No money.")]
    assert found.k == 3
    assert not failing(partly)
    partly.run("withdraw", "--reason", "Superseded.")
    assert "withdrawn" in partly.run("analyze", ok=5)
    assert verified(partly).status == "withdrawn"
    assert "written" in copy.run("stamp")
    entries = {entry.study: entry for entry in registry(copy.paths.root)}
    assert (entries["all"].state, entries["all"].status) == ("reported", "synthesis, retrospective")
    assert (entries["partly"].state, entries["silent"].state) == ("withdrawn", "locked")


def test_effects_on_the_same_runs_are_not_independent() -> None:
    """By the locks of this repository: two contrasts of one study share the control arm's runs."""

    def plan(*effects: tuple[str, str]) -> SynthesisPlan:
        tables = [{"name": f"e{i}", "study": study, "hypothesis": h} for i, (study, h) in enumerate(effects)]
        question = {"title": "t", "question": "q", "include": "i"}
        decision = {"claim": "c", "bands": ["a", 0.0, "b"], "predicted": "b"}
        return SynthesisPlan.model_validate({"synthesis": question, "effect": tables, "decision": decision})

    families = plan(("bird_names_tiny", "shift[llama]"), ("bird_names_tiny", "shift[qwen]"))
    assert [effect.was_looked_at for effect in stood_effects(PROJECT, families)] == [True, True]
    with pytest.raises(BadInput) as refused:
        stood_effects(PROJECT, plan(("bird_names_tiny", "shift[llama]"), ("bird_names_tiny", "names-not-birds[llama]")))
    assert "llama/modern/1" in str(refused.value)
    with pytest.raises(BadInput, match="cannot be pooled"):
        stood_effects(PROJECT, plan(("published_marker_leak", "leak"), ("bird_names_tiny", "shift[qwen]")))


def test_studies_may_share_the_unmodified_model_and_nothing_that_an_effect_rests_on() -> None:
    """Two studies that were generated: their files of answers, one a run, by digest."""
    entry: dict[str, Any] = {
        "id": "H",
        "claim": "c",
        "decision": "b",
        "reasons": [],
        "test": "t",
        "contrast": {"x": 1, "y": -1},
    }
    entry |= {"estimate": 0.2, "se": 0.1, "df": 4, "ci": [0.0, 0.4], "n_units": 3}
    entry |= {"unit": "seed", "unit_text": "points", "scale": "raw"}

    def told(own: str, **changed: Any) -> Told:
        files = {"tiny-base-0a1b2c3d": "same", "tiny-x-1-99887766": own}
        inputs = [
            {"table": "completions", "path": f"data/completions-{n}.parquet", "sha256": d} for n, d in files.items()
        ]
        results = {"status": "confirmatory", "lock_id": "l", "hypotheses": [entry | changed], "inputs": inputs}
        return Told(results=results, sha256="d", lock_id="l")

    tables = [{"name": name, "study": name, "hypothesis": "H"} for name in ("s", "t")]
    question = {"title": "t", "question": "q", "include": "i"}
    decision = {"claim": "c", "bands": ["a", 0.0, "b"], "predicted": "b"}
    plan = SynthesisPlan.model_validate({"synthesis": question, "effect": tables, "decision": decision})
    known: dict[str, Any] = {"lock_id": "0" * 64, "ledger_lines": 1, "ledger_head": "0" * 64, "was_looked_at": True}
    stood = [LockedEffect(name=name, study=name, hypothesis="H", **known) for name in ("s", "t")]
    assert len(gather(plan, stood, {"s": told("one"), "t": told("two")}).effects) == 2
    with pytest.raises(BadInput, match="the same data"):
        gather(plan, stood, {"s": told("one"), "t": told("one")})
    against_base = {"contrast": {"x": 1, "base": -1}}
    with pytest.raises(BadInput, match="the same data"):
        gather(plan, stood, {"s": told("one", **against_base), "t": told("two", **against_base)})
    with pytest.raises(BadInput, match="not in one unit"):
        gather(plan, stood, {"s": told("one"), "t": told("two", unit_text="grams")})
