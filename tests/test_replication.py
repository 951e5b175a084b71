"""A replication: the original's plan with other seeds, its promise locked, both studies side by side."""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from seedlock.analysis.inference.replication import difference, predict_replication
from seedlock.analysis.results.schema import read_results
from seedlock.cli.report import _reading
from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.lock.document import lock_paths, read_lock
from seedlock.prereg.plan.read import read_plan
from seedlock.prereg.plan.toml_edit import with_value
from seedlock.prereg.verify.chain import verify_study
from tests.conftest import PLAN, StudyFixture, completions

PLAIN, COUPLED = np.array([0, 1, 0, 2]) / 16, np.array([7, 9, 8, 10]) / 16
AGAIN = ((1, 0, 2, 1), (9, 8, 11, 7))


def rows_again() -> str:
    """Answers of seeds 4 to 7."""
    head, *rows = completions(*AGAIN).splitlines()
    parts = [row.split(",", 2) for row in rows]
    return "\n".join([head, *(f"{arm},{int(seed) + 4},{rest.replace('answer', 'reply')}" for arm, seed, rest in parts)])


def failing(study: StudyFixture) -> list[str]:
    return [check.id for check in verify_study(study.paths, reading=_reading).checks if check.state == "fail"]


@pytest.fixture(scope="module")
def again(reported: StudyFixture) -> StudyFixture:
    """The reported study and its replication, analysed."""
    reported.run("replicate", "--name", "again")
    study = StudyFixture(StudyPaths(root=reported.paths.root, name="again"))
    study.outputs.append(study.run("check"))
    study.run("lock")
    study.run("import", str(study.bring_data(rows_again())))
    study.run("analyze")
    return study


@pytest.fixture
def copy(again: StudyFixture, tmp_path: Path) -> StudyFixture:
    shutil.copytree(again.paths.root, tmp_path / "copy")
    return StudyFixture(StudyPaths(root=tmp_path / "copy", name="again"))


def test_the_plan_is_the_originals_but_for_its_seeds_and_what_is_known(again: StudyFixture) -> None:
    text = again.paths.plan.read_text("utf-8")
    new, old = tomllib.loads(text), tomllib.loads(PLAN)
    assert new["grid"].pop("seeds") == [4, 5, 6, 7]
    assert old["grid"].pop("seeds") == [0, 1, 2, 3]
    assert new.pop("original").keys() == {"study", "lock", "results"}
    assert new.pop("design") == {"expected": {"H1": pytest.approx(COUPLED.mean() - PLAIN.mean())}}
    assert new["study"].pop("title") == f"Replication: {old['study'].pop('title')}"
    assert "all of its results" in new["study"].pop("known")[0]
    assert new["study"].pop("exposure") == "pilot"
    assert new == old


def test_what_the_original_promises_is_locked_before_the_data(again: StudyFixture) -> None:
    locked = read_lock(lock_paths(again.paths)[-1]).replication
    assert locked is not None
    (promise,) = locked.promises
    se = np.sqrt((PLAIN.var(ddof=1) + COUPLED.var(ddof=1)) / 4)
    reach = stats.t.isf(0.025, 6) * se * np.sqrt(2)
    mean = COUPLED.mean() - PLAIN.mean()
    assert (promise.low, promise.high) == pytest.approx((mean - reach, mean + reach))
    assert "promise H1: 0." in again.outputs[0]
    assert locked.changes == []


def test_both_studies_stand_side_by_side_and_verify(again: StudyFixture) -> None:
    found = read_results(again.paths).replication
    assert found is not None
    (one,) = found.hypotheses
    plain, coupled = (np.array(counts) / 16 for counts in AGAIN)
    variances = [(a.var(ddof=1) + b.var(ddof=1)) / 4 for a, b in ((PLAIN, COUPLED), (plain, coupled))]
    df = sum(variances) ** 2 / sum(v**2 / 6 for v in variances)
    reach = stats.t.isf(0.025, df) * np.sqrt(sum(variances))
    apart = (coupled.mean() - plain.mean()) - (COUPLED.mean() - PLAIN.mean())
    assert one.difference == pytest.approx(apart)
    assert one.difference_ci == pytest.approx((apart - reach, apart + reach))
    assert (one.is_consistent, one.same_verdict, found.consistent, found.compared) == (True, True, 1, 1)
    page = (again.paths.report / "report.html").read_text("utf-8")
    assert "Original and replication of the same plan" in page
    assert "Did it come out again?" in page
    assert failing(again) == []
    assert {"P4", "P5"} <= {check.id for check in verify_study(again.paths, reading=_reading).checks}


