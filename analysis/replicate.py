"""Write the plan of a replication: the original's plan with seeds of its own, and the original carried beside it."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from seedlock.prereg.base.canonical import sha256_bytes, write_atomic
from seedlock.prereg.base.paths import StudyPaths, is_study_name, list_studies, list_syntheses
from seedlock.prereg.base.reading import read_regular
from seedlock.prereg.errors import BadInput, Finding, LockedFileChanged, OutOfOrder
from seedlock.prereg.lock.document import Lock, lock_paths
from seedlock.prereg.lock.gate import LockedPlan, is_reported, require_lock
from seedlock.prereg.lock.lock import study_files
from seedlock.prereg.lock.original import require_original
from seedlock.prereg.plan.original import CARRIED_LOCK, CARRIED_RESULTS
from seedlock.prereg.plan.plan import Plan
from seedlock.prereg.plan.read import parse_plan
from seedlock.prereg.plan.toml_edit import with_value
from seedlock.prereg.verify.chain import verify_study
from seedlock.prereg.verify.withdraw import withdrawn_because


@dataclass(frozen=True, slots=True, kw_only=True)
class Replicated:
    """What was written."""

    paths: StudyPaths
    plan: Plan
    files: tuple[str, ...]


def replicate(
    original: StudyPaths, name: str, *, seeds: list[int] | None = None, as_planned: bool = False
) -> Replicated:
    """Write `prereg/studies/NAME`: the original's plan and files, other seeds, and the original's lock and results.

    Parameters
    ----------
    seeds
        Seeds of every model; by default as many as the original has, above all that it ever used.
    as_planned
        Replicate the plan of an original that departed from it.

    Raises
    ------
    OutOfOrder, BadInput, LockedFileChanged
        The original is not locked, withdrawn, without a report of its newest lock, departed from its plan, or does not
        verify; it cannot be replicated with seeds alone; the name is taken; a seed is one of the original's.
    """
    locked = _require_original(original, as_planned=as_planned)
    paths = StudyPaths(root=original.root, name=name)
    _require_free(paths)
    _require_new_runs(locked)
    own = _new_seeds(locked) if seeds is None else dict.fromkeys(locked.plan.grid.models, seeds)
    text = _plan_text(locked, own)
    carried = {
        CARRIED_LOCK: read_regular(lock_paths(original)[-1]),
        CARRIED_RESULTS: read_regular(original.report / "results.json"),
    }
    files = {
        path.relative_to(original.study).as_posix(): read_regular(path)
        for path in study_files(original)
        if path != original.plan
    }
    plan = parse_plan(text.encode(), paths.plan)
    for where, data in {**files, **carried, "plan.toml": text.encode()}.items():
        write_atomic(paths.study / where, data)
    try:
        require_original(plan, paths)
    except BadInput:
        for where in (*files, *carried, "plan.toml"):
            (paths.study / where).unlink()
        raise
    return Replicated(paths=paths, plan=plan, files=tuple(sorted({*files, *carried, "plan.toml"})))


def _require_original(paths: StudyPaths, *, as_planned: bool) -> LockedPlan:
    name = paths.name
    locked = require_lock(paths, only_reading=True)
    if (reason := withdrawn_because(locked.events)) is not None:
        ended = Finding(where=name, found=f"withdrawn: {reason}", promised="a study with a report")
        raise OutOfOrder(f"{name} was withdrawn", ended, then=f"seedlock verify {name}")
    if not is_reported(locked.events, locked.lock_id):
        silent = Finding(where=name, found="no report of its newest lock", promised="results to replicate")
        raise OutOfOrder(f"{name} has nothing to replicate yet", silent, then=f"seedlock run {name}")
    if locked.deviations and not as_planned:
        raise BadInput(
            f"{name} departed from its plan: which of the two is to be replicated?",
            *(
                Finding(where=d.pointer, found=json.dumps(d.after), promised=json.dumps(d.before))
                for d in locked.deviations
            ),
            then=f"seedlock replicate {name} --as-planned  takes the plan as it was locked",
        )
    checked = verify_study(paths)
    if checked.exit_code and checked.first_failure is not None:
        first = checked.first_failure
        fault = Finding(where=name, found=f"{first.id} does not hold: {first.what}", promised="a study that verifies")
        raise LockedFileChanged(f"{name} does not verify", fault, then=f"seedlock verify {name}")
    return locked


def _require_free(paths: StudyPaths) -> None:
    if not is_study_name(paths.name):
        raise BadInput(
            "a study needs a name", Finding(where="--name", found=paths.name, promised="letters, digits, _ . -")
        )
    if paths.study.exists() or paths.name in {*list_studies(paths.root), *list_syntheses(paths.root)}:
        taken = Finding(
            where=paths.relative(paths.study), found="there already", promised="a name that nothing here has"
        )
        raise BadInput(f"{paths.name} is taken", taken, then="seedlock replicate STUDY --name ANOTHER")


def _require_new_runs(locked: LockedPlan) -> None:
    """Refuse what other seeds cannot make anew: rows that lie in the study, weights that were made elsewhere."""
    plan, name = locked.plan, locked.paths.name
    faults = []
    if plan.import_ is not None and plan.import_.file is not None:
        faults.append(Finding(where="import.file", found=plan.import_.file, promised="rows that are yet to come"))
    faults += [
        Finding(where=f"judgements.{judge}.file", found=str(judged.file), promised="judgements that are yet to come")
        for judge, judged in plan.judgements.items()
        if judged.file is not None
    ]
    faults += [
        Finding(where=f"stages.{stage}.given", found="weights made elsewhere", promised="a stage that seeds repeat")
        for stage in plan.used_stages
        if plan.stages[stage].given is not None
    ]
    if faults:
        then = "write the plan of new data by hand, with the table [original]  (docs/methods/replication.md)"
        raise BadInput(f"other seeds do not make {name} anew", *faults, then=then)


def _new_seeds(locked: LockedPlan) -> dict[str, list[int]]:
    """As many seeds a model as the plan has, above every one that any lock of the study promised."""
    used = [run.seed for lock in locked.locks for run in lock.runs if run.seed is not None]
    first = max(used, default=0) + 1
    return {model: [*range(first, first + len(locked.plan.grid.seeds_of(model)))] for model in locked.plan.grid.models}


def _plan_text(locked: LockedPlan, seeds: Mapping[str, list[int]]) -> str:
    """The original's plan with what a replication has of its own.

    Raises
    ------
    BadInput
        The file spells its tables so that no key can be set in place.
    """
    plan, lock = locked.plan, locked.lock
    before = read_regular(locked.paths.plan).decode("utf-8")
    results = read_regular(locked.paths.report / "results.json")
    own = _own_values(plan, lock, seeds, results)
    text = before
    for (table, key), value in own.items():
        text = with_value(text, table, key, _toml(value))
    wanted: dict[str, Any] = tomllib.loads(before)
    for (table, key), value in own.items():
        place = wanted
        for part in table.split("."):
            place = place.setdefault(part, {})
        place[key] = value
    if tomllib.loads(text) != wanted:
        where, promised = locked.paths.relative(locked.paths.plan), "headers [study], [grid], [design], [stages.NAME]"
        raise BadInput(
            "the plan cannot be edited in place",
            Finding(where=where, found="tables spelled in another way", promised=promised),
            then="spell these tables with headers of their own, in a plan that you write by hand",
        )
    return text


def _own_values(plan: Plan, lock: Lock, seeds: Mapping[str, list[int]], results: bytes) -> dict[tuple[str, str], Any]:
    """Table and key -> value."""
    lists = list(seeds.values())
    alike = not isinstance(plan.grid.seeds, dict) and all(one == lists[0] for one in lists)
    known = f"The original ({lock.study}, lock {sha256_bytes(lock.to_bytes())[:12]}) and all of its results."
    found = json.loads(results)["hypotheses"]
    expected = {h["id"]: h["estimate"] for h in found if h["estimate"] is not None}
    drawn_once = {name: stage.seed for name, stage in plan.stages.items() if stage.seed is not None}
    shift = max(drawn_once.values(), default=0) + 1 - min(drawn_once.values(), default=0)
    return {
        ("study", "title"): f"Replication: {plan.study.title}",
        ("study", "exposure"): "pilot" if plan.study.exposure == "none" else plan.study.exposure,
        ("study", "known"): [*plan.study.known, known],
        ("grid", "seeds"): lists[0] if alike else dict(seeds),
        **{(f"stages.{name}", "seed"): seed + shift for name, seed in drawn_once.items()},
        ("design", "expected"): expected,
        ("original", "study"): lock.study,
        ("original", "lock"): sha256_bytes(lock.to_bytes()),
        ("original", "results"): sha256_bytes(results),
    }


def _toml(value: Any) -> str:
    match value:
        case dict():
            return "{ " + ", ".join(f"{json.dumps(key)} = {_toml(inner)}" for key, inner in value.items()) + " }"
        case list():
            return "[" + ", ".join(map(_toml, value)) + "]"
        case str():
            return json.dumps(value, ensure_ascii=False)
        case _:
            return repr(value)
