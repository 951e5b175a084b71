"""`seedlock estimate --measure`: real steps and answers, timed on this machine and remembered outside git."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from seedlock.generation.cost.generate import generation_lines
from seedlock.prereg.base.machine import cores
from seedlock.prereg.cost.amounts import Line, amount_of
from seedlock.prereg.cost.estimate import Known, estimate
from seedlock.prereg.cost.speeds import Speed, Timed, keep_speeds, read_speeds
from seedlock.prereg.plan.read import parse_plan, read_plan
from seedlock.training.cost.estimate import training_lines
from tests.conftest import StudyFixture
from tests.test_estimate import PLAN, lay_out
from tests.training_builders import TrainingStudy


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> tuple[TrainingStudy, str]:
    """A study whose estimate was measured, and what the command said."""
    study = lay_out(tmp_path_factory.mktemp("timed"))
    return study, StudyFixture(study.paths).run("estimate", "--measure")


def reckoned(study: TrainingStudy, timed: dict[str, Timed], plan_text: str | None = None) -> tuple[Line, ...]:
    plan = read_plan(study.paths.plan) if plan_text is None else parse_plan(plan_text.encode(), study.paths.plan)
    lines = [*training_lines(study.paths, plan), *generation_lines(study.paths, plan)]
    return estimate(study.paths.name, plan, lines, Known(shapes={}, measured={}, timed=timed)).lines


def test_what_was_timed_is_remembered_and_said(measured: tuple[TrainingStudy, str]) -> None:
    study, said = measured
    today = datetime.now(UTC).date().isoformat()
    assert f"timed here on {today}" in said
    assert "cores at once" in said or cores() == 1
    again = StudyFixture(study.paths).run("estimate")
    assert f"timed here on {today}" in again
    timed = read_speeds(study.paths, read_plan(study.paths.plan))
    assert set(timed["tiny"].speeds) == {"training", "answers", "reading"}
    assert not list(study.paths.runs.glob("stages/*"))


def test_seconds_are_tokens_over_speed_and_the_beginnings(measured: tuple[TrainingStudy, str]) -> None:
    study, _ = measured
    speeds = {
        "training": Speed(per_second=50.0, begin_s=2.0),
        "answers": Speed(per_second=20.0, begin_s=3.0),
        "reading": Speed(per_second=100.0, begin_s=3.0, share=0.4),
    }
    revision = read_plan(study.paths.plan).models["tiny"].revision
    timed = Timed(revision=revision, day=date(2026, 1, 2), device="cpu", cores=2, speeds=speeds)
    lines = reckoned(study, {"tiny": timed})

    def amount(part: str, what: str) -> float:
        found = amount_of(lines, part, what, "tiny")  # type: ignore[arg-type]
        assert found is not None
        assert found.value is not None
        return found.value

    trained = amount("train", "tokens") / 50 + 2 * amount("train", "stages")
    asked = amount("generate", "new tokens") / 20 + amount("generate", "prompt tokens") / 100
    asked += 3 * amount("generate", "runs")
    assert amount("time", "training") == pytest.approx(trained)
    assert amount("time", "generation") == pytest.approx(asked)
    (both,) = (line for line in lines if line.what == "2 cores at once")
    assert both.amount.value == pytest.approx((trained + asked) / 2)
    (note,) = (line.amount.note for line in lines if line.part == "time" and line.what == "generation")
    assert "2026-01-02" in note
    assert "40% of a core" in note


def test_a_stated_speed_counts_before_one_timed_here(measured: tuple[TrainingStudy, str]) -> None:
    study, _ = measured
    revision = read_plan(study.paths.plan).models["tiny"].revision
    speeds = {"training": Speed(per_second=50.0, begin_s=2.0)}
    timed = Timed(revision=revision, day=date(2026, 1, 2), device="cpu", speeds=speeds)
    text = study.paths.plan.read_text() + '\n[rates]\nsource = "a rented GPU"\ntraining_tokens_per_second = 2000.0\n'
    lines = reckoned(study, {"tiny": timed}, text)
    tokens, spent = (amount_of(lines, *of, "tiny") for of in (("train", "tokens"), ("time", "training")))
    assert tokens is not None
    assert spent is not None
    assert spent.value == pytest.approx((tokens.value or 0) / 2000)
    assert not any("at once" in line.what for line in lines)


def test_speeds_of_other_weights_or_of_a_broken_file_count_for_nothing(tmp_path: Path) -> None:
    study = lay_out(tmp_path)
    plan = read_plan(study.paths.plan)
    keep_speeds(study.paths, {"tiny": Timed(revision="sha256:0", day=date(2026, 1, 2), device="cpu")})
    assert read_speeds(study.paths, plan) == {}
    (study.paths.runs / "speeds.json").write_text(json.dumps({"models": {"tiny": {"day": "today"}}}))
    assert read_speeds(study.paths, plan) == {}


def test_there_is_nothing_to_time_where_no_model_lies_here(tmp_path: Path) -> None:
    study = lay_out(tmp_path, PLAN.replace("models/tiny", "models/elsewhere"))
    said = StudyFixture(study.paths).run("estimate", "--measure", ok=2)
    assert "nothing to time" in said
    assert "seedlock estimate tiny" in said
