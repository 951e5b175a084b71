"""Start a research repository: this layout, a filled-in example study, CI that verifies; nothing is overwritten."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from seedlock.prereg.base.base_models import folder_revision, model_folder
from seedlock.prereg.base.paths import HOME
from seedlock.prereg.base.tool import this_tool
from seedlock.prereg.errors import BadInput, Finding
from seedlock.prereg.plan.extras import needs
from seedlock.prereg.plan.plan import Plan
from seedlock.prereg.plan.read import parse_plan

type Example = Literal["trained", "imported"]
"""Runs made here on a tiny model that ships, or completions made elsewhere."""

TEMPLATE = Path(__file__).parent / "scaffold"
DOTTED = {"gitattributes": ".gitattributes", "gitignore": ".gitignore", "github": ".github"}
SHELVES = ("lockfiles", "reports")
REVISION = re.compile(r"\{\{revision of ([a-z0-9:_-]+)\}\}")
COMMIT = "{{commit of seedlock}}"


def example_that_runs() -> Example:
    """The example that the libraries installed here can run to its end."""
    lacking = [need for need in needs(_plan_of("trained")) if need.absent]
    return "imported" if lacking else "trained"


def _plan_of(example: Example) -> Plan:
    file = TEMPLATE / example / "prereg" / "studies" / "example" / "plan.toml"
    return parse_plan(_filled(file.read_text("utf-8")).encode(), file)


def create_repository(folder: Path, example: Example = "trained") -> list[Path]:
    """Write the layout with one of the examples into `folder`.

    Texts of the form `{{revision of organism:NAME}}` become the digest of the weights that ship with this version, and
    `{{commit of seedlock}}` the commit of this tool.

    Returns
    -------
    list of Path
        The files written, relative to `folder`.

    Raises
    ------
    BadInput
        A file of the scaffold is there already, or the example's model did not come with this installation; nothing is
        written then.
    """
    found = {
        _target(path.relative_to(part)): path
        for part in (TEMPLATE / "common", TEMPLATE / example)
        for path in sorted(part.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }
    taken = [target for target in found if (folder / target).exists()]
    if taken:
        raise BadInput(
            f"{folder} holds files of a repository already",
            *(Finding(where=str(target), found="a file", promised="nothing there yet") for target in sorted(taken)),
            then="seedlock init NEW_FOLDER",
        )
    filled = {target: _filled(source.read_text("utf-8")) for target, source in found.items()}
    for target, text in filled.items():
        (folder / target).parent.mkdir(parents=True, exist_ok=True)
        (folder / target).write_text(text, "utf-8", newline="\n")
    for shelf in SHELVES:
        (folder / shelf).mkdir(exist_ok=True)
    return sorted(filled)


def _target(relative: Path) -> Path:
    return Path(*(DOTTED.get(part, part) for part in relative.parts))


def _filled(text: str) -> str:
    text = REVISION.sub(lambda found: _shipped_revision(found[1]), text)
    return text.replace(COMMIT, this_tool().commit or "main")


def _shipped_revision(base: str) -> str:
    at = model_folder(base, HOME)
    if at is None or not (at / "model.safetensors").is_file():
        raise BadInput(
            f"{base} did not come with this installation",
            Finding(where=base, found="no weights", promised="the weights that Seedlock carries"),
            then="seedlock init DIR --example imported  needs no model",
        )
    return folder_revision(at)
