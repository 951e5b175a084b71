"""The device that models answer on: the one asked for, else a GPU where torch finds one."""

from __future__ import annotations

import torch

from seedlock.prereg.base.machine import device


def device_for(dtype: str) -> torch.device:
    """CUDA, Apple's MPS, or the CPU; MPS has no float64."""
    mps = torch.backends.mps.is_available() and dtype != "float64"
    return torch.device(device(cuda=torch.cuda.is_available(), mps=mps))
