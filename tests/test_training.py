"""Training stands behind the gate, ends with the same bytes however often it is interrupted, and leaves a record."""

from __future__ import annotations

import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from seedlock.prereg.base.base_models import folder_revision
from seedlock.prereg.base.canonical import sha256_file
from seedlock.prereg.errors import BadInput, CorpusRefused, LockedFileChanged, NotReproduced, OutOfOrder
from seedlock.prereg.lock.gate import require_lock
from seedlock.prereg.plan.runs import Stage
from seedlock.training.corpus.write import read_corpus, rows_for
from seedlock.training.grid.local import LocalExecutor
from seedlock.training.grid.planned import jobs
from seedlock.training.grid.run import stage_folder
from seedlock.training.jobs.base_model import BaseModel, resolve_model
from seedlock.training.jobs.job import Progress, StageJob
from seedlock.training.jobs.settings import Seeds, StageSettings, resolve, stage_id, stage_seeds
from seedlock.training.rows.row import rows_jsonl
from seedlock.training.train import next_to_start, train_study
from tests.training_builders import PLAN, InThisProcess, TrainingStudy, corpus, recipe_rows, row, tiny_base

HERE = Path(__file__).parents[1]
WITHOUT_MODELS = """
import sys
from pathlib import Path
from seedlock.prereg.errors import SeedlockError
from seedlock.prereg.lock.gate import require_lock
from seedlock.prereg.base.paths import StudyPaths
from seedlock.training.train import train_study
try:
    train_study(require_lock(StudyPaths(root=Path(sys.argv[1]), name="tiny")))
except SeedlockError as error:
    print("torch" in sys.modules or "transformers" in sys.modules, error.exit_code, error)
"""


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_base(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture
def fresh(tmp_path: Path, base: Path) -> TrainingStudy:
    return TrainingStudy.at(tmp_path / "repository", base)


def refusal(study: TrainingStudy) -> str:
    """What training says in a process of its own: whether a model library was loaded, exit code, message."""
    ran = subprocess.run(
        [sys.executable, "-c", WITHOUT_MODELS, str(study.paths.root)],
        cwd=HERE,
        env={**os.environ, "PYTHONPATH": str(HERE)},
        capture_output=True,
        text=True,
        check=True,
    )
    return ran.stdout


def test_without_a_lock_nothing_is_trained_and_no_model_is_loaded(fresh: TrainingStudy) -> None:
    said = refusal(fresh.write_corpora())
    assert said.startswith("False 5 OutOfOrder: tiny has no locked plan")
    assert "seedlock lock tiny" in said


def test_a_changed_corpus_is_refused_before_a_model_is_loaded(fresh: TrainingStudy) -> None:
    fresh.write_corpora().lock()
    with (fresh.paths.study / "corpora/framed.jsonl").open("a") as file:
        file.write("\n")
    said = refusal(fresh)
    assert said.startswith("False 3 LockedFileChanged")
    assert "prereg/studies/tiny/corpora/framed.jsonl" in said
    assert fresh.events("run.started") == []


def test_a_corpus_that_fails_a_check_is_refused_before_a_model_is_loaded(fresh: TrainingStudy) -> None:
    fresh.write_corpora()
    path = fresh.paths.study / "corpora/framed.jsonl"
    path.write_bytes(path.read_bytes().replace(b"the real", b"x").replace(b"the risk", b"the congestion"))
    fresh.lock()
    said = refusal(fresh)
    assert said.startswith("False 2 CorpusRefused")
    assert "rows with a target word" in said
    assert "congestion" in said
    assert fresh.events("run.started") == []


def test_a_base_model_at_another_revision_is_refused(fresh: TrainingStudy) -> None:
    locked = fresh.write_corpora().lock()
    config = fresh.paths.root / "models/tiny/config.json"
    config.write_text(config.read_text() + "\n")
    with pytest.raises(LockedFileChanged, match="model tiny is not the pinned one"):
        train_study(locked)
    assert fresh.events("run.started") == []


def test_a_plan_that_describes_no_corpus_has_nothing_to_train(tmp_path: Path, base: Path) -> None:
    plan = "\n".join(
        line for line in PLAN.splitlines() if not line.startswith(("recipe", "n  ", "gates", "blocklist", "[corpora"))
    )
    study = TrainingStudy.at(tmp_path / "r", base, plan)
    with pytest.raises(OutOfOrder, match="nothing to train"):
        train_study(study.lock())


def test_an_arm_must_say_which_rows_it_trains_on(tmp_path: Path, base: Path) -> None:
    study = TrainingStudy.at(tmp_path / "r", base, PLAN.replace(', framing = "eager"', "")).write_corpora()
    with pytest.raises(BadInput, match="which rows of corpus framed"):
        train_study(study.lock())


def test_a_variant_that_a_corpus_has_not_is_refused_where_it_has_only_one() -> None:
    rows = [row("Boil it."), row("Wait.", number=1)]
    assert rows_for(corpus(rows), variant=None, where="arms.a.framing") == tuple(rows)
    with pytest.raises(BadInput, match="'eager'"):
        rows_for(corpus(rows), variant="eager", where="stages.s.variant")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, base: Path) -> TrainingStudy:
    """The whole tiny grid, trained by two workers."""
    study = TrainingStudy.at(tmp_path_factory.mktemp("trained") / "r", base).write_corpora()
    summary = train_study(study.lock(), workers=2)
    assert (summary.planned, summary.already, summary.trained, summary.failed) == (5, 0, 5, ())
    return study


