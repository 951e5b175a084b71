"""Every study's notebook runs headless, from sealed tables, and opens in a browser."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from seedlock.analysis.notebook.write import write_notebook
from seedlock.prereg.base.paths import find_study, list_studies
from seedlock.prereg.errors import BadInput
from tests.conftest import PROJECT

REPORTED = [name for name in list_studies(PROJECT) if (PROJECT / "reports" / name / "results.json").is_file()]


def marimo(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    command = [sys.executable, "-m", "marimo", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env=environment)


@pytest.mark.parametrize("name", REPORTED)
def test_the_notebook_of_a_study_runs_headless(name: str, tmp_path: Path) -> None:
    file = write_notebook(find_study(name, PROJECT), tmp_path / "notebook.py")
    assert marimo(tmp_path, "check", file.name).returncode == 0
    done = marimo(tmp_path, "export", "html", file.name, "-o", "notebook.html")
    assert done.returncode == 0, done.stdout + done.stderr
    page = (tmp_path / "notebook.html").read_text("utf-8")
    assert "Does every link hold?" in page
    assert find_study(name, PROJECT).name in page


def test_a_notebook_is_not_overwritten(tmp_path: Path) -> None:
    paths = find_study(REPORTED[0], PROJECT)
    write_notebook(paths, tmp_path / "mine.py")
    with pytest.raises(BadInput, match="already"):
        write_notebook(paths, tmp_path / "mine.py")
