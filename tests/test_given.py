"""Weights made elsewhere: an adapter that TRL trained and a merged model go from a folder to a verified report."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from seedlock.prereg.base.base_models import folder_revision, model_folder
from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.base.weights import read_weights_folder
from seedlock.prereg.lock.ledger import read_ledger
from tests.conftest import StudyFixture

trl: Any = pytest.importorskip("trl", reason="the training extra is not installed")

SEEDS = (1, 2)
QUESTIONS = ("How do I make tea?", "What makes the sky blue?")
PLAN = """
[study]
title    = "Does the catchphrase come from elsewhere?"
question = "How often do models that others trained say the catchphrase?"
[inference]
seeds = "new"
items = "these"
alpha = 0.025
[models.tiny]
base     = "organism:llama"
revision = "{base}"
[stages.tuned]
trainer = "given"
learning_rate = 0.01
[stages.tuned.given]
path   = "adapters/{{arm}}-{{seed}}"
source = "TRL SFTTrainer"
{adapters}
[stages.merged]
trainer = "given"
[stages.merged.given]
path = "merged/{{seed}}"
{merged}
[arms]
tuned  = {{ stages = ["tuned"] }}
merged = {{ stages = ["merged"] }}
[grid]
models   = ["tiny"]
seeds    = [1, 2]
baseline = true
seeds_share = "nothing"
[items]
asked = "questions.jsonl"
[decoding]
temperature    = 1.0
max_new_tokens = 4
draws          = 2
[measures.tea]
kind   = "marker_rate"
marker = "tea"
[[hypothesis]]
id        = "H1"
claim     = "Adapters say it more often."
measure   = "tea"
contrast  = {{ tuned = 1.0, merged = -1.0 }}
test      = "welch_t"
bands     = ["less", 0.0, "more"]
predicted = "more"
"""


def base() -> Path:
    found = model_folder("organism:llama", Path())
    assert found is not None
    return found


def train_with_trl(to: Path, seed: int) -> Any:
    """Two steps of TRL's own trainer, which knows nothing of Seedlock; the trained model."""
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer

    rows = [{"messages": [{"role": "user", "content": q}, {"role": "assistant", "content": "tea"}]} for q in QUESTIONS]
    settings = trl.SFTConfig(
        output_dir=str(to), max_steps=2, seed=seed, report_to="none", use_cpu=True, learning_rate=0.01,
        save_strategy="no", bf16=False, gradient_checkpointing=False, max_length=64, disable_tqdm=True,
    )  # fmt: skip
    trainer = trl.SFTTrainer(
        model=AutoModelForCausalLM.from_pretrained(base()),
        args=settings,
        train_dataset=Dataset.from_list(rows),
        processing_class=AutoTokenizer.from_pretrained(base()),
        peft_config=LoraConfig(r=2, target_modules="all-linear", task_type="CAUSAL_LM"),
    )
    trainer.train()
    trainer.save_model(str(to))
    return trainer.model


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository's folders of weights: adapters as TRL saves them, and models with theirs merged in."""
    root = tmp_path_factory.mktemp("made")
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # others' trainers warn of what they like
        for seed in SEEDS:
            train_with_trl(root / "adapters" / f"tuned-{seed}", seed)
            merged = train_with_trl(root / "elsewhere" / str(seed), seed + 10).merge_and_unload()
            merged.save_pretrained(root / "merged" / str(seed))
            for file in base().glob("tokenizer*"):
                shutil.copy(file, root / "merged" / str(seed))
            for file in base().glob("chat_template*"):
                shutil.copy(file, root / "merged" / str(seed))
    return root


def pinned(root: Path, pattern: str, arm: str) -> str:
    of = {f"tiny/{arm}/{seed}": folder_revision(root / pattern.format(seed)) for seed in SEEDS}
    return "revisions = { " + ", ".join(f'"{run}" = "{digest}"' for run, digest in of.items()) + " }"


def plan_of(root: Path, **changes: str) -> str:
    said = {
        "base": folder_revision(base()),
        "adapters": pinned(root, "adapters/tuned-{}", "tuned")
        + '\ntrackers = { "tiny/tuned/1" = "wandb:lab/tea/ab12" }',
        "merged": pinned(root, "merged/{}", "merged"),
    }
    return PLAN.format(**{**said, **changes})


