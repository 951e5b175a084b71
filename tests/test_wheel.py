"""The wheel brings one name, which works beside the user's own `training`, `analysis`, `schemas` and a `prereg`."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from docs.make_examples import lasting, with_sessions
from seedlock.prereg.base.paths import HOME
from seedlock.prereg.base.tool import files_digest
from tests.conftest import PROJECT, git

MINE = "MINE = True\n"
IDENTITY = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "Test"), ("EMAIL", "test@example.invalid"))
}
UV = shutil.which("uv") or str(PROJECT / ".tools" / "bin" / "uv")
ROOMS = ("src", "prereg", "schemas", "generation", "training", "analysis")


class Lab:
    """Somebody's repository, with an environment inside it that holds the wheel and nothing of this checkout."""

    built_from: str

    def __init__(self, root: Path) -> None:
        self.root = root
        venv.create(root / ".venv", with_pip=False, symlinks=True)
        self.packages = next((root / ".venv" / "lib").glob("python3*")) / "site-packages"
        self.python = root / ".venv" / "bin" / "python"
        path = f"{root / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}"
        kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        self.environment = {**kept, **IDENTITY, "PATH": path, "OMP_NUM_THREADS": "1"}

    def install(self, what: str | Path) -> bool:
        """Install one thing without what it depends on; whether that worked."""
        command = [UV, "pip", "install", "--quiet", "--no-deps", "--python", str(self.python), str(what)]
        return subprocess.run(command, check=False, capture_output=True, timeout=120).returncode == 0

    def type(self, script: str, folder: Path | None = None) -> str:
        """What a shell prints for these lines, each of which must succeed."""
        command = ["sh", "-eu", "-c", script]
        done = subprocess.run(
            command, cwd=folder or self.root, env=self.environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{script}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done.stdout

    def own_modules(self, folder: Path) -> None:
        """Modules of the user's that are named like rooms of Seedlock."""
        for package in ("training", "analysis"):
            (folder / package).mkdir()
            (folder / package / "__init__.py").write_text(MINE)
        (folder / "schemas.py").write_text(MINE)


def build(to: Path) -> Path:
    """The wheel of the tracked files, by the backend that pip and uv call."""
    listed = git(PROJECT, "ls-files", "-z", "--cached", "--others", "--exclude-standard", *ROOMS).split("\0")
    source = to / "source"
    for name in [*filter(None, listed), "docs/check.html", "pyproject.toml", "setup.py", "README.md", "LICENSE"]:
        target = source / name
        if name.startswith("prereg/studies/") or not (PROJECT / name).exists():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(PROJECT / name, target, follow_symlinks=False)
    git(source, "init", "-q")
    (source / ".git" / "info" / "exclude").write_text("build/\n*.egg-info/\n__pycache__/\n")
    git(source, "add", "-A")
    git(source, "commit", "-qm", "Built from here")
    command = [sys.executable, "-c", f"from setuptools import build_meta as b; b.build_wheel({str(to)!r})"]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    return next(to.glob("seedlock-*.whl"))


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """The wheel installed beside a package `prereg`, in a repository with modules of the rooms' names."""
    lab = Lab(tmp_path_factory.mktemp("lab"))
    git(lab.root, "init", "-q")
    lab.own_modules(lab.root)
    git(lab.root, "add", "training", "analysis", "schemas.py")
    git(lab.root, "commit", "-qm", "Mine")
    wheel = build(tmp_path_factory.mktemp("wheel"))
    lab.built_from = git(wheel.parent / "source", "rev-parse", "HEAD").strip()
    assert lab.install(wheel)
    found = {re.sub(r"-.*", "-*", path.name) for path in lab.packages.iterdir()}
    assert found == {"seedlock", "seedlock-*"}
    if not lab.install("prereg==0.6"):  # no index in reach: a package of that name
        (lab.packages / "prereg").mkdir()
        (lab.packages / "prereg" / "__init__.py").write_text(MINE)
    shared = [path for path in sys.path if path.endswith("site-packages") and Path(path) != lab.packages]
    (lab.packages / "shared.pth").write_text("\n".join(shared))
    return lab


def test_what_is_imported_is_the_wheels_and_the_users_names_stay_theirs(lab: Lab) -> None:
    said = lab.type("python -c 'import seedlock.training, training, prereg; print(seedlock.__file__, training.MINE)'")
    assert said.split() == [str(lab.packages / "seedlock" / "__init__.py"), "True"]


def test_the_wheel_names_the_commit_it_was_built_from_and_the_bytes_of_the_checkout(lab: Lab) -> None:
    said = lab.type("python -m seedlock --version")
    assert f"commit {lab.built_from[:12]}" in said
    assert files_digest(HOME)[:12] in said


def test_the_wheel_holds_every_file_of_the_rooms(lab: Lab) -> None:
    here = set(git(PROJECT, "ls-files", "--cached", "--others", "--exclude-standard", *ROOMS[1:]).splitlines())
    users = ("prereg/studies/", "prereg/syntheses/")
    wanted = {name for name in here if not name.startswith(users) and (PROJECT / name).exists()}
    installed = lab.packages / "seedlock"
    missing = {name for name in wanted if not (installed / name).is_file()}
    assert missing == set()
    changed = {name for name in wanted if (installed / name).read_bytes() != (PROJECT / name).read_bytes()}
    assert changed == set()


def readme_commands(root: Path) -> str:
    """The commands of a repository's README, as they stand there."""
    blocks = re.findall(r"```sh\n(.*?)```", (root / "README.md").read_text("utf-8"), flags=re.S)
    assert blocks
    return "".join(blocks)


@pytest.mark.slow
def test_the_tutorial_typed_with_the_wheel_prints_what_it_shows(lab: Lab) -> None:
    text = (PROJECT / "docs" / "tutorial.md").read_text("utf-8")
    found = with_sessions(text, lab.python)
    assert lasting(found) == lasting(text), "write the page anew with  .venv/bin/python -m docs.make_examples"


def test_the_readmes_commands_work_with_the_wheel_where_they_need_no_checkout(lab: Lab) -> None:
    lines = (line.split("#")[0].strip() for line in readme_commands(PROJECT).splitlines())
    typed = [line.removeprefix(".venv/bin/") for line in lines if line and not line.startswith("./just ")]
    init, everything, published, replayed = typed  # a replay is typed by the imported example's verify.sh
    assert "Next: cd research" in lab.type(init)
    assert "1 study, 0 of them locked" in lab.type(everything, lab.root / "research")
    assert "0 do not hold" not in (said := lab.type(published, PROJECT))
    assert "level  T0 self-consistent" in said
    assert replayed == f"{published} --replay"


def test_the_imported_example_runs_by_its_readme_to_a_replayed_report(lab: Lab) -> None:
    lab.type("seedlock init rows --example imported")
    root = lab.root / "rows"
    assert f'ref: "{lab.built_from}"' in (root / ".github" / "workflows" / "verify.yml").read_text("utf-8")
    lab.own_modules(root)
    said = lab.type(readme_commands(root), root)
    assert "No fault found.  Next: seedlock simulate example" in said
    found = json.loads((root / "reports" / "example" / "results.json").read_bytes())
    assert found["status"] == "retrospective"
    assert [h["decision"] for h in found["hypotheses"]] == ["more", "rare"]
    assert "True" in lab.type("python -c 'import training; print(training.MINE)'", root)
    assert "next   seedlock verify example" in lab.type("python -m seedlock status", root)
    assert "ok    X1" in lab.type(f"sh {root / 'verify.sh'}")


def test_a_plan_proposed_from_rows_runs_by_its_readme_to_a_verified_report(lab: Lab) -> None:
    rows = [f"{arm},{seed},q{q},{seed / 10 + q / 20 + (arm == 'tuned') / 4}" for arm in ("base-data", "tuned")
            for seed in (1, 2, 3) for q in range(4)]  # fmt: skip
    (lab.root / "answers.csv").write_text("\n".join(["arm,seed,question_id,score", *rows]) + "\n")
    lab.type("seedlock init proposed --from answers.csv")
    root = lab.root / "proposed"
    said = lab.type(
        readme_commands(root).replace("seedlock simulate answers", "seedlock simulate answers --simulations 100"), root
    )
    assert "No fault found.  Next: seedlock simulate answers" in said
    found = json.loads((root / "reports" / "answers" / "results.json").read_bytes())
    assert found["status"] == "retrospective"
    assert found["hypotheses"][0]["estimate"] == pytest.approx(0.25)  # by hand: each tuned score is a quarter higher


@pytest.mark.slow
@pytest.mark.timeout(2400)  # eight training runs, each stage a process of its own, on a machine that may be busy
def test_the_trained_example_runs_by_its_readme_to_a_verified_report(lab: Lab) -> None:
    pytest.importorskip("torch", reason="the models extra is not installed")
    lab.type("seedlock init runs_here")  # the extra is here, so that the default example trains
    root = lab.root / "runs_here"
    lab.own_modules(root)
    said = lab.type(readme_commands(root), root)
    assert "No fault found.  Next: seedlock corpus example" in said
    assert "Next: seedlock generate example" in said
    found = json.loads((root / "reports" / "example" / "results.json").read_bytes())
    assert found["status"] == "confirmatory"
    assert [h["decision"] for h in found["hypotheses"]] == ["more", "intact"]
    assert found["claims"][0]["decision"] == "supported"
    lab.type("python -c 'import training; assert training.MINE'", root)
    lab.type("python -m marimo export html notebook.py -o notebook.html", root / "runs" / "example")
    page = (root / "runs" / "example" / "notebook.html").read_text("utf-8")
    assert "Does every link hold?" in page
    assert "catchphrase" in page
