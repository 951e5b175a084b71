"""What the sub-commands share: their arguments, how a study is found, how a line is printed."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import typer

from seedlock.prereg.english import counted
from seedlock.prereg.printable import printable_json, printable_lines

if TYPE_CHECKING:
    from seedlock.prereg.base.paths import StudyPaths
    from seedlock.prereg.lock.gate import LockedPlan
    from seedlock.prereg.plan.extras import PlanStage


class Account(Protocol):
    """What a stage did, for a machine and for a person."""

    def as_json(self) -> dict[str, Any]:
        """Fields of `--json`."""
        ...

    def lines(self) -> Iterable[str]:
        """Lines for a person."""
        ...


StudyArgument = Annotated[str, typer.Argument(metavar="STUDY", help="A study's name, or the path of its folder.")]
RootOption = Annotated[
    Path | None, typer.Option("--root", help="A repository of this layout; the current folder otherwise.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for a machine.")]


def find(study: str, root: Path | None) -> StudyPaths:
    """A study by its name or the path of its folder."""
    from seedlock.prereg.base.paths import find_study

    return find_study(study, root)


def studies(study: str | None, root: Path | None) -> list[StudyPaths]:
    """One study, or every study of the repository: with a plan, with a lock, or with one in git history."""
    from seedlock.prereg.base.paths import StudyPaths, list_studies
    from seedlock.prereg.verify.history import studies_in_history

    if study:
        return [find(study, root)]
    base = (root or Path.cwd()).resolve()
    names = sorted({*list_studies(base), *studies_in_history(base)})
    return [StudyPaths(root=base, name=name) for name in names]


def how_many(found: list[StudyPaths]) -> str:
    """How many studies there are, and how many of them hold locks."""
    from seedlock.prereg.lock.document import lock_paths

    locks = [len(lock_paths(paths)) for paths in found]
    gone = sum(not count and not paths.plan.exists() for paths, count in zip(found, locks, strict=True))
    known = f"; {gone} only in git history" if gone else ""
    here = counted(len(found), "study", "studies")
    return f"{here}, {sum(map(bool, locks))} of them locked, {counted(sum(locks), 'lock')}{known}"


def gate(study: str, root: Path | None, *, stage: PlanStage | None = None) -> LockedPlan:
    """The locked plan, every promise it rests on checked, and the libraries of a stage at hand."""
    from seedlock.prereg.lock.gate import require_lock
    from seedlock.prereg.plan.extras import require_extras

    locked = require_lock(find(study, root))
    if stage is not None:
        require_extras(locked.plan, stage)
    return locked


def say(text: str = "") -> None:
    """One line on standard output; what a repository put into it cannot steer the terminal."""
    typer.echo(printable_lines(text))


def say_json(value: Any) -> None:
    """A value as JSON on standard output."""
    typer.echo(printable_json(json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)))


@contextmanager
def progress(label: str) -> Iterator[None]:
    """Show that something is running, on a terminal only."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(label):
        yield


@contextmanager
def bar() -> Iterator[Callable[[str, int, int], None]]:
    """Hand out a progress bar, on a terminal only."""
    from seedlock.prereg.base.progress_bar import progress_bar

    with progress_bar("", is_transient=True) as shown:
        if shown is None:
            yield lambda _what, _done, _total: None
        else:
            shown.begin("simulating", None)
            yield lambda what, done, total: shown.update(description=what, completed=done, total=total)


def next_step(paths: StudyPaths) -> str:
    """The command that a study waits for."""
    from seedlock.prereg.workflow.status import standing

    return standing(paths).next_command


def tell(done: Account, paths: StudyPaths, *, as_json: bool) -> None:
    """Say what a stage did, and the command that comes next."""
    if as_json:
        say_json(done.as_json())
        return
    for line in done.lines():
        say(line)
    say(f"Next: {next_step(paths)}")
