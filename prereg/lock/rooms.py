"""The rooms that decide a number: what a lock pins of the code, and nothing that only draws."""

from __future__ import annotations

from pathlib import Path

from seedlock.prereg.base.paths import HOME

LOCKED_CODE = (
    "src/seedlock/__init__.py",
    "prereg/__init__.py",
    "prereg/errors.py",
    "prereg/base",
    "prereg/cost/__init__.py",
    "prereg/cost/amounts.py",
    "prereg/plan",
    "prereg/lock",
    "schemas",
    "generation",
    "training/__init__.py",
    "training/import_jobs.py",
    "training/train.py",
    "training/adapters",
    "training/backends",
    "training/checks",
    "training/corpora",
    "training/corpus",
    "training/grid",
    "training/hosted",
    "training/instruct",
    "training/jobs",
    "training/organisms/__init__.py",
    "training/organisms/world",
    "training/rows",
    "training/tokens",
    "analysis/__init__.py",
    "analysis/audit_stage.py",
    "analysis/decide.py",
    "analysis/bayes",
    "analysis/estimators",
    "analysis/findings/__init__.py",
    "analysis/findings/agreement.py",
    "analysis/findings/cells.py",
    "analysis/findings/hypothesis.py",
    "analysis/findings/judges.py",
    "analysis/findings/multiverse.py",
    "analysis/findings/sample_answers.py",
    "analysis/inference",
    "analysis/inside",
    "analysis/measures",
    "analysis/results",
    "analysis/scoring",
    "lockfiles/environment",
)
"""Rooms and files that decide a number, relative to the code's home. What draws the report is not among them, nor
are the words that follow from numbers alone: `verify` makes both again."""
NEVER_DECIDES = ("generation/cost",)
"""Rooms within those that only reckon what a study would take."""


def deciding_files(home: Path = HOME) -> set[Path]:
    """Every source file of the rooms that decide, and the pinned environments."""
    rooms = [home / room for room in LOCKED_CODE]
    inside = {file for room in rooms for file in room.rglob("*") if file.is_file()}
    listed = inside | {room for room in rooms if room.is_file()}
    return {file for file in listed if _is_source(file.relative_to(home))}


def _is_source(file: Path) -> bool:
    """No cache and no hidden file, and in a room that decides."""
    spelled = file.as_posix()
    is_kept = "__pycache__" not in file.parts and not any(part.startswith(".") for part in file.parts)
    return is_kept and not any(spelled.startswith(f"{room}/") for room in NEVER_DECIDES)
