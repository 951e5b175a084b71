"""The command line: first words at once, commands in the order of a study's life, and what Ctrl-C keeps."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import typer.main

from seedlock.cli import app
from seedlock.cli.commands import COMMANDS, Command
from tests.conftest import StudyFixture

LIFE = [
    "init",
    "check",
    "simulate",
    "estimate",
    "lock",
    "register",
    "amend",
    "deviate",
    "status",
    "run",
    "corpus",
    "train",
    "generate",
    "judge",
    "probe",
    "inside",
    "import",
    "analyze",
    "show",
    "verify",
    "registry",
    "export",
    "notebook",
    "sign",
]
GROUP = typer.main.get_command(app)


def seedlock(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "seedlock", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=cwd)


def test_commands_are_listed_in_the_order_of_a_studys_life() -> None:
    said = seedlock("--help").stdout
    places = [said.index(f"\n  {name} ") for name in LIFE]
    assert places == sorted(places)
    assert list(GROUP.commands)[: len(LIFE)] == [c.name for c in COMMANDS][: len(LIFE)]  # type: ignore[attr-defined]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_the_list_says_what_the_commands_own_page_says_first(command: Command) -> None:
    page = GROUP.commands[command.name].help  # type: ignore[attr-defined]
    assert page.split("\n\n")[0].replace("\n", " ") == command.says


def test_the_first_words_wait_for_no_library() -> None:
    said = (
        "import sys; from seedlock.cli import main\n"
        "try:\n    main()\n"
        "except SystemExit:\n    print(*sorted(sys.modules), file=sys.stderr)"
    )
    for option in ("--help", "--version"):
        done = subprocess.run([sys.executable, "-c", said, option], capture_output=True, text=True, check=True)
        loaded = set(done.stderr.split())
        assert not loaded & {"typer", "rich", "pydantic", "numpy", "pandas", "duckdb"}, option
        assert "seedlock" in done.stdout


def test_status_waits_for_no_library_of_numbers() -> None:
    said = "import sys, seedlock.prereg.workflow.status; print(*sys.modules)"
    loaded = set(
        subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=True).stdout.split()
    )
    assert not loaded & {"numpy", "pandas", "duckdb", "rich", "filelock"}


def test_a_mistyped_command_is_one_block_with_the_one_that_was_meant() -> None:
    done = seedlock("chek", "example")
    assert (done.returncode, done.stdout) == (2, "")
    assert "Did you mean 'check'" in done.stderr


def test_a_shell_completes_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_SEEDLOCK_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "seedlock ver")
    monkeypatch.setenv("COMP_CWORD", "1")
    assert seedlock().stdout.split() == ["verify"]


def interrupted(stage: subprocess.Popen[str]) -> str:
    """What a command prints when Ctrl-C is pressed, again if need be: Python drops it inside a callback of C code."""
    for _ in range(3):
        stage.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            return stage.communicate(timeout=20)[1]
    raise AssertionError("Ctrl-C did not end the command")


def test_ctrl_c_says_what_is_kept_and_how_to_go_on(study: StudyFixture) -> None:
    command = [sys.executable, "-m", "seedlock", "simulate", "spread", "--simulations", "1000000", "--root"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    for wait_s in (2.0, 8.0, 20.0):  # wherever it is by then, importing or simulating, once Python itself is up
        with subprocess.Popen(
            [*command, str(study.paths.root)], stderr=subprocess.PIPE, text=True, env=environment
        ) as stage:
            time.sleep(wait_s)
            said = interrupted(stage)
        if stage.returncode != -signal.SIGINT:
            break
    assert stage.returncode == 130
    assert "Traceback" not in said
    assert "kept      nothing was written" in said
    assert f"Next: seedlock simulate spread --simulations 1000000 --root {study.paths.root}" in said
    assert not (study.paths.locks / "simulation.json").exists()
