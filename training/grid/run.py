"""The worker's side: one run, stage by stage; a stage that another run has trained already is used again."""

from __future__ import annotations

import os
import platform
import sys
from dataclasses import asdict, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from filelock import FileLock

from seedlock.prereg.base.base_models import folder_revision
from seedlock.prereg.base.canonical import canonical_json, read_json, sha256_file, write_atomic
from seedlock.prereg.plan.given_runs import GivenRun
from seedlock.training.backends import trainer
from seedlock.training.grid.devices import VARIABLE
from seedlock.training.jobs.base_model import BaseModel
from seedlock.training.jobs.job import Progress, Record, Report, RunJob, StageJob

PACKAGES = ("torch", "transformers", "peft", "accelerate", "tokenizers", "safetensors", "openai")
STAGE_FILE = "stage.json"
RUN_FILE = "run.json"


def stage_folder(workbench: Path, job: StageJob) -> Path:
    """Where a stage is trained and kept."""
    return workbench / "stages" / job.stage_id[:16]


def run_file(workbench: Path, run_id: str) -> Path:
    """What generation reads to load a run."""
    return workbench / "runs" / run_id / RUN_FILE


def carry_out(job: RunJob, report: Report) -> Record:
    """Train every stage of a run in order and write its record.

    Raises
    ------
    SeedlockError
        A stage refuses what it was given.
    """
    base, stages = job.base, []
    for stage in job.stages:
        folder = stage_folder(job.workbench, stage)
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_suffix(".lock")):
            record = finished_stage(folder, stage) or _train(stage, base, folder, job.run_id, report)
        stages.append(record)
        if stage.keeps_merged and "merged" in record:
            base = _merged(stage, base, folder)
    done = run_record(job, base, stages)
    write_atomic(run_file(job.workbench, job.run_id), canonical_json(done) + b"\n")
    return done


def finished_stage(folder: Path, job: StageJob) -> Record | None:
    """A stage's record where it is finished and every promised file is whole; else None."""
    path = folder / STAGE_FILE
    if not path.is_file():
        return None
    record: Record = read_json(path.read_bytes())
    if record.get("stage_id") != job.stage_id:
        return None
    return record if all(_is(folder / at, digest) for at, digest in promised_files(record).items()) else None


def has_ended(workbench: Path, job: StageJob) -> bool:
    """Whether a stage left its record here; its files are held against it by whoever uses them."""
    return (stage_folder(workbench, job) / STAGE_FILE).is_file()


def promised_files(record: Record) -> dict[str, str]:
    """Path (relative to the stage's folder) -> digest of every file a stage's record promises."""
    files = {}
    if adapter := record.get("adapter"):
        files["adapter/adapter_model.safetensors"] = adapter["sha256"]
    for kept in record.get("checkpoints", []):
        files[f"checkpoints/{kept['fraction']:.4f}/adapter_model.safetensors"] = kept["sha256"]
    for name, digest in record.get("merged", {}).get("files", {}).items():
        files[f"merged/{name}"] = digest
    if "supervised_sha256" in record:
        files["supervised.jsonl"] = record["supervised_sha256"]
    return files


def _is(path: Path, digest: str) -> bool:
    return path.is_file() and sha256_file(path) == digest


def _train(job: StageJob, base: BaseModel, folder: Path, run_id: str, report: Report) -> Record:
    def told(progress: Progress) -> None:
        report(replace(progress, run_id=run_id))

    result = trainer(job.trainer)(job, base, folder, told)
    record: Record = {
        "name": job.name,
        "stage_id": job.stage_id,
        "trainer": job.trainer,
        "settings": _plain(asdict(job.settings)),
        "seeds": asdict(job.seeds),
        "corpus": {"name": job.corpus, "sha256": job.corpus_sha256, "variant": job.variant},
        "base_revision": base.revision,
        **result,
    }
    write_atomic(folder / STAGE_FILE, canonical_json(record) + b"\n")
    return record


def _merged(job: StageJob, base: BaseModel, folder: Path) -> BaseModel:
    at = folder / "merged"
    return BaseModel(
        name=base.name,
        spec=f"merged:{job.stage_id[:16]}",
        location=str(at),
        revision=folder_revision(at),
        is_local=True,
    )


def run_record(job: RunJob, base: BaseModel, stages: list[Record]) -> Record:
    """A finished run as JSON.

    `load.base` is what to load, `load.adapter` the folder of the last stage's adapter, both relative to the
    workbench where they lie in it; `load.adapter` is null for an unmodified model, and where the last stage was
    merged: its adapter is in the base then, and `load.merged_adapter` says which it was.
    """
    last = job.stages[-1] if job.stages else None
    inside = base.spec.startswith("merged:")
    has_adapter = last is not None and "adapter" in stages[-1]
    adapter = f"stages/{last.stage_id[:16]}/adapter" if last is not None and has_adapter else None
    is_merged = last is not None and base.spec == f"merged:{last.stage_id[:16]}"
    return {
        "run_id": job.run_id,
        "model": job.model,
        "arm": job.arm,
        "seed": job.seed,
        "load": {
            "base": str(Path(base.location).relative_to(job.workbench)) if inside else base.spec,
            "base_revision": base.revision,
            "in_workbench": inside,
            "adapter": None if is_merged else adapter,
            "merged_adapter": adapter if is_merged else None,
            "adapter_sha256": stages[-1]["adapter"]["sha256"] if has_adapter else None,
            "hosted_model": stages[-1].get("hosted", {}).get("model") if stages else None,
            **({} if job.given is None else {"given": _given(job.given)}),
        },
        "stages": stages,
        "environment": environment() if job.stages else None,
    }


def _given(run: GivenRun) -> Record:
    """Weights that were trained elsewhere: where they lay, their digest, and what their author says of them."""
    return {
        "path": run.spelled,
        "revision": run.found,
        "kind": run.weights.kind,
        "says_base": run.weights.says_base,
        "tracker": run.tracker,
    }


def environment() -> dict[str, Any]:
    """Versions, machine and devices that a run was made with."""
    found: dict[str, str | None] = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    torch = sys.modules.get("torch")  # a hosted run never loads it
    has_device = torch is not None and torch.cuda.is_available()
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "visible_devices": os.environ.get(VARIABLE),
        "accelerator": torch.cuda.get_device_name() if torch is not None and has_device else None,
        "packages": found,
    }


def _plain(value: Any) -> Any:
    """Tuples as lists, so that a record reads back as it was written."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, (list, tuple)) else value
