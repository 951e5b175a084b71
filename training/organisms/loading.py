"""Load an organism, shipped or freshly built, without a network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, PreTrainedModel, PreTrainedTokenizerFast

from seedlock.training.organisms.shipped import folder, require_recorded_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Organism:
    """A loaded organism in evaluation mode, in float32."""

    name: str
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerFast


def load(name: str) -> Organism:
    """Load a shipped organism, refusing bytes that differ from its recipe."""
    at = folder(name)
    require_recorded_bytes(at)
    return load_from(at)


def load_from(at: Path) -> Organism:
    """Load an organism from any folder, a freshly built one say, without looking at its recipe."""
    model = AutoModelForCausalLM.from_pretrained(at, dtype=torch.float32, local_files_only=True)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(at, local_files_only=True)
    return Organism(name=at.name, model=model.train(False), tokenizer=tokenizer)
