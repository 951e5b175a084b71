"""`seedlock notebook`: a marimo notebook that explores one study's sealed tables."""

from __future__ import annotations

from pathlib import Path

from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.errors import BadInput

TEMPLATE = Path(__file__).with_name("template.py")
STUDY_LINE = 'STUDY, ROOT = "example", None'


def write_notebook(paths: StudyPaths, to: Path | None = None) -> Path:
    """Write the notebook of a study; default `runs/STUDY/notebook.py`, which git ignores: exploring is not the plan.

    Raises
    ------
    BadInput
        The file is there already.
    """
    target = to or paths.runs / "notebook.py"
    if target.exists():
        raise BadInput(f"{target} is there already", then=f"marimo edit {target},  or name another file with --to")
    target.parent.mkdir(parents=True, exist_ok=True)
    text = TEMPLATE.read_text("utf-8")
    target.write_text(text.replace(STUDY_LINE, f"STUDY, ROOT = {paths.name!r}, {str(paths.root)!r}"), "utf-8")
    return target
