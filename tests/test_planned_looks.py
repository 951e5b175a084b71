"""Planned looks carried out: the first seeds first, and more of them only where the plan's own rule goes on."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

from seedlock.analysis.inference.alpha_spending import planned_looks
from seedlock.cli import app
from seedlock.generation.inside.run import look_inside
from seedlock.generation.judge import judge_study
from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.lock.document import read_lock
from seedlock.prereg.lock.due_runs import due_now, looks_passed_over
from seedlock.prereg.lock.gate import require_lock, require_seals
from seedlock.prereg.lock.ledger import append_event, read_ledger
from seedlock.prereg.workflow import pipeline
from seedlock.prereg.workflow.init import create_repository
from seedlock.prereg.workflow.status import standing
from seedlock.schemas.seal import unseal
from tests.conftest import PLAN, StudyFixture, completions
from tests.inside_builders import PLAN as INSIDE
from tests.inside_builders import planted_study
from tests.judge_builders import CLASSIFIER, as_csv
from tests.judge_builders import PLAN as JUDGED
from tests.judge_builders import completions as spoken
from tests.judge_builders import locked_study as judged_study
from tests.test_init import seedlock

LOOKS = """
[[look]]
seeds = 2
[[look]]
seeds = 4
spend = "pocock"
"""


def of_seeds(*seeds: int) -> str:
    """The fixture's completions of these seeds only, in both arms."""
    head, *rows = completions().splitlines()
    return "\n".join([head, *(row for row in rows if int(row.split(",")[1]) in seeds)]) + "\n"


def test_an_interim_look_is_the_plan_and_not_a_study_with_missing_runs(study: StudyFixture) -> None:
    at_first_look(study, LOOKS)
    assert "4 are due at a later look" in study.run("verify")
    results = json.loads((study.paths.report / "results.json").read_text("utf-8"))
    first = planned_looks([2, 4], alpha=0.025, spending="pocock")[0].nominal_alpha
    assert results["hypotheses"][0]["alpha"] == pytest.approx(first)
    accounting = results["accounting"]
    assert (accounting["runs_planned"], accounting["runs_with_data"], accounting["runs_not_due"]) == (8, 4, 4)
    assert accounting["runs_missing"] == []


@pytest.mark.parametrize("seeds", [(0, 3), (0, 1, 2)])
def test_seeds_of_ones_own_choice_are_no_planned_look(study: StudyFixture, seeds: tuple[int, ...]) -> None:
    """Any two seeds are not the first two; three are no look at all, but four with one missing."""
    study.write_plan(PLAN + LOOKS)
    study.run("lock")
    study.run("import", str(study.bring_data(of_seeds(*seeds))))
    assert "planned runs of spread have no data" in study.run("analyze", ok=6)


def looks(*undecided: str) -> str:
    """Two looks, the second while these bands are all left."""
    when = f'{{ hypothesis = "H1", undecided = {list(undecided)} }}'
    return f'\n[[look]]\nseeds = 2\nspend = "pocock"\n[[look]]\nseeds = 4\nwhen = {when}\n'


GOES_ON = looks("negligible", "more")
ENDS = looks("fewer", "negligible")


@pytest.mark.parametrize(("low", "high", "goes_on"), [(-1.0, 1.0, True), (0.9, 1.0, False)])
def test_a_look_may_depend_on_where_the_estimate_lies(
    study: StudyFixture, low: float, high: float, *, goes_on: bool
) -> None:
    rule = f'when = {{ hypothesis = "H1", estimate = [{low}, {high}] }}'
    at_first_look(study, f'\n[[look]]\nseeds = 2\nspend = "pocock"\n[[look]]\nseeds = 4\n{rule}\n')
    found = results(study.paths)
    estimate = found["hypotheses"][0]["estimate"]
    assert (low <= estimate <= high) is goes_on
    assert found["accounting"]["look"]["goes_on"] is goes_on
    lock = read_lock(study.paths.locks / "lock-0001.json")
    due = {run.seed for run in due_now(read_ledger(study.paths.ledger), lock)}
    assert due == ({0, 1, 2, 3} if goes_on else {0, 1})
    page = (study.paths.report / "report.md").read_text("utf-8")
    assert ("the estimate of H1 lies in" if goes_on else "the estimate of H1 lies outside") in page