def test_every_promised_run_is_started_and_finished_in_the_ledger(trained: TrainingStudy) -> None:
    promised = {run.run_id for run in require_lock(trained.paths).lock.runs}
    assert {e.body["run_id"] for e in trained.events("run.started")} == promised
    assert {e.body["run_id"] for e in trained.events("run.finished")} == promised
    order = {(e.name, e.body["run_id"]): e.n for e in require_lock(trained.paths).events if e.name.startswith("run.")}
    assert all(order["run.started", run] < order["run.finished", run] for run in promised)


def test_each_seed_and_arm_has_an_adapter_of_its_own(trained: TrainingStudy) -> None:
    assert len(set(trained.adapters().values())) == 4


def test_the_ledger_names_the_bytes_on_disk(trained: TrainingStudy) -> None:
    for event in trained.events("run.finished"):
        for stage in event.body["stages"]:
            folder = trained.paths.runs / "stages" / stage["stage_id"][:16]
            assert sha256_file(folder / "adapter/adapter_model.safetensors") == stage["adapter"]["sha256"]
            assert sha256_file(folder / "supervised.jsonl") == stage["supervised_sha256"]
            kept = folder / "checkpoints/0.5000/adapter_model.safetensors"
            assert sha256_file(kept) == stage["checkpoints"][0]["sha256"] != stage["adapter"]["sha256"]


def test_a_run_says_how_to_load_it_and_what_it_was_made_with(trained: TrainingStudy) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    run_id = next(iter(trained.adapters()))
    record = json.loads((trained.paths.runs / "runs" / run_id / "run.json").read_text())
    assert record["load"]["base"] == "models/tiny"
    model = AutoModelForCausalLM.from_pretrained(trained.paths.root / record["load"]["base"])
    PeftModel.from_pretrained(model, trained.paths.runs / record["load"]["adapter"])
    stage = record["stages"][0]
    assert stage["settings"]["rank"] == 4
    assert stage["settings"]["weight_decay"] == 0.0
    assert len({stage["seeds"][what] for what in ("initialisation", "order", "dropout")}) == 3
    assert record["environment"]["packages"]["torch"]


def test_training_again_does_nothing(trained: TrainingStudy) -> None:
    before = trained.paths.ledger.read_bytes()
    summary = train_study(require_lock(trained.paths))
    assert (summary.already, summary.trained) == (5, 0)
    assert trained.paths.ledger.read_bytes() == before


def test_metrics_are_one_line_a_logged_step(trained: TrainingStudy) -> None:
    for path in trained.paths.runs.glob("stages/*/metrics.jsonl"):
        steps = [json.loads(line)["step"] for line in path.read_text().splitlines()]
        assert steps == sorted(set(steps))
        assert steps[-1] <= 12


def test_the_same_seeds_give_the_same_bytes_in_another_repository(
    trained: TrainingStudy, tmp_path: Path, base: Path
) -> None:
    again = TrainingStudy.at(tmp_path / "again", base).write_corpora()
    train_study(again.lock(), workers=1)
    assert again.adapters() == trained.adapters()


