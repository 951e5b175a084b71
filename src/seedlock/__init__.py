"""Pre-registration-first statistics for fine-tuning studies: locked plans, seed-level inference, verifiable reports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seedlock.analysis.study import Study

__all__ = ["Study"]


def __getattr__(name: str) -> Any:
    """`seedlock.Study`, for notebooks, without loading the analysis where only the command line is wanted."""
    if name == "Study":
        from seedlock.analysis.study import Study

        return Study
    raise AttributeError(f"module 'seedlock' has no attribute {name!r}")
