"""What differs from one machine to the next, each with a way that every machine has: cores, and how helpers begin."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from multiprocessing.context import ForkServerContext, SpawnContext

DEVICE = "SEEDLOCK_DEVICE"
"""Names the device that models run on (cuda, mps, cpu), in place of the fastest that torch finds."""


def cores() -> int:
    """Cores that this process may use; those of the machine where the system does not say."""
    count = getattr(os, "process_cpu_count", None)  # Python 3.13
    if count is not None:
        return int(count() or 1)
    affinity = getattr(os, "sched_getaffinity", None)  # Linux
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1


def helpers(preload: Sequence[str]) -> ForkServerContext | SpawnContext:
    """How helper processes begin: forked from a server that has imported `preload`, or afresh where none can."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(preload))
    return context


def device(*, cuda: bool, mps: bool) -> str:
    """The device that the environment names, else CUDA, Apple's MPS or the CPU, by what torch finds."""
    return os.environ.get(DEVICE, "").strip() or ("cuda" if cuda else "mps" if mps else "cpu")
