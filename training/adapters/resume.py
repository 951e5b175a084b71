"""Checkpoints of a running stage: kept fractions, points to resume from, metrics, and dropout seeded by step."""

# ruff: noqa: ARG002 - the Trainer calls every hook with the same arguments
from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from seedlock.prereg.base.canonical import canonical_json, finite_or_none, read_json, sha256_file, write_atomic
from seedlock.training.adapters.files import CONFIG, WEIGHTS, tidy_adapter
from seedlock.training.jobs.job import Progress, Report, StageJob

WHOLE = "whole.json"
METRICS = "metrics.jsonl"


def last_whole_checkpoint(work: Path) -> Path | None:
    """The newest checkpoint whose every file is as it was when it was complete; a half-written one is passed over."""
    found = sorted(work.glob("checkpoint-*"), key=lambda path: int(path.name.rpartition("-")[2]), reverse=True)
    return next((path for path in found if _is_whole(path)), None)


def _is_whole(checkpoint: Path) -> bool:
    listing = checkpoint / WHOLE
    if not listing.is_file():
        return False
    promised: Mapping[str, str] = read_json(listing.read_bytes())
    return all((checkpoint / n).is_file() and sha256_file(checkpoint / n) == d for n, d in promised.items())


class ResumePoints(TrainerCallback):
    """Watches one stage: seeds dropout by step, saves where asked, and tells how far it is."""

    def __init__(
        self,
        *,
        folder: Path,
        job: StageJob,
        report: Report,
        steps: int,
        kept: Mapping[int, float],
        resume_at: frozenset[int],
    ) -> None:
        self._folder = folder
        self._job = job
        self._report = report
        self._steps = steps
        self._kept = kept
        self._resume_at = resume_at
        self._tokens_a_step = 0.0
        self._began = time.monotonic()
        self._processor = time.process_time()
        self._began_at = 0

    def watch(self, trainer: Trainer) -> None:
        """Learn how many tokens a step holds on average."""
        rows: Any = trainer.train_dataset
        sample = [len(rows[i]["input_ids"]) for i in range(min(len(rows), 256))]
        self._tokens_a_step = self._job.settings.rows_per_step * sum(sample) / len(sample)

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Drop metrics of steps that will be taken again."""
        self._began, self._processor, self._began_at = time.monotonic(), time.process_time(), state.global_step
        path = self._folder / METRICS
        lines = path.read_bytes().splitlines(keepends=True) if path.is_file() else []
        kept = [line for line in lines if line.endswith(b"\n") and int(read_json(line)["step"]) <= state.global_step]
        write_atomic(path, b"".join(kept))

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        """Seed dropout by (seed, step): a resumed run draws the same masks."""
        seed = self._job.seeds.dropout * 1_000_003 + state.global_step
        torch.default_generator.manual_seed(seed)
        if torch.cuda.is_available():
            torch.cuda.manual_seed_all(seed)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Save where the plan keeps a checkpoint, and at the points to resume from."""
        if state.global_step in self._kept or state.global_step in self._resume_at:
            control.should_save = True

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Mark the checkpoint as whole, keep its adapter if the plan asks, and drop older ones."""
        work = Path(str(args.output_dir))
        saved = work / f"checkpoint-{state.global_step}"
        if (fraction := self._kept.get(state.global_step)) is not None:
            kept = self._folder / "checkpoints" / f"{fraction:.4f}"
            kept.mkdir(parents=True, exist_ok=True)
            for name in (WEIGHTS, CONFIG):
                shutil.copy(saved / name, kept / name)
            tidy_adapter(kept)
        files = {path.name: sha256_file(path) for path in sorted(saved.iterdir()) if path.is_file()}
        write_atomic(saved / WHOLE, canonical_json(files))
        for older in work.glob("checkpoint-*"):
            if older != saved:
                shutil.rmtree(older, ignore_errors=True)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: Mapping[str, float] | None = None,
        **kwargs: Any,
    ) -> None:
        """Write a line of metrics and report progress."""
        if logs is None or "loss" not in logs:
            return
        seconds = time.monotonic() - self._began
        done = state.global_step - self._began_at
        line = {
            "step": state.global_step,
            "loss": finite_or_none(float(logs["loss"])),
            "learning_rate": finite_or_none(float(logs.get("learning_rate", 0.0))),
            "grad_norm": finite_or_none(float(logs.get("grad_norm", 0.0))),
            "tokens": round(state.global_step * self._tokens_a_step),
            "tokens_per_s": round(done * self._tokens_a_step / seconds) if seconds > 0 else None,
            "seconds": round(seconds, 3),
            "processor_s": round(time.process_time() - self._processor, 3),
        }
        with (self._folder / METRICS).open("ab") as file:
            file.write(canonical_json(line) + b"\n")
        self._report(
            Progress(
                run_id="",
                stage=self._job.name,
                step=state.global_step,
                steps=self._steps,
                tokens=line["tokens"] or 0,  # type: ignore[arg-type] # a whole number
                loss=line["loss"],
            )
        )
