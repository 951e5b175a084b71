"""What every table looks like, and the one door rows pass through."""

from __future__ import annotations

from seedlock.schemas import (
    canaries,
    cells,
    completions,
    conditions,
    counts,
    directions,
    items,
    judgements,
    quarantine,
    readings,
    requests,
    runs,
    scores,
)
from seedlock.schemas.table import Table

TABLES: dict[str, Table] = {
    "items": items.TABLE,
    "runs": runs.TABLE,
    "completions": completions.TABLE,
    "requests": requests.TABLE,
    "judgements": judgements.TABLE,
    "canaries": canaries.TABLE,
    "counts": counts.TABLE,
    "quarantine": quarantine.TABLE,
    "scores": scores.TABLE,
    "cells": cells.TABLE,
    "readings": readings.TABLE,
    "conditions": conditions.TABLE,
    "directions": directions.TABLE,
}
