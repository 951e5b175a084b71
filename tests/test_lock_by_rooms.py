"""The lock pins what decides a number and nothing that only draws: walked from imports, and tried on every file."""

from __future__ import annotations

import ast
import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import grimp
import pytest

from seedlock.prereg.base.paths import HOME
from seedlock.prereg.base.tool import files_digest
from seedlock.prereg.errors import LockedFileChanged
from seedlock.prereg.lock import lock
from seedlock.prereg.lock.document import lock_paths, read_lock
from seedlock.prereg.lock.gate import require_lock
from seedlock.prereg.lock.lock import code_faults, iter_changes, locked_code
from seedlock.prereg.lock.rooms import deciding_files, place_of
from tests.conftest import PROJECT, StudyFixture

ENTRIES = (
    "seedlock.analysis.decide",
    "seedlock.analysis.audit_stage",
    "seedlock.prereg.lock.gate",
    "seedlock.training.train",
    "seedlock.training.import_jobs",
    "seedlock.training.corpus.write",
)
"""Where a number, a run or a corpus is decided, beside every module of `generation`."""
DRAWS = (
    "analysis/analyze.py",
    "analysis/exporters",
    "analysis/findings/confidence.py",
    "analysis/findings/headline.py",
    "analysis/findings/summary_sentences.py",
    "analysis/notebook",
    "analysis/replay.py",
    "analysis/report",
    "analysis/study.py",
    "generation/cost",
    "prereg/cost/estimate.py",
    "prereg/cost/page.py",
    "prereg/paper",
    "prereg/register",
    "prereg/site",
    "prereg/verify",
    "prereg/workflow",
    "src/seedlock/cli",
    "training/cost",
)
"""What draws, words, checks or reckons."""


def source_of(module: str) -> str:
    """A module's file, relative to the code's home."""
    parts = module.split(".")
    if len(parts) == 2 and (HOME / "src" / "seedlock" / f"{parts[1]}.py").is_file():
        return f"src/seedlock/{parts[1]}.py"
    path = HOME.joinpath(*parts[1:])
    file = path.with_suffix(".py") if path.with_suffix(".py").is_file() else path / "__init__.py"
    return "src/seedlock/__init__.py" if module == "seedlock" else file.relative_to(HOME).as_posix()


