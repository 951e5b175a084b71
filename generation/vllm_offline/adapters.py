"""Which adapters vLLM can carry: looked up before any is loaded, since a failed load hangs what comes after it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from seedlock.generation.requests.run_models import CONFIG, RunModel
from seedlock.prereg.errors import BadInput, Finding

RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
"""Ranks that vLLM makes room for."""
NOT_CARRIED = (
    "modules_to_save",
    "rank_pattern",
    "alpha_pattern",
    "layer_replication",
    "use_dora",
    "lora_bias",
    "target_parameters",
)
HEADS = frozenset({"lm_head", "embed_tokens"})


def room_for(models: Iterable[RunModel]) -> int:
    """The rank to make room for; 0 where no run has an adapter.

    Raises
    ------
    BadInput
        With every adapter that vLLM cannot carry.
    """
    faults: list[Finding] = []
    highest = 0
    for model in models:
        if model.adapter is not None:
            config = json.loads((model.adapter / CONFIG).read_bytes())
            faults += _not_carried(model.label, config)
            highest = max(highest, int(config["r"]))
    if faults:
        then = 'generate with backend = "transformers": amend the plan'
        raise BadInput("adapters that vLLM cannot carry", *faults[:20], then=then)
    return next((rank for rank in RANKS if rank >= highest), RANKS[-1]) if highest else 0


def _not_carried(label: str, config: dict[str, Any]) -> Iterator[Finding]:
    if config.get("peft_type") != "LORA" or config.get("bias", "none") != "none":
        found = f"{config.get('peft_type')}, bias {config.get('bias')}"
        yield Finding(where=label, found=found, promised="LoRA without biases")
    for name in NOT_CARRIED:
        if config.get(name):
            yield Finding(where=label, found=f"{name} = {config[name]}", promised="nothing")
    if int(config["r"]) > RANKS[-1]:
        yield Finding(where=label, found=f"rank {config['r']}", promised=f"at most {RANKS[-1]}")
    targets = config.get("target_modules")
    named = {targets} if isinstance(targets, str) else set(targets or [])
    if named & HEADS:
        yield Finding(where=label, found=f"an adapter on {sorted(named & HEADS)}", promised="linear layers within")


class AdapterNames:
    """A name and a number for every adapter, never given twice: vLLM knows an adapter again by its number."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[str, str], int] = {}

    def of(self, model: RunModel) -> dict[str, str | int] | None:
        """What the worker is told of a run's adapter; None for an unmodified model."""
        if model.adapter is None:
            return None
        key = (str(model.adapter_sha256), str(Path(model.adapter).resolve()))
        number = self._numbers.setdefault(key, len(self._numbers) + 1)
        return {"name": f"adapter-{number}-{key[0][:16]}", "id": number, "path": key[1]}
