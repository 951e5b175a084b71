"""Base models of a plan that come from a package or a GGUF file: which of them are here, and what is said of each."""

from __future__ import annotations

from pathlib import Path

from seedlock.prereg.base.base_models import folder_here, lies_in_cache
from seedlock.prereg.base.reading import read_regular_text
from seedlock.prereg.plan.plan import Plan
from seedlock.prereg.plan.runs import Model


def fetched_bases(plan: Plan) -> dict[str, Model]:
    """Models of the grid that `seedlock fetch` brings from a package or a file, by name; none of an imported study."""
    if plan.import_ is not None:
        return {}
    return {name: plan.models[name] for name in plan.grid.models if lies_in_cache(plan.models[name].base)}


def absent_bases(plan: Plan, root: Path) -> list[str]:
    """Those that are not on this machine yet."""
    return [name for name, m in fetched_bases(plan).items() if folder_here(m.base, root, m.revision) is None]


def chat_template_of(model: Model, study: Path) -> str | None:
    """The chat template that the study brings for a model, as its file has it; None where the model's own is used.

    Raises
    ------
    UnreadableFile
        The file is not there, or is no text.
    """
    return None if model.chat_template is None else read_regular_text(study / model.chat_template)


def described(model: Model) -> str:
    """A base model in a line: where it is from, how its weights are kept, and what they may be used under."""
    return ", ".join(part for part in (model.base, model.quantisation, model.licence) if part)
