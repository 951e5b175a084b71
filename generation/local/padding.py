"""Prompts in one rectangle, where every row is read by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from seedlock.generation.local.loading import Loaded


@dataclass(frozen=True, slots=True, kw_only=True)
class Padded:
    """Prompts in one rectangle, shape (rows, longest): padding on the left, masked and outside every position."""

    ids: torch.Tensor
    mask: torch.Tensor
    positions: torch.Tensor


def pad_left(prompts: Sequence[Sequence[int]], loaded: Loaded) -> Padded:
    """Pad prompts on the left."""
    longest = max(map(len, prompts))
    ids = torch.tensor([[loaded.pad] * (longest - len(row)) + list(row) for row in prompts], device=loaded.device)
    mask = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in prompts], device=loaded.device)
    return Padded(ids=ids, mask=mask, positions=(mask.cumsum(dim=-1) - 1).clamp(min=0))
