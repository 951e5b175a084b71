"""Commands killed at each of their writes: the next one finishes, or takes back, what was left."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
from filelock import FileLock

from seedlock.analysis import analyze
from seedlock.generation.import_completions import import_study
from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.lock import lock as locking
from seedlock.prereg.lock.document import lock_paths, read_lock
from seedlock.prereg.lock.gate import require_lock
from seedlock.prereg.lock.ledger import Event, read_ledger
from seedlock.prereg.lock.looks import looks_used
from seedlock.prereg.verify.chain import verify_study
from tests.conftest import PLAN, StudyFixture
from tests.forging import forge_ledger

WRITES = ("fsync", "rename", "replace", "unlink", "rmdir", "mkdir")
"""What the operating system is asked for wherever something is written, moved or taken away."""


class Killed(BaseException):
    """Stands for a kill."""


@pytest.fixture
def aside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for copies of the study, outside the study's own."""
    return tmp_path_factory.mktemp("copies")


def counted(act: Callable[[], None], monkeypatch: pytest.MonkeyPatch, at: Callable[[int], None]) -> int:
    """Carry out `act`, calling `at` with a running number before every write; return how many there were."""
    done = 0

    def before(real: Callable[..., object]) -> Callable[..., object]:
        def write(*arguments: object, **options: object) -> object:
            nonlocal done
            if not str(arguments[0]).endswith(".ledger.lock"):
                done += 1
                at(done)
            return real(*arguments, **options)

        return write

    with monkeypatch.context() as patched:
        for name in WRITES:
            patched.setattr(os, name, before(getattr(os, name)))
        act()
    return done


