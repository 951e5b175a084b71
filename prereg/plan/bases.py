"""Base models of a plan that come from a package or a GGUF file: which of them are here, and what is said of each."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

from seedlock.prereg.base.base_models import folder_here, folder_revision, lies_in_cache
from seedlock.prereg.base.reading import read_regular_text
from seedlock.prereg.base.weights import chat_template
from seedlock.prereg.errors import BadInput, Finding
from seedlock.prereg.plan.plan import Plan
from seedlock.prereg.plan.runs import Model


def models_here(plan: Plan) -> dict[str, Model]:
    """Models that a study loads, by their place in the plan: the grid's, unless answers are imported; its encoder."""
    grid = {} if plan.import_ is not None else {f"models.{name}": plan.models[name] for name in plan.grid.models}
    return grid | ({} if plan.encoder is None else {"encoder": plan.encoder})


def fetched_bases(plan: Plan) -> dict[str, Model]:
    """Those that `seedlock fetch` brings from a package or a file."""
    return {where: model for where, model in models_here(plan).items() if lies_in_cache(model.base)}


def absent_bases(plan: Plan, root: Path) -> list[str]:
    """Those of them that are not on this machine yet."""
    return [where for where, m in fetched_bases(plan).items() if folder_here(m.base, root, m.revision) is None]


def chat_template_of(model: Model, study: Path) -> str | None:
    """The chat template that a study brings for a model, or sets options of; None where the model's own is used.

    Options stand at its top as the template's own words, so that whatever renders it has them.

    Raises
    ------
    UnreadableFile
        The file is not there, or is no text.
    BadInput
        Options of a template that does not lie here, or that does not ask for them.
    """
    own = None if model.chat_template is None else read_regular_text(study / model.chat_template)
    if not model.template_options:
        return own
    folder = folder_here(model.base, study.parents[2], model.revision)
    template = own or (None if folder is None else chat_template(folder))
    if template is None:
        found = f"{model.base}, whose chat template is not at hand"
        fault = Finding(where="template_options", found=found, promised="a template to set them in")
        raise BadInput("options of no chat template", fault, then="chat_template = FILE  in the study's folder")
    unasked = [name for name in model.template_options if re.search(rf"\b{name}\b", template) is None]
    if unasked:
        faults = [Finding(where=f"template_options.{n}", found=n, promised="a name in the template") for n in unasked]
        raise BadInput(f"the chat template of {model.base} does not ask for this", *faults, then="leave it out")
    given = [f"{{%- set {name} = {json.dumps(value)} %}}" for name, value in model.template_options.items()]
    return "".join(given) + template


def described(model: Model) -> str:
    """A base model in a line: where it is from, how its weights are kept, and what they may be used under."""
    return ", ".join(part for part in (model.base, model.quantisation, model.licence) if part)


def local_bases(plan: Plan, root: Path) -> dict[str, str | None]:
    """Models of the grid that a digest pins and this repository must hold -> their digest; None where there is none.

    Nothing of an imported study, and nothing that `seedlock fetch` brings.
    """
    if plan.import_ is not None:
        return {}
    found: dict[str, str | None] = {}
    for name in plan.grid.models:
        model = plan.models[name]
        if model.revision.startswith("sha256:") and not lies_in_cache(model.base):
            folder = folder_here(model.base, root, model.revision)
            is_model = folder is not None and (folder / "config.json").is_file()
            found[name] = folder_revision(folder) if folder is not None and is_model else None
    return found


def require_bases(plan: Plan, found: Mapping[str, str | None], study: str) -> None:
    """Refuse a plan whose base models lie nowhere here, or are others than it pins.

    Raises
    ------
    BadInput
        With every such model, and the digest of what lies there.
    """
    faults = [
        Finding(where=f"models.{name}", found=digest or f"no model at {plan.models[name].base}", promised=revision)
        for name, digest in found.items()
        if digest != (revision := plan.models[name].revision)
    ]
    if faults:
        then = f"mend  base  or  revision  in the plan, then  seedlock check {study}"
        raise BadInput(f"{study} names base models that are not here as pinned", *faults, then=then)
