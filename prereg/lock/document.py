"""What a lock file says, and reading one."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator, model_validator

from seedlock.prereg.base.canonical import Sha256, canonical_json, read_json
from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.base.reading import read_regular
from seedlock.prereg.errors import BadInput, Finding, LockedFileChanged
from seedlock.prereg.lock.events import is_moment
from seedlock.prereg.lock.exposure import Exposure
from seedlock.prereg.lock.owed import Owed
from seedlock.prereg.plan.plan import Plan


class Record(BaseModel):
    """Part of a lock file: strict, frozen, unknown keys refused."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False, defer_build=True)


class LockedFile(Record):
    """A file's promised bytes."""

    path: str
    sha256: Sha256
    bytes: int


class LockedPlanFile(Record):
    """The plan's promised bytes, and what they said when they were parsed."""

    path: str
    raw_sha256: Sha256
    parsed: dict[str, Any]


class LockedRun(Record):
    """One promised run; `n_expected` completions, null where `owed` says why they cannot be counted yet."""

    run_id: str
    model: str
    arm: str
    seed: int | None
    factors: dict[str, str]
    n_expected: int | None


class LockedModel(Record):
    """A base model and its pinned revision."""

    name: str
    base: str
    revision: str


class Library(Record):
    """An installed library that has a part in a number, by the digest of the files its wheel brought."""

    name: str
    version: str
    record_sha256: Sha256


class Environment(Record):
    """The machine, the environment files and, since version 2, the libraries that were installed at the lock."""

    python: str
    platform: str
    environment_sha256: Sha256
    libraries: list[Library] | None = None


class LockingTool(Record):
    """The Seedlock that made the lock: its version, the commit it was built from, a digest over all its files."""

    version: str
    commit: str | None
    files_sha256: Sha256


class Design(Record):
    """Digests of the design check and of the simulation; null with a reason where one was not made."""

    check_sha256: Sha256
    simulation_sha256: Sha256 | None
    simulation_absent: str | None


class LockedEffect(Record):
    """What stood of one effect of a synthesis when it was locked: its study's newest lock and the ledger up to a line.

    `was_looked_at`: somebody had looked at the study's data, so that its estimate may have been known.
    """

    name: str
    study: str
    hypothesis: str
    lock_id: Sha256
    ledger_lines: int
    ledger_head: Sha256
    was_looked_at: bool


class Registered(Record):
    """A study of the repository that was locked, whether or not it is in the synthesis, and what had become of it."""

    study: str
    state: str


class LockedSynthesis(Record):
    """What a synthesis is made of: its effects in the plan's order, and every locked study of the repository."""

    effects: list[LockedEffect]
    registered: list[Registered]


class LockedPromise(Record):
    """Where the original says that the replication's estimate will fall; null with the reason where it says nothing."""

    hypothesis: str
    low: float | None
    high: float | None
    reason: str | None


class LockedReplication(Record):
    """The original of a replication, what it promises at `level`, and the keys of its plan that were changed."""

    study: str
    lock_id: Sha256
    results_sha256: Sha256
    level: float
    promises: list[LockedPromise]
    changes: list[str]


class Lock(Record):
    """`lock-0001.json`. Version 1 has neither `tool`, `owed` nor `environment.libraries`; a synthesis owes nothing."""

    version: Literal[1, 2]
    study: str
    n: int
    prev_lock: Sha256 | None
    amends: dict[str, str] | None
    ledger_head: Sha256 | None
    plan: LockedPlanFile
    files: list[LockedFile]
    code: list[LockedFile]
    roots: list[str]
    runs: list[LockedRun]
    models: list[LockedModel]
    environment: Environment
    design: Design
    exposure: Exposure
    commit: str | None
    work_tree: Literal["clean", "dirty", "no git"]
    created_asserted: str
    tool_version: str
    tool: LockingTool | None = None
    owed: Owed | None = None
    synthesis: LockedSynthesis | None = None
    replication: LockedReplication | None = None

    @field_validator("created_asserted")
    @classmethod
    def _is_a_time_with_its_zone(cls, said: str) -> str:
        if not is_moment(said):
            raise ValueError(f"{said[:40]!r} is no time with its zone")
        return said

    @model_validator(mode="after")
    def _has_the_fields_of_its_version(self) -> Lock:
        owed_or_pooled = self.owed if self.synthesis is None else self.synthesis
        added = {"tool": self.tool, "owed": owed_or_pooled, "environment.libraries": self.environment.libraries}
        wrong = [name for name, value in added.items() if (value is None) == (self.version > 1)]
        if wrong:
            raise ValueError(f"a lock of version {self.version} and {', '.join(wrong)} do not go together")
        return self

    @property
    def code_commit(self) -> str | None:
        """The commit of Seedlock that holds the locked code."""
        return self.commit if self.tool is None else self.tool.commit

    def to_bytes(self) -> bytes:
        """Canonical JSON and one line feed: what its version does not have is not written."""
        return canonical_json(self.model_dump(mode="json", exclude_unset=True)) + b"\n"


def lock_paths(paths: StudyPaths) -> list[Path]:
    """The study's lock files, oldest first."""
    return sorted(paths.locks.glob("lock-[0-9][0-9][0-9][0-9].json"))


def read_lock(path: Path) -> Lock:
    """Read one lock file.

    Raises
    ------
    LockedFileChanged
        It is not a lock that this version can read, or not in canonical form.
    """
    try:
        data = read_regular(path)
        read_json(data)
        lock = Lock.model_validate_json(data)
        is_canonical = lock.to_bytes() == data
    except (ValueError, ValidationError, RecursionError) as error:
        first = str(error).splitlines()[0]
        raise LockedFileChanged(
            f"{path.name} is not a lock",
            Finding(where=path.name, found=first, promised="the canonical JSON that `seedlock lock` wrote"),
            then=f"git checkout -- lockfiles/{path.parent.name}/{path.name}",
        ) from None
    if not is_canonical:
        raise LockedFileChanged(
            f"{path.name} was rewritten",
            Finding(where=path.name, found="another spelling", promised="canonical JSON (RFC 8785), one line feed"),
            then=f"git checkout -- lockfiles/{path.parent.name}/{path.name}",
        )
    return lock


def load_locked_plan(lock: Lock) -> Plan:
    """The plan as the lock recorded it.

    Raises
    ------
    BadInput
        This version no longer reads it; analyse with `--at-lock`.
    """
    try:
        return recorded_plan(json.dumps(lock.plan.parsed))
    except ValidationError as error:
        raise BadInput(
            f"the plan in lock {lock.n} of {lock.study} is not one this version reads",
            Finding(where="plan.parsed", found=str(error.errors()[0]["msg"]), promised=f"tool {lock.tool_version}"),
            then=f"git worktree add ../at-lock {lock.commit}  and run that version there",
        ) from None


@lru_cache(maxsize=64)
def recorded_plan(recorded: str) -> Plan:
    """A recorded plan, parsed once however often a command asks: plans are frozen."""
    return Plan.model_validate_json(recorded)
