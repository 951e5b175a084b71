"""The rooms that decide a number: what a lock pins of the code, and nothing that only draws."""

from __future__ import annotations

import os
from pathlib import Path

from seedlock.prereg.base.paths import HOME
from seedlock.prereg.base.tool import BUILT_FROM

LOCKED_CODE = (
    "src/seedlock/__init__.py",
    "src/seedlock/sentences.py",
    "prereg/__init__.py",
    "prereg/errors.py",
    "prereg/english.py",
    "prereg/printable.py",
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
    "training/bases",
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
    "analysis/pool_studies.py",
    "analysis/row_counts.py",
    "analysis/sealed.py",
    "analysis/bayes",
    "analysis/estimators",
    "analysis/findings/__init__.py",
    "analysis/findings/agreement.py",
    "analysis/findings/anytime.py",
    "analysis/findings/cells.py",
    "analysis/findings/doses.py",
    "analysis/findings/effect_sizes.py",
    "analysis/findings/gate_correlation.py",
    "analysis/findings/hypothesis.py",
    "analysis/findings/judge_agreement.py",
    "analysis/findings/judge_error.py",
    "analysis/findings/judges.py",
    "analysis/findings/missing_answers.py",
    "analysis/findings/multiverse.py",
    "analysis/findings/sample_answers.py",
    "analysis/findings/software.py",
    "analysis/findings/training_examples.py",
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


def deciding_files(home: Path = HOME) -> dict[str, Path]:
    """Name and place of every source file of the rooms that decide, with the data they read, in order of the names."""
    found: dict[str, Path] = {}
    for room in LOCKED_CODE:
        place = place_of(room, home)
        if place.is_file():
            found[room] = place
        for folder, _, files in os.walk(place):  # of names alone: `Path.relative_to` took most of a lock's time
            inside = folder.removeprefix(str(place)).replace(os.sep, "/")
            found |= {f"{room}{inside}/{name}": Path(folder, name) for name in files}
    found = {name: path for name, path in found.items() if is_source(name) and path.is_file()}
    return dict(sorted(found.items()))


def place_of(name: str, home: Path = HOME) -> Path:
    """Where a file of the code lies; the top of an installed package is `src/seedlock` of a checkout."""
    is_installed = not (home / "src").is_dir()
    return home / (name.removeprefix("src/seedlock/") if is_installed else name)


def is_source(name: str, never: tuple[str, ...] = NEVER_DECIDES) -> bool:
    """No cache and no hidden file, and in a room that decides."""
    parts = name.split("/")
    is_kept = "__pycache__" not in parts and not any(part.startswith(".") for part in parts)
    return is_kept and parts[-1] != BUILT_FROM.name and not any(name.startswith(f"{room}/") for room in never)
