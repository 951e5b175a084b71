"""docs/review.md, typed literally: its commands in somebody else's clone, with a Seedlock that is not the clone's."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import PROJECT

REVIEW = (PROJECT / "docs" / "review.md").read_text("utf-8")
BLOCKS = re.findall(r"```sh\n(.*?)```", REVIEW, flags=re.S)


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone made by the page's own command, from a published copy."""
    here = tmp_path_factory.mktemp("reviewer")
    (clone,) = [block for block in BLOCKS if block.startswith("git clone")]
    typed = re.sub(r"https://\S+", str(PROJECT), clone)
    assert typed != clone
    subprocess.run(["sh", "-ec", typed], cwd=here, check=True, capture_output=True)
    return here / "theirs"


def typed(command: str, clone: Path) -> subprocess.CompletedProcess[str]:
    """Run what the page says in the clone; `seedlock` is this environment's."""
    own = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    return subprocess.run(["sh", "-ec", command], cwd=clone, env=own, capture_output=True, text=True, check=False)


def test_the_page_installs_a_seedlock_of_the_readers_own_and_never_the_repositorys() -> None:
    assert "uv tool install seedlock" in BLOCKS[0]
    assert ".venv/bin" not in REVIEW
    assert "./just" not in REVIEW


def test_every_command_of_the_ten_minutes_runs_in_a_foreign_clone(theirs: Path) -> None:
    commands = [block for block in BLOCKS[1:] if not block.startswith("git clone")]
    assert len(commands) == 3
    said = {}
    for command in commands:
        done = typed(command, theirs)
        assert done.returncode == 0, done.stderr
        said[command.split()[1]] = done.stdout
    assert "published_marker_leak" in said["status"]
    assert "[retrospective]" in said["verify"]
    assert "FAIL" not in said["verify"]
    assert re.match(r"[0-9a-f]{40} \d{4}-", said["log"])


def test_the_level_that_the_page_asks_for_is_refused_where_nothing_supports_it(theirs: Path) -> None:
    (command,) = set(re.findall(r"`(seedlock verify \w+ --require T2)`", REVIEW))
    assert typed(command, theirs).returncode == 9


def test_reviewing_changes_nothing_in_the_clone(theirs: Path) -> None:
    done = typed("git status --porcelain", theirs)
    assert (done.returncode, done.stdout) == (0, "")