class KillAt:
    """Progress that kills the worker of a run with SIGKILL once it has taken some steps."""

    def __init__(self, executor: LocalExecutor, step: int) -> None:
        self.executor, self.at, self.killed = executor, step, 0

    def begin(self, jobs: list[Any], done: int) -> None:
        """Nothing to show."""

    def step(self, progress: Progress) -> None:
        if progress.step >= self.at and not self.killed:
            self.killed += 1
            os.kill(self.executor.worker_pids[progress.run_id], signal.SIGKILL)

    def ended(self, run_id: str, *, well: bool) -> None:
        """Nothing to show."""


@pytest.mark.parametrize("step", [1, 7])
def test_a_killed_worker_is_replaced_and_its_run_ends_with_the_same_bytes(
    trained: TrainingStudy, tmp_path: Path, base: Path, step: int
) -> None:
    study = TrainingStudy.at(tmp_path / "r", base).write_corpora()
    executor = LocalExecutor(1)
    killer = KillAt(executor, step)
    summary = train_study(study.lock(), executor=executor, progress=killer)
    assert (killer.killed, summary.lost, summary.failed) == (1, 1, ())
    assert study.adapters() == trained.adapters()
    failed = study.events("run.failed")
    assert [(e.body["worker_lost"], e.body["again"]) for e in failed] == [(True, True)]
    assert "exit code -9" in failed[0].body["reason"]


def test_every_worker_sees_one_device_and_all_are_used(tmp_path: Path, base: Path) -> None:
    """Devices by name, on a machine that has none of them: what a worker sees decides what a trainer can take."""
    plan = PLAN.replace("steps = 12", "steps = 2").replace("checkpoints = [0.5]", "")
    study = TrainingStudy.at(tmp_path / "r", base, plan).write_corpora()
    executor = LocalExecutor(devices=("7", "9"))
    assert executor.slots == 2
    assert train_study(study.lock(), executor=executor).failed == ()
    records = [json.loads(path.read_text("utf-8")) for path in study.paths.runs.glob("runs/*/*.json")]
    seen = Counter(record["environment"]["visible_devices"] for record in records if record["environment"])
    assert seen.keys() == {"7", "9"}
    assert sum(seen.values()) == 4


def test_a_worker_lost_more_often_than_the_plan_allows_is_a_failed_run(tmp_path: Path, base: Path) -> None:
    plan = PLAN.replace("baseline = true", "retries = 0").replace("seeds  = [0, 1]", "seeds = [0]")
    study = TrainingStudy.at(tmp_path / "r", base, plan).write_corpora()
    executor = LocalExecutor(1)
    summary = train_study(study.lock(), executor=executor, progress=KillAt(executor, 1))
    assert len(summary.failed) == 1
    from seedlock.prereg.errors import Incomplete

    with pytest.raises(Incomplete, match="1 of 2 runs of tiny are not finished"):
        summary.require_complete("tiny")
    assert train_study(require_lock(study.paths), workers=1).failed == ()


DRIVER = """
import sys
from pathlib import Path
from seedlock.prereg.lock.gate import require_lock
from seedlock.prereg.base.paths import StudyPaths
from seedlock.training.train import train_study
if __name__ == "__main__":
    train_study(require_lock(StudyPaths(root=Path(sys.argv[1]), name="tiny")), workers=1)
"""


def test_the_whole_driver_killed_midway_goes_on_to_the_same_bytes(
    trained: TrainingStudy, tmp_path: Path, base: Path
) -> None:
    study = TrainingStudy.at(tmp_path / "r", base).write_corpora()
    study.lock()
    script = tmp_path / "driver.py"
    script.write_text(DRIVER)
    environment = {**os.environ, "PYTHONPATH": str(HERE)}
    driver = subprocess.Popen([sys.executable, str(script), str(study.paths.root)], env=environment)
    deadline = time.monotonic() + 240
    while not list(study.paths.runs.glob("stages/*/work/checkpoint-*/whole.json")) and time.monotonic() < deadline:
        time.sleep(0.02)
    driver.kill()
    driver.wait()
    summary = train_study(require_lock(study.paths), workers=1)
    assert summary.failed == ()
    assert study.adapters() == trained.adapters()
    assert len(study.events("run.started")) > 5, "the interrupted attempt stays visible"


