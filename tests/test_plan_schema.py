"""The schema that editors read takes the plans that Seedlock takes, and marks a misspelt key as it does."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from seedlock.analysis.estimators import ESTIMATORS
from seedlock.analysis.measures import MEASURES
from seedlock.cli import app
from seedlock.generation.backends import BACKENDS
from seedlock.generation.importers import IMPORTERS
from seedlock.prereg.plan.json_schema import plan_schema
from seedlock.prereg.workflow.init import create_repository
from tests.conftest import PROJECT

jsonschema = pytest.importorskip("jsonschema", reason="the schema's own checker is not installed")
SCHEMA = plan_schema()
PLANS = sorted((PROJECT / "prereg" / "studies").glob("*/plan.toml"))


def faults(plan: dict[str, Any]) -> list[str]:
    return [str(fault.message) for fault in jsonschema.Draft202012Validator(SCHEMA).iter_errors(plan)]


@pytest.mark.parametrize("file", PLANS, ids=lambda file: file.parent.name)
def test_every_published_plan_is_one_by_the_schema(file: Path) -> None:
    assert faults(tomllib.loads(file.read_text("utf-8"))) == []


@pytest.mark.parametrize(
    ("table", "wrong", "value"),
    [("study", "titel", "x"), ("import", "colums", {}), ("grid", "seed", [1]), ("decoding", "temprature", 1.0)],
)
def test_a_misspelt_key_is_marked(table: str, wrong: str, value: Any, tmp_path: Path) -> None:
    create_repository(tmp_path, "imported")
    plan = tomllib.loads((tmp_path / "prereg" / "studies" / "example" / "plan.toml").read_text("utf-8"))
    assert faults(plan) == []
    plan[table][wrong] = value
    assert any(wrong in said for said in faults(plan))


def test_words_that_name_a_file_are_completed_with_the_names_there_are() -> None:
    def words(table: str, key: str) -> list[str]:
        return list(SCHEMA["$defs"][table]["properties"][key]["enum"])

    assert words("Measure", "kind") == sorted(MEASURES)
    assert words("Hypothesis", "test") == sorted(ESTIMATORS)
    assert words("Import", "format") == sorted(IMPORTERS)
    assert words("Decoding", "backend") == sorted(BACKENDS)


def test_keys_are_explained_in_the_words_of_the_code() -> None:
    said = SCHEMA["$defs"]["Import"]["properties"]
    assert "delimiter" in said["delimiter"]["description"] or "Of CSV" in said["delimiter"]["description"]
    assert said["keep"]["description"].startswith("Column -> bounds")


def test_a_new_repository_holds_the_schema_where_its_plan_points(tmp_path: Path) -> None:
    create_repository(tmp_path, "imported")
    plan = tmp_path / "prereg" / "studies" / "example" / "plan.toml"
    first = plan.read_text("utf-8").splitlines()[0]
    assert json.loads((plan.parent / first.removeprefix("#:schema ")).read_bytes()) == SCHEMA
    assert json.loads(CliRunner().invoke(app, ["schema"]).output) == SCHEMA
