"""A repository of many studies: a line each, and whole what does not hold."""

from __future__ import annotations

import shutil

from typer.testing import CliRunner

from seedlock.cli import app
from seedlock.cli.overview import MANY
from tests.conftest import StudyFixture


def verify(study: StudyFixture, *options: str, ok: int = 0) -> list[str]:
    done = CliRunner().invoke(app, ["verify", *options, "--root", str(study.paths.root)])
    assert done.exit_code == ok, done.output
    return done.output.splitlines()


def test_many_studies_are_verified_in_a_line_each_and_a_broken_one_is_shown_whole(study: StudyFixture) -> None:
    study.run("lock")
    names = [f"s{n:02}" for n in range(MANY)]
    for name in names:
        for shelf in ("prereg/studies", "lockfiles"):
            shutil.copytree(study.paths.root / shelf / "spread", study.paths.root / shelf / name)
    for name in names:  # copies of a lock are locks of another study
        shutil.rmtree(study.paths.root / "lockfiles" / name)
    stands = CliRunner().invoke(app, ["status", "--root", str(study.paths.root)]).output.splitlines()
    assert stands[1] == "under way (1)"
    assert stands[2].split() == ["spread", "0", "of", "8", "runs:", "seedlock", "import", "spread", "FILE"]
    assert stands[3] == f"not locked ({MANY})"
    assert [line.split()[0] for line in stands[4:-1]] == names
    assert stands[-1] == "seedlock status s00  shows one whole"
    assert max(map(len, stands)) <= 80
    told = verify(study)
    assert [line.split()[0] for line in told if line.startswith(("s0", "s1", "spread"))] == [*names, "spread"]
    assert not any("ok    L1" in line for line in told)
    assert any("seedlock verify s00  shows every check of one" in line for line in told)
    assert any("ok    L1" in line for line in verify(study, "spread"))
    with study.paths.plan.open("a", encoding="utf-8") as plan:
        plan.write("# changed\n")
    broken = verify(study, ok=3)
    assert any("FAIL  P1" in line for line in broken)
    assert any("found     sha256" in line for line in broken)
