"""One table more below the hypotheses: which test each took."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from seedlock.analysis.report.text.pieces import Code, Quote, Table, pointer


def added_table(results: Mapping[str, Any]) -> Table | None:
    """One row a hypothesis."""
    rows = tuple(
        ((Quote(pointer("hypotheses", i, "id")),), (Code(h["test"]),)) for i, h in enumerate(results["hypotheses"])
    )
    return Table(caption="The added table", head=("Hypothesis", "Test"), rows=rows)
