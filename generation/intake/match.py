"""Match raw rows to the plan's runs and items, collecting every doubt about every row."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from seedlock.generation.intake.raw import reworded
from seedlock.generation.intake.request import RUN_ROLES, ImportRequest, Role
from seedlock.prereg.errors import BadInput, Finding
from seedlock.schemas.identity import SEPARATOR

FIELD_END = "\x1f"
NO_VALUE = "\x1e"
WHOLE_FLOAT = r"^(-?[0-9]+)\.0+$"


class Doubts:
    """Reasons against rows of one batch, in the order they were found.

    `undecoded` says of every row whether bytes of its answer could not be read as text; such a row is no doubt.
    """

    def __init__(self, n_rows: int, undecoded: pa.Array | None = None) -> None:
        self.any = np.zeros(n_rows, dtype=bool)
        self.undecoded = pa.nulls(n_rows, pa.string()) if undecoded is None else undecoded
        self._found: list[tuple[str, np.ndarray]] = []

    def add(self, reason: str, doubted: pa.Array) -> None:
        """Doubt the rows where `doubted` is true (null is no doubt)."""
        mask = np.asarray(pc.fill_null(doubted, False).to_numpy(zero_copy_only=False), dtype=bool)
        if mask.any():
            self._found.append((reason, mask))
            self.any |= mask

    def of(self, row: int) -> list[str]:
        """Every reason against a row."""
        return [reason for reason, mask in self._found if mask[row]]


def given(request: ImportRequest, role: Role, raw: Mapping[str, pa.Array], n_rows: int) -> pa.Array | None:
    """Return the values of a role as text: its column, its constant repeated, or None where it has neither."""
    column = request.column(role)
    if column is not None:
        return raw[column]
    if role in request.constants:
        return pa.repeat(pa.scalar(request.constants[role], pa.string()), n_rows)
    return None


def not_planned(role: Role) -> str:
    """Why a row is refused whose value of a role is no level of the plan."""
    return f"{role} is not in the plan"


class RunMatch:
    """Finds the planned run of a row from the roles the request gives (run, or model, arm and seed)."""

    def __init__(self, request: ImportRequest) -> None:
        self._request = request
        self._levels: Mapping[str, Mapping[str, str]] = {
            str(role): words for role, words in request.reading.levels.items()
        }
        told = {*request.columns, *request.constants}
        self._roles: tuple[Role, ...] = ("run",) if "run" in told else tuple(r for r in RUN_ROLES if r in told)
        self._planned = {role: [self._value(run, role) for run in request.runs] for role in self._roles}
        keys = [FIELD_END.join(values) for values in zip(*self._planned.values(), strict=True)]
        if len(set(keys)) != len(request.runs):
            missing = ", ".join(role for role in RUN_ROLES if role not in self._roles)
            raise BadInput(
                "rows cannot be told apart by run",
                Finding(
                    where="columns",
                    found=", ".join(self._roles) or "no run, model, arm or seed",
                    promised=f"also {missing}",
                ),
            )
        has_baseline = any(run.seed is None for run in request.runs)
        self._hint = " (a baseline's seed is empty)" if has_baseline and "seed" in self._roles else ""
        self._keys = pa.array(keys, pa.string())
        self._run_ids = pa.array([run.run_id for run in request.runs], pa.string())

    def __call__(self, raw: Mapping[str, pa.Array], doubts: Doubts) -> pa.Array:
        """Return the run id of every row, null (and doubted) where the plan has no such run."""
        n_rows = len(doubts.any)
        parts = []
        is_known = pa.repeat(pa.scalar(True), n_rows)
        for role in self._roles:
            values = self._column(role, raw, n_rows)
            parts.append(values)
            in_plan = pc.is_in(values, value_set=pa.array(self._planned[role], pa.string()))
            doubts.add(not_planned(role), pc.invert(in_plan))
            is_known = pc.and_(is_known, in_plan)
        key = pc.binary_join_element_wise(*parts, FIELD_END) if parts else pa.repeat(pa.scalar(""), n_rows)
        index = pc.index_in(key, value_set=self._keys)
        unplanned = pc.and_(is_known, pc.is_null(index))
        doubts.add(f"no planned run has this {', '.join(self._roles)}{self._hint}", unplanned)
        return self._run_ids.take(index)

    def _column(self, role: Role, raw: Mapping[str, pa.Array], n_rows: int) -> pa.Array:
        """The values of one role; a null seed is the baseline's."""
        values = given(self._request, role, raw, n_rows)
        values = reworded(values, self._levels.get(role, {}))
        if role == "seed":
            values = pc.replace_substring_regex(values, WHOLE_FLOAT, r"\1")
        return pc.fill_null(values, NO_VALUE)

    @staticmethod
    def _value(run: object, role: Role) -> str:
        """A planned run's value of a role."""
        value = getattr(run, "run_id" if role == "run" else role)
        return NO_VALUE if value is None else str(value)


def item_ids(request: ImportRequest, raw: Mapping[str, pa.Array], doubts: Doubts) -> pa.Array:
    """Return the item id of every row (as `schemas.identity.item_id` makes it), doubting items not planned."""
    n_rows = len(doubts.any)
    columns = request.item_columns
    if not columns:
        ids = pa.repeat(pa.scalar(request.constants["item"], pa.string()), n_rows)
    elif len(columns) == 1:
        ids = raw[columns[0]]
    else:
        escaped = [pc.replace_substring(raw[name], "\\", "\\\\") for name in columns]
        escaped = [pc.replace_substring(part, "|", "\\|") for part in escaped]
        ids = pc.binary_join_element_wise(*escaped, SEPARATOR)
    for name in columns:
        doubts.add(f"{name} is empty, so the row names no item", pc.is_null(raw[name]))
    if request.items is not None:
        known = pc.is_in(ids, value_set=pa.array(sorted(request.items), pa.string()))
        doubts.add("item is not in the plan", pc.and_(pc.is_valid(ids), pc.invert(known)))
    return ids
