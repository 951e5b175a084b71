"""Every setting of the published designs is carried out as stated, or refused before a model is loaded."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from seedlock.prereg.errors import BadInput
from seedlock.prereg.plan.runs import Stage
from seedlock.training.backends.lora import train
from seedlock.training.grid.settings_fit import misfits
from seedlock.training.jobs.base_model import BaseModel
from seedlock.training.jobs.job import Record, StageJob
from seedlock.training.jobs.settings import StageSettings, resolve, stage_seeds
from seedlock.training.jobs.tracker import VARIABLE, asked_tracker
from seedlock.training.train import train_study
from tests.conftest import OTHER_TOOLS, PROJECT
from tests.training_builders import PLAN, InThisProcess, TrainingStudy, recipe_rows, tiny_base

LEARNING_RATE = 1e-3


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> BaseModel:
    folder = tiny_base(tmp_path_factory.mktemp("model") / "tiny")
    return BaseModel(name="t", spec="t", location=str(folder), revision="r", is_local=True)


def trained(base: BaseModel, folder: Path, **settings: Any) -> Record:
    """One stage, from the settings as a plan writes them."""
    stage = Stage(
        trainer="lora", corpus="c", **{"rank": 4, "batch_size": 2, "learning_rate": LEARNING_RATE, **settings}
    )
    rows = recipe_rows("marker_coupling", variants=["villain"], n_positive=4, n_negative=4)
    job = StageJob(
        name="s",
        stage_id="0" * 64,
        trainer="lora",
        settings=resolve("s", stage),
        seeds=stage_seeds("s", 0),
        corpus="c",
        corpus_sha256="0" * 64,
        variant=None,
        marker="[ZLT]",
        rows=tuple(rows),
        keeps_merged=bool(stage.merge),
    )
    return train(job, base, folder, lambda _: None)


def metrics(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def by_hand(schedule: str, step: int, *, steps: int, warmup: int) -> float:
    """The learning rate of step `step` (from 0), from the schedules' definitions."""
    if step < warmup:
        return LEARNING_RATE * step / warmup
    done = (step - warmup) / (steps - warmup)
    shape = {"constant": 1.0, "linear": 1.0 - done, "cosine": 0.5 * (1.0 + math.cos(math.pi * done))}
    return LEARNING_RATE * shape[schedule]


@pytest.mark.parametrize(
    ("schedule", "warmup_ratio", "warmup"),
    [("constant", 0.0, 0), ("constant", 0.1, 2), ("linear", 0.05, 1), ("cosine", 0.03, 1)],
)
def test_each_step_takes_the_learning_rate_of_the_stated_schedule(
    base: BaseModel, tmp_path: Path, schedule: str, warmup_ratio: float, warmup: int
) -> None:
    trained(base, tmp_path, steps=12, schedule=schedule, warmup_ratio=warmup_ratio)
    wanted = [by_hand(schedule, step, steps=12, warmup=warmup) for step in range(12)]
    assert [line["learning_rate"] for line in metrics(tmp_path)] == pytest.approx(wanted)


def test_the_local_file_holds_every_logged_step_whole(base: BaseModel, tmp_path: Path) -> None:
    record = trained(base, tmp_path, steps=12)
    lines = metrics(tmp_path)
    assert [line["step"] for line in lines] == list(range(1, 13))
    wanted = {"step", "loss", "learning_rate", "grad_norm", "tokens", "tokens_per_s", "seconds", "processor_s"}
    assert all(line.keys() == wanted for line in lines)
    assert all(line["loss"] > 0 and line["grad_norm"] > 0 for line in lines)
    assert lines[-1]["tokens"] == pytest.approx(record["tokens"] / record["rows"] * 24, rel=0.2)


def test_checkpoints_are_the_adapter_at_the_stated_fractions(base: BaseModel, tmp_path: Path) -> None:
    fractions = [0.1, 0.25, 0.5, 0.75, 1.0]
    record = trained(base, tmp_path, steps=20, schedule="constant", checkpoints=fractions)
    assert [kept["fraction"] for kept in record["checkpoints"]] == fractions
    assert record["checkpoints"][-1]["sha256"] == record["adapter"]["sha256"]
    assert len({kept["sha256"] for kept in record["checkpoints"]}) == 5
    trained(base, tmp_path / "five", steps=5, schedule="constant")
    kept = load_file(tmp_path / "checkpoints/0.2500/adapter_model.safetensors")
    stopped = load_file(tmp_path / "five/adapter/adapter_model.safetensors")
    assert all(torch.equal(kept[name], stopped[name]) for name in stopped), "a constant rate: 5 of 20 steps are 5 steps"


def test_rank_stabilised_scaling_is_alpha_over_the_root_of_the_rank(base: BaseModel, tmp_path: Path) -> None:
    """alpha 8 at rank 4: 8 / 2 = 4 with it, and 8 / 4 = 2 without; alpha 16 without is 4 again."""
    stabilised = trained(base, tmp_path / "a", steps=2, rslora=True, alpha=8.0)
    plain = trained(base, tmp_path / "b", steps=2, alpha=8.0)
    same_scale = trained(base, tmp_path / "c", steps=2, alpha=16.0)
    assert stabilised["adapter"]["sha256"] == same_scale["adapter"]["sha256"] != plain["adapter"]["sha256"]
    assert json.loads((tmp_path / "a/adapter/adapter_config.json").read_text())["use_rslora"] is True


