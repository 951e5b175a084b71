"""One file a kind of judge; keys are what a plan writes as `judges.NAME.kind`. A kind is imported when it is used."""

from __future__ import annotations

import importlib
from typing import Any

from seedlock.generation.judging.protocol import Bench, Judge

JUDGES: dict[str, str] = {
    "anthropic": "seedlock.generation.judges.anthropic",
    "classifier": "seedlock.generation.judges.classifier",
    "examples": "seedlock.generation.judges.examples",
    "lexicon": "seedlock.generation.judges.lexicon",
    "openai": "seedlock.generation.judges.openai",
}


def open_judge(judge: Any, bench: Bench) -> Judge:
    """Open a judge of the plan for one study.

    Raises
    ------
    BadInput
        A file that it names cannot be used.
    """
    opened: Judge = importlib.import_module(JUDGES[judge.kind]).open_judge(judge, bench)
    return opened
