"""An export that is added to a copy of the tree."""

from __future__ import annotations

from pathlib import Path

from seedlock.analysis.exporters.internals.exporter import Exporter, Wishes
from seedlock.prereg.base.paths import StudyPaths


def _run(paths: StudyPaths, to: Path, wishes: Wishes) -> Path:
    to.write_text(paths.name, "utf-8")
    return to


EXPORTER = Exporter(run=_run, says="the name", to="{study}.added", then="cat {to}")