def results(paths: StudyPaths) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((paths.report / "results.json").read_bytes())
    return read


def analyzed(study: StudyFixture, plan: str, data: str) -> str:
    """Lock, bring all these data and look; what `analyze` said."""
    study.write_plan(PLAN + plan)
    study.run("lock")
    study.run("import", str(study.bring_data(data)))
    return study.run("analyze")


def at_first_look(study: StudyFixture, plan: str) -> str:
    """Bring the first two seeds and look; what `analyze` said."""
    return analyzed(study, plan, of_seeds(0, 1))


def test_every_stage_is_about_the_look_at_hand(study: StudyFixture) -> None:
    study.write_plan(PLAN + GOES_ON)
    study.run("lock")
    lock = read_lock(study.paths.locks / "lock-0001.json")
    assert {run.seed for run in due_now(read_ledger(study.paths.ledger), lock)} == {0, 1}
    study.run("import", str(study.bring_data(of_seeds(0, 1))))
    study.run("analyze")
    assert {run.seed for run in due_now(read_ledger(study.paths.ledger), lock)} == {0, 1, 2, 3}


@pytest.mark.parametrize("seeds", [(2, 3), (0, 1, 2, 3)], ids=["the new runs", "everything again"])
def test_a_plan_that_goes_on_takes_the_runs_that_are_new(study: StudyFixture, seeds: tuple[int, ...]) -> None:
    said = at_first_look(study, GOES_ON)
    assert "the plan goes on to 4 seeds" in said
    first = results(study.paths)["accounting"]["look"]
    assert first == {
        "place": 1, "seeds": 2, "goes_on": True, "at_will": False, "next_seeds": 4, "hypotheses": ["H1"],
        "undecided": ["negligible", "more"], "estimate_in": None,
    }  # fmt: skip
    assert "H1 still leaves negligible and more" in (study.paths.report / "report.md").read_text("utf-8")
    later = study.paths.root / "later.csv"
    later.write_text(of_seeds(*seeds), "utf-8")
    study.run("import", str(later))
    study.run("analyze")
    found = results(study.paths)
    assert (found["accounting"]["look"]["place"], found["accounting"]["look"]["goes_on"]) == (2, None)
    assert found["accounting"]["runs_with_data"] == 8
    files = [str(e.body["file"]) for e in read_ledger(study.paths.ledger) if e.name == "data.sealed"]
    assert files == ["runs.parquet", "items.parquet", "completions.parquet", "completions-2.parquet"]
    assert "every planned run has sealed data (8 runs)" in study.run("verify")
    at_once = StudyFixture(StudyPaths(root=study.paths.root / "other", name="spread"))
    analyzed(at_once, "", completions())
    assert [h["estimate"] for h in found["hypotheses"]] == [h["estimate"] for h in results(at_once.paths)["hypotheses"]]


def test_a_later_look_goes_on_from_a_clean_clone(study: StudyFixture) -> None:
    at_first_look(study, GOES_ON)
    shutil.rmtree(study.paths.runs)
    later = study.paths.root / "later.csv"
    later.write_text(of_seeds(2, 3), "utf-8")
    study.run("import", str(later))
    study.run("analyze")
    assert results(study.paths)["accounting"]["runs_with_data"] == 8
    study.run("verify")
    told_before_looks_were = [
        replace(e, body={key: said for key, said in e.body.items() if key != "look"})
        for e in read_ledger(study.paths.ledger)
    ]
    assert looks_passed_over(told_before_looks_were, read_lock(study.paths.locks / "lock-0001.json")) == []


