"""CONTRIBUTING says what one more of a kind takes: one of each is added to a copy of the tree, and used."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import PROJECT

ADDITIONS = Path(__file__).parent / "additions"
REPORT = "seedlock.analysis.report"
ROOMS = ("prereg", "schemas", "generation", "training", "analysis")

LINES: dict[str, dict[str, str]] = {
    "analysis/measures/__init__.py": {
        "from seedlock.analysis.measures import (\n": "    added,\n",
        "MEASURES: dict[str, Measure[Any]] = {\n": '    "added": added.MEASURE,\n',
    },
    "analysis/estimators/__init__.py": {
        "from seedlock.analysis.estimators import (\n": "    added,\n",
        "ESTIMATORS: dict[str, Estimator] = {\n": '    "added": added.ESTIMATOR,\n',
    },
    "analysis/exporters/__init__.py": {
        "EXPORTERS: dict[str, str] = {\n": '    "added": "seedlock.analysis.exporters.added",\n',
    },
    "analysis/report/figures/__init__.py": {
        "from seedlock.analysis.report.figures.cells": f"from {REPORT}.figures.added import added_figures\n",
        "FIGURES: tuple[FromDraws, ...] = (\n": "    added_figures,\n",
    },
    "analysis/report/sections/__init__.py": {
        "from seedlock.analysis.report.sections.asym": f"from {REPORT}.sections.added import added_table\n",
        "FOUND: tuple[Callable[[Mapping[str, Any]], Table | None], ...] = (\n": "    added_table,\n",
    },
    "generation/importers/__init__.py": {
        "from seedlock.generation.importers import (\n": "    added,\n",
        "IMPORTERS: dict[str, Importer] = {\n": '    "added": added.read,\n',
    },
    "generation/judges/__init__.py": {
        "JUDGES: dict[str, str] = {\n": '    "added": "seedlock.generation.judges.added",\n',
    },
    "prereg/plan/judges.py": {
        "AnyJudge = ": 'class AddedJudge(JudgeTable):\n    kind: Literal["added"]\n    above: int\n\n\n',
        "AnyJudge = LexiconJudge": " | AddedJudge",
    },
    "generation/backends/__init__.py": {
        "BACKENDS: dict[str, str] = {\n": '    "added": "seedlock.generation.backends.added",\n',
    },
    "training/corpora/__init__.py": {
        "from seedlock.training.rows.recipe": "from seedlock.training.corpora import added\n",
        "RECIPES: dict[str, Recipe] = {\n": '    "added": added.RECIPE,\n',
    },
    "training/backends/__init__.py": {
        "TRAINERS: dict[str, str] = {\n": '    "added": "seedlock.training.backends.added",\n',
    },
    "schemas/__init__.py": {
        "from seedlock.schemas import (\n": "    added,\n",
        "TABLES: dict[str, Table] = {\n": '    "added": added.TABLE,\n',
    },
}  # fmt: skip
"""Listing -> the line it stands beside (before the start of one, after a whole one) -> what is added."""


def added_to(text: str, beside: str, line: str) -> str:
    """`text` with one line more."""
    assert text.count(beside) == 1, beside
    is_before = (beside.startswith("from ") and not beside.endswith("\n")) or beside == "AnyJudge = "
    return text.replace(beside, line + beside if is_before else beside + line)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the code with one more of everything."""
    root = tmp_path_factory.mktemp("tree")
    for room in ROOMS:
        left_out = shutil.ignore_patterns("__pycache__", "studies")
        shutil.copytree(PROJECT / room, root / room, ignore=left_out)
    shutil.copytree(PROJECT / "src", root / "src", symlinks=True, ignore=shutil.ignore_patterns("*.egg-info"))
    shutil.copytree(PROJECT / "lockfiles" / "environment", root / "lockfiles" / "environment")
    for room in ROOMS:
        if (ADDITIONS / room).is_dir():
            shutil.copytree(ADDITIONS / room, root / room, dirs_exist_ok=True)
    for name, lines in LINES.items():
        text = (root / name).read_text("utf-8")
        for beside, line in lines.items():
            text = added_to(text, beside, line)
        (root / name).write_text(text, "utf-8")
    return root


def test_one_more_of_each_kind_works_from_a_plan(tree: Path) -> None:
    path = os.pathsep.join([str(tree / "src"), str(PROJECT)])
    done = subprocess.run(
        [sys.executable, str(ADDITIONS / "use.py"), str(tree)],
        capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_contributing_counts_the_files_that_each_kind_takes() -> None:
    """The table's rows are the additions: a file of its own, and the listings that get a line."""
    table = re.findall(r"^\| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", (PROJECT / "CONTRIBUTING.md").read_text("utf-8"), re.M)
    said = {kind.split(" (")[0]: (own, listing) for kind, own, listing in table if "NAME" in own}
    new = {path.relative_to(ADDITIONS).as_posix() for path in ADDITIONS.rglob("added*.py")} | {"prereg/studies/added/"}
    found: dict[str, set[str]] = {}
    for kind, (own, listing) in said.items():
        (file,) = re.findall(r"`([^`]*NAME[^`]*)`", own)
        assert file.replace("NAME", "added") in new, kind
        beside = {"__init__.py": f"{Path(file).parent}/__init__.py"}
        found[kind] = {beside.get(name, name) for name in re.findall(r"`([^`]+)`", listing)}
    assert {name for listings in found.values() for name in listings} == set(LINES)
    assert len(said) == len(new)
    assert (len(found["study"]), len(found["estimator"]), len(found["judge"])) == (0, 1, 2)
