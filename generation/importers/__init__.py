"""One file a format; keys are what a plan writes as `format`."""

from __future__ import annotations

from generation.importers import csv, jsonl, parquet
from generation.intake.raw import Importer

IMPORTERS: dict[str, Importer] = {
    "parquet": parquet.read,
    "csv": csv.read,
    "jsonl": jsonl.read,
}
