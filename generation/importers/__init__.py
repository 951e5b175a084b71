"""One file a format; keys are what a plan writes as `format`."""

from __future__ import annotations

from seedlock.generation.importers import (
    anthropic_batch,
    csv,
    gemini_batch,
    hf_dataset,
    inspect,
    json,
    jsonl,
    lm_eval,
    openai_batch,
    openai_chat,
    parquet,
)
from seedlock.generation.intake.raw import Importer
from seedlock.prereg.errors import BadInput, Finding

IMPORTERS: dict[str, Importer] = {
    "parquet": parquet.read,
    "csv": csv.read,
    "jsonl": jsonl.read,
    "json": json.read,
    "inspect": inspect.read,
    "lm_eval": lm_eval.read,
    "openai_batch": openai_batch.read,
    "openai_chat": openai_chat.read,
    "anthropic_batch": anthropic_batch.read,
    "gemini_batch": gemini_batch.read,
    "hf_dataset": hf_dataset.read,
}

FOLDERS = frozenset({"hf_dataset"})
"""Formats that are a folder of files."""


def importer(name: str) -> Importer:
    """Return the reader of a format.

    Raises
    ------
    BadInput
        No such format.
    """
    if name not in IMPORTERS:
        raise BadInput("unknown format", Finding(where="format", found=name, promised=", ".join(IMPORTERS)))
    return IMPORTERS[name]
