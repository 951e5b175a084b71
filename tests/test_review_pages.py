"""The commands that every published REVIEW.md prints hold, typed in one clone, at the commit that each names."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.conftest import PROJECT, git

PAGES = sorted((PROJECT / "reports").glob("*/REVIEW.md"))
HISTORY = subprocess.run(["git", "rev-parse", "--is-shallow-repository"], cwd=PROJECT, capture_output=True, check=False)


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone in a folder of its own, beside which the commands put work trees."""
    if HISTORY.stdout.strip() != b"false":
        pytest.skip("the history is not here")
    to = tmp_path_factory.mktemp("review") / "clone"
    git(PROJECT, "clone", "--quiet", "--shared", str(PROJECT), str(to))
    return to


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.parent.name)
def test_the_commands_of_a_review_page_hold(page: Path, clone: Path) -> None:
    study = page.parent.name
    block = re.search(r"```sh\n(.*?)```", page.read_text("utf-8"), flags=re.S)
    assert block is not None
    said = subprocess.run(["sh", "-c", block[1]], cwd=clone, capture_output=True, text=True, check=False).stdout
    lines = said.splitlines()
    assert "chain holds" in lines
    assert "report holds" in lines
    assert int(lines[-1]) >= 1, "the ledger names the manifest"
    locks = sorted((clone / "lockfiles" / study).glob("lock-*.sha256"))
    at_lock = clone.parent / f"{study}-at-lock"
    assert at_lock.is_dir()
    held = ["sha256sum", "-c", "--strict", "--quiet", str(locks[-1])]
    for folder in [] if "lock holds" in lines else [at_lock]:
        done = subprocess.run(held, cwd=folder, capture_output=True, text=True, check=False)
        broken = [line for line in done.stdout.splitlines() if not line.startswith(f"lockfiles/{study}/")]
        assert broken == []
