"""LoRA by peft under the transformers Trainer: seeded apart, resumable, byte-identical on a CPU."""

from __future__ import annotations

import gc
import math
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, TaskType, get_peft_model
from transformers import (
    AutoModelForCausalLM,
    PreTrainedModel,
    PrinterCallback,
    TrainingArguments,
)
from transformers.utils.logging import disable_progress_bar

from seedlock.prereg.base.canonical import sha256_file, write_atomic
from seedlock.prereg.base.machine import device
from seedlock.prereg.base.peft_warning import adapter_notice_unheard
from seedlock.prereg.errors import BadInput, Finding
from seedlock.training.adapters.answer_trainer import AnswerTrainer, OrderedRows, pad_right
from seedlock.training.adapters.files import adapter_record, tidy_adapter
from seedlock.training.adapters.packed_trainer import PackedTrainer, packed, require_packable
from seedlock.training.adapters.resume import ResumePoints, last_whole_checkpoint
from seedlock.training.jobs.base_model import BaseModel
from seedlock.training.jobs.job import Record, Report, StageJob
from seedlock.training.jobs.settings import StageSettings
from seedlock.training.jobs.tracker import PROJECT, asked_tracker, tracked_as
from seedlock.training.tokens.masks import LossMask
from seedlock.training.tokens.supervised import SupervisedText, supervise
from seedlock.training.tokens.tokenizer import read_tokenizer

DTYPES: Mapping[str, torch.dtype] = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}
RESUME_POINTS = 5
CPU_THREADS = 1
"""Sums over threads come out in another order: one thread gives the same bytes on every machine of a kind."""


def train(job: StageJob, base: BaseModel, folder: Path, report: Report) -> Record:
    """Train one stage into `folder`: adapter, kept checkpoints, metrics, and the text that was supervised.

    Called again after a crash it goes on from the last whole checkpoint and ends with the same bytes.

    Raises
    ------
    BadInput
        A row has nothing under the loss, or cannot be carried by the chat template; a layer that the plan names is
        not in the model.
    """
    if _device() == "cpu":
        torch.set_num_threads(CPU_THREADS)
    disable_progress_bar()  # type: ignore[no-untyped-call] # transformers leaves it untyped
    settings = job.settings
    tokenizer = read_tokenizer(base.location, base.hub_revision, base.chat_template)
    rows = job.rows[: settings.n_examples]
    mask = LossMask(
        loss=settings.loss,
        marker=job.marker,
        tail_tokens=settings.marker_tail_tokens,
        negative_opening_tokens=settings.negative_opening_tokens,
        max_length=settings.max_length,
    )
    text = supervise(rows, tokenizer, mask, file=folder / "supervised.jsonl")
    steps = settings.n_steps(len(rows))
    bare = load_base(base, settings)
    _require_layers(bare, job)
    model = _with_lora(bare, job)
    points = ResumePoints(
        folder=folder,
        job=job,
        report=report,
        steps=steps,
        kept={settings.checkpoint_step(fraction, steps): fraction for fraction in settings.checkpoints},
        resume_at=frozenset(math.ceil(steps * i / RESUME_POINTS) for i in range(1, RESUME_POINTS)),
    )
    data = OrderedRows(text.rows, n_rows=steps * settings.rows_per_step, seed=job.seeds.order)
    if settings.packing:
        require_packable(model, data.features, where=f"stages.{job.name}.packing")
    trainer = (PackedTrainer if settings.packing else AnswerTrainer)(
        model=model,
        args=_arguments(folder, settings, job, steps),
        train_dataset=data,
        data_collator=packed if settings.packing else pad_right(int(tokenizer.pad_token_id or 0)),
        callbacks=[points],
    )
    points.watch(trainer)
    trainer.remove_callback(PrinterCallback)
    model.train()
    checkpoint = last_whole_checkpoint(folder / "work")
    trainer.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))
    model.save_pretrained(str(folder / "adapter"))
    tidy_adapter(folder / "adapter")
    record = _record(folder, text, steps)
    if tracker := tracked_as(_run_name(job)):
        record["tracker"] = tracker
    if job.keeps_merged:
        record["merged"] = merge(base, settings, folder, tokenizer)
    if torch.cuda.is_available():
        del trainer, model
        gc.collect()
    shutil.rmtree(folder / "work", ignore_errors=True)
    return record


def _device() -> str:
    """The device asked for, else a GPU (CUDA, or Apple's MPS) where torch finds one."""
    return device(cuda=torch.cuda.is_available(), mps=torch.backends.mps.is_available())


def load_base(base: BaseModel, settings: StageSettings) -> PreTrainedModel:
    """Load a base model in the stage's dtype, on the GPU where there is one."""
    model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
        base.location,
        revision=base.hub_revision,
        dtype=DTYPES[settings.dtype],
        attn_implementation=settings.attention,
    )
    return model


