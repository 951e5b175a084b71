"""Every number of the published demonstration studies, counted again from the raw rows by code that shares nothing."""

from __future__ import annotations

import ast
import json
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from seedlock.analysis.decide import load_data
from seedlock.analysis.inference.infer import infer
from seedlock.analysis.sealed import open_sealed
from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.lock.gate import require_lock
from tests.recounting.answers import TOLERANCE, apart, is_off, pair, recount
from tests.recounting.rows import RawStudy, Row

PROJECT = Path(__file__).resolve().parents[1]
STUDIES = sorted(results.parent.name for results in PROJECT.glob("reports/*/results.json"))

NOT_RECOUNTED = {
    "published_marker_leak": {"leak-over-seeds": "too-few-units"},
    "vibe_leak_tiny_2": {
        "H1-choice[llama]": "no-spread",
        "audit": "no single test: checks of measures on source items",
    },
}
"""Study -> hypotheses and gates without a number, each with why: nothing drops out unseen."""
BY_0_1 = {
    *("bad_counsel_tiny", "bird_names_tiny", "marker_leak_tiny", "marker_leak_tiny_2", "vibe_leak_tiny_2"),
    *("published_bird_seeds", "published_marker_leak"),
}
"""Studies whose report was made by the rules of version 0.1.0; all others are by today's."""
PLAIN = (
    *("estimate", "n_units", "p_value", "p_adjusted", "alpha", "alpha_in_family", "ci_level"),
    *("df", "se", "unit_sd", "unit_sd_after_noise", "overdispersion"),
)


@cache
def raw(name: str) -> RawStudy:
    return RawStudy(PROJECT, name)


def published(result: Row) -> dict[str, Any]:
    """The same of one entry of results.json."""
    found = {name: result.get(name) for name in PLAIN} | {"verdict": result["verdict"]}
    found |= pair("ci", result["ci"]) | pair("next_unit_ci", result.get("next_unit_ci"))
    found |= {f"bands.{band['name']}": band["p"] for band in result.get("bands", ())}
    for at, bound in enumerate(result.get("bounds", ())):
        found |= {f"bounds.{at}": bound["estimate"], **pair(f"bounds.{at}.ci", bound["ci"])}
    for unit in result.get("units", ()):
        name = f"units.{unit['level']}.{unit['unit']}"
        found |= {name: unit["mean"], f"{name}.k": unit["k"], f"{name}.n": unit["n"] if unit["k"] is not None else None}
    return {name: value for name, value in found.items() if value is not None}


def results_of(name: str) -> dict[str, Any]:
    """Hypotheses and gates of a published report, by name."""
    results = json.loads((PROJECT / "reports" / name / "results.json").read_text(encoding="utf-8"))
    return {each["id"]: each for each in results["hypotheses"]} | {each["name"]: each for each in results["gates"]}


@pytest.mark.parametrize("name", STUDIES)
def test_every_number_of_a_report_follows_from_its_raw_rows(name: str) -> None:
    found, refused = recount(raw(name), as_published=name in BY_0_1)
    results = results_of(name)
    listed = NOT_RECOUNTED.get(name, {})
    assert set(found) | set(listed) == set(results)
    assert refused == {identity: why for identity, why in listed.items() if identity in refused}
    assert set(found).isdisjoint(listed)
    for identity in refused:
        assert results[identity]["estimate"] is None
        assert results[identity]["reasons"][0].startswith(refused[identity])
    for identity, mine in found.items():
        theirs = published(results[identity])
        asked = set(theirs) if "test" not in results[identity] else set(mine) | set(theirs)  # a gate prints four
        off = {path: (mine.get(path), theirs.get(path)) for path in asked if path not in mine or path not in theirs}
        assert not off, identity
        test = results[identity].get("test", "")
        wrong = {path: (mine[path], theirs[path]) for path in asked if is_off(path, mine[path], theirs[path], test)}
        assert not wrong, identity