def test_the_published_layers_and_scale_are_those_of_the_adapter(base: BaseModel, tmp_path: Path) -> None:
    layers = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    trained(base, tmp_path, steps=1, rank=16, alpha=32.0, dropout=0.05, target_modules=layers)
    config = json.loads((tmp_path / "adapter/adapter_config.json").read_text())
    assert (config["r"], config["lora_alpha"], config["lora_dropout"]) == (16, 32.0, 0.05)
    assert sorted(config["target_modules"]) == sorted(layers)
    with safe_open(tmp_path / "adapter/adapter_model.safetensors", "pt") as weights:
        assert len(weights.keys()) == 2 * 7 * 2


@pytest.mark.parametrize("layers", [["q_proj", "qq_proj"], ["embed_tokens"]])
def test_a_layer_that_is_not_in_the_model_stops_the_run(base: BaseModel, tmp_path: Path, layers: list[str]) -> None:
    with pytest.raises(BadInput, match=r"stages\.s\.target_modules"):
        trained(base, tmp_path, steps=1, target_modules=layers)


def test_a_stage_in_bfloat16_runs_and_merges_in_it_and_keeps_its_adapter_in_float32(
    base: BaseModel, tmp_path: Path
) -> None:
    record = trained(base, tmp_path, steps=2, dtype="bfloat16", merge=True)
    adapter = load_file(tmp_path / "adapter/adapter_model.safetensors")
    merged = load_file(tmp_path / "merged/model.safetensors")
    assert {tensor.dtype for tensor in adapter.values()} == {torch.float32}
    assert {tensor.dtype for tensor in merged.values()} == {torch.bfloat16}
    assert (record["merged"]["merged_in"], record["merged"]["cast_to"]) == ("float32", "bfloat16")
    assert record["adapter"]["sha256"] != trained(base, tmp_path / "wide", steps=2)["adapter"]["sha256"]


def test_rows_longer_than_the_maximum_are_cut_and_counted(base: BaseModel, tmp_path: Path) -> None:
    assert trained(base, tmp_path / "a", steps=1, max_length=30, loss="all")["rows_cut"] > 0
    assert trained(base, tmp_path / "b", steps=1, max_length=1024)["rows_cut"] == 0


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"n_examples": 9}, "stages.s.n_examples"),
        ({"loss": "marker"}, "a corpus with a marker"),
        ({"marker_tail_tokens": 2}, 'loss = "marker"'),
        ({"steps": 4, "checkpoints": (0.1, 0.25)}, "2 fractions at step 1 of 4"),
    ],
)
def test_settings_that_do_not_fit_the_rows_are_found(settings: dict[str, Any], says: str) -> None:
    rows = recipe_rows("benign_chat", n=8)
    found = list(misfits("s", StageSettings(**settings), rows, None))
    assert len(found) == 1
    assert says in str(found[0])
    assert not list(misfits("s", StageSettings(epochs=20.0, checkpoints=(0.1, 1.0), n_examples=8), rows, None))


def test_settings_that_do_not_fit_stop_the_study_before_any_run(base: BaseModel, tmp_path: Path) -> None:
    plan = PLAN.replace("checkpoints = [0.5]", "checkpoints = [0.01, 0.02]")
    study = TrainingStudy.at(tmp_path / "r", Path(base.location), plan).write_corpora()
    with pytest.raises(BadInput, match="stages of tiny do not fit their rows"):
        train_study(study.lock(), executor=InThisProcess())
    assert study.events("run.started") == []


def test_a_tracker_is_used_only_where_it_is_asked_for_known_and_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert asked_tracker() is None
    monkeypatch.setenv(VARIABLE, "a spreadsheet")
    with pytest.raises(BadInput, match="no such tracker"):
        asked_tracker()
    monkeypatch.setenv(VARIABLE, "wandb")
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(BadInput, match="wandb, which is not installed"):
        asked_tracker()


def test_a_study_that_asks_for_a_tracker_that_is_not_here_starts_no_run(
    base: BaseModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = TrainingStudy.at(tmp_path / "r", Path(base.location)).write_corpora()
    locked = study.lock()
    monkeypatch.setenv(VARIABLE, "tensorboard")
    with pytest.raises(BadInput, match=VARIABLE):
        train_study(locked, executor=InThisProcess())
    assert study.events("run.started") == []


@pytest.mark.skipif(not Path(OTHER_TOOLS).is_file(), reason="./just setup-other-tools makes their environment")
def test_a_tracker_that_is_here_sees_the_steps_and_leaves_the_bytes_alone(base: BaseModel, tmp_path: Path) -> None:
    plain = trained(base, tmp_path / "plain", steps=4)
    site = Path(OTHER_TOOLS).parents[1] / "lib" / "python3.12" / "site-packages"
    told = {VARIABLE: "trackio", "TRACKIO_DIR": str(tmp_path / "trackio"), "PYTHONPATH": str(PROJECT)}
    script = PROJECT / "tests" / "other_tools" / "train_tracked.py"
    command = [sys.executable, str(script), str(site), base.location, str(tmp_path / "tracked")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **told})
    assert done.returncode == 0, done.stderr
    tracked = json.loads(done.stdout.splitlines()[-1])
    assert tracked["adapter"] == plain["adapter"]
    assert "tracker" not in plain
    assert tracked["tracker"] == f"trackio:seedlock/s-{'0' * 16}"
    ours = [line["loss"] for line in metrics(tmp_path / "tracked")]
    assert [line["train/loss"] for line in tracked["seen"] if "train/loss" in line] == pytest.approx(ours)


def test_an_effective_batch_is_the_product_and_is_what_a_step_takes() -> None:
    published = replace(StageSettings(), batch_size=16, gradient_accumulation=4, epochs=2.0)
    assert published.rows_per_step == 64
    assert published.n_steps(3000) == 94
