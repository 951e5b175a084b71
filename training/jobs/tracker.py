"""A tracker of metrics beside the local file, where the user asks for one and has it: W&B or trackio."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec

from seedlock.prereg.errors import BadInput, Finding

VARIABLE = "SEEDLOCK_TRACKER"
PROJECT = "seedlock"
TRACKERS = ("trackio", "wandb")


def asked_tracker() -> str | None:
    """Return the tracker that the environment asks for, or None.

    Raises
    ------
    BadInput
        It is none that we know, or its package is not installed.
    """
    name = os.environ.get(VARIABLE, "").strip()
    if not name:
        return None
    if name not in TRACKERS:
        fault = Finding(where=VARIABLE, found=name, promised=" | ".join(TRACKERS))
        raise BadInput("no such tracker", fault, then=f"unset {VARIABLE}: metrics are in a local file either way")
    if find_spec(name) is None:
        fault = Finding(where=VARIABLE, found=f"{name}, which is not installed", promised=f"the package {name}")
        raise BadInput(f"{name} cannot be used here", fault, then=f"install {name}, or unset {VARIABLE}")
    return name


def tracked_as(run_name: str) -> str | None:
    """Where the training that just ran is tracked, as plans name such runs: `trackio:PROJECT/NAME`, `wandb:PATH`."""
    tracker = asked_tracker()
    if tracker == "wandb":
        run = getattr(sys.modules.get("wandb"), "run", None)
        return None if run is None else f"wandb:{run.path}"
    return None if tracker is None else f"{tracker}:{PROJECT}/{run_name}"
