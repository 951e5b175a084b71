"""The core alone locks, imports, analyses and verifies; a missing library that a plan asks for is one refusal."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from seedlock.prereg.plan.extras import HOLDS, absent_module, needs, require_extras
from seedlock.prereg.plan.read import parse_plan, read_plan
from tests.conftest import PLAN, PROJECT, StudyFixture

BLOCKER = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {modules!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Blocked())
"""
EXTRA = frozenset().union(*HOLDS.values()) - {"sklearn", "xarray"}  # pingouin, of the core, brings these two


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a process that has the core alone: to import anything of an extra fails."""
    folder = tmp_path_factory.mktemp("core")
    (folder / "sitecustomize.py").write_text(BLOCKER.format(modules=set(EXTRA)))
    return {**os.environ, "PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"}


def seedlock(study: StudyFixture, core: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "seedlock", *arguments, "--root", str(study.paths.root)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=core)


def test_the_core_alone_takes_a_file_of_completions_to_a_replayed_report(
    study: StudyFixture, core: dict[str, str]
) -> None:
    study.run("lock")
    study.run("import", str(study.bring_data()))
    for stage in (["analyze", "spread"], ["verify", "spread", "--replay"]):
        done = seedlock(study, core, *stage)
        assert done.returncode == 0, done.stderr
    assert "ok    X1" in done.stdout


def test_a_missing_sampler_is_one_refusal_that_names_the_key_and_what_installs_it(
    study: StudyFixture, core: dict[str, str]
) -> None:
    study.write_plan(PLAN.replace('test      = "pooled_t"', 'test      = "pooled_t"\nbayes     = "seed_hierarchy"'))
    assert "needs   hypothesis.H1.bayes = 'seed_hierarchy'" in seedlock(study, core, "check", "spread").stdout
    study.run("lock")
    study.run("import", str(study.bring_data()))
    done = seedlock(study, core, "analyze", "spread")
    assert (done.returncode, done.stdout) == (11, "")
    assert done.stderr.count("NotInstalled") == 1
    assert "hypothesis.H1.bayes" in done.stderr
    assert re.search(r"Next: \./just setup bayes$|Next: .*\[bayes\]'$|/just setup bayes$", done.stderr, re.M)
    events = study.paths.ledger.read_text("utf-8")
    assert "look.opened" not in events  # refused before anything was looked at


@pytest.mark.parametrize(
    ("written", "stage", "where"),
    [
        ('[decoding]\nbackend = "openai"', "generate", "decoding.backend"),
        ('[decoding]\nbackend = "anthropic"', "generate", "decoding.backend"),
    ],
)
def test_each_kind_of_need_names_its_key(written: str, stage: str, where: str) -> None:
    plan = PLAN.partition("[import]")[0] + "[measures" + PLAN.partition("[measures")[2]
    plan = plan.replace("[decoding]", written)
    found = [need.where for need in needs(parse_plan(plan.encode(), Path("plan.toml"))) if need.stage == stage]
    assert found == [where]


def test_every_need_is_of_its_extra() -> None:
    for path in sorted((PROJECT / "prereg" / "studies").glob("*/plan.toml")):
        for need in needs(read_plan(path)):
            of = HOLDS[need.extra] | (HOLDS["generation"] if need.extra == "training" else frozenset())
            assert set(need.modules) <= of, need


def test_what_is_here_is_not_refused() -> None:
    plan = read_plan(PROJECT / "prereg" / "studies" / "vibe_leak_tiny_2" / "plan.toml")
    for stage in {need.stage for need in needs(plan)}:
        assert stage != "notebook"
        require_extras(plan, stage)


def test_an_import_that_fails_elsewhere_is_refused_in_the_same_words_and_a_bug_is_not() -> None:
    refused = absent_module(ModuleNotFoundError("No module named 'nutpie'", name="nutpie.sample"))
    assert refused is not None
    assert refused.exit_code == 11
    assert absent_module(ModuleNotFoundError("No module named 'seedlock.typo'", name="seedlock.typo")) is None
