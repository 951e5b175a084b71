"""A new repository runs to a verified report as it stands."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.conftest import PROJECT


def seedlock(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    command = [sys.executable, "-m", "seedlock", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env=environment)


def test_the_scaffold_runs_to_a_verified_report(tmp_path: Path) -> None:
    assert seedlock(tmp_path, "init", "mine").returncode == 0
    root = tmp_path / "mine"
    for step in ("check", "lock", "import", "analyze", "verify"):
        done = seedlock(root, step, "example")
        assert done.returncode == 0, done.stdout + done.stderr
    results = json.loads((root / "reports" / "example" / "results.json").read_text())
    assert results["status"] == "retrospective"
    assert [h["decision"] for h in results["hypotheses"]] == ["more", "rare"]
    assert results["claims"][0]["decision"] == "supported"


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "justfile").write_text("mine")
    done = seedlock(tmp_path, "init", ".")
    assert done.returncode == 2
    assert (tmp_path / "justfile").read_text() == "mine"
    assert not (tmp_path / "prereg").exists()
