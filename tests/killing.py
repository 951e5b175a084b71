"""Commands killed by the system at random times, and whatever comes next finishes or takes back what was left.

    python -m tests.killing --times 20

`tests/test_killed_commands.py` stops each command at every one of its writes, in one process; here the process dies.
"""

from __future__ import annotations

import argparse
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.lock.ledger import read_ledger
from seedlock.prereg.lock.looks import looks_used
from tests.conftest import PLAN, StudyFixture
from tests.test_killed_commands import faults, left_over

AMEND = ("amend", "--reason", "error-in-plan", "--note", "the edge was meant at 0.2")


def stages(folder: Path) -> dict[str, tuple[StudyFixture, list[str]]]:
    """Command -> a study that is ready for it, and its arguments."""
    study = StudyFixture(StudyPaths(root=folder / "plan", name="spread"))
    study.write_plan(PLAN)
    found = {"lock": (copied(study, folder / "lock"), ["lock"])}
    study.run("lock")
    data = str(study.bring_data())
    found["import"] = (copied(study, folder / "import"), ["import", data])
    amended = copied(study, folder / "amend")
    amended.write_plan(PLAN.replace("-0.1,", "-0.2,"))
    found["amend"] = (amended, list(AMEND))
    study.run("import", data)
    found["analyze"] = (copied(study, folder / "analyze"), ["analyze"])
    return found


def copied(study: StudyFixture, root: Path) -> StudyFixture:
    """The study as it is now, in another place."""
    shutil.copytree(study.paths.root, root)
    return StudyFixture(StudyPaths(root=root, name=study.paths.name))


def killed_after(study: StudyFixture, arguments: list[str], seconds: float) -> bool:
    """Type a command and kill it after a while; False where it had ended by then."""
    command, *options = arguments
    typed = [sys.executable, "-m", "seedlock", command, study.paths.name, *options, "--root", str(study.paths.root)]
    with subprocess.Popen(typed, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
    return process.returncode == -signal.SIGKILL


def went_on(study: StudyFixture) -> list[str]:
    """Do what is still to be done, as its author would; then say what does not hold, was left over or counts twice."""
    names = {event.name for event in read_ledger(study.paths.ledger)} if whole(study) else set()
    if "plan.locked" not in names:
        study.run("lock")
    elif "plan.amended" not in names and "-0.2," in study.paths.plan.read_text():
        study.run(*AMEND)
    study.run("import", str(study.bring_data()))
    if "report.built" not in {event.name for event in read_ledger(study.paths.ledger)}:
        study.run("analyze")
    looks = looks_used(read_ledger(study.paths.ledger))
    return [*faults(study), *left_over(study), *([] if looks == 1 else [f"{looks} looks used"])]


def whole(study: StudyFixture) -> bool:
    """Whether the ledger ends in a whole line: a torn one is mended by the next command that writes."""
    return study.paths.ledger.exists() and study.paths.ledger.read_bytes().endswith(b"\n")


def main() -> int:
    """Kill some commands; exit 1 where one left anything that does not hold."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    told = parser.parse_args()
    rng, bad, kills = random.Random(told.seed), 0, 0
    with tempfile.TemporaryDirectory(prefix="seedlock-killing-") as folder:
        ready, takes = stages(Path(folder)), {}
        for command, (study, arguments) in ready.items():
            begun = time.monotonic()
            killed_after(copied(study, Path(folder) / f"whole-{command}"), arguments, 600)
            takes[command] = time.monotonic() - begun
        while kills < told.times:
            command = list(ready)[kills % len(ready)]
            study, arguments = ready[command]
            trial = copied(study, Path(folder) / "trial")
            after = rng.uniform(0.2, 1.0) * takes[command]
            if killed_after(trial, arguments, after):
                kills += 1
                found = went_on(trial)
                bad += bool(found)
                print(f"{command} killed after {after:.2f} of {takes[command]:.2f} s: {found or 'holds'}", flush=True)
            shutil.rmtree(trial.paths.root)
    print(f"{kills} kills, {bad} left something that does not hold")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