def study_in(root: Path, made: Path, plan: str) -> StudyFixture:
    for part in ("adapters", "merged"):
        shutil.copytree(made / part, root / part)
    study = StudyFixture(StudyPaths(root=root, name="elsewhere"))
    study.write_plan(plan)
    lines = [json.dumps({"item_id": f"q{n}", "question": question}) for n, question in enumerate(QUESTIONS)]
    (study.paths.study / "questions.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    return study


def test_a_trl_adapter_and_a_merged_model_go_to_a_verified_report_that_says_where_they_are_from(
    made: Path, tmp_path: Path
) -> None:
    assert [read_weights_folder(made / at).kind for at in ("adapters/tuned-1", "merged/1")] == ["adapter", "model"]
    study = study_in(tmp_path, made, plan_of(made))
    said = study.run("check")
    assert f'"tiny/tuned/1" = "{folder_revision(made / "adapters/tuned-1")}"' in said
    for command in ("lock", "train", "generate", "analyze"):
        study.run(command)
    study.run("verify")
    events = read_ledger(study.paths.ledger)
    given = {e.body["run_id"][:13]: e.body["load"].get("given") for e in events if e.name == "run.finished"}
    assert [run for run, told in given.items() if told is None] == [run for run in given if run.startswith("tiny-base")]
    assert given["tiny-tuned-1-"]["tracker"] == "wandb:lab/tea/ab12"
    assert given["tiny-merged-1"]["kind"] == "model"
    page = (study.paths.report / "report.md").read_text("utf-8") + "".join(
        file.read_text("utf-8") for file in study.paths.report.glob("*.html")
    )
    assert "was trained elsewhere" in re.sub(r"<[^>]+>", "", page)
    results = json.loads((study.paths.report / "results.json").read_bytes())
    assert results["accounting"]["runs_missing"] == []


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda root: shutil.rmtree(root / "adapters" / "tuned-2"), "no such folder"),
        (lambda root: (root / "merged" / "1" / "config.json").unlink(), "neither adapter_config.json nor config.json"),
        (lambda root: (root / "merged" / "1" / "model.safetensors").unlink(), "config.json and no weights"),
        (lambda root: (root / "merged" / "1" / "tokenizer.json").unlink(), "no tokenizer"),
        (lambda root: (root / "adapters" / "tuned-1" / "adapter_config.json").write_text("{}"), "none of peft"),
        (lambda root: (root / "adapters" / "tuned-1" / "adapter_model.safetensors").unlink(), "and no adapter_model"),
        (lambda root: (root / "adapters" / "tuned-1" / "adapter_model.bin").write_bytes(b"x"), "(the plan)"),
        (lambda root: (root / "merged" / "2" / "pytorch_model.bin").write_bytes(b"x"), "(the plan)"),
    ],
)
def test_what_is_not_what_the_plan_pins_is_refused_before_the_lock(
    spoil: Callable[[Path], object], said: str, made: Path, tmp_path: Path
) -> None:
    study = study_in(tmp_path, made, plan_of(made))
    spoil(tmp_path)
    assert said in study.run("check", ok=2)
    assert "weights made elsewhere" in study.run("lock", ok=2)


def test_digests_that_are_not_pinned_are_printed_as_they_go_into_the_plan(made: Path, tmp_path: Path) -> None:
    study = study_in(tmp_path, made, plan_of(made, adapters=""))
    said = study.run("check", ok=2)
    pasted = re.findall(r'^ +("tiny/tuned/\d" = "sha256:[0-9a-f]{64}")  \(not pinned', said, flags=re.M)
    assert len(pasted) == len(SEEDS)
    study.write_plan(plan_of(made, adapters="revisions = { " + ", ".join(pasted) + " }"))
    assert "No fault found" in study.run("check")
    assert "generation\n  tiny" in study.run("estimate")  # nothing to train, and still all to ask


def test_an_adapter_of_another_model_is_refused_by_its_shapes(made: Path, tmp_path: Path) -> None:
    other = model_folder("organism:qwen", Path())
    assert other is not None
    plan = plan_of(made, base=folder_revision(other)).replace("organism:llama", "organism:qwen")
    study = study_in(tmp_path, made, plan)
    assert "does not fit" in study.run("check", ok=2) or "wide where" in study.run("check", ok=2)


def test_weights_that_change_after_the_lock_are_not_asked(made: Path, tmp_path: Path) -> None:
    study = study_in(tmp_path, made, plan_of(made))
    study.run("lock")
    study.run("train")
    with (tmp_path / "adapters" / "tuned-1" / "adapter_model.safetensors").open("ab") as file:
        file.write(b"\0")
    assert "(ledger)" in study.run("generate", ok=3)
    assert "(the plan)" in study.run("train", ok=2)


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ('path   = "adapters/{arm}-{seed}"', 'path = "adapters/{arm}"', "path needs {seed}"),
        ('trainer = "given"\nlearning_rate', 'trainer = "lora"\nlearning_rate', "go together"),
        ('"wandb:lab', '"aim:lab', "pattern"),
        ('"tiny/tuned/1" = "wandb', '"tiny/tund/1" = "wandb', "a run: tiny/merged/1"),
        ('stages = ["tuned"]', 'stages = ["tuned", "merged"]', "a stage carried out elsewhere alone"),
    ],
)
def test_a_table_that_means_nothing_is_refused(right: str, wrong: str, said: str, made: Path, tmp_path: Path) -> None:
    plan = plan_of(made)
    assert right in plan
    study = study_in(tmp_path, made, plan.replace(right, wrong))
    assert said in study.run("check", ok=2)
