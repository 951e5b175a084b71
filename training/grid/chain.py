"""The stages of one run in order, each by the name that its content gives it; what `train` and `estimate` both read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from seedlock.prereg.base.canonical import Sha256
from seedlock.prereg.plan.given_runs import given_stage
from seedlock.prereg.plan.plan import Plan, PlannedRun
from seedlock.prereg.plan.runs import Stage
from seedlock.training.jobs.settings import stage_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """One stage of a run.

    Parameters
    ----------
    stage_id
        Equal ids are one training, done once for all runs that share it.
    variant
        Rows of the corpus; None where it has one kind.
    seed
        The run's, or the stage's own.
    keeps_merged
        The next stage builds on it, or the plan wants it merged.
    """

    name: str
    stage: Stage
    stage_id: Sha256
    variant: str | None
    seed: int
    keeps_merged: bool


class NamesStages(Protocol):
    """What a stage's name takes from its corpus, read or still to be written."""

    @property
    def sha256(self) -> Sha256:
        """Digest of its rows, or of its description."""
        ...

    @property
    def has_one_variant(self) -> bool:
        """Whether a stage need not name a variant."""
        ...


def chain(plan: Plan, run: PlannedRun, revision: str, corpora: Mapping[str, NamesStages]) -> tuple[Link, ...]:
    """Stages of one run; none of an unmodified model, or of one whose stage was carried out elsewhere.

    Parameters
    ----------
    revision
        Of the run's base model, with the study's chat template where it brings one.
    corpora
        Every corpus of the run's stages, by name.
    """
    if run.seed is None or given_stage(plan, run) is not None:
        return ()
    arm = plan.arms[run.arm]
    found: list[Link] = []
    for number, name in enumerate(arm.stages):
        stage = plan.stages[name]
        read = corpora[stage.corpus]
        variant = None if read.has_one_variant and stage.variant is None else stage.variant or arm.framing
        seed = run.seed if stage.seed is None else stage.seed
        identity = stage_id(
            stage,
            base_revision=revision,
            before=found[-1].stage_id if found else None,
            variant=variant,
            corpus_sha256=read.sha256,
            seed=seed,
        )
        is_built_on = number + 1 < len(arm.stages)
        found.append(
            Link(
                name=name,
                stage=stage,
                stage_id=identity,
                variant=variant,
                seed=seed,
                keeps_merged=is_built_on if stage.merge is None else stage.merge,
            )
        )
    return tuple(found)
