"""Attempt after attempt until the time is up; every one is named by its number, so that it can be had again."""

from __future__ import annotations

import argparse
import random
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from seedlock.prereg.errors import SeedlockError
from tests.fuzzing import readers, studies

SLOWEST_S = 10
"""Of processor time: how busy the machine is says nothing of a file."""
MOST_MIB = 1024


@dataclass(slots=True)
class Found:
    """How the attempts ended, and those that ended badly."""

    ends: Counter[str] = field(default_factory=Counter)
    bad: list[str] = field(default_factory=list)
    slowest_s: float = 0.0
    slowest: str = ""


def _late(*_: object) -> None:
    raise TimeoutError(f"no answer in {SLOWEST_S} s")


def fuzz(seconds: float, seed: int, only: str = "", tell: Callable[[str], None] = lambda _: None) -> Found:
    """Break and read, one kind of file after another."""
    found, number = Found(), seed
    signal.signal(signal.SIGPROF, _late)
    with tempfile.TemporaryDirectory(prefix="seedlock-fuzz-") as folder:
        every = {**studies.attempts(Path(folder)), **readers.attempts(Path(folder))}
        kinds = {name: one for name, one in every.items() if only in name}
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            number += 1
            name = list(kinds)[number % len(kinds)]
            changed, read = kinds[name](random.Random(number))
            begun = time.process_time()
            signal.setitimer(signal.ITIMER_PROF, SLOWEST_S)
            try:
                found.ends[f"{name}: {read()}"] += 1
            except SeedlockError as error:
                found.ends[f"{name}: refused, {type(error).__name__}"] += 1
            except BaseException:  # whatever else it is, it is what this looks for
                found.bad.append(f"number {number}, {name}: {changed}\n{traceback.format_exc()}")
                tell(found.bad[-1])
            signal.setitimer(signal.ITIMER_PROF, 0)
            took = time.process_time() - begun
            if took > found.slowest_s:
                found.slowest_s, found.slowest = took, f"number {number}, {name}: {changed}"
    return found


def main() -> int:
    """Run for some minutes; exit 1 where anything ended badly."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="kinds whose name holds this")
    told = parser.parse_args()
    found = fuzz(60 * told.minutes, told.seed, told.only, tell=lambda text: print(text, flush=True))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    for end, times in sorted(found.ends.items()):
        print(f"{times:8d}  {end}")
    print(f"{sum(found.ends.values()) + len(found.bad)} attempts, {len(found.bad)} ended badly")
    print(f"slowest {found.slowest_s:.2f} s ({found.slowest}), at most {peak:.0f} MiB")
    return 1 if found.bad or peak > MOST_MIB else 0


if __name__ == "__main__":
    sys.exit(main())
