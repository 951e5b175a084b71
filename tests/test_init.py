"""A new repository runs to a verified report as it stands, by following what each command says."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from seedlock.prereg.errors import BadInput
from seedlock.prereg.plan.plan import Plan
from seedlock.prereg.workflow.init import create_repository
from tests.conftest import PROJECT, typed

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(PROJECT), "OMP_NUM_THREADS": "1", "SEEDLOCK": str(PROJECT)}
NEXT = re.compile(r"Next: .*?seedlock (\w+) example")
DOCUMENTED_ELSEWHERE = frozenset({"hosted", "inside", "audit", "import", "judges", "judgements", "rates"})


def run(folder: Path, *command: str) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env=ENVIRONMENT)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


def seedlock(folder: Path, *words: str) -> str:
    with contextlib.chdir(folder):
        return typed(*words)


def commit(root: Path, message: str) -> None:
    run(root, "git", "add", "-A")
    run(root, "git", "-c", "user.name=A", "-c", "user.email=a@b.c", "commit", "-q", "--allow-empty", "-m", message)


def follow(root: Path, *, until: str) -> list[str]:
    """From `check` on, do what each command's last line says, and commit in between; the steps taken."""
    run(root, "git", "init", "-q")
    commit(root, "Plan")
    step, taken = "check", list[str]()
    while step != until:
        assert step not in taken
        said = seedlock(root, step, "example", *(["--simulations", "100"] if step == "simulate" else []))
        commit(root, step)
        taken.append(step)
        found = NEXT.search(said)
        step = found[1] if found else step
    return taken


def test_a_newcomer_who_does_what_each_command_says_arrives_at_a_lock_of_a_clean_work_tree(tmp_path: Path) -> None:
    seedlock(tmp_path, "init", "mine", "--example", "trained")
    root = tmp_path / "mine"
    assert follow(root, until="train") == ["check", "corpus", "simulate", "lock"]
    lock = json.loads((root / "lockfiles" / "example" / "lock-0001.json").read_bytes())
    assert (lock["work_tree"], lock["design"]["simulation_absent"]) == ("clean", None)


def test_what_verifies_at_each_push_fails_when_a_locked_file_changes(tmp_path: Path) -> None:
    create_repository(tmp_path, "imported")
    seedlock(tmp_path, "lock", "example")
    with (tmp_path / "prereg" / "studies" / "example" / "plan.toml").open("a") as plan:
        plan.write("# a change\n")
    done = subprocess.run(
        ["sh", "verify.sh"], cwd=tmp_path, capture_output=True, text=True, check=False, env=ENVIRONMENT
    )
    assert done.returncode == 3
    assert "P1" in done.stderr


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "justfile").write_text("mine")
    with pytest.raises(BadInput, match="already"):
        create_repository(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["justfile"]
    assert (tmp_path / "justfile").read_text() == "mine"


@pytest.mark.parametrize("example", ["trained", "imported"])
def test_no_blank_is_left_to_fill_in(tmp_path: Path, example: Any) -> None:
    for file in create_repository(tmp_path, example):
        blanks = re.findall(r"(?<!\$)\{\{.*? of .*?\}\}", (tmp_path / file).read_text("utf-8"))
        assert blanks == [], file


def test_the_model_is_pinned_at_the_weights_that_ship(tmp_path: Path) -> None:
    from seedlock.prereg.base.base_models import folder_revision, model_folder

    create_repository(tmp_path)
    plan = tomllib.loads((tmp_path / "prereg" / "studies" / "example" / "plan.toml").read_text("utf-8"))
    at = model_folder(plan["models"]["tiny"]["base"], tmp_path)
    assert at is not None
    assert plan["models"]["tiny"]["revision"] == folder_revision(at)


def fields(model: type[BaseModel], where: str = "") -> Iterator[str]:
    """Every key that a plan may hold, in tables that the scaffold does not leave to another page."""
    for name, field in model.model_fields.items():
        key = field.alias or name
        if not where and key in DOCUMENTED_ELSEWHERE:
            continue
        yield key
        for inner in inner_models(field.annotation):
            yield from fields(inner, where=key)


def inner_models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in getattr(annotation, "__args__", ()):
        yield from inner_models(argument)


def test_the_scaffold_names_every_key_that_a_plan_may_hold(tmp_path: Path) -> None:
    create_repository(tmp_path)
    plan = (tmp_path / "prereg" / "studies" / "example" / "plan.toml").read_text("utf-8")
    unnamed = {key for key in fields(Plan) if re.search(rf"\b{key}\b", plan) is None}
    assert unnamed == set()
    assert all(f"[{name}" in plan for name in DOCUMENTED_ELSEWHERE)
