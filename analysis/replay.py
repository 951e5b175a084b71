"""Run the analysis again from the sealed data and hold every number against results.json."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from packaging.requirements import Requirement

from seedlock.analysis.analyze import compute
from seedlock.analysis.bayes.models import Engine
from seedlock.analysis.sealed import open_sealed
from seedlock.prereg.base.canonical import read_json
from seedlock.prereg.base.paths import HOME, StudyPaths
from seedlock.prereg.base.reading import is_regular, read_regular
from seedlock.prereg.errors import Finding, NotInstalled, NotReproduced, SeedlockError
from seedlock.prereg.lock.document import Lock, load_locked_plan, lock_paths, read_lock
from seedlock.prereg.lock.gate import has_moved_on, require_lock
from seedlock.prereg.lock.run_at_lock import install_at_lock, run_at_lock
from seedlock.prereg.plan.extras import absent_module, require_extras
from seedlock.prereg.plan.plan import Tolerances
from seedlock.prereg.verify.checks import Check, failed, not_checked, verdict
from seedlock.prereg.verify.libraries import library_faults
from seedlock.prereg.verify.numbers import differences

NO_MODULE = re.compile(r"^ModuleNotFoundError: No module named '([\w.]+)'")
SAID = re.compile(r"^(?!Next:)[\w.]+: ")
"""The line of a standard error that names the error: the last of a traceback, the first of a refusal."""


def replay_check(paths: StudyPaths) -> Check:
    """Recompute results.json; nothing is written, no look is recorded, and the report stays as it is.

    Numbers are compared within the plan's tolerances: exact ones by `absolute` and `relative`, posterior ones by
    `monte_carlo` (absolute on probabilities, and as a share of the number elsewhere). Text must be equal.
    """
    what = "the analysis gives the same numbers again"
    file = paths.report / "results.json"
    if not is_regular(file):
        return not_checked("X1", "replay", what, "no results yet", f"seedlock analyze {paths.name}")
    try:
        lock = read_lock(lock_paths(paths)[-1])
        again: Any = _at_lock(paths, lock) if has_moved_on(lock) else recompute(paths)
    except NotInstalled as error:
        return not_checked("X1", "replay", what, _lacking(error), error.then)
    except SeedlockError as error:
        return failed("X1", "replay", error)
    published: Any = read_json(read_regular(file))
    tolerances = load_locked_plan(lock).tolerances
    differs = tuple(differences(published, again, tolerances))
    other = tuple(library_faults(lock) if lock.version > 1 else environment_differences())
    if differs:
        return verdict("X1", "replay", what, (*differs[:40], *other), exit_code=11 if other else 10)
    numbers = sum(1 for _ in _numbers(published))
    state = f"the analysis gives the same {numbers} numbers again, within the locked tolerances{_wider(tolerances)}"
    return Check(id="X1", link="replay", state="warn" if other else "pass", what=state, findings=other)


def _wider(tolerances: Tolerances) -> str:
    """The tolerances that are not the usual ones, for whoever reads that a replay holds."""
    usual = Tolerances().model_dump()
    others = [f"{key} {value:g}" for key, value in tolerances.model_dump().items() if value != usual[key]]
    return f" ({', '.join(others)}: not the default)" if others else ""


def recompute(paths: StudyPaths) -> dict[str, Any]:
    """results.json as this code computes it from the sealed data; nothing is written.

    Raises
    ------
    SeedlockError
        The gate refused.
    """
    locked = require_lock(paths)
    require_extras(locked.plan, "analyze")
    results, _ = compute(locked, open_sealed(locked), _engine_of(paths))
    return results.model_dump(mode="json")


def _engine_of(paths: StudyPaths) -> Engine:
    """What sampled the posteriors of the published results."""
    file = paths.report / "results.json"
    published: Any = read_json(read_regular(file)) if is_regular(file) else {}
    engines = [(h.get("bayes") or {}).get("engine") for h in published.get("hypotheses", [])]
    return "bambi" if "bambi" in engines else "seedlock"


def _at_lock(paths: StudyPaths, lock: Lock) -> Any:
    """The same by the code of the locked commit, where the working tree has moved on."""
    done = run_at_lock(paths, lock, "recompute", paths.name)
    if done.returncode != 0:
        raise did_not_run(lock, done.stderr.decode("utf-8", "replace").strip(), done.returncode)
    return read_json(done.stdout)


def did_not_run(lock: Lock, stderr: str, code: int) -> SeedlockError:
    """Why the locked code gave no results: a library that is not here is no fault of the study."""
    lines = stderr.splitlines() or [f"exit {code}"]
    found = next((line for line in reversed(lines) if SAID.match(line)), lines[-1])
    if missing := NO_MODULE.match(found):
        known = absent_module(ModuleNotFoundError(name=missing[1]))
        fault = Finding(where=f"import {missing[1]}", found="not installed", promised="what the locked code imports")
        return NotInstalled(found, fault, then=known.then if known is not None else install_at_lock(lock))
    if found.startswith("NotInstalled: "):
        then = next((line.removeprefix("Next: ") for line in lines if line.startswith("Next: ")), "")
        return NotInstalled(found.removeprefix("NotInstalled: "), then=then or install_at_lock(lock))
    return NotReproduced(
        "the locked code did not run", Finding(where=f"commit {lock.commit}", found=found, promised="results")
    )


def _lacking(error: NotInstalled) -> str:
    return "; ".join([error.what, *(f"{fault.where}: {fault.found}" for fault in error.findings)])


def _numbers(value: Any) -> Iterator[float]:
    match value:
        case dict():
            for inner in value.values():
                yield from _numbers(inner)
        case list():
            for inner in value:
                yield from _numbers(inner)
        case bool():
            return
        case int() | float():
            yield float(value)


def environment_differences() -> Iterator[Finding]:
    """Installed packages that are not those of the locked environment; samplers may be missing where none ran."""
    pins = {name: HOME / "lockfiles" / "environment" / f"{name}.txt" for name in ("core", "bayes")}
    core = {one.name for one in pinned(pins["core"].read_text("utf-8"))} if pins["core"].is_file() else set()
    for promised in pinned(pins["bayes"].read_text("utf-8")) if pins["bayes"].is_file() else ():
        try:
            found = f"=={version(promised.name)}"
        except PackageNotFoundError:
            if promised.name not in core:
                continue
            found = "not installed"
        if found != str(promised.specifier):
            yield Finding(where=f"package {promised.name}", found=found, promised=str(promised.specifier))


def pinned(lock: str) -> Iterator[Requirement]:
    """The packages that a requirement file pins on this kind of machine, `name==version`."""
    for line in lock.splitlines():
        if line and not line.startswith((" ", "#")):
            requirement = Requirement(line.rstrip("\\ "))
            if requirement.marker is None or requirement.marker.evaluate():
                yield requirement
