"""Every pass that a plan's [inside] asks for, run by run; what has its rows already is left out by the caller."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from seedlock.generation.inside.direction import Sight, find_sight
from seedlock.generation.inside.intervene import ablation_passes, patching_pass, steering_passes
from seedlock.generation.inside.loaded_models import Asked, Bench
from seedlock.generation.inside.observe import geometry_pass, probe_pass, projection_pass
from seedlock.generation.inside.residual import decoder_layers
from seedlock.generation.inside.rows import Pass
from seedlock.generation.inside.texts import pole_texts, spans_of
from seedlock.generation.inside.weights import weight_passes
from seedlock.generation.requests.items import Item
from seedlock.generation.requests.run_models import WEIGHTS, RunModel
from seedlock.prereg.base.canonical import sha256_file
from seedlock.prereg.errors import BadInput, Finding, Incomplete, LockedFileChanged
from seedlock.prereg.lock.document import LockedRun
from seedlock.prereg.lock.gate import LockedPlan
from seedlock.prereg.plan.inside import Inside
from seedlock.prereg.plan.plan import BASELINE_ARM


@dataclass(frozen=True, slots=True, kw_only=True)
class Runs:
    """The runs of one base model: the unmodified one, and those that were tuned."""

    name: str
    base: RunModel
    tuned: tuple[tuple[LockedRun, RunModel], ...]


def runs_by_model(locked: LockedPlan, models: Sequence[RunModel]) -> list[Runs]:
    """Group resolved runs by base model.

    Raises
    ------
    BadInput
        A base model without its unmodified run.
    """
    by_id = {model.run_id: model for model in models}
    found, faults = [], []
    for name in locked.plan.grid.models:
        runs = [run for run in locked.due if run.model == name and run.run_id in by_id]
        plain = [by_id[run.run_id] for run in runs if run.arm == BASELINE_ARM]
        if not plain:
            faults.append(Finding(where=f"models.{name}", found="no unmodified run", promised="grid.baseline = true"))
            continue
        tuned = tuple((run, by_id[run.run_id]) for run in runs if run.arm != BASELINE_ARM)
        found.append(Runs(name=name, base=plain[0], tuned=tuned))
    if faults:
        raise BadInput("directions are those of the unmodified model", *faults, then="edit the plan, and amend")
    return found


def sight_of(locked: LockedPlan, bench: Bench, items: Sequence[Item], runs: Runs, plan: Inside) -> Sight | None:
    """The direction of a base model, found once; None where the plan asks for none."""
    if plan.direction is None:
        return None
    loaded = bench.loaded(runs.base)
    texts = pole_texts(locked, items, plan.direction)
    spans = spans_of(texts, loaded.tokenizer, plan.direction.position)
    folder = locked.paths.runs / "inside" / runs.name
    return find_sight(loaded, texts, spans, plan, model=runs.name, folder=folder)


def passes_of(
    locked: LockedPlan, bench: Bench, items: Sequence[Item], runs: Runs, *, plan: Inside, sight: Sight | None
) -> Iterator[Pass]:
    """Every pass over the runs of one base model: the unmodified one first, then each tuned one in lock order."""
    everyone = [(None, runs.base), *runs.tuned]
    for number, (run, model) in enumerate(everyone):
        is_base = number == 0
        compared = is_base or (run is not None and run.arm in plan.gap)
        if plan.project is not None and sight is not None:
            yield from _projections(locked, bench, plan, model, sight)
        yield from _as_they_are(bench, plan, model, is_base=is_base, compared=compared)
        if plan.geometry is not None:
            yield _geometry(bench, items, plan, model)
        if sight is None:
            continue
        if plan.steer is not None and is_base:
            yield from _steering(bench, plan, model, sight)
        if plan.ablate is not None and compared:
            asked = bench.asked(model, plan.ablate.items)
            yield from ablation_passes(bench, model, asked, sight, every_layer=plan.ablate.layers == "all")
        if plan.weights and (adapter := _adapter(model)) is not None:
            yield from weight_passes(model, adapter, sight)
    if plan.patch is not None:
        n_layers = len(decoder_layers(bench.loaded(runs.base).model))
        for run, model in runs.tuned:
            if run.arm in plan.gap:
                asked = bench.asked(model, plan.patch.items)
                yield patching_pass(bench, model, runs.base, asked, n_layers=n_layers, positions=plan.patch.positions)


def _projections(locked: LockedPlan, bench: Bench, plan: Inside, model: RunModel, sight: Sight) -> Iterator[Pass]:
    if plan.project is None:
        return
    asked, with_lens = bench.asked(model, plan.project.items), plan.project.lens
    yield projection_pass(bench, model, asked, sight, with_lens=with_lens)
    if plan.project.checkpoints:
        for fraction, at in _checkpoints(locked, model):
            yield projection_pass(bench, at, asked, sight, with_lens=with_lens, checkpoint=fraction)


def _as_they_are(bench: Bench, plan: Inside, model: RunModel, *, is_base: bool, compared: bool) -> Iterator[Pass]:
    """Probes without any change, which every change is compared with."""
    named: list[str] = []
    if compared:
        named += [table.items for table in (plan.steer, plan.ablate, plan.patch) if table is not None]
    if plan.steer is not None and is_base:
        named += [plan.steer.choose_on, plan.steer.fluency]
    once: dict[str, Any] = {}
    for name in dict.fromkeys(named):
        fresh = tuple(p for p in bench.asked(model, name).prompts if p.item_id not in once)
        once |= dict.fromkeys(prompt.item_id for prompt in fresh)
        if fresh:
            yield probe_pass(bench, model, Asked(prompts=fresh))


def _steering(bench: Bench, plan: Inside, model: RunModel, sight: Sight) -> Iterator[Pass]:
    if plan.steer is None:
        return
    doses = plan.steer.doses
    yield from steering_passes(bench, model, bench.asked(model, plan.steer.choose_on), sight, doses, only_true=True)
    for name in (plan.steer.items, plan.steer.fluency):
        yield from steering_passes(bench, model, bench.asked(model, name), sight, doses, only_true=False)


def _geometry(bench: Bench, items: Sequence[Item], plan: Inside, model: RunModel) -> Pass:
    if plan.geometry is None:
        raise ValueError("no [inside.geometry]")
    by, named = plan.geometry.by, plan.geometry.items
    groups = {item.item_id: str(item.attributes.get(by)) for item in items if item.item_set == named}
    if plan.geometry.reference not in groups.values():
        known = ", ".join(sorted(set(groups.values())))
        fault = Finding(where="inside.geometry.reference", found=plan.geometry.reference, promised=f"one of: {known}")
        raise BadInput("no prompts of the reference group", fault, then="edit the plan, and amend")
    n_layers = len(decoder_layers(bench.loaded(model).model))
    return geometry_pass(bench, model, bench.asked(model, named), groups, n_layers)


def _adapter(model: RunModel) -> Path | None:
    """Folder of the last stage's adapter, merged or not; None for an unmodified model."""
    if model.adapter is not None:
        return model.adapter
    beside = Path(model.base).parent / "adapter"
    return beside if model.adapter_sha256 is not None and beside.is_dir() else None