def test_what_was_looked_at_cannot_grow(study: StudyFixture) -> None:
    at_first_look(study, GOES_ON)
    later = study.paths.root / "later.csv"
    later.write_text(of_seeds(2, 3) + "plain,0,q0,7,one answer more of a run already looked at\n", "utf-8")
    assert "would change after a look" in study.run("import", str(later), ok=2)
    later.write_text(of_seeds(2, 3) + "plain,2,q99,0,an item that nobody else was asked\n", "utf-8")
    assert "would change after a look" in study.run("import", str(later), ok=2)
    later.write_text(of_seeds(2, 3), "utf-8")
    study.run("import", str(later))


def test_a_rule_that_ends_the_study_is_kept(study: StudyFixture) -> None:
    said = at_first_look(study, ENDS)
    assert "the plan ends here" in said
    found = results(study.paths)
    assert (found["accounting"]["look"]["goes_on"], found["accounting"]["runs_not_due"]) == (False, 4)
    assert not any("later look" in reason for reason in found["answer"]["reasons"])
    report = (study.paths.report / "report.md").read_text("utf-8")
    assert "the plan ends here: H1 does not leave fewer and negligible" in report
    assert "for a look that the plan did not come to" in report
    at = standing(study.paths)
    assert (at.look, at.next_command) == ("1 of 2, at 2 seeds an arm; the plan ends here", "seedlock verify spread")
    assert "4 are for a look that was not called for" in study.run("verify")
    later = study.paths.root / "later.csv"
    later.write_text(completions(), "utf-8")
    assert "are sealed" in study.run("import", str(later), ok=5)


def test_data_that_came_after_the_end_are_found_by_the_reviewer(study: StudyFixture) -> None:
    at_first_look(study, ENDS)
    late = [run.run_id for run in read_lock(study.paths.locks / "lock-0001.json").runs if run.seed == 3]
    kept = next(e.body for e in read_ledger(study.paths.ledger) if e.name == "data.sealed" and "runs" in e.body)
    append_event(study.paths.ledger, "data.sealed", {**kept, "runs": dict.fromkeys(late, 16)})
    said = study.run("verify", ok=5)
    assert "nothing after the look that ended the study" in said


def test_a_look_that_was_to_decide_and_was_passed_over_is_a_departure(study: StudyFixture) -> None:
    analyzed(study, GOES_ON, completions())
    assert results(study.paths)["status"] == "deviated"
    (reason,) = results(study.paths)["status_reasons"]
    assert reason.startswith("the look at 2 seeds, which was to decide")
    assert "[deviated]" in study.run("verify")


def test_a_look_that_decides_nothing_may_be_passed_over(study: StudyFixture) -> None:
    analyzed(study, LOOKS, completions())
    assert results(study.paths)["status"] == "confirmatory"


def test_a_judge_that_learns_from_all_answers_speaks_again_at_the_next_look(tmp_path: Path) -> None:
    rows = spoken()
    plan = JUDGED + looks("negligible", "more").replace("seeds = 4", "seeds = 3")
    first = [row for row in rows if row["seed"] < 2]
    locked = judged_study(tmp_path / "s", judges=CLASSIFIER, plan=_judged(plan), rows=first)
    judge_study(locked)
    before = _told(require_lock(locked.paths))
    _go_on(locked.paths)
    later = tmp_path / "s" / "later.csv"
    later.write_text(as_csv([row for row in rows if row["seed"] == 2]), "utf-8")
    seedlock(tmp_path, "import", "spoken", str(later), "--root", str(tmp_path / "s"))
    judge_study(require_lock(locked.paths))
    whole = judged_study(tmp_path / "whole", judges=CLASSIFIER, plan=_judged(JUDGED), rows=rows)
    judge_study(whole)
    assert len(before) < len(_told(require_lock(locked.paths)))
    assert _told(require_lock(locked.paths)) == _told(require_lock(whole.paths))
    seedlock(tmp_path, "analyze", "spoken", "--root", str(tmp_path / "s"))
    seedlock(tmp_path, "verify", "spoken", "--root", str(tmp_path / "s"))
    assert (locked.paths.report / "data" / "judgements-told.parquet").is_file()
    assert {row["judge"] for row in _rows(locked.paths, "judgements")} == {"told"}