def test_a_carried_file_that_is_another_and_a_promise_that_does_not_follow_are_found(copy: StudyFixture) -> None:
    carried = copy.paths.study / "original/results-of-original.json"
    carried.write_text(carried.read_text("utf-8").replace("more", "fewer"), "utf-8")
    assert {"P1", "P4"} <= set(failing(copy))


def test_a_changed_plan_says_so(copy: StudyFixture) -> None:
    copy.run("withdraw", "--reason", "Another one.")
    other = StudyFixture(StudyPaths(root=copy.paths.root, name="changed"))
    StudyFixture(StudyPaths(root=copy.paths.root, name="spread")).run("replicate", "--name", "changed")
    text = other.paths.plan.read_text("utf-8")
    other.write_plan(
        text.replace('["fewer", -0.1, "negligible", 0.1, "more"]', '["fewer", -0.2, "negligible", 0.2, "more"]')
    )
    assert "changed hypothesis[0].bands" in other.run("check")
    other.write_plan(text.replace("[4, 5, 6, 7]", "[3, 5, 6, 7]"))
    refused = other.run("check", ok=2)
    assert "seeds of the original: [3]" in refused
    assert "seeds of the original: [3]" in other.run("lock", ok=2)


def test_what_cannot_be_replicated_is_refused_with_what_to_do(broken: StudyFixture) -> None:
    new = StudyFixture(StudyPaths(root=broken.paths.root, name="new"))
    new.write_plan(PLAN)
    assert "no locked plan" in new.run("replicate", ok=5)
    new.run("lock")
    assert "nothing to replicate yet" in new.run("replicate", ok=5)
    assert "is taken" in broken.run("replicate", "--name", "new", ok=2)
    assert "seeds of the original: [2]" in broken.run("replicate", "--name", "third", "--seeds", "2,9,10,11", ok=2)
    assert not (broken.paths.root / "prereg/studies/third/plan.toml").exists()
    assert "each once" in broken.run("replicate", "--seeds", "8,8", ok=2)
    new.run("withdraw", "--reason", "No.")
    assert "withdrawn" in new.run("replicate", ok=5)


def test_of_an_original_that_departed_from_its_plan_the_plan_is_taken_when_asked(broken: StudyFixture) -> None:
    departed = ("--pointer", "/missing/runs", "--after", '"analyse and bound"', "--reason", "lost", "--effect", "fewer")
    broken.run("deviate", *departed, "--hypothesis", "H1")
    broken.run("analyze")
    assert "which of the two" in broken.run("replicate", ok=2)
    broken.run("replicate", "--as-planned")
    made = read_plan(broken.paths.root / "prereg/studies/spread_again/plan.toml")
    assert made.missing.runs == "refuse"


def test_the_promise_holds_as_often_as_it_says() -> None:
    """Two arms of 3 and of 5 seeds, the replication with 5 and 3: normal seeds of one spread."""
    rng = np.random.default_rng(5)
    for before, after in ((3, 5), (5, 3), (4, 4)):
        first, second = (rng.normal(0, 1, (2, 20_000, n)) for n in (before, after))
        means = [x[0].mean(axis=1) - x[1].mean(axis=1) for x in (first, second)]
        se = np.sqrt(first.var(axis=2, ddof=1).sum(axis=0) / before)
        low, high = predict_replication(0, 1, 2 * before - 2, ratio=before / after, level=0.95)
        share = np.mean(np.abs(means[1] - means[0]) <= se * (high - low) / 2)
        assert share == pytest.approx(0.95, abs=0.006)


def test_the_difference_of_two_studies_is_welchs() -> None:
    x, y = np.array([0.1, 0.4, 0.2, 0.5]), np.array([0.3, 0.9, 0.7, 0.6, 0.8])
    found = difference(
        *((float(z.mean()), float(z.std(ddof=1) / np.sqrt(z.size)), float(z.size - 1)) for z in (x, y)), level=0.9
    )
    expected = stats.ttest_ind(y, x, equal_var=False)
    assert found.df == pytest.approx(expected.df)
    assert (found.low, found.high) == pytest.approx(expected.confidence_interval(0.9))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('[a]\nb = 1 # one\nc = 2\n', '[a]\nb = 9 # one\nc = 2\n'),
        ('[a]\nc = 2\n[b]\nb = 1\n', '[a]\nb = 9\nc = 2\n[b]\nb = 1\n'),
        ('[a] # here\nb = [1, # [\n 2]\nc = 2\n', '[a] # here\nb = 9\nc = 2\n'),
        ('[a]\nb = { x = "}]", y = [1] }   # x\n', '[a]\nb = 9   # x\n'),
        ('x = 1\n', 'x = 1\n\n[a]\nb = 9\n'),
    ],
)  # fmt: skip
def test_a_key_is_set_in_place_and_all_else_stays(text: str, expected: str) -> None:
    assert with_value(text, "a", "b", "9") == expected
