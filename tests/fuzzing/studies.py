"""A published study and one made here, one file of them broken, read by verify, status and the rebuild."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from seedlock.analysis.recount import recount_check
from seedlock.analysis.report.check import reading_check
from seedlock.analysis.report.rebuild import rebuild_check
from seedlock.prereg.base.canonical import sha256_bytes
from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.verify.chain import UNFORESEEN, verify_study
from seedlock.prereg.verify.checks import Check
from seedlock.prereg.workflow.status import standing
from tests.conftest import PLAN, PROJECT, StudyFixture
from tests.forging import forge_ledger, forge_manifest
from tests.fuzzing.mutations import dump, mutate_bytes, mutate_json, mutate_value

STUDY = "published_bird_seeds"


def published(folder: Path) -> StudyPaths:
    """A copy of a published study, outside git."""
    for place in ("prereg/studies", "lockfiles", "reports"):
        shutil.copytree(PROJECT / place / STUDY, folder / place / STUDY)
    return StudyPaths(root=folder, name=STUDY)


def made_here(folder: Path) -> StudyPaths:
    """A study that this very Seedlock locked and reported: its report is built again."""
    study = StudyFixture(StudyPaths(root=folder, name="spread"))
    study.write_plan(PLAN)
    study.to_report()
    return study.paths


def read_whole(paths: StudyPaths) -> str:
    """What a reviewer's commands do; returns how it ended."""
    done = verify_study(paths, recount=recount_check, reading=_reading)
    json.dumps(done.as_json())
    if done.checks[0].id == UNFORESEEN:
        raise AssertionError(done.checks[0].findings)
    standing(paths)
    return f"exit {done.exit_code}"


def _reading(paths: StudyPaths) -> Iterator[Check]:
    yield reading_check(paths)
    yield rebuild_check(paths)


def break_one_file(paths: StudyPaths, rng: random.Random) -> str:
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
    file.write_bytes(dump(mutate_json(json.loads(data), rng)) + b"\n" if is_json else mutate_bytes(data, rng))
    if file != paths.ledger and rng.random() < 0.6:
        _rehash(paths, rng)
        return f"{file.name}, hashed anew"
    return file.name


def break_results(paths: StudyPaths, rng: random.Random) -> str:
    """Other results of the right shape, with manifest and ledger made to match: what R7 builds a report from."""
    file = paths.report / "results.json"
    results = json.loads(file.read_bytes())
    for _ in range(rng.randrange(1, 4)):
        results = (mutate_value if rng.random() < 0.8 else mutate_json)(results, rng)
    file.write_bytes(dump(results) + b"\n")
    forge_manifest(paths)
    return "results.json, vouched for"


def write_ledger(paths: StudyPaths, events: list[object]) -> None:
    """A chain that holds, whatever its lines say."""
    previous, lines = None, []
    for number, event in enumerate(events, start=1):
        body = {**event, "prev": previous, "n": number} if isinstance(event, dict) else event
        lines.append(dump(body) + b"\n")
        previous = sha256_bytes(lines[-1])
    paths.ledger.write_bytes(b"".join(lines))
    paths.ledger.with_suffix(".head").write_text(f"{previous}\n")


def _rehash(paths: StudyPaths, rng: random.Random) -> None:
    """What a forger does after a change: new lock id, new manifest, a ledger that names both."""
    forge_manifest(paths)
    lock_id = sha256_bytes((paths.locks / "lock-0001.json").read_bytes())
    forge_ledger(paths, lambda lines: [line | ({"lock_id": lock_id} if "lock_id" in line else {}) for line in lines])
    events = [json.loads(line) for line in paths.ledger.read_bytes().splitlines()]
    write_ledger(paths, [mutate_json(event, rng) if rng.random() < 0.02 else event for event in events])


def attempts(folder: Path) -> dict[str, Callable[[random.Random], tuple[str, Callable[[], str]]]]:
    """Name of a kind of attempt -> what breaks a fresh copy, and what then reads it."""
    old, own = published(folder / "old"), made_here(folder / "own")

    def attempt(
        whole: StudyPaths, breaks: Callable[[StudyPaths, random.Random], str]
    ) -> Callable[[random.Random], tuple[str, Callable[[], str]]]:
        def act(rng: random.Random) -> tuple[str, Callable[[], str]]:
            broken = StudyPaths(root=folder / "broken", name=whole.name)
            shutil.rmtree(broken.root, ignore_errors=True)
            shutil.copytree(whole.root, broken.root)
            return breaks(broken, rng), lambda: read_whole(broken)

        return act

    return {
        "a published study": attempt(old, break_one_file),
        "a study of this Seedlock": attempt(own, break_one_file),
        "results to build a report from": attempt(own, break_results),
    }
