"""What to load for every promised run, each file checked against the plan's pin and the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seedlock.prereg.base.base_models import folder_revision, found_revision, lies_in_cache, model_folder
from seedlock.prereg.base.canonical import Sha256, sha256_file
from seedlock.prereg.errors import BadInput, Finding, Incomplete, LockedFileChanged, OutOfOrder
from seedlock.prereg.lock.document import LockedRun
from seedlock.prereg.lock.due_runs import given_up
from seedlock.prereg.lock.gate import LockedPlan
from seedlock.prereg.plan.bases import chat_template_of
from seedlock.prereg.plan.given_runs import GivenRun, given_runs
from seedlock.prereg.plan.hosted import HOSTED_BACKENDS

WEIGHTS = "adapter_model.safetensors"
CONFIG = "adapter_config.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunModel:
    """The model of one run.

    Parameters
    ----------
    base, revision
        What `from_pretrained` takes (a folder or a hub id), and the digest or commit that pins it.
    is_local
        Whether `base` is a folder.
    adapter, adapter_sha256
        Folder and digest of the adapter on top of it; None for an unmodified model. Where the last stage was
        merged into the base, only the digest says which adapter that was.
    served
        Name of the model behind an API; None where it is loaded here.
    chat_template
        What the study brings in place of the model's own.
    """

    run_id: str
    label: str
    base: str
    revision: str
    is_local: bool
    adapter: Path | None
    adapter_sha256: Sha256 | None
    served: str | None = None
    chat_template: str | None = None


@dataclass(slots=True)
class _Faults:
    """What does not hold, by whose link gave way."""

    order: list[Finding]
    absent: list[Finding]
    changed: list[Finding]
    unusable: list[Finding]


def run_models(locked: LockedPlan) -> list[RunModel]:
    """Resolve every promised run that is due, or none; runs that failed are left out where the plan goes on without.

    Raises
    ------
    OutOfOrder
        A run has stages and the ledger does not say that it is finished.
    Incomplete
        An adapter or a base model is not where it should be.
    LockedFileChanged
        Bytes differ from the ledger or from the plan's pin.
    BadInput
        A run lives behind an API, where its weights cannot be loaded.
    """
    faults = _Faults([], [], [], [])
    without = given_up(locked.plan, locked.events)
    due = [run for run in locked.due if run.run_id not in without]
    finished = {str(e.body["run_id"]): e.body for e in locked.events if e.name == "run.finished"}
    if locked.plan.decoding is not None and locked.plan.decoding.backend in HOSTED_BACKENDS:
        served = [_served(locked, run, finished, faults) for run in due]
        _raise(locked, faults)
        return [model for model in served if model is not None]
    bases = {name: _base(locked, name, faults) for name in locked.plan.grid.models}
    given = {run.label: run for run in given_runs(locked.plan, locked.paths.root)}
    found = [
        _given(locked, run, given[label], bases[run.model], finished, faults=faults)
        if (label := _label(run)) in given
        else _resolve(locked, run, bases, finished, faults)
        for run in due
    ]
    _raise(locked, faults)
    return [model for model in found if model is not None]


def _raise(locked: LockedPlan, faults: _Faults) -> None:
    study = locked.paths.name
    again = f"seedlock train {study}  makes what is missing, and checks what is there"
    if any(lies_in_cache(model.base) for model in locked.plan.models.values()):
        again = f"seedlock fetch {study},  then  {again}"
    if faults.changed:
        raise LockedFileChanged(f"models of {study} are not the promised ones", *faults.changed, then=again)
    if faults.order:
        raise OutOfOrder(
            f"{len(faults.order)} runs of {study} are not trained", *faults.order[:20], then=f"seedlock train {study}"
        )
    if faults.absent:
        raise Incomplete(f"models of {study} are missing", *faults.absent[:20], then=again)
    if faults.unusable:
        raise BadInput(f"runs of {study} cannot be loaded here", *faults.unusable[:20], then="name another backend")


def _served(
    locked: LockedPlan, run: LockedRun, finished: Mapping[str, Mapping[str, Any]], faults: _Faults
) -> RunModel | None:
    """A run by its name behind an API: the plan's, the one its fine-tuning job ended with, or the base model's own."""
    label, model = _label(run), locked.plan.models[run.model]
    names = {} if locked.plan.hosted is None else locked.plan.hosted.served
    arm = locked.plan.arms.get(run.arm)
    load: Mapping[str, Any] = {}
    if run.seed is None or arm is None or not arm.stages:
        name = names.get(label) or names.get(run.model) or model.base
    elif run.run_id not in finished:
        faults.order.append(Finding(where=label, found="no run.finished", promised="a trained run"))
        return None
    else:
        load = finished[run.run_id].get("load") or {}
        name = names.get(label) or str(load.get("hosted_model") or "")
        if not name:
            promised = f'[hosted.served] "{label}" = its name at the endpoint'
            faults.unusable.append(Finding(where=label, found="no name", promised=promised))
            return None
    return RunModel(
        run_id=run.run_id,
        label=label,
        base=model.base,
        revision=model.revision,
        is_local=False,
        adapter=None,
        adapter_sha256=load.get("adapter_sha256"),
        served=name,
    )


def _label(run: LockedRun) -> str:
    return f"{run.model}/{run.arm}" + ("" if run.seed is None else f"/{run.seed}")


def _base(locked: LockedPlan, name: str, faults: _Faults) -> tuple[str, str, bool]:
    """Location, revision and whether it is a folder, of one base model of the plan."""
    model = locked.plan.models[name]
    folder = model_folder(model.base, locked.paths.root, model.revision)
    if folder is None:
        return model.base, model.revision, False
    if not (folder / "config.json").is_file():
        faults.absent.append(Finding(where=f"models.{name}", found=model.base, promised="a model's folder"))
    elif (found := found_revision(model.base, locked.paths.root, folder)) != model.revision:
        faults.changed.append(Finding(where=f"models.{name}.revision", found=found, promised=model.revision))
    return str(folder), model.revision, True


def _resolve(
    locked: LockedPlan,
    run: LockedRun,
    bases: Mapping[str, tuple[str, str, bool]],
    finished: Mapping[str, Mapping[str, Any]],
    faults: _Faults,
) -> RunModel | None:
    label = _label(run)
    base, revision, is_local = bases[run.model]
    template = chat_template_of(locked.plan.models[run.model], locked.paths.study)
    arm = locked.plan.arms.get(run.arm)
    if run.seed is None or arm is None or not arm.stages:
        return RunModel(
            run_id=run.run_id,
            label=label,
            base=base,
            revision=revision,
            is_local=is_local,
            adapter=None,
            adapter_sha256=None,
            chat_template=template,
        )
    if run.run_id not in finished:
        faults.order.append(Finding(where=label, found="no run.finished", promised="a trained run"))
        return None
    load = finished[run.run_id].get("load") or {}
    last = load.get("adapter") or load.get("merged_adapter")
    if load.get("hosted_model") or not last:
        faults.unusable.append(Finding(where=label, found=str(load.get("hosted_model")), promised="an adapter"))
        return None
    adapter = locked.paths.runs / str(last)
    if load.get("in_workbench"):
        merged = locked.paths.runs / str(load["base"])
        base, revision, is_local = str(merged), str(load["base_revision"]), True
        _check_merged(locked, merged, revision, label, faults)
    _check_adapter(locked, adapter, finished[run.run_id], label, faults)
    return RunModel(
        run_id=run.run_id,
        label=label,
        base=base,
        revision=revision,
        is_local=is_local,
        adapter=adapter if load.get("adapter") else None,
        adapter_sha256=str(load["adapter_sha256"]),
        chat_template=template,
    )


def _given(
    locked: LockedPlan,
    planned: LockedRun,
    run: GivenRun,
    base: tuple[str, str, bool],
    finished: Mapping[str, Mapping[str, Any]],
    *,
    faults: _Faults,
) -> RunModel | None:
    """Weights made elsewhere, loaded from where they lie: an adapter on its base, or a whole model."""
    where = f"{run.label}: {run.spelled}"
    if planned.run_id not in finished:
        faults.order.append(Finding(where=run.label, found="no run.finished", promised="a run that train has read"))
        return None
    promised = str(finished[planned.run_id]["load"]["given"]["revision"])
    if run.weights.kind is None or run.found is None:
        faults.absent.append(Finding(where=where, found=run.weights.fault or "nothing", promised=promised))
        return None
    if run.found != promised:
        faults.changed.append(Finding(where=where, found=run.found, promised=f"{promised} (ledger)"))
    is_adapter = run.weights.kind == "adapter"
    location, revision, is_local = base if is_adapter else (str(run.folder), run.found, True)
    return RunModel(
        run_id=planned.run_id,
        label=run.label,
        base=location,
        revision=revision,
        is_local=is_local,
        adapter=run.folder if is_adapter else None,
        adapter_sha256=run.found.removeprefix("sha256:"),
        chat_template=chat_template_of(locked.plan.models[planned.model], locked.paths.study),
    )


def _check_merged(locked: LockedPlan, folder: Path, promised: str, label: str, faults: _Faults) -> None:
    where = f"{label}: {locked.paths.relative(folder)}"
    if not folder.is_dir():
        faults.absent.append(Finding(where=where, found="no such folder", promised=promised))
    elif (found := folder_revision(folder)) != promised:
        faults.changed.append(Finding(where=where, found=found, promised=f"{promised} (ledger)"))


def _check_adapter(locked: LockedPlan, folder: Path, event: Mapping[str, Any], label: str, faults: _Faults) -> None:
    """Weights and configuration of the last stage's adapter, as the ledger recorded them."""
    promised = event["stages"][-1]["adapter"]
    for name, digest in ((WEIGHTS, promised["sha256"]), (CONFIG, promised["config_sha256"])):
        path = folder / name
        where = f"{label}: {locked.paths.relative(path)}"
        if not path.is_file():
            faults.absent.append(Finding(where=where, found="no such file", promised=f"sha256 {digest}"))
        elif (found := sha256_file(path)) != digest:
            faults.changed.append(Finding(where=where, found=f"sha256 {found}", promised=f"sha256 {digest} (ledger)"))