def named_modules(module: str, modules: frozenset[str]) -> Iterator[str]:
    """Modules that a registry names as text."""
    for node in ast.walk(ast.parse((HOME / source_of(module)).read_bytes())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in modules:
            yield node.value


@cache
def reached() -> frozenset[str]:
    """Files that the deciding entry points import, at the top or inside a function, or name in a registry."""
    graph = grimp.build_graph("seedlock")
    modules = frozenset(graph.modules)
    stages = {m for m in graph.find_descendants("seedlock.generation") if ".generation.cost" not in m}
    left, seen = [*ENTRIES, *stages], set[str]()
    while left:
        module = left.pop()
        if module in seen or module == "seedlock":
            continue
        seen.add(module)
        parts = module.split(".")
        left += [".".join(parts[:depth]) for depth in range(1, len(parts))]
        left += [*graph.find_modules_directly_imported_by(module), *named_modules(module, modules)]
    return frozenset(source_of(module) for module in seen | {"seedlock"})


def pinned() -> set[str]:
    return {file.path for file in locked_code()}


def test_whatever_decides_is_in_a_locked_room() -> None:
    assert {"analysis/inference/bands.py", "prereg/plan/bands.py", "training/backends/lora.py"} <= reached()
    assert "generation/judges/lexicon.py" in reached()
    assert sorted(reached() - pinned()) == []


def test_data_that_code_reads_are_locked_with_it() -> None:
    assert {"training/corpora/birds.csv", "lockfiles/environment/core.txt"} <= pinned()


def test_what_only_draws_is_in_no_locked_room() -> None:
    assert [path for path in sorted(pinned()) if path.startswith(DRAWS)] == []
    assert [path for path in sorted(reached()) if path.startswith(DRAWS)] == []


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of every source file."""
    root = tmp_path_factory.mktemp("home")
    skip = shutil.ignore_patterns("__pycache__", "studies", "weights", "scaffold")
    for name in ("prereg", "schemas", "analysis", "generation", "training", "src"):
        shutil.copytree(PROJECT / name, root / name, ignore=skip, symlinks=name == "src")
    shutil.copytree(PROJECT / "lockfiles" / "environment", root / "lockfiles" / "environment")
    return root


def sources(home: Path) -> list[str]:
    return sorted(
        path.relative_to(home).as_posix()
        for path in home.rglob("*")
        if path.is_file() and not any(part.is_symlink() for part in path.parents)
    )


def test_a_change_of_any_deciding_file_is_found_and_of_no_other(home: Path) -> None:
    promised = locked_code(home)
    before = {path: (home / path).read_bytes() for path in sources(home)}
    assert len(before) > 500
    for path, content in before.items():
        (home / path).write_bytes(content + b"\n# changed\n")
    found = {fault.where for fault in iter_changes(promised, home)}
    for path, content in before.items():
        (home / path).write_bytes(content)
    assert found == {file.path for file in promised}
    assert reached() <= found
    assert not [path for path in found if path.startswith(DRAWS)]


@pytest.mark.parametrize(
    ("path", "stops"),
    [
        ("prereg/plan/bands.py", True),
        ("prereg/lock/due_runs.py", True),
        ("training/corpora/birds.csv", True),
        ("analysis/findings/cells.py", True),
        ("analysis/findings/headline.py", False),
        ("analysis/report/templates/page.css", False),
        ("analysis/notebook/template.py", False),
        ("prereg/verify/chain.py", False),
        ("src/seedlock/cli/report.py", False),
    ],
)
def test_the_gate_stops_where_a_deciding_file_changed(
    study: StudyFixture, home: Path, monkeypatch: pytest.MonkeyPatch, path: str, stops: bool
) -> None:
    for reader in (lock.locked_code, lock.code_faults, deciding_files, place_of):
        home_last = (*(reader.__defaults__ or ())[:-1], home)
        monkeypatch.setattr(reader, "__defaults__", home_last)
    study.run("lock")
    content = (home / path).read_bytes()
    (home / path).write_bytes(content + b"\n")
    try:
        if stops:
            with pytest.raises(LockedFileChanged, match=path):
                require_lock(study.paths)
        else:
            require_lock(study.paths)
    finally:
        (home / path).write_bytes(content)


def test_caches_and_hidden_files_are_no_source() -> None:
    assert not [name for name in deciding_files() if "__pycache__" in name or "/." in name]


def test_a_file_that_comes_to_a_locked_room_is_found(study: StudyFixture, home: Path) -> None:
    study.run("lock")
    made = read_lock(lock_paths(study.paths)[0])
    assert code_faults(made, home) == []
    shadow = home / "analysis" / "estimators" / "pooled_t"
    shadow.mkdir()
    (shadow / "__init__.py").write_text("# python imports a package before a module of the same name\n")
    assert [fault.where for fault in code_faults(made, home)] == ["analysis/estimators/pooled_t/__init__.py"]
    shutil.rmtree(shadow)


def test_a_wheel_holds_the_locked_code_of_a_checkout(study: StudyFixture, home: Path, tmp_path: Path) -> None:
    study.run("lock")
    made = read_lock(lock_paths(study.paths)[0])
    package = tmp_path / "seedlock"
    for folder in ("prereg", "schemas", "analysis", "generation", "training"):
        shutil.copytree(home / folder, package / folder)
    shutil.copytree(home / "src" / "seedlock" / "cli", package / "cli")
    for file in (home / "src" / "seedlock").glob("*.py"):
        shutil.copy(file, package / file.name)
    assert code_faults(made, package) == []
    assert made.tool is not None
    assert files_digest(package) == files_digest(home) == made.tool.files_sha256
    (package / "__init__.py").write_text("import os\n")
    assert [fault.where for fault in code_faults(made, package)] == ["src/seedlock/__init__.py"]
    (package / "cli" / "report.py").write_text("")
    assert files_digest(package) != made.tool.files_sha256
