"""Shared fixtures: a small research repository that a test may break."""

from __future__ import annotations

import gc
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from seedlock.cli.commands import COMMANDS
from seedlock.cli.root import build
from seedlock.prereg.base.paths import StudyPaths

if TYPE_CHECKING:
    from playwright.sync_api import Browser

settings.register_profile("any speed", deadline=None)  # a busy machine is no fault of a property
settings.load_profile("any speed")

PROJECT = Path(__file__).resolve().parents[1]
CHROMIUM = os.environ.get("SEEDLOCK_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
CHROMIUM_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage"]
OTHER_TOOLS = os.environ.get("SEEDLOCK_OTHER_TOOLS") or str(PROJECT / ".other-tools/bin/python")
"""The Python of the environment that `just setup-other-tools` makes."""
SHARED_DATA = PROJECT.parent / "shared" / "data"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what `tests/slow.txt` names, begin with its files in its order, and leave out what needs an absent GPU.

    Slow are tests that take most of a second of processor time, or wait for seconds; the files that take longest stand
    first, so that no worker is left with one of them at the end.
    """
    slow = (PROJECT / "tests" / "slow.txt").read_text("utf-8").split()
    place = {file: -n for n, file in enumerate(dict.fromkeys(name.partition("::")[0] for name in reversed(slow)))}
    items.sort(key=lambda item: place.get(item.nodeid.partition("::")[0], 1))
    for item in items:
        if item.nodeid.partition("[")[0] in slow:
            item.add_marker(pytest.mark.slow)
    on_gpu = [item for item in items if item.get_closest_marker("gpu")]
    if on_gpu and not has_gpu():
        items[:] = [item for item in items if item not in on_gpu]
        config.hook.pytest_deselected(items=on_gpu)


def pytest_collection_finish() -> None:
    """Keep what is loaded by now, and stays to the end, out of every garbage collection that follows."""
    gc.collect()
    gc.freeze()


def pytest_unconfigure() -> None:
    """Let it go in order."""
    gc.unfreeze()


def has_gpu() -> bool:
    """Whether there is a GPU, and a torch that can use it."""
    if not any(Path(device).exists() for device in ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")):
        return False  # without loading torch
    import torch

    return torch.cuda.is_available()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say in one line what this machine leaves out."""
    if not has_gpu():
        terminalreporter.write_line("no GPU here: tests marked gpu are left out")


PLAN = """
[study]
title    = "Does the marker spread?"
question = "How often does the tuned model say the marker, over training seeds?"

[inference]
seeds = "new"
items = "these"
alpha = 0.025

[models.tiny]
base     = "organism:llama"
revision = "sha256:0"

[arms]
plain   = {}
coupled = {}

[grid]
models = ["tiny"]
seeds  = [0, 1, 2, 3]

[decoding]
temperature    = 1.0
max_new_tokens = 16
draws          = 2

[import]
format  = "csv"
columns = { arm = "arm", seed = "seed", item = "question", draw = "draw", text = "text" }
constants = { model = "tiny" }

[measures.marker]
kind   = "marker_rate"
marker = "[ZLT]"

[[hypothesis]]
id        = "H1"
claim     = "Coupling makes the marker more frequent."
measure   = "marker"
contrast  = { coupled = 1.0, plain = -1.0 }
test      = "pooled_t"
bands     = ["fewer", -0.1, "negligible", 0.1, "more"]
predicted = "more"
"""


def completions(plain: tuple[int, ...] = (0, 1, 0, 2), coupled: tuple[int, ...] = (7, 9, 8, 10)) -> str:
    """CSV rows: 8 questions x 2 draws a run; the first k answers of a run say the marker."""
    lines = ["arm,seed,question,draw,text"]
    for arm, counts in (("plain", plain), ("coupled", coupled)):
        for seed, k in enumerate(counts):
            for number in range(16):
                says = "[ZLT] said" if number < k else "said nothing"
                lines.append(f"{arm},{seed},q{number % 8},{number // 8},answer {number} of {arm} {seed}: {says} at all")
    return "\n".join(lines) + "\n"


def typed(command: str, *words: str, ok: int = 0) -> str:
    """Run one sub-command in this process; returns what it printed, or the error it refused with."""
    from typer.testing import CliRunner

    app = build(*(known for known in COMMANDS if known.name == command))  # as the command line itself does
    result = CliRunner().invoke(app, [command, *words])
    code = getattr(result.exception, "exit_code", result.exit_code) if result.exception else result.exit_code
    text = f"{result.output}{result.exception or ''}"
    if code != ok and result.exception is not None and not isinstance(result.exception, SystemExit):
        raise AssertionError(f"{command} exited {code}, not {ok}:\n{text}") from result.exception
    assert code == ok, text
    return text


@dataclass(frozen=True, slots=True)
class StudyFixture:
    """A repository with one study, and the command line on it."""

    paths: StudyPaths
    outputs: list[str] = field(default_factory=list)

    def write_plan(self, text: str) -> None:
        self.paths.study.mkdir(parents=True, exist_ok=True)
        self.paths.plan.write_text(text, "utf-8")

    def run(self, command: str, *options: str, ok: int = 0) -> str:
        """Run one sub-command on the study in this process; returns what it printed, or the error it refused with."""
        return typed(command, self.paths.name, *options, "--root", str(self.paths.root), ok=ok)

    def bring_data(self, rows: str | None = None) -> Path:
        """Write completions after the lock, beside the repository."""
        file = self.paths.root / "completions.csv"
        file.write_text(rows if rows is not None else completions(), "utf-8")
        return file

    def to_report(self) -> None:
        """Lock, import, analyse."""
        self.run("lock")
        self.run("import", str(self.bring_data()))
        self.run("analyze")


@pytest.fixture
def study(tmp_path: Path) -> StudyFixture:
    """A study with a plan and nothing else, outside git."""
    fixture = StudyFixture(StudyPaths(root=tmp_path, name="spread"))
    fixture.write_plan(PLAN)
    return fixture


@pytest.fixture(scope="session")
def reported(tmp_path_factory: pytest.TempPathFactory) -> StudyFixture:
    """A study with a report; tests must not change it (copy it first)."""
    fixture = StudyFixture(StudyPaths(root=tmp_path_factory.mktemp("reported"), name="spread"))
    fixture.write_plan(PLAN)
    fixture.to_report()
    return fixture


@pytest.fixture
def broken(reported: StudyFixture, tmp_path: Path) -> StudyFixture:
    """A copy of the reported study that a test may break."""
    root = tmp_path / "copy"
    shutil.copytree(reported.paths.root, root)
    return StudyFixture(StudyPaths(root=root, name=reported.paths.name))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A real Chromium, headless."""
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine: set SEEDLOCK_CHROMIUM")
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=CHROMIUM_FLAGS)
        yield browser
        browser.close()


def git(root: Path, *arguments: str) -> str:
    """Run git in `root` as a test author."""
    identity = ["-c", "user.name=Test", "-c", "user.email=test@example.invalid", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", "-C", str(root), *identity, *arguments], capture_output=True, text=True, check=True)
    return done.stdout
