"""A study from its plan to a verified report: which stage is next, and what each one is for."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping

from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.errors import Finding, Incomplete
from seedlock.prereg.lock.document import lock_paths
from seedlock.prereg.plan.bases import absent_bases
from seedlock.prereg.plan.read import read_plan
from seedlock.prereg.workflow.status import standing

STORY: Mapping[str, str] = {
    "fetch": "Bring the base models that the plan names, each by its digest.",
    "check": "Is the design sound, before anything is promised?",
    "corpus": "Write the texts to train on, and look for what they must not hold.",
    "lock": "Freeze the plan. From here on every change shows.",
    "train": "Carry out every promised run, on the locked texts alone.",
    "generate": "Put every question to every run; one row a request, with an answer or the reason there is none.",
    "judge": "Have the answers judged, blind to their arm.",
    "label": "Have people give right answers to a part of what was judged, blind to its arm.",
    "import": "Bring in the answers that the plan promises.",
    "inside": "Look inside the models, with directions that mean nothing beside the one that might.",
    "analyze": "Score, test, decide by the locked rules, write the report.",
    "verify": "Check every link, as a reviewer would.",
}
LAST = "verify"


def carry_out(paths: StudyPaths, *, may_lock: bool, tell: Callable[[str, str], None]) -> int:
    """Run every stage that the study needs and has not had; return the exit code of the first that fails, or 0.

    Each stage is a process of its own, as if it were typed; `tell` gets its name and what it is for beforehand. A study
    that was stopped anywhere goes on from there.

    Raises
    ------
    Incomplete
        The study is not locked and `may_lock` is false, or a stage ended well and is still the next one.
    """
    for stage in _stages(paths, may_lock=may_lock):
        tell(stage, STORY[stage])
        needs = _needs(paths) if stage == "import" else []
        command = [sys.executable, "-P", "-m", "seedlock", stage, paths.name, *needs, "--root", str(paths.root)]
        if code := _to_its_end(command):
            return code
    return 0


def _needs(paths: StudyPaths) -> list[str]:
    """What an import takes beside the study.

    Raises
    ------
    Incomplete
        Files that no plan names.
    """
    at = standing(paths)
    needs = at.next_needs.split()
    if "FILE" in needs:
        fault = Finding(where=paths.name, found="no file named in the plan", promised="the files to import")
        raise Incomplete(f"only you know which files {paths.name} imports", fault, then=at.next_command)
    return needs


def _to_its_end(command: list[str]) -> int:
    """Run one stage; Ctrl-C is the stage's to answer, which says what is kept."""
    with subprocess.Popen(command) as stage:
        try:
            return stage.wait()
        except KeyboardInterrupt:
            return stage.wait()


def _stages(paths: StudyPaths, *, may_lock: bool) -> Iterator[str]:
    if not lock_paths(paths):
        if not may_lock:
            fault = Finding(where=f"lockfiles/{paths.name}", found="no lock", promised="a locked plan")
            raise Incomplete(
                f"{paths.name} is not locked",
                fault,
                then=f"seedlock lock {paths.name},  or add  --lock",
            )
        if absent_bases(read_plan(paths.plan), paths.root):
            yield "fetch"
        yield "check"
        if any(corpus.file is None for corpus in read_plan(paths.plan).corpora.values()):
            yield "corpus"
        yield "lock"
    before = ""
    while (stage := _next(paths)) != LAST:
        if stage == before:
            fault = Finding(where=paths.name, found=f"{stage} again", promised="the stage after it")
            raise Incomplete(f"{stage} left the study where it was", fault, then=f"seedlock status {paths.name}")
        yield stage
        before = stage
    yield LAST


def _next(paths: StudyPaths) -> str:
    return standing(paths).next_stage
