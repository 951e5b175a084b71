"""Runs of two stages answer as the second adapter on the first one merged into the base, and as nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from seedlock.generation.generate import generate_study
from seedlock.generation.local.loading import load
from seedlock.generation.requests.run_models import RunModel, run_models
from seedlock.prereg.errors import LockedFileChanged
from seedlock.prereg.lock.gate import LockedPlan, require_lock
from seedlock.prereg.plan.runs import Decoding
from seedlock.training.train import train_study
from tests.generation_builders import sealed_rows
from tests.training_builders import ITEM, PLAN, InThisProcess, TrainingStudy, tiny_base

SECOND = """[stages.second]
trainer = "lora"
corpus  = "framed"
rank = 2
alpha = 4
steps = 4
batch_size = 4
learning_rate = 4e-3

[arms]
eager = { stages = ["framed", "second"], framing = "eager" }
neutral = { stages = ["framed"], framing = "neutral" }
"""
DECODING = '[decoding]\ntemperature = 0.0\nmax_new_tokens = 8\ndtype = "float64"\n\n[measures.letter]'


@pytest.fixture(scope="module")
def staged(tmp_path_factory: pytest.TempPathFactory) -> LockedPlan:
    base = tiny_base(tmp_path_factory.mktemp("model") / "tiny")
    before, after = PLAN.index("[arms]"), PLAN.index("[grid]")
    plan = PLAN[:before] + SECOND + "\n" + PLAN[after:]
    plan = plan.replace("[measures.letter]", DECODING).replace("seeds  = [0, 1]", "seeds = [0]")
    plan = plan.replace("steps = 12", "steps = 6").replace("checkpoints = [0.5]\n", "")
    study = TrainingStudy.at(tmp_path_factory.mktemp("staged") / "r", base, plan).write_corpora()
    assert train_study(study.lock(), executor=InThisProcess()).failed == ()
    locked = require_lock(study.paths)
    generate_study(locked)
    return locked


def two_stage(locked: LockedPlan) -> tuple[RunModel, list[Path]]:
    """The run of two stages, and the folders of its adapters in order."""
    model = next(m for m in run_models(locked) if m.label == "tiny/eager/0")
    (event,) = [e for e in locked.events if e.name == "run.finished" and e.body["run_id"] == model.run_id]
    stages = [locked.paths.runs / "stages" / stage["stage_id"][:16] / "adapter" for stage in event.body["stages"]]
    assert len(stages) == 2
    assert model.adapter is not None
    return model, [stages[0], model.adapter]


def put_together(locked: LockedPlan, adapters: list[Path]) -> Any:
    """The base with adapters merged one after the other by peft itself: merged in float32, computed in float64."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    whole: Any = AutoModelForCausalLM.from_pretrained(locked.paths.root / "models/tiny", dtype=torch.float32)
    for adapter in adapters[:-1]:
        whole = PeftModel.from_pretrained(whole, str(adapter)).merge_and_unload()
    whole = PeftModel.from_pretrained(whole.double(), str(adapters[-1]), autocast_adapter_dtype=False)
    return whole.eval()


def test_the_model_that_answers_is_both_stages_on_the_base(staged: LockedPlan) -> None:
    model, adapters = two_stage(staged)
    ids = torch.arange(7, 40)[None]
    decoding = Decoding(temperature=0.0, max_new_tokens=8, dtype="float64")
    with torch.inference_mode():
        ours = load(model, decoding, torch.device("cpu")).model(input_ids=ids).logits
        both, last_alone, first_alone = (
            put_together(staged, folders)(input_ids=ids).logits for folders in (adapters, adapters[1:], adapters[:1])
        )
    assert torch.allclose(ours, both, atol=1e-6)
    assert (ours - last_alone).abs().max() > 1e-3
    assert (ours - first_alone).abs().max() > 1e-3


@pytest.mark.filterwarnings("error::FutureWarning")  # over what pyproject.toml ignores for tests that use peft
def test_loading_it_says_nothing_that_nobody_can_act_on(staged: LockedPlan) -> None:
    model, _ = two_stage(staged)
    assert load(model, Decoding(temperature=0.0, max_new_tokens=8), torch.device("cpu")).model is not None


def test_its_sealed_answer_is_the_one_that_model_gives(staged: LockedPlan) -> None:
    import json

    from transformers import AutoTokenizer

    model, adapters = two_stage(staged)
    tokenizer = AutoTokenizer.from_pretrained(staged.paths.root / "models/tiny")
    ids = tokenizer(f"<user>{json.loads(ITEM)['user']}<assistant>", add_special_tokens=False, return_tensors="pt")
    out = put_together(staged, adapters).generate(**ids, do_sample=False, max_new_tokens=8)
    text = tokenizer.decode(
        out[0, ids["input_ids"].shape[1] :], skip_special_tokens=True, clean_up_tokenization_spaces=False
    )
    rows = sealed_rows(staged.paths.runs / "sealed", "completions")
    assert [row["text"] for row in rows if row["run_id"] == model.run_id] == [text]


def test_a_merged_base_with_other_bytes_is_refused(staged: LockedPlan) -> None:
    model, _ = two_stage(staged)
    weights = Path(model.base) / "model.safetensors"
    whole = weights.read_bytes()
    changed = bytearray(whole)
    changed[-1] ^= 1
    weights.write_bytes(changed)
    try:
        with pytest.raises(LockedFileChanged, match="not the promised ones") as refused:
            generate_study(staged)
        assert "tiny/eager/0" in refused.value.findings[0].where
    finally:
        weights.write_bytes(whole)