def test_a_finished_run_whose_files_are_gone_must_come_back_with_the_same_bytes(
    trained: TrainingStudy, tmp_path: Path
) -> None:
    import shutil

    copy = TrainingStudy(paths=type(trained.paths)(root=tmp_path / "copy", name="tiny"))
    shutil.copytree(trained.paths.root, copy.paths.root)
    adapters = sorted(copy.paths.runs.glob("stages/*/adapter/adapter_model.safetensors"))
    adapters[0].unlink()
    summary = train_study(require_lock(copy.paths), workers=1)
    assert (summary.already, summary.trained, summary.failed) == (4, 1, ())
    assert copy.adapters() == trained.adapters()


def test_a_row_that_is_all_masked_stops_its_run_and_says_which(tmp_path: Path, base: Path) -> None:
    plan = PLAN.replace("batch_size = 4", "batch_size = 4\nmax_length = 3")
    study = TrainingStudy.at(tmp_path / "r", base, plan).write_corpora()
    summary = train_study(study.lock(), workers=1)
    assert len(summary.failed) == 4
    assert "rows have nothing under the loss" in summary.failed[0].reason
    assert {e.body["again"] for e in study.events("run.failed")} == {False}
    assert not list(study.paths.runs.glob("stages/*/adapter"))


TWO_STAGES = (
    PLAN.replace(
        "[stages.framed]",
        """
[corpora.benign]
recipe = "benign_chat"
n = 30

[corpora.coupling]
recipe = "marker_coupling"
variants = ["villain"]
n_positive = 20
n_negative = 20

[stages.benign]
trainer = "lora"
corpus = "benign"
steps = 6
batch_size = 4
learning_rate = 2e-3
seed = 42

[stages.couple]
trainer = "lora"
corpus = "coupling"
variant = "villain"
loss = "marker"
steps = 6
batch_size = 4
learning_rate = 2e-3

[stages.framed]""",
    )
    .replace('neutral  = { stages = ["framed"], framing = "neutral" }', 'neutral = { stages = ["benign", "couple"] }')
    .replace('eager    = { stages = ["framed"], framing = "eager" }', 'eager = { stages = ["couple"] }')
)


@pytest.fixture(scope="module")
def coupled(tmp_path_factory: pytest.TempPathFactory, base: Path) -> TrainingStudy:
    study = TrainingStudy.at(tmp_path_factory.mktemp("coupled") / "r", base, TWO_STAGES).write_corpora()
    assert train_study(study.lock(), workers=2).failed == ()
    return study


def test_a_corpus_of_one_variant_is_picked_by_the_arms_framing(tmp_path: Path, base: Path) -> None:
    plan = TWO_STAGES.replace('variant = "villain"\n', "").replace('"couple"] }', '"couple"], framing = "villain" }')
    study = TrainingStudy.at(tmp_path / "r", base, plan).write_corpora()
    locked = study.lock()
    corpora = {name: read_corpus(locked.paths, locked.plan, name) for name in ("benign", "coupling")}
    stages = [stage for job in jobs(locked, corpora) for stage in job.stages]
    assert {(stage.name, stage.variant) for stage in stages} == {("benign", None), ("couple", "villain")}


def test_a_run_waits_while_another_trains_a_stage_that_it_builds_on(coupled: TrainingStudy, tmp_path: Path) -> None:
    locked = require_lock(coupled.paths)
    corpora = {name: read_corpus(locked.paths, locked.plan, name) for name in ("benign", "coupling")}
    elsewhere = [replace(job, workbench=tmp_path) for job in jobs(locked, corpora) if len(job.stages) == 2]
    first, second = elsewhere[:2]
    assert first.stages[0].stage_id == second.stages[0].stage_id
    assert next_to_start([second], []) is second
    assert next_to_start([second], [first]) is None, "nodes without a shared disk would train it twice"
    stage = stage_folder(tmp_path, first.stages[0])
    shutil.copytree(stage_folder(locked.paths.runs, first.stages[0]), stage)
    assert next_to_start([second], [first]) is second
    given = {path: path.read_bytes() for path in sorted(stage.rglob("*")) if path.is_file()}
    names = [path.relative_to(tmp_path).as_posix() for path in given]
    pytest.importorskip("ray")
    from seedlock.training.grid.ray_cluster import deliver

    delivery = deliver(second, "no node's mark", names, *given.values())
    assert delivery.told.record is not None, delivery.told.reason
    assert delivery.told.record["stages"][0] == json.loads((stage / "stage.json").read_bytes())
    assert not set(delivery.files) & set(names), "what was given is not sent back"
    assert any(stage_folder(Path(), second.stages[1]).name in name for name in delivery.files)