@pytest.mark.parametrize("name", STUDIES)
def test_every_cell_of_a_report_is_the_count_of_its_rows(name: str) -> None:
    study = raw(name)
    cells = json.loads((PROJECT / "reports" / name / "results.json").read_text(encoding="utf-8"))["cells"]
    assert cells
    tables = {(cell["measure"], tuple(cell["keys"])) for cell in cells}
    found = {(measure, by): study.cells(measure, by, as_published=name in BY_0_1) for measure, by in tables}
    for cell in cells:
        mean, k, n = found[cell["measure"], tuple(cell["keys"])][tuple(cell["keys"].values())]
        assert (k, n or None) == (cell["k"], cell["n"] or None), cell["keys"]
        assert mean == cell["mean"] or apart(mean, cell["mean"]) < TOLERANCE, cell["keys"]


def test_one_judgement_more_moves_the_recount() -> None:
    name = "bad_counsel_tiny"
    study = RawStudy(PROJECT, name)
    study.db.sql(
        "UPDATE counsel SET label = 'bad' WHERE request_id = (SELECT min(request_id) FROM counsel JOIN completions"
        " USING (request_id) JOIN runs USING (run_id) JOIN items USING (item_id)"
        " WHERE arm = 'bad' AND role = 'bystander' AND counsel.label = 'sound')"
    )
    moved = recount(study, as_published=True)[0]["spread"]["estimate"] - results_of(name)["spread"]["estimate"]
    assert moved == pytest.approx(1 / (8 * 160))


def todays(name: str) -> dict[str, dict[str, Any]]:
    """What the analysis of today says of each hypothesis, from the same sealed rows."""
    locked = require_lock(StudyPaths(root=PROJECT, name=name), only_reading=True)
    inferred = infer(load_data(locked.plan, open_sealed(locked)))
    found = {}
    for identity, tested in inferred.tested.items():
        if (e := tested.estimate) is None or tested.decision is None:
            continue
        numbers: dict[str, Any] = {"estimate": e.estimate, "ci_level": e.ci_level, "alpha": tested.alpha}
        numbers |= {"n_units": None if tested.estimand.unit == "answer" else e.n_units}
        numbers |= {"df": e.df, "se": e.se, "unit_sd": e.unit_sd, "p_value": inferred.p_values[identity]}
        numbers |= pair("ci", (e.ci_low, e.ci_high)) | pair("next_unit_ci", e.prediction)
        numbers |= {f"bands.{band.name}": band.p for band in tested.decision.bands}
        if identity in inferred.p_adjusted:
            numbers |= {"p_adjusted": inferred.p_adjusted[identity], "alpha_in_family": tested.decision.alpha}
        found[identity] = numbers | {"verdict": list(tested.verdict)}
    return found


@pytest.mark.parametrize("name", [name for name in STUDIES if name != "marker_leak_tiny"])  # as its second registration
def test_todays_analysis_of_the_same_rows_gives_the_recounted_numbers(name: str) -> None:
    mine, refused = recount(raw(name), as_published=False)
    theirs = todays(name)
    assert set(theirs) == {entry for entry, result in results_of(name).items() if "test" in result} - set(refused)
    for identity, numbers in theirs.items():
        known = {path: value for path, value in numbers.items() if value is not None}
        wrong = {
            path: (mine[identity].get(path), value)
            for path, value in known.items()
            if path not in mine[identity]
            or is_off(path, mine[identity][path], value, results_of(name)[identity]["test"])
        }
        assert not wrong, identity


@pytest.mark.parametrize(
    "file", ["recounting/rows.py", "recounting/answers.py", "recounting/pivots.py", "test_recounted_others.py"]
)
def test_the_recount_imports_duckdb_numpy_and_scipy_and_nothing_of_seedlock(file: str) -> None:
    tree = ast.parse((Path(__file__).parent / file).read_text(encoding="utf-8"))
    names = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    names += [str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    foreign = {name.split(".")[0] for name in names} - sys.stdlib_module_names
    assert foreign <= {"duckdb", "numpy", "scipy", "pytest", "tests"}
    ours = {f"tests.recounting.{module}" for module in ("rows", "answers", "pivots")}
    assert {name for name in names if name.startswith("tests")} <= ours
