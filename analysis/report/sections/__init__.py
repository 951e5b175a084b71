"""What each section of the report says, in pieces that are written as HTML and as Markdown."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from seedlock.analysis.report.sections.accounting import claim_table
from seedlock.analysis.report.sections.anytime import anytime_table
from seedlock.analysis.report.sections.asymmetry import asymmetry_table
from seedlock.analysis.report.sections.judge_error import judge_error_table, judge_level_table
from seedlock.analysis.report.sections.replication import original_table, replication_table
from seedlock.analysis.report.text.pieces import Table

FOUND: tuple[Callable[[Mapping[str, Any]], Table | None], ...] = (
    replication_table,
    original_table,
    asymmetry_table,
    judge_error_table,
    judge_level_table,
    anytime_table,
    claim_table,
)
"""What stands below the hypotheses, in the order of the page: one table of the results each, where there is one."""
