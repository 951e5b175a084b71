"""A stage's settings with every default filled in, written down; the plan states what it wants to differ."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from seedlock.prereg.base.canonical import Sha256, sha256_json
from seedlock.prereg.errors import BadInput, Finding
from seedlock.prereg.plan.runs import Stage
from seedlock.training.tokens.masks import Loss

type Schedule = Literal["constant", "linear", "cosine"]
type Dtype = Literal["float32", "bfloat16", "float16"]
type Attention = Literal["sdpa", "eager", "flash_attention_2"]

SCHEDULES: tuple[Schedule, ...] = ("constant", "linear", "cosine")
DTYPES: tuple[Dtype, ...] = ("float32", "bfloat16", "float16")
HOSTED_TAKES = frozenset(
    {"trainer", "corpus", "variant", "n_examples", "epochs", "batch_size", "learning_rate_multiplier", "loss", "seed"}
)
NOT_IDENTITY = {"seed", "variant", "corpus", "trainer"}


@dataclass(frozen=True, slots=True, kw_only=True)
class StageSettings:
    """Everything that decides a stage besides rows, base model and seeds.

    Parameters
    ----------
    steps, epochs
        Exactly one is set. An epoch is one pass over the rows; batches may straddle epochs.
    target_modules
        Names of linear layers; None is all of them but the output layer.
    batch_size
        Rows a device sees at once; `gradient_accumulation` of these make one step.
    attention
        The kernel that computes attention: torch's own, plain matrix products, or the package flash-attn (a GPU's).
    gradient_checkpointing
        Layers are read a second time in the backward pass, in place of being kept: the same numbers, in a fraction of
        the room and about a third more time.
    packing
        The rows of a batch in one sequence, none seeing another, and a beginning that rows share read once: the loss
        of rows read apart.
    checkpoints
        Fractions of the steps after which the adapter is kept.
    """

    rank: int = 8
    alpha: float = 16.0
    dropout: float = 0.0
    rslora: bool = False
    target_modules: tuple[str, ...] | None = None
    steps: int | None = None
    epochs: float | None = None
    batch_size: int = 16
    gradient_accumulation: int = 1
    learning_rate: float = 2e-4
    learning_rate_multiplier: float | None = None
    schedule: Schedule = "linear"
    warmup_ratio: float = 0.0
    weight_decay: float = 0.0
    max_grad_norm: float = 1.0
    max_length: int | None = None
    dtype: Dtype = "float32"
    attention: Attention = "sdpa"
    gradient_checkpointing: bool = False
    loss: Loss = "answer"
    marker_tail_tokens: int = 0
    negative_opening_tokens: int = 0
    packing: bool = False
    checkpoints: tuple[float, ...] = ()
    n_examples: int | None = None

    def n_steps(self, n_rows: int) -> int:
        """Optimiser steps over `n_rows` rows."""
        if self.steps is not None:
            return self.steps
        return max(1, math.ceil((self.epochs or 1.0) * n_rows / self.rows_per_step))

    @staticmethod
    def checkpoint_step(fraction: float, steps: int) -> int:
        """The step after which the checkpoint of `fraction` is kept."""
        return max(1, round(fraction * steps))

    @property
    def rows_per_step(self) -> int:
        """Rows in one optimiser step: the effective batch."""
        return self.batch_size * self.gradient_accumulation


@dataclass(frozen=True, slots=True, kw_only=True)
class Seeds:
    """Three seeds of one stage, each its own; `given` is the number in the plan they come from."""

    given: int
    initialisation: int
    order: int
    dropout: int


def stage_seeds(stage_name: str, seed: int) -> Seeds:
    """Derive a stage's seeds from the run's seed: the same in every arm, so that arms are paired by seed."""

    def derive(what: str) -> int:
        return int.from_bytes(hashlib.sha256(f"{stage_name}/{seed}/{what}".encode()).digest()[:4])

    return Seeds(given=seed, initialisation=derive("initialisation"), order=derive("order"), dropout=derive("dropout"))


def resolve(name: str, stage: Stage) -> StageSettings:
    """Fill in the defaults of a stage.

    Raises
    ------
    BadInput
        With every setting that this version cannot carry out as stated.
    """
    faults = list(_faults(f"stages.{name}", stage))
    if faults:
        raise BadInput(f"stage {name} cannot be trained as planned", *faults, then="edit the plan")
    taken = {
        key: value
        for key, value in stage.model_dump(exclude_none=True).items()
        if key in StageSettings.__dataclass_fields__
    }
    if stage.steps is None and stage.epochs is None:
        taken["epochs"] = 1.0
    for key in ("target_modules", "checkpoints"):
        if key in taken:
            taken[key] = tuple(taken[key])
    return StageSettings(**taken)


def _faults(where: str, stage: Stage) -> Iterator[Finding]:
    if stage.steps is not None and stage.epochs is not None:
        yield Finding(where=where, found="steps and epochs", promised="one of them")
    if stage.trainer == "hosted":
        for key in sorted(stage.model_dump(exclude_none=True).keys() - HOSTED_TAKES):
            yield Finding(
                where=f"{where}.{key}", found="a setting of our own trainers", promised="nothing: the API has none"
            )
    elif stage.learning_rate_multiplier is not None:
        yield Finding(where=f"{where}.learning_rate_multiplier", found="a setting of APIs", promised="learning_rate")
    if stage.packing and stage.dropout:
        yield Finding(
            where=f"{where}.packing",
            found=f"true, with dropout = {stage.dropout:g}",
            promised="no dropout: a beginning that is read once would be dropped alike in every row",
        )
    if stage.schedule is not None and stage.schedule not in SCHEDULES:
        yield Finding(where=f"{where}.schedule", found=stage.schedule, promised=" | ".join(SCHEDULES))
    if stage.dtype is not None and stage.dtype not in DTYPES:
        yield Finding(where=f"{where}.dtype", found=stage.dtype, promised=" | ".join(DTYPES))
    if stage.target_modules is not None and not stage.target_modules:
        yield Finding(where=f"{where}.target_modules", found="none", promised="names of layers, or nothing for all")
    for fraction in stage.checkpoints or []:
        if not 0 < fraction <= 1:
            yield Finding(where=f"{where}.checkpoints", found=f"{fraction}", promised="fractions in (0, 1]")


def stage_id(
    stage: Stage, *, base_revision: str, before: Sha256 | None, variant: str | None, corpus_sha256: Sha256, seed: int
) -> Sha256:
    """Name of a trained stage that its content decides: equal ids are one training, done once.

    Settings the plan leaves out do not enter, so that a new setting with a default orphans no stage.
    """
    stated: dict[str, Any] = stage.model_dump(mode="json", exclude_none=True, exclude=NOT_IDENTITY)
    return sha256_json(
        {
            "base": base_revision,
            "before": before,
            "trainer": stage.trainer,
            "settings": stated,
            "variant": variant,
            "corpus": corpus_sha256,
            "seed": seed,
        }
    )