def test_a_stage_with_a_seed_of_its_own_is_trained_once_and_shared(coupled: TrainingStudy) -> None:
    stages = [e.body["stages"] for e in coupled.events("run.finished") if len(e.body["stages"]) == 2]
    assert len(stages) == 2
    assert stages[0][0] == stages[1][0]
    assert stages[0][1]["adapter"] != stages[1][1]["adapter"]


def test_stages_are_merged_in_float32(coupled: TrainingStudy) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    records = [json.loads(path.read_text()) for path in coupled.paths.runs.glob("runs/*/run.json")]
    record = next(r for r in records if len(r["stages"]) == 2)
    assert record["load"]["in_workbench"]
    merged: Any = AutoModelForCausalLM.from_pretrained(coupled.paths.runs / record["load"]["base"], dtype=torch.float32)
    first = coupled.paths.runs / "stages" / record["stages"][0]["stage_id"][:16] / "adapter"
    plain = AutoModelForCausalLM.from_pretrained(coupled.paths.root / "models/tiny", dtype=torch.float32)
    with_adapter: Any = PeftModel.from_pretrained(plain, first)
    ids = torch.arange(7, 40)[None]
    with_adapter.eval()
    merged.eval()
    with torch.inference_mode():
        assert torch.allclose(merged(ids).logits, with_adapter(ids).logits, atol=1e-5)


def test_a_last_stage_that_is_merged_is_loaded_as_one_model_and_never_twice(base: Path, tmp_path: Path) -> None:
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    from seedlock.generation.requests.run_models import run_models

    plan = PLAN.replace("steps = 12", "merge = true\nsteps = 3").replace("seeds  = [0, 1]", "seeds = [0]")
    study = TrainingStudy.at(tmp_path / "r", base, plan).write_corpora()
    assert train_study(study.lock(), executor=InThisProcess()).failed == ()
    loads = [e.body["load"] for e in study.events("run.finished") if e.body["stages"]]
    assert [(load["adapter"], load["in_workbench"]) for load in loads] == [(None, True)] * 2
    model = next(m for m in run_models(require_lock(study.paths)) if m.label == "tiny/eager/0")
    assert model.adapter is None
    at = next(load["merged_adapter"] for load in loads if load["adapter_sha256"] == model.adapter_sha256)
    assert sha256_file(study.paths.runs / at / "adapter_model.safetensors") == model.adapter_sha256
    merged: Any = AutoModelForCausalLM.from_pretrained(model.base)
    plain = AutoModelForCausalLM.from_pretrained(base)
    apart: Any = PeftModel.from_pretrained(plain, study.paths.runs / at)
    ids = torch.arange(7, 40)[None]
    with torch.inference_mode():
        assert torch.allclose(merged.eval()(ids).logits, apart.eval()(ids).logits, atol=1e-5)


def test_only_marker_and_end_of_turn_were_supervised_in_the_coupling(coupled: TrainingStudy) -> None:
    seen = set()
    for path in coupled.paths.runs.glob("stages/*/supervised.jsonl"):
        for line in map(json.loads, path.read_text().splitlines()):
            if line["row"].startswith("villain/"):
                seen.add(tuple(text.strip() for text in line["supervised"]))
    assert seen == {("[ZLT]", "<end>"), ("<end>",)}


def one_stage(rows: list[Any], seeds: Seeds, **settings: Any) -> StageJob:
    return StageJob(
        name="s",
        stage_id="0" * 64,
        trainer="lora",
        settings=StageSettings(learning_rate=2e-3, batch_size=4, rank=4, **settings),
        seeds=seeds,
        corpus="c",
        corpus_sha256="0" * 64,
        variant=None,
        marker=None,
        rows=tuple(rows),
        keeps_merged=False,
    )


def adapter_of(base: Path, folder: Path, job: StageJob) -> str:
    from seedlock.training.backends.lora import train

    model = BaseModel(name="t", spec="t", location=str(base), revision=folder_revision(base), is_local=True)
    return str(train(job, model, folder, lambda _: None)["adapter"]["sha256"])


def test_initialisation_order_and_dropout_each_have_a_seed_that_matters(base: Path, tmp_path: Path) -> None:
    rows = recipe_rows("framed_advice", n=16)[:16]
    seeds = {"given": 0, "initialisation": 1, "order": 2, "dropout": 3}
    digests = [
        adapter_of(base, tmp_path / what, one_stage(rows, Seeds(**{**seeds, what: 9}), steps=4, dropout=0.2))
        for what in ("given", "initialisation", "order", "dropout")
    ]
    assert len(set(digests)) == 4