def test_models_are_looked_into_again_when_the_plan_goes_on(tmp_path: Path) -> None:
    torch.use_deterministic_algorithms(True)
    plan = INSIDE + "\n[[look]]\nseeds = 3\n[[look]]\nseeds = 5\n"
    study = planted_study(tmp_path / "looks", plan=plan).locked
    first = look_inside(study)
    _go_on(study.paths)
    second = look_inside(require_lock(study.paths))
    assert (second.already, second.planned > first.planned) == (first.planned, True)
    whole = planted_study(tmp_path / "whole").locked
    look_inside(whole)
    assert _readings(study.paths) == _readings(whole.paths)
    events = len(read_ledger(study.paths.ledger))
    again = look_inside(require_lock(study.paths))
    assert (again.read, again.sealed, len(read_ledger(study.paths.ledger))) == (0, second.sealed, events)


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_one_command_plays_the_rule_from_plan_to_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "_to_its_end", in_this_process)
    root = tmp_path / "mine"
    create_repository(root, "trained")
    plan = root / "prereg" / "studies" / "example" / "plan.toml"
    rule = looks("negligible", "more").replace('"H1"', '"spread"')
    text = plan.read_text("utf-8").replace("[design]\n", f"{rule}\n[design]\n", 1)
    plan.write_text(re.sub(r"^bayes +=.*\n", "", text, flags=re.MULTILINE), "utf-8")
    paths = StudyPaths(root=root, name="example")
    said = StudyFixture(paths).run("run", "--lock")
    stages = [line.split()[2] for line in said.splitlines() if line.startswith("== seedlock")]
    round = ["train", "generate", "analyze"]
    assert stages == ["check", "corpus", "lock", *round, *round, "verify"]
    trained = [e.n for e in read_ledger(paths.ledger) if e.name == "run.finished"]
    looked = [e.n for e in read_ledger(paths.ledger) if e.name == "look.opened"]
    assert [sum(n < look for n in trained) for look in looked] == [5, 9]
    assert results(paths)["accounting"]["look"]["place"] == 2


def in_this_process(command: list[str]) -> int:
    """Carry out a stage without the start of another Python."""
    return CliRunner().invoke(app, command[command.index("seedlock") + 1 :]).exit_code


def _go_on(paths: StudyPaths) -> None:
    """Enter what a report at the first look enters when the rule goes on."""
    seeds = require_lock(paths).plan.look[0].seeds
    lock_id = require_lock(paths).lock_id
    append_event(paths.ledger, "look.opened", {"lock_id": lock_id, "data": []})
    told = {"manifest_sha256": "0" * 64, "results_sha256": "0" * 64, "look": {"seeds": seeds, "goes_on": True}}
    append_event(paths.ledger, "report.built", {"lock_id": lock_id, **told})


def _judged(plan: str) -> str:
    return plan[: plan.index("[measures.era]")] + plan[plan.index("[[hypothesis]]") :].replace('"era"', '"told"')


def _rows(paths: StudyPaths, table: str) -> list[dict[str, Any]]:
    sealed = [one for one in require_seals(require_lock(paths)) if one.table == table]
    assert len(sealed) == 1
    return [row for batch in unseal(sealed[0].path) for row in batch.to_pylist()]


def _told(locked: Any) -> set[tuple[Any, ...]]:
    return {(row["request_id"], row["label"], row["status"]) for row in _rows(locked.paths, "judgements")}


def _readings(paths: StudyPaths) -> list[tuple[Any, ...]]:
    """Readings without their run's name, which the plan's bytes go into."""
    named = {run.run_id: (run.arm, run.seed) for run in require_lock(paths).lock.runs}
    keys = ("reading", "condition", "item_id", "value", "status")
    return sorted((str(named[row["run_id"]]), *(str(row[key]) for key in keys)) for row in _rows(paths, "readings"))