def _checkpoints(locked: LockedPlan, model: RunModel) -> Iterator[tuple[float, RunModel]]:
    """Saved checkpoints of a run's last stage, each with the bytes that the ledger recorded."""
    if model.adapter is None:
        return
    finished = [e.body for e in locked.events if e.name == "run.finished" and e.body["run_id"] == model.run_id]
    kept: Sequence[Mapping[str, Any]] = finished[-1]["stages"][-1].get("checkpoints", []) if finished else []
    for checkpoint in kept:
        fraction = float(checkpoint["fraction"])
        folder = model.adapter.parent / "checkpoints" / f"{fraction:.4f}"
        where, promised = f"{model.label}: checkpoint {fraction:g}", str(checkpoint["sha256"])
        if not (folder / WEIGHTS).is_file():
            fault = Finding(where=where, found="no such file", promised=f"sha256 {promised}")
            raise Incomplete("a checkpoint is missing", fault, then=f"seedlock train {locked.paths.name}")
        if (found := sha256_file(folder / WEIGHTS)) != promised:
            fault = Finding(where=where, found=f"sha256 {found}", promised=f"sha256 {promised} (ledger)")
            raise LockedFileChanged("a checkpoint is not the promised one", fault)
        yield fraction, replace(model, adapter=folder, adapter_sha256=promised)
