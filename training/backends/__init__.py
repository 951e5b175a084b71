"""One file a trainer; keys are what a plan writes as `trainer`. A trainer is imported by the worker that runs it."""

from __future__ import annotations

import importlib

from seedlock.training.jobs.job import Trainer

TRAINERS: dict[str, str] = {
    "lora": "seedlock.training.backends.lora",
    "hosted": "seedlock.training.backends.hosted",
}


def trainer(name: str) -> Trainer:
    """Import a trainer by its name in `TRAINERS`."""
    found: Trainer = importlib.import_module(TRAINERS[name]).train
    return found
