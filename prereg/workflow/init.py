"""Start a research repository: this layout, a filled-in example study, CI that verifies; nothing is overwritten."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from seedlock.prereg.base.base_models import folder_revision, model_folder
from seedlock.prereg.base.paths import HOME
from seedlock.prereg.base.tool import this_tool
from seedlock.prereg.errors import BadInput, Finding
from seedlock.prereg.plan.extras import needs
from seedlock.prereg.plan.json_schema import FILE, plan_schema
from seedlock.prereg.plan.plan import Plan
from seedlock.prereg.plan.read import parse_plan

type Example = Literal["trained", "imported"]
"""Runs made here on a tiny model that ships, or completions made elsewhere."""

TEMPLATE = Path(__file__).parent / "scaffold"
DOTTED = {"gitattributes": ".gitattributes", "gitignore": ".gitignore", "github": ".github"}
SHELVES = ("lockfiles", "reports")
SCHEMA = Path("prereg", FILE)
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
    found = {**_files_of("common"), **_files_of(example)}
    return _written(folder, {target: _filled(source.read_text("utf-8")) for target, source in found.items()})


def create_from_rows(folder: Path, study: str, plan: str, copied: Sequence[Path], more: Sequence[str]) -> list[Path]:
    """Write a study with a proposed plan and the files of rows that lie beside it, in a repository of this layout.

    Parameters
    ----------
    plan
        The text of its plan.
    copied
        Files to put beside the plan.
    more
        Files left where they are, as the command of their import names them.

    Returns
    -------
    list of Path
        The files written, relative to `folder`; the layout's own where `folder` is no repository yet.

    Raises
    ------
    BadInput
        One of them is there already; nothing is written then.
    """
    home = Path("prereg", "studies", study)
    texts = {home / "plan.toml": plan}
    if not (folder / "prereg" / "studies").is_dir():
        sources = {**_files_of("common"), **_files_of("rows"), Path("justfile"): TEMPLATE / "imported" / "justfile"}
        filled = {target: _filled(source.read_text("utf-8")) for target, source in sources.items()}
        files = "".join(f" {shlex.quote(name)}" for name in more)
        texts |= {
            target: text.replace("STUDY", study).replace(" FILES", files).replace('study="example"', f'study="{study}"')
            for target, text in filled.items()
        }
    beside = {home / source.name: source for source in copied}
    _refuse_taken(folder, [*texts, *beside])
    written = _written(folder, texts)
    for target, source in beside.items():
        shutil.copyfile(source, folder / target)
    return sorted([*written, *beside])


def _files_of(part: str) -> dict[Path, Path]:
    """Where each file of a part of the scaffold goes, and where it comes from."""
    at = TEMPLATE / part
    found = (path for path in sorted(at.rglob("*")) if path.is_file() and "__pycache__" not in path.parts)
    return {_target(path.relative_to(at)): path for path in found}


def _refuse_taken(folder: Path, targets: Iterable[Path]) -> None:
    taken = [target for target in targets if (folder / target).exists()]
    if taken:
        raise BadInput(
            f"{folder} holds files of a repository already",
            *(Finding(where=str(target), found="a file", promised="nothing there yet") for target in sorted(taken)),
            then="seedlock init NEW_FOLDER",
        )


def _written(folder: Path, filled: Mapping[Path, str]) -> list[Path]:
    _refuse_taken(folder, filled)
    if not (folder / SCHEMA).exists():
        filled = {**filled, SCHEMA: json.dumps(plan_schema(), indent=1, ensure_ascii=False) + "\n"}
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