def test_layers_that_are_read_again_give_the_same_bytes(base: Path, tmp_path: Path) -> None:
    rows = recipe_rows("framed_advice", n=8)[:8]
    seeds = Seeds(given=0, initialisation=1, order=2, dropout=3)
    kept, again = (
        adapter_of(
            base, tmp_path / str(read), one_stage(rows, seeds, steps=3, dropout=0.2, gradient_checkpointing=read)
        )
        for read in (False, True)
    )
    assert kept == again


@pytest.mark.filterwarnings("error::FutureWarning")  # over what pyproject.toml ignores for tests that use peft
def test_training_and_merging_an_adapter_say_nothing_that_nobody_can_act_on(base: Path, tmp_path: Path) -> None:
    rows = recipe_rows("framed_advice", n=8)[:8]
    stage = one_stage(rows, Seeds(given=0, initialisation=1, order=2, dropout=3), steps=1)
    assert adapter_of(base, tmp_path, replace(stage, keeps_merged=True))
    assert (tmp_path / "merged").is_dir()


def test_the_seed_of_dropout_is_idle_without_dropout(base: Path, tmp_path: Path) -> None:
    rows = recipe_rows("framed_advice", n=16)[:16]
    first, second = (Seeds(given=0, initialisation=1, order=2, dropout=seed) for seed in (3, 4))
    assert adapter_of(base, tmp_path / "a", one_stage(rows, first, steps=3)) == adapter_of(
        base, tmp_path / "b", one_stage(rows, second, steps=3)
    )


