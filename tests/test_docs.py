"""Every command and recipe that the pages name exists, and the plan they show is one that parses."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
import typer.main

from seedlock.cli import app
from seedlock.prereg.plan.read import parse_plan
from tests.conftest import PROJECT

PAGES = [PROJECT / "README.md", PROJECT / "CONTRIBUTING.md", *sorted((PROJECT / "docs").rglob("*.md"))]
COMMANDS = set(typer.main.get_command(app).commands)  # type: ignore[attr-defined]  # a click group


_TEST = re.compile(r"^def (test_\w+)", re.M)
OWN = PROJECT / ".tools" / "bin" / "just"
JUST = str(OWN) if OWN.exists() else "just"


def just(*arguments: str) -> str:
    return subprocess.run([JUST, *arguments], cwd=PROJECT, capture_output=True, text=True, check=True).stdout


def recipes() -> set[str]:
    return set(just("--summary").split())


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(PROJECT).as_posix())
def test_every_command_a_page_names_exists(page: Path) -> None:
    text = page.read_text("utf-8")
    named = set(re.findall(r"(?:`|\.venv/bin/|^)seedlock ([a-z]+)", text, flags=re.M))
    assert named <= COMMANDS, named - COMMANDS
    used = set(re.findall(r"(?:\./just|`just) ([a-z][a-z-]*)", text))
    assert used <= recipes(), used - recipes()


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.relative_to(PROJECT).as_posix())
def test_every_link_to_a_file_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", page.read_text("utf-8")):
        assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_map_names_every_room() -> None:
    rows = (PROJECT / "CONTRIBUTING.md").read_text("utf-8").splitlines()
    for folder in ("prereg", "generation", "training", "analysis"):
        row = next(line for line in rows if line.startswith(f"| `{folder}/` |"))
        rooms = {path.parent.name for path in (PROJECT / folder).glob("*/__init__.py")}
        assert set(re.findall(r"`([a-z_]+)`", row.split("|")[3])) == rooms, folder


def test_the_plan_in_the_docs_is_a_plan() -> None:
    text = (PROJECT / "docs" / "plan.md").read_text("utf-8")
    blocks = re.findall(r"```toml\n(.*?)```", text, flags=re.S)
    whole = next(block for block in blocks if "[study]" in block)
    assert parse_plan(whole.encode(), Path("prereg/studies/docs/plan.toml")).hypothesis[0].id == "H1"


def test_every_command_has_help_with_an_example() -> None:
    group = typer.main.get_command(app)
    for name, command in group.commands.items():  # type: ignore[attr-defined]  # a click group
        assert command.hidden or "Example:" in (command.help or ""), name


def test_just_lists_its_recipes_with_a_word_on_each() -> None:
    lines = [line for line in just("--list").splitlines()[1:] if line.strip()]
    assert len(lines) == len(recipes())
    assert all("#" in line for line in lines)


def test_nothing_names_a_machine_or_a_registry() -> None:
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=PROJECT, capture_output=True, text=True, check=True
    ).stdout.split()
    forbidden = re.compile(
        rb"(?<![*\w}])/work/\w|/root/\w|/home/[a-z]|https?://(?:pypi|registry\.npmjs|deb\.debian|files\.pythonhosted)"
    )
    for name in tracked:
        path = PROJECT / name
        if path == Path(__file__) or not path.is_file() or path.suffix in {".png", ".parquet", ".safetensors"}:
            continue
        found = forbidden.search(path.read_bytes())
        assert not found, f"{name}: {found.group()!r}"


def test_every_kind_of_deceit_is_tried_in_more_than_one_way() -> None:
    page = (PROJECT / "docs/methods/provenance.md").read_text("utf-8")
    rows = page.split("## Who may be lying")[1].split("## ")[0].splitlines()
    named = [re.findall(r"`(test_\w+)`", row) for row in rows if "`test_" in row]
    defined = {
        name for file in (PROJECT / "tests").glob("test_*.py") for name in _TEST.findall(file.read_text("utf-8"))
    }
    assert [name for row in named for name in row if name not in defined] == []
    assert len(named) == 12
    assert min(map(len, named)) >= 2
