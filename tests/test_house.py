"""The house keeps its order: one file a kind, keys equal file names, layers hold, plans are data."""

from __future__ import annotations

import ast
import graphlib
import inspect
import subprocess
from pathlib import Path
from typing import Any

import grimp
import pytest

from seedlock.analysis.estimators import ESTIMATORS
from seedlock.analysis.measures import MEASURES
from seedlock.analysis.measures.base.measure import Measure
from seedlock.analysis.simulation.design_lints import require_known
from seedlock.generation.backends import BACKENDS
from seedlock.generation.importers import IMPORTERS
from seedlock.generation.judges import JUDGES
from seedlock.prereg.plan.read import read_plan
from seedlock.schemas import TABLES
from seedlock.training.corpora import RECIPES
from tests.conftest import PROJECT

FOLDERS: list[tuple[str, dict[str, Any]]] = [
    ("analysis/measures", dict(MEASURES)),
    ("analysis/estimators", dict(ESTIMATORS)),
    ("generation/backends", dict(BACKENDS)),
    ("generation/importers", dict(IMPORTERS)),
    ("generation/judges", dict(JUDGES)),
]


@pytest.mark.parametrize(("folder", "table"), FOLDERS, ids=[name for name, _ in FOLDERS])
def test_keys_equal_file_names(folder: str, table: dict[str, Any]) -> None:
    files = {path.stem for path in (PROJECT / folder).glob("*.py")} - {"__init__"}
    assert set(table) == files


def test_every_estimator_takes_a_sample_a_level_and_edges() -> None:
    for name, estimator in ESTIMATORS.items():
        assert list(inspect.signature(estimator.run).parameters) == ["sample", "level", "edges"], name


def test_no_code_asks_for_an_estimator_by_name() -> None:
    """What others need of an estimator stands in its record: a name is typed in its own file and in the registry.

    But for the table of defaults: a plan is read, and its tests recorded, on a floor that knows no estimator.
    """
    tables = {PROJECT / "analysis" / "estimators" / "__init__.py", PROJECT / "prereg" / "plan" / "default_test.py"}
    for folder in ("analysis", "prereg", "generation", "training", "schemas", "src/seedlock/cli"):
        for path in (PROJECT / folder).rglob("*.py"):
            nodes = ast.walk(ast.parse(path.read_text("utf-8"))) if path not in tables else ()
            strings = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
            named = strings & ESTIMATORS.keys()
            assert named <= {path.stem}, f"{path}: {sorted(named)}"


def test_every_measure_says_what_its_numbers_are() -> None:
    for name, measure in MEASURES.items():
        assert isinstance(measure, Measure), name
        assert measure.unit, name
        assert measure.higher_means, name


def test_every_table_is_strict() -> None:
    for name, table in TABLES.items():
        assert table.model.to_schema().strict, name


def test_every_plan_names_only_methods_that_are_there() -> None:
    for path in sorted((PROJECT / "prereg" / "studies").glob("*/plan.toml")):
        require_known(read_plan(path))


def test_studies_hold_data_only() -> None:
    assert not list((PROJECT / "prereg" / "studies").rglob("*.py"))


def test_no_python_knows_the_name_of_a_study() -> None:
    studies = {path.parent.name for path in (PROJECT / "prereg" / "studies").glob("*/plan.toml")}
    names = studies - RECIPES.keys()
    shows_known_effects = PROJECT / "training" / "organisms"
    for folder in ("prereg", "schemas", "generation", "training", "analysis"):
        for path in (PROJECT / folder).rglob("*.py"):
            if path.is_relative_to(shows_known_effects):
                continue
            text = path.read_text("utf-8")
            assert not [name for name in names if f'"{name}"' in text], path


def test_import_layers_hold() -> None:
    linter = PROJECT / ".venv" / "bin" / "lint-imports"
    done = subprocess.run([str(linter)], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_no_circle_of_rooms() -> None:
    graph = grimp.build_graph("seedlock")
    apart = {"seedlock", *graph.find_children("seedlock")}  # each of the package's own files is a floor
    is_room = {module: module in apart or bool(graph.find_children(module)) for module in graph.modules}
    room_of = {module: module if of else module.rpartition(".")[0] for module, of in is_room.items()}
    below: dict[str, set[str]] = {room: set() for room in room_of.values()}
    for module, room in room_of.items():
        if module != "seedlock.analysis.notebook.template":  # the user's notebook, copied and never imported
            below[room] |= {room_of[name] for name in graph.find_modules_directly_imported_by(module)} - {room}
    order = tuple(graphlib.TopologicalSorter(below).static_order())
    assert len(order) > 50


def test_every_package_folder_is_a_package() -> None:
    for top in ("prereg", "schemas", "training", "generation", "analysis"):
        for path in (PROJECT / top).rglob("*.py"):
            assert (path.parent / "__init__.py").exists(), path


def test_files_stay_small_enough_to_read() -> None:
    long = {
        path.relative_to(PROJECT).as_posix(): n
        for top in ("prereg", "schemas", "training", "generation", "analysis")
        for path in Path(PROJECT / top).rglob("*.py")
        if (n := len(path.read_text("utf-8").splitlines())) > 450
    }
    assert long == {}
