"""What the pages say that a program or a command prints is what it prints now."""

from __future__ import annotations

from pathlib import Path

import pytest

from docs.make_examples import commands, lasting, pages, with_sessions, worked
from tests.conftest import PROJECT

FROM_THE_WHEEL = PROJECT / "docs" / "tutorial.md"
"""Typed by `test_wheel`, with what somebody installs who has no checkout."""


@pytest.mark.parametrize(
    "page",
    [page for page in pages() if page != FROM_THE_WHEEL],
    ids=lambda path: path.relative_to(PROJECT / "docs").as_posix(),
)
def test_the_examples_of_a_page_print_what_it_shows(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(PROJECT)
    text = page.read_text("utf-8")
    assert lasting(worked(text)) == lasting(text), "write the page anew with  .venv/bin/python -m docs.make_examples"


def test_a_session_keeps_its_folder_its_files_and_its_exit_codes() -> None:
    page = (
        '```text title="one/two.txt"\nhello\n```\n\n```console\n$ cd one\n$ cat two.txt\n?\n$ false\n$ echo $?\n```\n'
    )
    assert with_sessions(page).endswith("```console\n$ cd one\n$ cat two.txt\nhello\n$ false\n$ echo $?\n1\n```\n")


def test_a_command_may_go_on_over_several_lines() -> None:
    assert list(commands("$ echo a \\\n  b\na b\n$ true\n")) == ["echo a \\\n  b", "true"]


def test_a_changed_number_is_seen_and_a_changed_digest_is_not() -> None:
    digest = "ab" * 32
    assert lasting(f"n = 3, sha256 {digest}") == lasting(f"n = 3, sha256 {'cd' * 32}")
    assert lasting("n = 3") != lasting("n = 4")
