"""What a stage shows of how far it is: a bar on a terminal, nothing in a pipe."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from seedlock.cli.common import bar
from seedlock.generation.inside import progress as inside
from seedlock.generation.judging import progress as judging
from seedlock.generation.judging.reading import Reading, Verdict
from seedlock.training.grid import progress as training
from seedlock.training.jobs.base_model import BaseModel
from seedlock.training.jobs.job import RunJob


class Terminal(io.StringIO):
    """A screen that remembers."""

    def isatty(self) -> bool:
        return True


def show_everything() -> None:
    with inside.terminal_progress() as looking:
        looking.begin(40, 10)
        looking.read("tiny/plain/0", 5)
    with judging.terminal_progress() as judged:
        judged.begin("stance", 4)
        judged.judged(Verdict(reading=Reading(id="a", text="a", shown={}), status="unparsed"))
    with training.terminal_progress() as trained:
        base = BaseModel.__new__(BaseModel)
        job = RunJob(run_id="a", label="a", model="m", arm="x", seed=0, base=base, stages=(), workbench=Path())
        trained.begin([job, job], 0)
        trained.ended("a", well=True)
    with bar() as advance:
        advance("simulating worlds", 1, 3)


def test_every_stage_draws_the_same_bar_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "160")
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    show_everything()
    shown = screen.getvalue()
    for words in ("15 of 40 readings", "1 of 4 judgements", "1 unparsed", "1.0 of 2 runs", "simulating worlds"):
        assert words in shown, words


def test_in_a_pipe_nothing_is_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    show_everything()
    assert capsys.readouterr() == ("", "")
