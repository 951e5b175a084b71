"""Break a published study in a thousand ways and see that verify, status and the report's reader only ever refuse.

    python -m benchmarks.fuzz --minutes 30

A forger knows the format, so half of the changes are followed by new digests, chains and manifests: otherwise every one
would end at the first checksum. No traceback, no answer later than 10 seconds, never a gigabyte.
"""

from __future__ import annotations

import argparse
import copy
import json
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seedlock.analysis.report.check import reading_check
from seedlock.prereg.base.canonical import canonical_json, sha256_bytes
from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.errors import SeedlockError
from seedlock.prereg.verify.chain import UNFORESEEN, verify_study
from seedlock.prereg.workflow.status import standing

PROJECT = Path(__file__).resolve().parents[1]
STUDY = "published_bird_seeds"
SLOWEST_S = 10
ODD: list[Any] = [
    *(
        None,
        True,
        False,
        -1,
        0,
        1e308,
        2**63,
        10**39,
        "",
        "\x1b[2J",
        "../../etc/passwd",
        "/dev/zero",
        "a" * 5000,
        "\u202e",
    ),
    *(
        [],
        {},
        [[]],
        {"": {}},
        ["x"] * 300,
        "2026-13-45T99:00:00Z",
        "--output=x",
        "0" * 64,
        "\ud800".encode("utf-8", "replace").decode(),
    ),
]
TOKENS = [
    b"\x00",
    b"\xff",
    b"<!--",
    b"<a ",
    b'<data data-ref="',
    b"</",
    b"[" * 2000,
    b"{" * 2000,
    b'"',
    b"\n",
    b"\r",
    b"9" * 5000,
    b"1e999",
]


@dataclass(slots=True)
class Found:
    """How the attempts ended, and those that ended badly."""

    ends: Counter[str] = field(default_factory=Counter)
    bad: list[str] = field(default_factory=list)
    slowest_s: float = 0.0


def make_study(folder: Path) -> StudyPaths:
    """A copy of a published study, outside git."""
    for place in ("prereg/studies", "lockfiles", "reports"):
        shutil.copytree(PROJECT / place / STUDY, folder / place / STUDY)
    return StudyPaths(root=folder, name=STUDY)


def mutate_bytes(data: bytes, rng: random.Random) -> bytes:
    """Flip, cut, double, insert."""
    at, to = sorted(rng.randrange(len(data) + 1) for _ in range(2))
    match rng.randrange(5):
        case 0:
            return data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :]
        case 1:
            return data[:at]
        case 2:
            return data[:at] + data[to:]
        case 3:
            return data[:to] + data[at : min(to, at + 10_000)] * rng.choice([1, 2, 50]) + data[to:]
        case _:
            return data[:at] + rng.choice(TOKENS) * rng.choice([1, 3, 1000]) + data[at:]


def mutate_json(document: Any, rng: random.Random) -> Any:
    """Put something odd, or nothing, in one place."""
    changed = copy.deepcopy(document)
    place, key = _a_place(changed, rng)
    if place is None:
        return rng.choice(ODD)
    match rng.randrange(4):
        case 0:
            del place[key]
        case 1 if isinstance(place, dict):
            place[rng.choice(["x", "", "look", "kind", "\x1b", "a" * 300])] = rng.choice(ODD)
        case 2:
            other, name = _a_place(changed, rng)
            place[key] = copy.deepcopy(other[name]) if other is not None else None
        case _:
            place[key] = rng.choice(ODD)
    return changed


def _a_place(document: Any, rng: random.Random) -> tuple[Any, Any]:
    place, key = None, None
    while isinstance(document, dict | list) and document and (place is None or rng.random() < 0.8):
        place = document
        key = rng.choice(list(document)) if isinstance(document, dict) else rng.randrange(len(document))
        document = document[key]
    return place, key


def _dump(value: Any) -> bytes:
    try:
        return canonical_json(value)
    except (ValueError, RecursionError):
        return json.dumps(value).encode()


def write_ledger(paths: StudyPaths, events: list[Any]) -> None:
    """A chain that holds, whatever its lines say."""
    previous, lines = None, []
    for number, event in enumerate(events, start=1):
        body = {**event, "prev": previous, "n": number} if isinstance(event, dict) else event
        lines.append(_dump(body) + b"\n")
        previous = sha256_bytes(lines[-1])
    paths.ledger.write_bytes(b"".join(lines))
    paths.ledger.with_suffix(".head").write_text(f"{previous}\n")


