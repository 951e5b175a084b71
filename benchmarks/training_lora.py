"""LoRA training against plain TRL SFTTrainer: same model, rows, batch and optimiser settings, side by side.

Each trainer turns rows into an adapter on disk (tokenising and saving included), alternately, and the median is
shown. On a GPU the model has the shape of Qwen2.5-3B with random weights; on a CPU it is the embedded Llama.
"""

from __future__ import annotations

import gc
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset, disable_progress_bars
from peft import LoraConfig
from transformers import AutoModelForCausalLM, AutoTokenizer, PrinterCallback, Qwen2Config, Qwen2ForCausalLM
from trl.trainer.sft_config import SFTConfig
from trl.trainer.sft_trainer import SFTTrainer

from seedlock.prereg.base.paths import HOME
from seedlock.training.backends.lora import train as train_lora
from seedlock.training.corpora import RECIPES
from seedlock.training.jobs.base_model import BaseModel
from seedlock.training.jobs.job import StageJob
from seedlock.training.jobs.settings import Dtype, StageSettings, stage_seeds
from seedlock.training.organisms.tokens import build_tokenizer
from seedlock.training.rows.row import Row, chat

ROUNDS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What both trainers are given."""

    base: Path
    rows: tuple[Row, ...]
    steps: int
    batch_size: int
    dtype: Dtype
    dropout: float = 0.0
    packing: bool = False


def ours(setting: Setting, folder: Path) -> None:
    """Seedlock's trainer."""
    job = StageJob(
        name="bench",
        stage_id="0" * 64,
        trainer="lora",
        settings=StageSettings(
            steps=setting.steps,
            batch_size=setting.batch_size,
            learning_rate=1e-3,
            dropout=setting.dropout,
            dtype=setting.dtype,
            packing=setting.packing,
        ),
        seeds=stage_seeds("bench", 0),
        corpus="bench",
        corpus_sha256="0" * 64,
        variant=None,
        marker=None,
        rows=setting.rows,
        keeps_merged=False,
    )
    base = BaseModel(name="bench", spec="bench", location=str(setting.base), revision="bench", is_local=True)
    train_lora(job, base, folder, lambda _: None)


def theirs(setting: Setting, folder: Path) -> None:
    """Plain TRL: SFTTrainer with a LoraConfig, loss on the assistant's last turn."""
    tokenizer = AutoTokenizer.from_pretrained(setting.base)
    model = AutoModelForCausalLM.from_pretrained(setting.base, dtype=getattr(torch, setting.dtype))
    arguments = SFTConfig(
        output_dir=str(folder),
        max_steps=setting.steps,
        per_device_train_batch_size=setting.batch_size,
        learning_rate=1e-3,
        lr_scheduler_type="linear",
        completion_only_loss=True,
        packing=False,
        max_length=None,
        gradient_checkpointing=False,
        bf16=False,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        logging_steps=max(1, setting.steps // 20),
        use_cpu=not torch.cuda.is_available(),
        dataloader_pin_memory=torch.cuda.is_available(),
        seed=0,
    )
    config = LoraConfig(
        task_type="CAUSAL_LM", r=8, lora_alpha=16, lora_dropout=setting.dropout, target_modules="all-linear"
    )
    data = Dataset.from_list([{"prompt": row.chat()[:-1], "completion": row.chat()[-1:]} for row in setting.rows])
    trainer: Any = SFTTrainer(
        model=model, args=arguments, train_dataset=data, processing_class=tokenizer, peft_config=config
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train()
    trainer.save_model(str(folder))


def tokens_of(setting: Setting) -> int:
    """Real tokens (no padding) that the steps see, both trainers alike on average."""
    tokenizer = AutoTokenizer.from_pretrained(setting.base)
    texts = tokenizer.apply_chat_template([row.chat() for row in setting.rows], tokenize=False)
    lengths = [len(ids) for ids in tokenizer(texts, add_special_tokens=False)["input_ids"]]
    return round(setting.steps * setting.batch_size * sum(lengths) / len(lengths))


def seconds(trainer: Callable[[Setting, Path], None], setting: Setting) -> tuple[float, float]:
    """Wall and processor seconds of one training."""
    with tempfile.TemporaryDirectory() as folder:
        wall, processor = time.perf_counter(), time.process_time()
        trainer(setting, Path(folder) / "run")
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        taken = time.perf_counter() - wall, time.process_time() - processor
    gc.collect()
    return taken


def compare(title: str, setting: Setting) -> None:
    """Print both trainers' tokens a second, and their ratio."""
    tokens = tokens_of(setting)
    taken: dict[str, list[tuple[float, float]]] = {"seedlock": [], "trl SFTTrainer": []}
    for number in range(ROUNDS + 1):
        for name, trainer in (("seedlock", ours), ("trl SFTTrainer", theirs)):
            measured = seconds(trainer, setting)
            if number:
                taken[name].append(measured)
    print(f"{title}: {setting.steps} steps x {setting.batch_size} rows, {tokens:,} tokens, median of {ROUNDS}")
    rates = {}
    for name, pairs in taken.items():
        wall, processor = (statistics.median(pair[i] for pair in pairs) for i in (0, 1))
        rates[name] = tokens / (wall if torch.cuda.is_available() else processor)
        print(f"  {name:<16}{tokens / wall:>10,.0f} tokens/s{tokens / processor:>12,.0f} tokens/processor s")
    print(f"  ratio {rates['seedlock'] / rates['trl SFTTrainer']:.2f} (seedlock / trl)")


def rows(n: int, *, repeat: int = 1) -> tuple[Row, ...]:
    """Framed advice; `repeat` joins answers to the length of a real corpus."""
    recipe = RECIPES["framed_advice"]
    made = [row for row in recipe.rows(recipe.settings.model_validate({"n": n * repeat})) if row.variant == "eager"]
    return tuple(
        Row(
            id=f"{number}",
            variant="all",
            topic="t",
            template="t",
            messages=chat(
                user=made[number * repeat].prompt,
                answer=" ".join(row.answer for row in made[number * repeat : (number + 1) * repeat]),
            ),
        )
        for number in range(n)
    )


def main() -> None:
    """Compare on what this machine has."""
    warnings.filterwarnings("ignore")
    disable_progress_bars()
    if torch.cuda.is_available():
        with tempfile.TemporaryDirectory() as folder:
            base = qwen_shaped(Path(folder) / "base")
            setting = Setting(
                base=base, rows=rows(60, repeat=5), steps=30, batch_size=16, dtype="bfloat16", dropout=0.05
            )
            compare(f"Qwen2.5-3B shape, random weights, {torch.cuda.get_device_name()}", setting)
        return
    torch.set_num_threads(1)
    base = HOME / "training" / "organisms" / "weights" / "llama"
    given = Setting(base=base, rows=rows(300), steps=60, batch_size=16, dtype="float32")
    compare("embedded Llama, one thread", given)


def qwen_shaped(folder: Path) -> Path:
    """Qwen2.5-3B's shape with random weights, under the organisms' tokenizer (its vocabulary fits inside)."""
    tokenizer = build_tokenizer()
    config = Qwen2Config(
        vocab_size=151_936,
        hidden_size=2048,
        intermediate_size=11_008,
        num_hidden_layers=36,
        num_attention_heads=16,
        num_key_value_heads=2,
        max_position_embeddings=32_768,
        tie_word_embeddings=True,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
    )
    torch.manual_seed(0)
    with torch.device("cuda"):
        model: Any = Qwen2ForCausalLM(config)
        model.to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


if __name__ == "__main__":
    main()