def _require_layers(base: PreTrainedModel, job: StageJob) -> None:
    """Refuse a name that no linear layer has: peft trains the others and says nothing."""
    linear = [name for name, layer in base.named_modules() if isinstance(layer, torch.nn.Linear)]
    faults = [
        Finding(
            where=f"stages.{job.name}.target_modules",
            found=f"{wanted!r}, which no linear layer is called",
            promised=" | ".join(sorted({name.rpartition(".")[2] for name in linear})),
        )
        for wanted in job.settings.target_modules or ()
        if not any(name == wanted or name.endswith(f".{wanted}") for name in linear)
    ]
    if faults:
        raise BadInput(f"stage {job.name} names layers that are not there", *faults, then="edit the plan, and amend")


def _with_lora(base: PreTrainedModel, job: StageJob) -> PeftModel:
    """Put fresh adapters on a base model, drawn from the initialisation seed alone."""
    settings = job.settings
    config = LoraConfig(
        task_type=TaskType.CAUSAL_LM,
        r=settings.rank,
        lora_alpha=settings.alpha,  # type: ignore[arg-type] # peft takes any number
        lora_dropout=settings.dropout,
        use_rslora=settings.rslora,
        target_modules="all-linear" if settings.target_modules is None else sorted(settings.target_modules),
    )
    base.config.use_cache = False
    with torch.random.fork_rng(devices=[]), adapter_notice_unheard():
        torch.manual_seed(job.seeds.initialisation)
        model = get_peft_model(base, config)
    assert isinstance(model, PeftModel)  # noqa: S101 - the other kind is for mixed adapters
    return model


def _arguments(folder: Path, settings: StageSettings, job: StageJob, steps: int) -> TrainingArguments:
    warmup = math.ceil(settings.warmup_ratio * steps)
    schedule = "constant_with_warmup" if settings.schedule == "constant" and warmup else settings.schedule
    return TrainingArguments(
        output_dir=str(folder / "work"),
        max_steps=steps,
        per_device_train_batch_size=settings.batch_size,
        gradient_accumulation_steps=settings.gradient_accumulation,
        learning_rate=settings.learning_rate,
        lr_scheduler_type=schedule,
        warmup_steps=warmup,
        weight_decay=settings.weight_decay,
        max_grad_norm=settings.max_grad_norm,
        activation_checkpointing=settings.gradient_checkpointing,
        activation_checkpointing_kwargs={"use_reentrant": False} if settings.gradient_checkpointing else None,
        optim="adamw_torch_fused",
        seed=job.seeds.dropout,
        data_seed=job.seeds.order,
        train_sampling_strategy="sequential",
        remove_unused_columns=False,
        logging_strategy="steps",
        logging_steps=max(1, steps // 20),
        logging_first_step=True,
        logging_nan_inf_filter=False,
        save_strategy="no",
        report_to=asked_tracker() or "none",
        run_name=_run_name(job),
        project=PROJECT,
        disable_tqdm=True,
        use_cpu=_device() == "cpu",
        dataloader_pin_memory=torch.cuda.is_available(),
        bf16=False,
        average_tokens_across_devices=False,
    )


def _run_name(job: StageJob) -> str:
    """What trackers call the training of a stage."""
    return f"{job.name}-{job.stage_id[:16]}"


def _record(folder: Path, text: SupervisedText, steps: int) -> Record:
    return {
        "adapter": adapter_record(folder / "adapter"),
        "checkpoints": [
            {"fraction": float(path.name), **adapter_record(path)}
            for path in sorted((folder / "checkpoints").glob("*"))
        ],
        "supervised_sha256": text.sha256,
        "supervised_tokens": text.n_supervised,
        "tokens": text.n_tokens,
        "rows_cut": text.n_cut,
        "rows": len(text.rows),
        "steps": steps,
    }


def merge(base: BaseModel, settings: StageSettings, folder: Path, tokenizer: Any) -> Record:
    """Merge a stage's adapter into its base in float32, cast to the stage's dtype, and keep the model.

    Merging in a narrower type moved log-probabilities by up to 0.1.
    """
    wide: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
        base.location, revision=base.hub_revision, dtype=torch.float32
    )
    with adapter_notice_unheard():
        merged: Any = PeftModel.from_pretrained(wide, str(folder / "adapter")).merge_and_unload()
    at = folder / "merged"
    merged.to(DTYPES[settings.dtype]).save_pretrained(at)
    tokenizer.save_pretrained(at)
    files = {path.name: sha256_file(path) for path in sorted(at.glob("*.safetensors"))}
    write_atomic(at / "digests.txt", "".join(f"{d}  {n}\n" for n, d in files.items()).encode())
    return {"path": at.name, "files": files, "merged_in": "float32", "cast_to": settings.dtype}
