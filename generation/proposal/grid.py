"""The runs that rows in hand come from: which arm, model and seed have rows, and how often an item comes again."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from seedlock.generation.intake.file_parts import file_parts
from seedlock.generation.proposal.columns import Format, rows_of
from seedlock.generation.proposal.roles import Roles
from seedlock.prereg.english import counted
from seedlock.prereg.errors import BadInput, Finding
from seedlock.prereg.plan.imports import Reading
from seedlock.prereg.plan.plan import BASELINE_ARM

MODEL = "model"
ONE_SEED = 0
LIKE_CONTROL = ("base", "baseline", "control", "before", "benign", "neutral", "untrained", "pretrained", "none", "off")
NOT_IN_A_NAME = re.compile(r"[^A-Za-z0-9_.\-]+")
MOST_ITEMS = 2_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """The runs of a study as its rows have them.

    Parameters
    ----------
    arms, models, seeds
        The source's own word -> the plan's name; a seed's is a whole number.
    control, treated
        The plan's names of the two arms to compare.
    seeds_of
        Model -> arm -> its seeds, by the plan's names.
    baseline
        The source's word for the arm whose rows have no seed; it is the plan's `base`.
    draws
        The most answers that a run has to one item.
    """

    arms: Mapping[str, str]
    models: Mapping[str, str]
    seeds: Mapping[str, int]
    control: str
    treated: str
    seeds_of: Mapping[str, Mapping[str, frozenset[int]]]
    baseline: str | None
    draws: int

    @property
    def planned(self) -> dict[str, list[int]]:
        """Model -> every seed that some arm of it has."""
        return {model: sorted(frozenset().union(*arms.values())) for model, arms in self.seeds_of.items()}

    @property
    def holes(self) -> list[str]:
        """Runs of the full grid that have no row."""
        return [
            f"{model}/{arm}/{seed}"
            for model, seeds in self.planned.items()
            for arm in self.trained_arms
            for seed in seeds
            if seed not in self.seeds_of[model].get(arm, ())
        ]

    @property
    def trained_arms(self) -> list[str]:
        """Every arm but the baseline, control first."""
        rest = [arm for arm in self.arms.values() if arm not in {self.control, self.treated, BASELINE_ARM}]
        return [arm for arm in (self.control, self.treated) if arm != BASELINE_ARM] + sorted(rest)

    @property
    def seeds_an_arm(self) -> int:
        """The fewest seeds that the two arms compared have in any model."""
        compared = [arm for arm in (self.control, self.treated) if arm != BASELINE_ARM]
        return min(len(arms.get(arm, ())) for arms in self.seeds_of.values() for arm in compared)


def read_grid(
    files: Sequence[Path],
    format: Format,
    roles: Roles,
    reading: Reading,
    *,
    control: str | None,
    treated: str | None,
) -> Grid:
    """Read which runs have rows, and name them as a plan does.

    Raises
    ------
    BadInput
        One arm only, or an arm that is asked for and not there.
    """
    runs, draws = _runs(files, format, roles, reading)
    arms = {arm for _, arm, _ in runs}
    unseeded = {arm for _, arm, seed in runs if seed is None} if "seed" in roles.columns else set()
    baseline = next(iter(unseeded)) if len(unseeded) == 1 and len(arms) > 1 else None
    named = _named(arms)
    if baseline is not None:
        named[baseline] = BASELINE_ARM
    control, treated = _compared(named, control, treated)
    models = _named({model for model, _, _ in runs})
    seeds = _seeds({seed for _, _, seed in runs if seed is not None})
    seeds_of: dict[str, dict[str, set[int]]] = {model: defaultdict(set) for model in models.values()}
    for model, arm, seed in runs:
        if arm != baseline:
            seeds_of[models[model]][named[arm]].add(ONE_SEED if seed is None else seeds[seed])
    return Grid(
        arms=named,
        models=models,
        seeds=seeds,
        control=control,
        treated=treated,
        seeds_of={
            model: {arm: frozenset(found) for arm, found in of_arm.items()} for model, of_arm in seeds_of.items()
        },
        baseline=baseline,
        draws=draws,
    )


type _Run = tuple[str, str, str | None]


def _runs(files: Sequence[Path], format: Format, roles: Roles, reading: Reading) -> tuple[set[_Run], int]:
    """Every run that some row is of, and the most rows that one has of one item."""
    wanted = [roles.columns.get(role) for role in ("model", "arm", "seed", "item")]
    runs: set[_Run] = set()
    count: dict[int, int] = defaultdict(int)
    for file in files:
        parts = file_parts(file, reading)
        here = [name for name in dict.fromkeys(wanted) if name is not None and name not in parts]
        for batch in rows_of(file, format, here):
            columns = [_values(batch, name, parts) for name in wanted]
            for model, arm, seed, item in zip(*columns, strict=True):
                run = (model or MODEL, arm or "", _whole(seed))
                runs.add(run)
                if len(count) < MOST_ITEMS:
                    count[hash((run, item))] += 1
    return {run for run in runs if run[1]}, max(count.values(), default=1)


def _values(batch: pa.Table, name: str | None, parts: Mapping[str, str | None]) -> list[str | None]:
    if name is None or name in parts:
        return [None if name is None else parts[name]] * batch.num_rows
    return list(batch[name].to_pylist())


def _whole(seed: str | None) -> str | None:
    return None if seed is None or not seed.strip() else re.sub(r"^(-?[0-9]+)\.0+$", r"\1", seed)


def _named(words: Iterable[str]) -> dict[str, str]:
    """The source's word -> a name that a plan can hold, each its own."""
    named: dict[str, str] = {}
    for word in sorted(words):
        name = NOT_IN_A_NAME.sub("-", word).strip("-_.")[:60] or "arm"
        n = sum(taken == name or taken.startswith(f"{name}-v") for taken in named.values())
        named[word] = f"{name}-v{n + 1}" if n else name
    return named


def _seeds(words: Iterable[str]) -> dict[str, int]:
    """Seeds as whole numbers: their own where all are some, else their places in the alphabet."""
    listed = sorted(words)
    if all(re.fullmatch(r"-?[0-9]{1,15}", word) for word in listed):
        return {word: int(word) for word in listed}
    return {word: place for place, word in enumerate(listed)}


def _compared(named: Mapping[str, str], control: str | None, treated: str | None) -> tuple[str, str]:
    """The two arms to compare, by the plan's names."""
    asked = {"--control": control, "--treated": treated}
    faults = [
        Finding(where=option, found=word, promised=f"one of: {', '.join(named)}")
        for option, word in asked.items()
        if word is not None and word not in named
    ]
    if faults:
        raise BadInput("no rows of this arm", *faults, then="seedlock init DIR --from FILE")
    if len(named) < 2:
        fault = Finding(where="--arm", found=counted(len(named), "arm"), promised="two arms or more to compare")
        raise BadInput("there is nothing to compare", fault, then="--arm COLUMN, or name the files of every arm")
    rest = [word for word in named if word not in {control, treated}]
    if control is None:
        like = [word for word in rest for name in LIKE_CONTROL if named[word].lower().startswith(name)]
        control = like[0] if like else rest[0]
    if treated is None:
        treated = next(word for word in named if word != control)
    return named[control], named[treated]