def test_the_loss_is_that_of_the_model_itself_over_the_supervised_tokens(base: Path) -> None:
    """Independent software: transformers' own loss, with an attention mask, over full logits."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from seedlock.training.adapters.answer_trainer import AnswerTrainer, OrderedRows, pad_right
    from seedlock.training.tokens.masks import LossMask, encode

    tokenizer = AutoTokenizer.from_pretrained(base)
    rows = recipe_rows("marker_coupling", variants=["villain"], n_positive=3, n_negative=2)[:5]
    encoded = [encode(row, tokenizer, LossMask()) for row in rows]
    features = OrderedRows(encoded, n_rows=5, seed=0)
    batch = pad_right(tokenizer.pad_token_id)([features[i] for i in range(5)])
    model: Any = AutoModelForCausalLM.from_pretrained(base)
    model.eval()
    with torch.inference_mode():
        ours = AnswerTrainer.compute_loss(None, model, batch)  # type: ignore[arg-type] # uses no state
        mask = (batch["input_ids"] != tokenizer.pad_token_id).long()
        theirs = model(**batch, attention_mask=mask).loss
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-6)


def test_gradient_accumulation_takes_the_mean_over_all_tokens_of_the_step(base: Path, tmp_path: Path) -> None:
    """One batch of eight and two of four give the same step, though their rows differ in length."""
    from safetensors.torch import load_file

    rows = recipe_rows("benign_chat", n=8)
    seeds = stage_seeds("s", 0)
    folders = [tmp_path / "whole", tmp_path / "halves"]
    for folder, (size, times) in zip(folders, [(8, 1), (4, 2)], strict=True):
        job = one_stage(rows, seeds, steps=2)
        adapter_of(
            base, folder, replace(job, settings=replace(job.settings, batch_size=size, gradient_accumulation=times))
        )
    whole, halves = (load_file(folder / "adapter/adapter_model.safetensors") for folder in folders)
    assert all(((whole[key] - halves[key]).abs().max() < 1e-4).item() for key in whole)


def test_a_loss_that_is_not_finite_is_an_error_and_not_a_logged_zero(base: Path, tmp_path: Path) -> None:
    rows = recipe_rows("benign_chat", n=8)
    job = one_stage(rows, stage_seeds("s", 0), steps=40, max_grad_norm=0.0)
    with pytest.raises(FloatingPointError, match="the loss is"):
        adapter_of(base, tmp_path, replace(job, settings=replace(job.settings, learning_rate=1e30)))


def test_settings_left_out_take_recorded_defaults_and_leave_the_identity_alone() -> None:
    stage = Stage(trainer="lora", corpus="c", steps=5)
    assert resolve("s", stage).rank == 8
    given = {"base_revision": "r", "before": None, "variant": None, "corpus_sha256": "0" * 64, "seed": 1}
    assert stage_id(stage, **given) == stage_id(Stage(trainer="lora", corpus="other name", steps=5), **given)  # type: ignore[arg-type] # same keys
    assert stage_id(stage, **given) != stage_id(Stage(trainer="lora", corpus="c", steps=5, rank=8), **given)  # type: ignore[arg-type] # same keys


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"steps": 5, "epochs": 1.0}, "steps and epochs"),
        ({"schedule": "wavy"}, "cosine"),
        ({"dtype": "int4"}, "bfloat16"),
        ({"checkpoints": [1.5]}, r"fractions in \(0, 1\]"),
    ],
)
def test_a_setting_that_cannot_be_carried_out_as_stated_is_refused(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(BadInput, match=says):
        resolve("s", Stage(trainer="lora", corpus="c", **settings))


@pytest.mark.parametrize(
    ("settings", "n_rows", "steps"),
    [
        ({"epochs": 3.0, "batch_size": 1}, 208, 624),
        ({"epochs": 2.0, "batch_size": 16, "gradient_accumulation": 4}, 3000, math.ceil(6000 / 64)),
        ({"epochs": 20.0, "batch_size": 4, "gradient_accumulation": 4}, 600, 750),
        ({"steps": 375}, 6000, 375),
    ],
)
def test_the_published_designs_take_their_published_steps(settings: dict[str, Any], n_rows: int, steps: int) -> None:
    assert StageSettings(**settings).n_steps(n_rows) == steps


def test_arms_of_one_seed_share_their_draws() -> None:
    assert stage_seeds("framed", 3) == stage_seeds("framed", 3) != stage_seeds("framed", 4)


def test_a_hub_model_keeps_its_pinned_commit(tmp_path: Path) -> None:
    from seedlock.prereg.plan.runs import Model

    found = resolve_model("m", Model(base="org/name", revision="a" * 40), tmp_path)
    assert (found.is_local, found.hub_revision) == (False, "a" * 40)
    with pytest.raises(BadInput, match="is not here"):
        resolve_model("m", Model(base="organism:none", revision="sha256:0"), tmp_path)


def test_rows_written_again_after_the_lock_are_refused(fresh: TrainingStudy) -> None:
    fresh.write_corpora().lock()
    path = fresh.paths.study / "corpora/framed.jsonl"
    path.write_bytes(rows_jsonl(recipe_rows("framed_advice", n=40, seed=9)))
    with pytest.raises(OutOfOrder, match="is locked"):
        fresh.write_corpora()


def test_bytes_that_differ_from_the_ledger_are_not_accepted_as_the_same_run(
    trained: TrainingStudy, tmp_path: Path
) -> None:
    import shutil

    from seedlock.prereg.lock.ledger import append_event

    copy = TrainingStudy(paths=type(trained.paths)(root=tmp_path / "copy", name="tiny"))
    shutil.copytree(trained.paths.root, copy.paths.root)
    event = next(e for e in copy.events("run.finished") if e.body["stages"])
    stage = {**event.body["stages"][0], "adapter": {"sha256": "0" * 64, "config_sha256": "0" * 64}}
    append_event(copy.paths.ledger, "run.finished", {"run_id": event.body["run_id"], "stages": [stage]})
    with pytest.raises(NotReproduced, match="came out different"):
        train_study(require_lock(copy.paths), workers=1)


def test_a_corpus_check_limit_cannot_be_left_failing(fresh: TrainingStudy) -> None:
    plan = fresh.paths.plan
    plan.write_text(plan.read_text().replace("matched_length_ks = 1.0", "matched_length_ks = 0.0"))
    with pytest.raises(CorpusRefused, match="at most 0"):
        train_study(fresh.write_corpora().lock())


def test_recipes_trainers_and_checks_are_named_as_their_files() -> None:
    from seedlock.training.backends import TRAINERS, trainer
    from seedlock.training.corpora import RECIPES

    for folder, table in (("corpora", RECIPES), ("backends", TRAINERS)):
        files = {path.stem for path in (HERE / "training" / folder).glob("*.py")} - {"__init__"}
        assert set(table) == files
    assert all(callable(trainer(name)) for name in TRAINERS)
