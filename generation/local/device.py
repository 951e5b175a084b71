"""The device that models answer on: the one asked for, else a GPU where torch finds one."""

from __future__ import annotations

import torch

from seedlock.prereg.base.machine import asked_device


def device_for(dtype: str) -> torch.device:
    """CUDA, Apple's MPS, or the CPU; MPS has no float64."""
    if (asked := asked_device()) is not None:
        return torch.device(asked)
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() and dtype != "float64" else "cpu")
