"""Base models, each at the revision the plan pins: an organism, a folder, a package or GGUF file, or a hub id."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from seedlock.prereg.base.base_models import found_revision, lies_in_cache, model_folder
from seedlock.prereg.base.canonical import sha256_bytes
from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.errors import BadInput, Finding, LockedFileChanged
from seedlock.prereg.plan.bases import chat_template_of
from seedlock.prereg.plan.runs import Model
from seedlock.training.bases.licence import known_of, require_true


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseModel:
    """A base model at its pinned revision.

    Parameters
    ----------
    name, spec
        As the plan names it, and what it says it is.
    location
        What `from_pretrained` takes: a folder, or a hub id.
    revision
        "sha256:..." over the files of a folder, or a hub commit.
    is_local
        Whether `location` is a folder.
    chat_template
        What the study brings in place of the model's own.
    """

    name: str
    spec: str
    location: str
    revision: str
    is_local: bool
    chat_template: str | None = None

    @property
    def identity(self) -> str:
        """What decides how a run begins: the revision, and the study's chat template where it has one."""
        return identity(self.revision, self.chat_template)

    @property
    def hub_revision(self) -> str | None:
        """The commit to ask the hub for; None for a folder."""
        return None if self.is_local else self.revision


def identity(revision: str, chat_template: str | None) -> str:
    """A base model as the name of a trained stage has it."""
    return revision if chat_template is None else f"{revision} {sha256_bytes(chat_template.encode())}"


def resolve_model(name: str, model: Model, root: Path, *, study: str = "STUDY") -> BaseModel:
    """Find a base model; a local one must have the revision that the plan pins.

    Raises
    ------
    BadInput
        There is no such folder or organism, or the plan says something of a fetched model that its files do not.
    LockedFileChanged
        The files are not those of the pinned revision.
    """
    folder = model_folder(model.base, root, model.revision)
    template = chat_template_of(model, StudyPaths(root=root, name=study).study)
    named = BaseModel(
        name=name,
        spec=model.base,
        location=model.base,
        revision=model.revision,
        is_local=False,
        chat_template=template,
    )
    if folder is None:
        return named
    if not (folder / "config.json").is_file():
        fault = Finding(where=f"models.{name}.base", found=model.base, promised="a model's folder")
        then = f"seedlock fetch {study}" if lies_in_cache(model.base) else "just organism  builds the organisms"
        raise BadInput(f"model {name} is not here", fault, then=then)
    found = found_revision(model.base, root, folder)
    if found != model.revision:
        fault = Finding(where=f"models.{name}.revision", found=found, promised=model.revision)
        raise LockedFileChanged(f"model {name} is not the pinned one", fault, then=_restore(model, study))
    if lies_in_cache(model.base):
        require_true(f"models.{name}", model, known_of(folder))
    return replace(named, location=str(folder), is_local=True)


def _restore(model: Model, study: str) -> str:
    return f"seedlock fetch {study}  brings it anew" if lies_in_cache(model.base) else "restore the model's files"
