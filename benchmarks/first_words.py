"""Processor time to the first words of the command line, and how much an environment of the core holds."""

from __future__ import annotations

import resource
import subprocess
import sys
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement

TYPED = (["--help"], ["--version"], ["status"], ["check", "--help"], ["verify", "published_bird_seeds"])
REPEATS = 5


def processor_s(command: list[str]) -> float:
    """User and system time of one run."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=False, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def core() -> dict[str, Distribution]:
    """What the core depends on, directly or not, as far as it is installed here."""
    found: dict[str, Distribution] = {}
    waiting = ["seedlock"]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        try:
            found[name] = distribution(name)
        except PackageNotFoundError:
            continue
        needed = map(Requirement, found[name].requires or [])
        waiting += [need.name for need in needed if need.marker is None or need.marker.evaluate({"extra": ""})]
    return found


def main() -> None:
    """Print both."""
    bare = min(processor_s([sys.executable, "-c", ""]) for _ in range(REPEATS))
    print(f"{'python alone':32} {bare:6.3f} s")
    for typed in TYPED:
        best = min(processor_s([sys.executable, "-m", "seedlock", *typed]) for _ in range(REPEATS))
        print(f"seedlock {' '.join(typed):23} {best:6.3f} s")
    packages = core()
    files = [Path(file.locate()) for package in packages.values() for file in package.files or []]
    size = sum(file.stat().st_size for file in files if file.is_file())
    print(f"the core: {len(packages) - 1} packages, {size / 1e6:.0f} MB")