def rehash(paths: StudyPaths, rng: random.Random) -> None:
    """What a forger does after a change: new lock id, new manifest, a ledger that names both."""
    names = sorted(path.relative_to(paths.report).as_posix() for path in paths.report.rglob("*") if path.is_file())
    digests = {name: sha256_bytes((paths.report / name).read_bytes()) for name in names if name != "manifest.sha256"}
    manifest = "".join(f"{digest}  {name}\n" for name, digest in digests.items()).encode()
    (paths.report / "manifest.sha256").write_bytes(manifest)
    lock_id = sha256_bytes((paths.locks / "lock-0001.json").read_bytes())
    events = [json.loads(line) for line in paths.ledger.read_bytes().splitlines()]
    for event in events:
        event.update({"lock_id": lock_id} if "lock_id" in event else {})
        if event["event"] == "report.built":
            event.update(manifest_sha256=sha256_bytes(manifest), results_sha256=digests.get("results.json", ""))
    write_ledger(paths, [mutate_json(event, rng) if rng.random() < 0.02 else event for event in events])


def attempt(paths: StudyPaths, rng: random.Random) -> str:
    """Change one file, half of the time with all that follows from it; returns what was changed."""
    files = [paths.plan, paths.ledger, paths.locks / "lock-0001.json", paths.locks / "lock-0001.sha256"]
    files += [paths.report / name for name in ("results.json", "report.html", "report.md", "manifest.sha256")]
    files += sorted((paths.report / "data").glob("*.parquet"))
    file = rng.choice(files)
    data = file.read_bytes()
    is_json = file.suffix == ".json" and rng.random() < 0.7
    if file == paths.ledger and rng.random() < 0.8:
        events = [json.loads(line) for line in data.splitlines()]
        at = rng.randrange(len(events))
        write_ledger(paths, [*events[:at], mutate_json(events[at], rng), *events[at + rng.randrange(2) :]])
        return "ledger, chained anew"
    file.write_bytes(_dump(mutate_json(json.loads(data), rng)) + b"\n" if is_json else mutate_bytes(data, rng))
    if file != paths.ledger and rng.random() < 0.6:
        rehash(paths, rng)
        return f"{file.name}, hashed anew"
    return file.name


def _late(*_: object) -> None:
    raise TimeoutError(f"no answer in {SLOWEST_S} s")


def fuzz(seconds: float, seed: int, tell: Callable[[str], None] = lambda _: None) -> Found:
    """Attempt after attempt until the time is up; every one is named by its seed, so that it can be had again."""
    found, end, number = Found(), time.monotonic() + seconds, seed
    signal.signal(signal.SIGALRM, _late)
    with tempfile.TemporaryDirectory(prefix="seedlock-fuzz-") as folder:
        whole = make_study(Path(folder) / "whole")
        while time.monotonic() < end:
            number += 1
            broken = StudyPaths(root=Path(folder) / "broken", name=STUDY)
            shutil.copytree(whole.root, broken.root)
            changed = attempt(broken, random.Random(number))
            begun = time.monotonic()
            signal.alarm(SLOWEST_S)
            try:
                done = verify_study(broken, reading=lambda at: iter([reading_check(at)]))
                json.dumps(done.as_json())
                if done.checks[0].id == UNFORESEEN:
                    raise AssertionError(done.checks[0].findings)
                standing(broken)
                found.ends[f"exit {done.exit_code}"] += 1
            except SeedlockError as error:
                found.ends[f"refused: {type(error).__name__}"] += 1
            except BaseException:  # whatever else it is, it is what this looks for
                found.bad.append(f"seed {number}: {changed}\n{traceback.format_exc()}")
                tell(found.bad[-1])
            signal.alarm(0)
            found.slowest_s = max(found.slowest_s, time.monotonic() - begun)
            shutil.rmtree(broken.root)
    return found


def main() -> int:
    """Run for some minutes; exit 1 where anything ended badly."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=0)
    told = parser.parse_args()
    found = fuzz(60 * told.minutes, told.seed, tell=lambda text: print(text, flush=True))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{sum(found.ends.values()) + len(found.bad)} attempts, {len(found.bad)} ended badly; ends: {dict(found.ends)}"
    )
    print(f"slowest {found.slowest_s:.2f} s, at most {peak:.0f} MiB")
    return 1 if found.bad or peak > 1024 else 0


if __name__ == "__main__":
    sys.exit(main())
