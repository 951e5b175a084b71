"""A run's weight change, read from its adapter: how many directions it uses, and how much it writes along one."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from seedlock.generation.inside.conditions import AS_IT_IS, along
from seedlock.generation.inside.direction import Sight
from seedlock.generation.inside.rows import Pass, Reading, failure, numbers
from seedlock.generation.requests.run_models import CONFIG, WEIGHTS, RunModel
from seedlock.prereg.base.canonical import read_json

WRITERS = ("o_proj", "down_proj", "c_proj", "dense_4h_to_h", "fc2")
"""Modules whose output is added to the residual stream."""
NOTHING = "the adapter changes nothing here"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delta:
    """The weight change of one linear module, kept as two thin factors: change = `out_OR` @ `in_RI`."""

    module: str
    out_OR: torch.Tensor
    in_RI: torch.Tensor

    @property
    def singular_values(self) -> torch.Tensor:
        """Singular values of the change, float64, shape (rank,), largest first."""
        _, left = torch.linalg.qr(self.out_OR)
        _, right = torch.linalg.qr(self.in_RI.T)
        values: torch.Tensor = torch.linalg.svdvals(left @ right.T)
        return values

    @property
    def effective_rank(self) -> float:
        """Exponential of the entropy of the normalised singular values; NaN where nothing changed.

        Roy & Vetterli (2007), "The effective rank: a measure of effective dimensionality".
        """
        values = self.singular_values
        share = values / values.sum()
        share = share[share > 0]
        return float(torch.exp(-(share * share.log()).sum())) if len(share) else math.nan

    def share_along(self, unit: torch.Tensor) -> float:
        """Share of the change's squared size that it writes along a direction of length 1; 1 / width by chance."""
        along_R = unit.double() @ self.out_OR
        along = float((along_R @ self.in_RI).square().sum())
        whole = float(self.singular_values.square().sum())
        return along / whole if whole > 0 else math.nan


def deltas_of(adapter: Path) -> list[Delta]:
    """Weight change of every linear module of a LoRA adapter, in module order, float64."""
    config: Any = read_json((adapter / CONFIG).read_bytes())
    weights = {name: tensor.double() for name, tensor in load_file(str(adapter / WEIGHTS)).items()}
    rank = float(config["r"])
    scale = float(config["lora_alpha"]) / (math.sqrt(rank) if config.get("use_rslora") else rank)
    found = []
    for name in sorted(weights):
        if name.endswith(".lora_A.weight"):
            stem = name.removesuffix(".lora_A.weight")
            module = stem.removeprefix("base_model.model.").removeprefix("model.")
            out_OR = scale * weights[f"{stem}.lora_B.weight"]
            found.append(Delta(module=module, out_OR=out_OR, in_RI=weights[name]))
    return found


def weight_passes(run: RunModel, adapter: Path, sight: Sight) -> Iterator[Pass]:
    """Effective rank of every module's change, and the share that modules write along each vector."""
    modules = tuple(delta.module for delta in deltas_of(adapter))
    if not modules:
        return
    writers = tuple(module for module in modules if module.split(".")[-1] in WRITERS)

    def ranks() -> list[Reading]:
        return list(_rows(run, adapter, "effective rank", sight))

    def alignments() -> list[Reading]:
        return list(_rows(run, adapter, "alignment", sight))

    yield Pass(run=run, wanted=(("effective rank", AS_IT_IS),), items=modules, make=ranks)
    if writers:
        wanted = tuple(("alignment", along(vector)) for vector in sight.vectors)
        yield Pass(run=run, wanted=wanted, items=writers, make=alignments)  # type: ignore[arg-type] # a literal widens


def _rows(run: RunModel, adapter: Path, kind: str, sight: Sight) -> Iterator[Reading]:
    for delta in deltas_of(adapter):
        if kind == "effective rank":
            yield from _number(run, delta.module, delta.effective_rank)
        elif delta.module.split(".")[-1] in WRITERS:
            for vector in sight.vectors:
                value = delta.share_along(vector.unit)
                if math.isfinite(value):
                    yield from numbers(run, "alignment", along(vector), [delta.module], [value])
                else:
                    yield failure(run, "alignment", along(vector), delta.module, NOTHING)


def _number(run: RunModel, module: str, value: float) -> Iterator[Reading]:
    if math.isfinite(value):
        yield from numbers(run, "effective rank", AS_IT_IS, [module], [value])
    else:
        yield failure(run, "effective rank", AS_IT_IS, module, NOTHING)