def killed_at(number: int, act: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Carry out `act` until its write `number`, and let no write after it happen either: cleaning up is no help."""

    def kill(n: int) -> None:
        if n >= number:
            raise Killed

    with suppress(Killed):  # a first command of a process writes more than a later one: caches
        counted(act, monkeypatch, kill)


def fresh(study: StudyFixture, root: Path) -> StudyFixture:
    shutil.copytree(study.paths.root, root)
    return StudyFixture(StudyPaths(root=root, name=study.paths.name))


def writes_of(study: StudyFixture, command: str, root: Path, monkeypatch: pytest.MonkeyPatch, *options: str) -> int:
    trial = fresh(study, root)
    return counted(partial(quiet, trial, command, *options), monkeypatch, lambda _: None)


def quiet(study: StudyFixture, command: str, *options: str) -> None:
    """Carry out a command through the parts that the command line calls; a kill passes through."""
    match command:
        case "lock":
            locking.create_lock(study.paths, design_check={})
        case "amend":
            locking.create_amendment(study.paths, reason="error-in-plan", note="the edge", design_check={})
        case "import":
            import_study(require_lock(study.paths), [Path(name) for name in options])
        case "analyze":
            analyze.analyze_study(require_lock(study.paths))


def faults(study: StudyFixture) -> list[str]:
    return [f"{check.id} {check.what}" for check in verify_study(study.paths).checks if check.state == "fail"]


def left_over(study: StudyFixture) -> list[str]:
    folders = (study.paths.locks, study.paths.report.parent)
    return [p.name for folder in folders for p in folder.glob(".*") if p.name != ".ledger.lock"]


def test_a_lock_killed_at_any_write_is_made_or_not_made(
    study: StudyFixture, aside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes = writes_of(study, "lock", aside / "whole", monkeypatch)
    assert writes >= 6
    for number in range(1, writes + 1):
        trial = fresh(study, aside / str(number))
        killed_at(number, partial(quiet, trial, "lock"), monkeypatch)
        if not any(event.name == "plan.locked" for event in _events_or_none(trial)):
            assert lock_paths(trial.paths) == [], number
            trial.run("lock")
        trial.run("import", str(trial.bring_data()))
        assert (len(lock_paths(trial.paths)), faults(trial), left_over(trial)) == (1, [], []), number


def _events_or_none(study: StudyFixture) -> list[Event]:
    raw = study.paths.ledger.read_bytes() if study.paths.ledger.exists() else b""
    return list(read_ledger(study.paths.ledger)) if raw.endswith(b"\n") else []


def test_an_amendment_killed_at_any_write_is_made_or_not_made(
    study: StudyFixture, aside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study.run("lock")
    study.write_plan(PLAN.replace("-0.1,", "-0.2,"))
    told = ("--reason", "error-in-plan", "--note", "the edge was meant at 0.2")
    writes = writes_of(study, "amend", aside / "whole", monkeypatch, *told)
    for number in range(1, writes + 1):
        trial = fresh(study, aside / str(number))
        killed_at(number, partial(quiet, trial, "amend", *told), monkeypatch)
        made = any(event.name == "plan.amended" for event in _events_or_none(trial))
        trial.run("amend", *told, ok=5 if made else 0)
        trial.run("import", str(trial.bring_data()))
        assert [read_lock(file).n for file in lock_paths(trial.paths)] == [1, 2], number
        assert (faults(trial), left_over(trial)) == ([], []), number


def test_an_import_killed_at_any_write_goes_on_to_the_same_seals(
    study: StudyFixture, aside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study.run("lock")
    file = str(study.bring_data())
    whole = fresh(study, aside / "whole")
    writes = counted(partial(quiet, whole, "import", file), monkeypatch, lambda _: None)
    assert writes >= 6
    for number in range(1, writes + 1):
        trial = fresh(study, aside / str(number))
        killed_at(number, partial(quiet, trial, "import", file), monkeypatch)
        trial.run("import", file)
        assert seals(trial) == seals(whole), number
        assert (faults(trial), left_over(trial)) == ([], []), number


def seals(study: StudyFixture) -> list[tuple[str, str]]:
    events = [event for event in read_ledger(study.paths.ledger) if event.name == "data.sealed"]
    return [(str(event.body["file"]), str(event.body["sha256"])) for event in events]


def test_an_analysis_killed_on_its_way_is_done_again_or_finished_and_its_look_counts_once(
    study: StudyFixture, aside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study.run("lock")
    study.run("import", str(study.bring_data()))
    writes = writes_of(study, "analyze", aside / "whole", monkeypatch)
    shown = [writes // 2, *range(writes - 4, writes + 1)]
    finished = 0
    for number in shown:
        trial = fresh(study, aside / str(number))
        killed_at(number, partial(quiet, trial, "analyze"), monkeypatch)
        built = trial.paths.report.with_name(f".{trial.paths.name}.pending.json").exists()
        finished += built
        trial.run("import", str(trial.bring_data()))  # any stage finishes what was left
        if not any(event.name == "report.built" for event in read_ledger(trial.paths.ledger)):
            trial.run("analyze")
        events = read_ledger(trial.paths.ledger)
        assert (faults(trial), left_over(trial)) == ([], []), number
        assert looks_used(events) == 1, number
    assert finished > 0


KILLING = """
import os, signal, sys
from seedlock.cli import main
real, left = os.fsync, int(sys.argv.pop(1))
def fsync(handle):
    global left
    left -= 1
    os.kill(os.getpid(), signal.SIGKILL) if left == 0 else real(handle)
os.fsync = fsync
main()
"""


@pytest.mark.parametrize(("command", "number"), [("analyze", 3), ("analyze", 12)])
def test_a_process_that_is_really_killed_leaves_nothing_that_stays_stuck(
    study: StudyFixture, command: str, number: int
) -> None:
    study.run("lock")
    study.run("import", str(study.bring_data()))
    typed = [sys.executable, "-c", KILLING, str(number), command, study.paths.name, "--root", str(study.paths.root)]
    assert subprocess.run(typed, capture_output=True, check=False).returncode == -signal.SIGKILL
    study.run(command)
    assert (faults(study), left_over(study), looks_used(read_ledger(study.paths.ledger))) == ([], [], 1)


def test_an_interrupted_look_says_so_and_does_not_count(study: StudyFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    study.run("lock")
    study.run("import", str(study.bring_data()))
    with monkeypatch.context() as patched:

        def interrupt(*_: object) -> None:
            raise KeyboardInterrupt

        patched.setattr(analyze, "publish", interrupt)
        with pytest.raises((KeyboardInterrupt, AssertionError)):
            study.run("analyze")
    assert read_ledger(study.paths.ledger)[-1].body["how"] == "interrupted"
    study.run("analyze")
    assert faults(study) == []
    assert '"looks_used":1' in (study.paths.report / "results.json").read_text()


def test_a_look_that_brought_a_report_cannot_be_called_killed(broken: StudyFixture) -> None:
    """The author who looked, did not like it, and has the ledger say that the look was killed."""
    broken.run("analyze")
    look = next(event.n for event in read_ledger(broken.paths.ledger) if event.name == "look.opened")
    at = {"at": "2026-01-01T00:00:00+00:00"}
    forge_ledger(broken.paths, lambda lines: [*lines, {"event": "look.ended", "line": look, "how": "killed", **at}])
    assert any(fault.startswith("G2") for fault in faults(broken))


def test_a_second_command_waits_and_is_refused_where_the_first_goes_on(
    study: StudyFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locking, "WAIT_S", 0.05)
    study.paths.locks.mkdir(parents=True)
    with FileLock(study.paths.locks / ".ledger.lock"):
        said = study.run("lock", ok=5)
    assert "another command at work" in said
    assert lock_paths(study.paths) == []
    study.run("lock")


def test_of_two_locks_at_once_one_is_made(study: StudyFixture) -> None:
    said: list[str] = []

    def lock() -> None:
        try:
            locking.create_lock(study.paths, design_check={})
            said.append("made")
        except Exception as error:
            said.append(type(error).__name__)

    both = [threading.Thread(target=lock) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert sorted(said) == ["OutOfOrder", "made"]
    assert len(read_ledger(study.paths.ledger)) == 1
    assert faults(study) == []
