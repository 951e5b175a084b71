"""The user's own two commands, typed without a name in a fresh clone, and typed again."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.conftest import PROJECT, git
from tests.test_docs import JUST


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone with this environment in place of the one that `setup` would make."""
    git(PROJECT, "clone", "--quiet", "--shared", str(PROJECT), str(tmp_path / "clone"))
    (tmp_path / "clone" / ".venv").symlink_to(PROJECT / ".venv")
    return tmp_path / "clone"


def just(clone: Path, recipe: str) -> str:
    command = [JUST, "--no-deps", "--justfile", str(PROJECT / "justfile"), "--working-directory", str(clone), recipe]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return done.stdout


def test_lock_prereg_and_analyze_end_in_a_verified_report_and_say_where_things_stand_when_typed_again(
    clone: Path,
) -> None:
    assert "lock id" in just(clone, "lock-prereg")
    root = clone / "runs" / "example"
    lock = (root / "lockfiles" / "example" / "lock-0001.json").read_bytes()
    said = just(clone, "analyze")
    assert "13.8 pp (95% interval 8.8 pp to 18.9 pp" in said
    assert "ok    R2" in said
    report = (root / "reports" / "example" / "report.html").read_bytes()
    assert "next   seedlock verify example" in just(clone, "lock-prereg")
    assert "ok    R2" in just(clone, "analyze")
    assert (root / "lockfiles" / "example" / "lock-0001.json").read_bytes() == lock
    assert (root / "reports" / "example" / "report.html").read_bytes() == report
    assert git(clone, "status", "--porcelain").replace("?? .venv\n", "") == ""
