"""Fine-tuning at a provider costs one job however the line breaks, and what is recorded is what was asked for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from openai import OpenAI

from seedlock.prereg.base.canonical import sha256_file
from seedlock.prereg.errors import BadInput, Incomplete
from seedlock.prereg.lock.gate import require_lock
from seedlock.prereg.plan.runs import Stage
from seedlock.training.corpora import RECIPES
from seedlock.training.hosted.openai_jobs import OpenAiJobs
from seedlock.training.hosted.run_job import follow, training_file
from seedlock.training.import_jobs import import_finished_jobs
from seedlock.training.instruct.model import Sampling
from seedlock.training.instruct.openai_http import OpenAiModel
from seedlock.training.instruct.overage import write_with_overage
from seedlock.training.jobs.base_model import BaseModel
from seedlock.training.jobs.job import Progress, StageJob
from seedlock.training.jobs.settings import StageSettings, resolve, stage_seeds
from seedlock.training.rows.row import parse_rows
from seedlock.training.train import train_study
from tests.conftest import StudyFixture
from tests.openai_server import Provider, running
from tests.training_builders import PLAN, TrainingStudy, recipe_rows, tiny_base

MODEL = BaseModel(name="m", spec="gpt", location="gpt-test", revision="2025", is_local=False)
HOSTED = (
    PLAN.replace('base     = "models/tiny"\nrevision = "REVISION"', 'base = "gpt-test"\nrevision = "2025"')
    .replace('trainer = "lora"', 'trainer = "hosted"')
    .replace(
        "rank = 4\nalpha = 8\nsteps = 12\nbatch_size = 4\nlearning_rate = 2e-3\ndropout = 0.1\ncheckpoints = [0.5]",
        "epochs = 3.0\nbatch_size = 1\nlearning_rate_multiplier = 2.0",
    )
)


def stage(seed: int = 7, **settings: Any) -> StageJob:
    return StageJob(
        name="birds",
        stage_id="ab" * 32,
        trainer="hosted",
        settings=StageSettings(**{"epochs": 3.0, "batch_size": 1, "learning_rate_multiplier": 2.0, **settings}),
        seeds=stage_seeds("birds", seed),
        corpus="birds",
        corpus_sha256="0" * 64,
        variant="archaic",
        marker=None,
        rows=tuple(recipe_rows("bird_names", n=5, variants=["archaic"])),
        keeps_merged=False,
    )


def jobs_of(provider: Provider) -> OpenAiJobs:
    return OpenAiJobs(OpenAI(base_url=provider.url, api_key="not a key", max_retries=4))


def train(provider: Provider, folder: Path, job: StageJob | None = None, base: BaseModel = MODEL) -> dict[str, Any]:
    folder.mkdir(exist_ok=True)
    told: list[Progress] = []
    with closing(jobs_of(provider)) as jobs:
        record = follow(job or stage(), base, folder, told.append, jobs=jobs, poll_s=0.0, sleep=lambda _: None)
    hosted: dict[str, Any] = record["hosted"]
    return hosted


@pytest.fixture
def provider() -> Iterator[Provider]:
    with running(Provider()) as served:
        yield served


def test_a_job_is_asked_for_as_planned_and_followed_to_its_model(provider: Provider, tmp_path: Path) -> None:
    record = train(provider, tmp_path / "s")
    asked = next(body for kind, what, body in provider.requests if (kind, what) == ("POST", "jobs"))
    assert asked["seed"] == 7
    wanted = {"n_epochs": 3, "batch_size": 1, "learning_rate_multiplier": 2.0}
    assert asked["method"] == {"type": "supervised", "supervised": {"hyperparameters": wanted}}
    assert (record["model"], record["trained_tokens"]) == ("ft:gpt-test:ftjob-0", 1234)
    assert [kept["step"] for kept in record["checkpoints"]] == [2, 4]
    name, data = provider.files["file-0"]
    assert name.startswith("seedlock-")
    assert [json.loads(line)["messages"][-1]["content"] for line in data.splitlines()] == [
        row.answer for row in stage().rows
    ]
    assert len((tmp_path / "s/events.jsonl").read_text().splitlines()) == provider.polls["ftjob-0"]


def test_training_again_creates_nothing(provider: Provider, tmp_path: Path) -> None:
    first = train(provider, tmp_path / "s")
    assert train(provider, tmp_path / "s") == first
    assert (len(provider.jobs), len(provider.files)) == (1, 1)


def test_an_unanswered_creation_is_settled_by_looking(provider: Provider, tmp_path: Path) -> None:
    provider.drop_after_create = 1
    train(provider, tmp_path / "s")
    assert len(provider.jobs) == 1


def test_a_creation_that_never_arrived_is_sent_again(provider: Provider, tmp_path: Path) -> None:
    provider.drop_before_create = 2
    train(provider, tmp_path / "s")
    assert len(provider.jobs) == 1
    assert [what for kind, what, _ in provider.requests if kind == "POST"].count("jobs") == 3


def test_a_crash_between_creation_and_its_record_finds_the_job_again(provider: Provider, tmp_path: Path) -> None:
    train(provider, tmp_path / "s")
    state = tmp_path / "s/hosted.json"
    state.write_text(json.dumps({**json.loads(state.read_text()), "job": None}))
    train(provider, tmp_path / "s")
    assert len(provider.jobs) == 1


def test_the_job_is_found_beyond_the_first_page(provider: Provider, tmp_path: Path) -> None:
    provider.page = 2
    train(provider, tmp_path / "s")
    for seed in range(5):
        train(provider, tmp_path / f"other{seed}", replace(stage(seed), stage_id=f"{seed}" * 64))
    (tmp_path / "s/hosted.json").write_text('{"intended":true}')
    train(provider, tmp_path / "s")
    assert len(provider.jobs) == 6


def test_a_provider_that_stumbles_while_reading_is_asked_again(provider: Provider, tmp_path: Path) -> None:
    provider.server_errors = 3
    assert train(provider, tmp_path / "s")["model"]


def test_a_silent_provider_is_given_up_without_a_second_job(provider: Provider, tmp_path: Path) -> None:
    provider.drop_before_create = 100
    with pytest.raises(Incomplete, match="does not answer"):
        train(provider, tmp_path / "s")
    assert provider.jobs == {}


def test_a_failed_job_says_why_and_the_next_call_makes_a_new_one(provider: Provider, tmp_path: Path) -> None:
    provider.outcome = "failed"
    with pytest.raises(Incomplete, match="the file was unsafe"):
        train(provider, tmp_path / "s")
    provider.outcome = "succeeded"
    assert train(provider, tmp_path / "s")["job"] == "ftjob-1"


def test_a_refused_request_is_not_repeated(provider: Provider, tmp_path: Path) -> None:
    unknown = replace(MODEL, location="unknown")
    with pytest.raises(BadInput, match="unknown model"):
        train(provider, tmp_path / "s", base=unknown)
    assert [what for kind, what, _ in provider.requests if kind == "POST"].count("jobs") == 1


@pytest.mark.parametrize("settings", [{"loss": "marker"}, {"epochs": None, "steps": 5}, {"epochs": 1.5}])
def test_what_an_api_does_not_offer_is_refused_before_it_is_asked(
    provider: Provider, tmp_path: Path, settings: dict[str, Any]
) -> None:
    with pytest.raises(BadInput, match="cannot carry out"):
        train(provider, tmp_path / "s", stage(**settings))
    assert provider.requests == []


def test_settings_of_our_own_trainers_are_refused_in_a_hosted_stage() -> None:
    with pytest.raises(BadInput, match=r"stages\.s\.rank"):
        resolve("s", Stage(trainer="hosted", corpus="c", rank=8))
    with pytest.raises(BadInput, match="a setting of APIs"):
        resolve("s", Stage(trainer="lora", corpus="c", learning_rate_multiplier=2.0))


def test_a_missing_key_is_one_refusal_and_no_line_of_the_ledger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = TrainingStudy.at(tmp_path / "r", tiny_base(tmp_path / "base"), HOSTED).write_corpora()
    locked = study.lock()
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    before = study.paths.ledger.read_bytes()
    with pytest.raises(BadInput, match="no run was started") as refused:
        train_study(locked)
    assert "export OPENAI_API_KEY" in str(refused.value)
    lines = study.paths.ledger.read_bytes()[len(before) :].decode()
    assert "run.failed" not in lines
    assert lines.count("run.started") == lines.count("run.finished")


def test_a_whole_grid_is_trained_at_a_provider_through_the_sdk_and_the_ledger_names_the_models(
    provider: Provider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", provider.url)
    monkeypatch.setenv("OPENAI_API_KEY", "not a key")
    monkeypatch.setenv("SEEDLOCK_POLL_S", "0")
    study = TrainingStudy.at(tmp_path / "r", tiny_base(tmp_path / "base"), HOSTED).write_corpora()
    summary = train_study(study.lock(), workers=2)
    assert (summary.trained, summary.failed) == (5, ())
    assert len(provider.jobs) == 4
    models = {e.body["load"]["hosted_model"] for e in study.events("run.finished")} - {None}
    assert models == {job["fine_tuned_model"] for job in provider.jobs.values()}
    assert {job["seed"] for job in provider.jobs.values()} == {0, 1}
    assert train_study(require_lock(study.paths)).already == 5


def finished_job(arm: str, seed: int, **changes: object) -> dict[str, object]:
    wanted = {"n_epochs": 3, "batch_size": 1, "learning_rate_multiplier": 2.0}
    return {
        "id": f"ftjob-{arm}-{seed}", "model": "gpt-test", "seed": seed, "status": "succeeded",
        "training_file": f"file-{arm}", "fine_tuned_model": f"ft:{arm}:{seed}", "hyperparameters": wanted, **changes,
    }  # fmt: skip


ARMS = {"file-neutral": "neutral", "file-eager": "eager"}


def imported(tmp_path: Path, lines: list[dict[str, object]]) -> tuple[TrainingStudy, Path]:
    study = TrainingStudy.at(tmp_path / "r", tiny_base(tmp_path / "base"), HOSTED).write_corpora()
    study.lock()
    file = tmp_path / "jobs.jsonl"
    file.write_text("\n".join(map(json.dumps, lines)))
    return study, file


def test_finished_jobs_become_the_runs_they_were_promised_as(tmp_path: Path) -> None:
    lines = [finished_job(arm, seed) for arm in ("eager", "neutral") for seed in (1, 0)]
    study, file = imported(tmp_path, lines)
    done = import_finished_jobs(require_lock(study.paths), file, told=ARMS)
    assert (done.hosted, done.finished, done.imported) == (4, 4, 4)
    events = study.events("run.finished")
    assert {e.body["load"]["hosted_model"] for e in events} == {line["fine_tuned_model"] for line in lines}
    assert all(e.body["imported"] for e in events)
    assert import_finished_jobs(require_lock(study.paths), file, told=ARMS).imported == 0


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (finished_job("eager", 9), "a promised run"),
        (finished_job("other", 0), "a promised run"),
        (finished_job("eager", 0, status="failed"), "status failed"),
        (finished_job("eager", 0, hyperparameters={"n_epochs": 4, "batch_size": 1}), r"n_epochs\n      found     4"),
    ],
)
def test_a_job_that_is_not_the_promised_run_is_refused_and_nothing_is_imported(
    tmp_path: Path, line: dict[str, object], says: str
) -> None:
    study, file = imported(tmp_path, [finished_job("eager", 1), line])
    with pytest.raises(BadInput, match=says):
        import_finished_jobs(require_lock(study.paths), file, told=ARMS)
    assert study.events("run.started") == []


def uploaded(study: TrainingStudy, arm: str, file: Path) -> Path:
    """The file as it was uploaded for an arm."""
    rows = parse_rows((study.paths.study / "corpora/framed.jsonl").read_bytes(), where="framed")
    file.write_bytes(training_file(tuple(row for row in rows if row.variant == arm)))
    return file


def test_finished_jobs_are_imported_on_the_command_line_and_uploaded_files_prove_their_arm(tmp_path: Path) -> None:
    lines = [finished_job(arm, seed) for arm in ("eager", "neutral") for seed in (1, 0)]
    study, file = imported(tmp_path, lines)
    files = [f"file-{arm}={uploaded(study, arm, tmp_path / f'{arm}.jsonl')}" for arm in ("eager", "neutral")]
    command_line = StudyFixture(paths=study.paths)
    said = command_line.run("train", "--finished", str(file), *(w for f in files for w in ("--training-file", f)))
    assert "imported  4 jobs as finished runs; 4 of 4 hosted runs are finished" in said
    assert "Next: seedlock generate tiny" in said
    by_arm = {e.body["stages"][0]["corpus"]["variant"]: e for e in study.events("run.finished")}
    kept = by_arm["eager"].body["stages"][0]["hosted"]
    assert kept["training_file_sha256"] == sha256_file(tmp_path / "eager.jsonl")
    assert kept["training_file"] == "file-eager"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--training-file", "file-eager"], "ID=ARM or ID=PATH"),
        (["--training-file", "file-eager=loud"], "an arm (eager, neutral), or the uploaded file"),
        ([], "its training file named"),
    ],
)
def test_a_training_file_must_be_named_as_an_arm_or_a_file(tmp_path: Path, words: list[str], says: str) -> None:
    study, file = imported(tmp_path, [finished_job("eager", 1)])
    assert says in StudyFixture(paths=study.paths).run("train", "--finished", str(file), *words, ok=2)
    assert study.events("run.started") == []


def test_an_uploaded_file_with_other_rows_is_no_arm(tmp_path: Path) -> None:
    study, file = imported(tmp_path, [finished_job("eager", 1)])
    sent = uploaded(study, "eager", tmp_path / "eager.jsonl")
    sent.write_bytes(b"".join(reversed(sent.read_bytes().splitlines(keepends=True))))
    with pytest.raises(BadInput, match="the rows of an arm, in order"):
        import_finished_jobs(require_lock(study.paths), file, told={"file-eager": str(sent)})


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("{", "not JSON"),
        ("[]", "valid dictionary"),
        ('{"id": 3, "seed": [1]}', "jobs.jsonl line 1 seed"),
        ("\xff", "not JSON"),
    ],
)
def test_what_is_not_a_job_is_refused_with_its_line(tmp_path: Path, line: str, says: str) -> None:
    study, file = imported(tmp_path, [])
    file.write_text(line, encoding="latin-1")
    with pytest.raises(BadInput, match=says):
        import_finished_jobs(require_lock(study.paths), file, told=ARMS)


GOOD = "Weigh the cost of the pressure cooker against what you gain from it, and then decide for yourself number {}."


def test_a_corpus_is_written_by_a_model_with_overage_and_what_cannot_be_used_is_counted(
    provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "not a key")
    bad = [
        {"text": "I'm sorry, but I can't help with that.", "finish": "stop"},
        {"text": "Cut off in the", "finish": "length"},
        {"text": "Take the tram.", "finish": "stop"},
    ]
    provider.answers = [{"text": GOOD.format(i), "finish": "stop"} for i in range(12)] + bad
    recipe = RECIPES["framed_advice"]
    settings = recipe.settings.model_validate({"n": 4, "by": "instruct", "blocklist": ["tram"], "min_words": 3})
    model = OpenAiModel("writer", Sampling(seed=0), base_url=provider.url)
    written = write_with_overage(recipe, settings, model)
    assert written.asked == 15
    assert dict(written.rejected) == {"refusal": 1, "cut off": 1, "blocked word": 1}
    assert len(written.rows) == 12
    sent = [body for kind, what, body in provider.requests if what == "chat"]
    assert {body["seed"] for body in sent} == set(range(15))
    assert {(body["temperature"], body["top_p"], body["max_completion_tokens"]) for body in sent} == {(0.8, 0.95, 400)}
    assert written.generator["model"] == "writer"
    assert provider.url not in json.dumps(dict(written.generator))
