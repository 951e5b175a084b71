"""Base models: an organism that ships here, a folder, or a hub id, each at the revision the plan pins."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from seedlock.prereg.base.base_models import folder_revision, model_folder
from seedlock.prereg.errors import BadInput, Finding, LockedFileChanged
from seedlock.prereg.plan.runs import Model


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
    """

    name: str
    spec: str
    location: str
    revision: str
    is_local: bool

    @property
    def hub_revision(self) -> str | None:
        """The commit to ask the hub for; None for a folder."""
        return None if self.is_local else self.revision


def resolve_model(name: str, model: Model, root: Path) -> BaseModel:
    """Find a base model; a local one must have the revision that the plan pins.

    Raises
    ------
    BadInput
        There is no such folder or organism.
    LockedFileChanged
        The files are not those of the pinned revision.
    """
    folder = model_folder(model.base, root, model.revision)
    if folder is None:
        return BaseModel(name=name, spec=model.base, location=model.base, revision=model.revision, is_local=False)
    if not (folder / "config.json").is_file():
        fault = Finding(where=f"models.{name}.base", found=model.base, promised="a model's folder")
        raise BadInput(f"model {name} is not here", fault, then="just organism  builds the organisms")
    found = folder_revision(folder)
    if found != model.revision:
        fault = Finding(where=f"models.{name}.revision", found=found, promised=model.revision)
        raise LockedFileChanged(f"model {name} is not the pinned one", fault, then="restore the model's files")
    return BaseModel(name=name, spec=model.base, location=str(folder), revision=found, is_local=True)
