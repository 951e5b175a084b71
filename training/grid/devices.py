"""Accelerators of this machine, by the names that `CUDA_VISIBLE_DEVICES` takes: a worker sees one."""

from __future__ import annotations

import os

VARIABLE = "CUDA_VISIBLE_DEVICES"


def visible_devices() -> tuple[str, ...]:
    """Devices that this process may use; none on a machine without."""
    import torch  # noqa: PLC0415 - a stage that trains has it; what it loads here, no worker loads again

    count = torch.cuda.device_count()
    named = [name.strip() for name in os.environ.get(VARIABLE, "").split(",") if name.strip()]
    return tuple((named or list(map(str, range(count))))[:count])
