"""Libraries that only some plans ask for: which key asks, whether they are here, and the command that installs them."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from seedlock.prereg.base.paths import CHECKOUT
from seedlock.prereg.errors import Finding, NotInstalled
from seedlock.prereg.plan.bases import fetched_bases
from seedlock.prereg.plan.plan import Plan

type Extra = Literal["bayes", "training", "generation", "ray", "notebook"]
type PlanStage = Literal["fetch", "corpus", "train", "generate", "judge", "inside", "analyze"]

HOLDS: Mapping[Extra, frozenset[str]] = {
    "bayes": frozenset({"arviz", "arviz_base", "bambi", "numba", "nutpie", "pymc", "pytensor", "xarray"}),
    "training": frozenset({"accelerate", "datasets", "datasketch", "trl"}),
    "generation": frozenset({"anthropic", "gguf", "openai", "peft", "safetensors", "sklearn", "torch", "transformers"}),
    "ray": frozenset({"ray"}),
    "notebook": frozenset({"marimo"}),
}
"""Top-level modules by the extra that brings them; `training` brings those of `generation` that it uses as well."""
LOCAL = ("torch", "transformers", "peft")
CORPORA = ("transformers", "datasketch", "sklearn")
TRAINERS: Mapping[str, tuple[str, ...]] = {
    "lora": (*LOCAL, "datasketch", "sklearn"),
    "hosted": ("openai", "datasketch", "sklearn"),
}
BACKENDS: Mapping[str, tuple[str, ...]] = {
    "transformers": LOCAL,
    "vllm": ("torch",),
    "openai": ("openai",),
    "anthropic": ("anthropic",),
}
JUDGES: Mapping[str, tuple[str, ...]] = {
    "classifier": ("sklearn",),
    "examples": ("sklearn",),
    "openai": ("openai",),
    "anthropic": ("anthropic",),
}
FETCHED = ("torch", "transformers", "gguf")
INSIDE = (*LOCAL, "safetensors", "sklearn")
SAMPLER = ("numba", "nutpie", "arviz_base", "xarray")


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What a stage imports because a key of the plan, or an option, asks for it."""

    stage: PlanStage | Literal["notebook"]
    where: str
    asks: str
    extra: Extra
    modules: tuple[str, ...]

    @property
    def absent(self) -> list[str]:
        """Modules that are not installed here; none of them is imported to find out."""
        return [name for name in self.modules if not _is_here(name)]


BAMBI = Need(stage="analyze", where="--engine", asks="bambi", extra="bayes", modules=("bambi", "pymc", *SAMPLER))
"""The engine that samples hierarchies as bambi states them."""


def needs(plan: Plan) -> Iterator[Need]:
    """Everything that a plan needs beyond the core, in the order of its stages."""
    for where, model in fetched_bases(plan).items():
        yield Need(stage="fetch", where=f"{where}.base", asks=model.base, extra="generation", modules=FETCHED)
    for name in plan.used_corpora:
        if name in plan.corpora:
            where = f"corpora.{name}.recipe"
            yield Need(stage="corpus", where=where, asks=plan.corpora[name].recipe, extra="training", modules=CORPORA)
    for name in plan.used_stages if plan.import_ is None else []:
        asks = plan.stages[name].trainer
        modules = TRAINERS.get(asks, ())
        yield Need(stage="train", where=f"stages.{name}.trainer", asks=asks, extra="training", modules=modules)
    if plan.decoding is not None and plan.import_ is None:
        asks = plan.decoding.backend
        yield Need(
            stage="generate", where="decoding.backend", asks=asks, extra="generation", modules=BACKENDS.get(asks, ())
        )
    for name, judge in plan.judges.items():
        where = f"judges.{name}.kind"
        modules = JUDGES.get(judge.kind, ()) + (LOCAL if getattr(judge, "reads", "words") == "meaning" else ())
        yield Need(stage="judge", where=where, asks=judge.kind, extra="generation", modules=modules)
    if plan.inside is not None:
        yield Need(stage="inside", where="inside", asks="inside", extra="generation", modules=INSIDE)
    for hypothesis in plan.hypothesis:
        if hypothesis.bayes is not None:
            where = f"hypothesis.{hypothesis.id}.bayes"
            yield Need(stage="analyze", where=where, asks=hypothesis.bayes, extra="bayes", modules=SAMPLER)


def require_extras(plan: Plan, stage: PlanStage) -> None:
    """Refuse a stage whose libraries are not here, before it has begun.

    Raises
    ------
    NotInstalled
        One finding for every key of the plan that asks for one of them.
    """
    require(needed for needed in needs(plan) if needed.stage == stage)


def require(needed: Iterable[Need]) -> None:
    """Refuse what these needs lack, in one block, with the command that installs it.

    Raises
    ------
    NotInstalled
        Some module is not installed here.
    """
    lacking = [need for need in needed if need.absent]
    if lacking:
        raise NotInstalled(
            f"{lacking[0].stage} needs libraries that are not installed here",
            *(
                Finding(where=need.where, found=f"no {', '.join(need.absent)}", promised=f"what {need.asks!r} runs on")
                for need in lacking
            ),
            then=install_command(need.extra for need in lacking),
        )


def absent_module(error: ModuleNotFoundError) -> NotInstalled | None:
    """The same refusal for an import that failed where no plan was at hand; None for any other module."""
    name = (error.name or "").partition(".")[0]
    extras = [extra for extra, modules in HOLDS.items() if name in modules]
    if not extras:
        return None
    fault = Finding(where=f"import {name}", found="not installed", promised=f"the extra {extras[0]!r}")
    return NotInstalled("a library that this needs is not installed here", fault, then=install_command(extras))


def install_command(extras: Iterable[Extra]) -> str:
    """What brings these extras into this environment: a recipe in a checkout's own, pip or uv elsewhere."""
    wanted = list(dict.fromkeys(extras))
    if CHECKOUT is not None and Path(sys.prefix).is_relative_to(CHECKOUT):
        just = "./just" if Path.cwd() == CHECKOUT else str(CHECKOUT / "just")
        return f"{just} setup {'bayes' if wanted == ['bayes'] else 'models'}"
    extra = f"[{','.join(wanted)}]"
    what = f"'seedlock{extra}'" if CHECKOUT is None else f"--editable '{CHECKOUT}{extra}'"
    if _is_here("pip"):
        return f"{sys.executable} -m pip install {what}"
    return f"uv pip install --python {sys.executable} {what}"


def _is_here(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except (ModuleNotFoundError, ValueError):
        return False
