"""Every number of the published demonstration studies, counted again from the raw rows by code that shares nothing."""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.recounting import (
    TOLERANCE,
    Found,
    Level,
    NoNumber,
    RawStudy,
    Row,
    adjusted,
    alpha_at_last_look,
    answer_of,
    apart,
    band_ps,
    spread_of,
)

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
PLAIN = (
    *("estimate", "n_units", "p_value", "p_adjusted", "alpha", "alpha_in_family", "ci_level"),
    *("df", "se", "unit_sd", "unit_sd_after_noise", "overdispersion"),
)


def recount(study: RawStudy) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    """Hypotheses and gates by name: their numbers as `published` has them, and why others have none."""
    found: dict[str, dict[str, Any]] = {}
    ps: dict[str, list[dict[str, float]]] = {}
    refused: dict[str, str] = {}
    families: dict[str, dict[str, float]] = {}
    alpha = alpha_at_last_look(study.plan)
    for name, entry, extra in study.asked():
        try:
            levels = study.levels(entry, extra)
            tested = [answer_of(entry, levels, alpha=alpha, is_rate=study.is_rate(entry))]
        except NoNumber as reason:
            refused[name] = str(reason)
            continue
        if any(level.n_missing for level in levels):
            for fill in ({1: 0, -1: 1}, {1: 1, -1: 0}):
                worst = study.levels(entry, extra, fill)
                tested.append(answer_of(entry, worst, alpha=alpha, is_rate=study.is_rate(entry)))
        ps[name] = [band_ps(each, entry["bands"]) for each in tested]
        p_value = max(p for each in ps[name] for band, p in each.items() if band != entry["predicted"])
        found[name] = _numbers(tested, ps[name][0], levels, alpha) | {"p_value": p_value}
        if entry.get("family"):
            families.setdefault(entry["family"], {})[name] = p_value
    for family, members in families.items():
        if study.plan.get("families", {}).get(family, "none") != "none":
            for name, (p_adjusted, share) in adjusted(members).items():
                found[name] |= {"p_adjusted": p_adjusted, "alpha_in_family": alpha * share}
    for name, numbers in found.items():
        at = numbers.get("alpha_in_family", alpha)
        numbers["verdict"] = [band for band in ps[name][0] if any(each[band] > at for each in ps[name])]
    return found, refused


def _numbers(tested: list[Found], ps: Mapping[str, float], levels: list[Level], alpha: float) -> dict[str, Any]:
    """What was found, by the path that results.json has it under; nothing that is undefined."""
    main, *bounds = tested
    found = {"estimate": main.estimate, "n_units": main.n_units, "alpha": alpha, "ci_level": 1 - 2 * alpha, **main.more}
    found |= _pair("ci", main.ci) | _pair("next_unit_ci", found.pop("next_unit_ci", None))
    found |= {f"bands.{band}": p for band, p in ps.items()}
    for at, bound in enumerate(bounds):
        found |= {f"bounds.{at}": bound.estimate, **_pair(f"bounds.{at}.ci", bound.ci)}
    if main.is_of_units:
        found |= spread_of(levels)
        found |= {f"units.{lv.name}.{unit}": mean for lv in levels for unit, mean in lv.means.items()}
        found |= {f"units.{lv.name}.{unit}.k": k for lv in levels for unit, k in lv.k.items() if k is not None}
        found |= {f"units.{lv.name}.{unit}.n": lv.n[unit] for lv in levels for unit, k in lv.k.items() if k is not None}
    return {name: value for name, value in found.items() if value is not None}


def _pair(name: str, ends: Any) -> dict[str, float]:
    return {} if ends is None else {f"{name}.low": ends[0], f"{name}.high": ends[1]}


def published(result: Row) -> dict[str, Any]:
    """The same of one entry of results.json."""
    found = {name: result.get(name) for name in PLAIN} | {"verdict": result["verdict"]}
    found |= _pair("ci", result["ci"]) | _pair("next_unit_ci", result.get("next_unit_ci"))
    found |= {f"bands.{band['name']}": band["p"] for band in result.get("bands", ())}
    for at, bound in enumerate(result.get("bounds", ())):
        found |= {f"bounds.{at}": bound["estimate"], **_pair(f"bounds.{at}.ci", bound["ci"])}
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
    found, refused = recount(RawStudy(PROJECT, name))
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
        gaps = {path: apart(mine[path], theirs[path]) for path in asked}
        wrong = {path: (mine[path], theirs[path]) for path, gap in gaps.items() if gap > TOLERANCE}
        assert not wrong, identity


def test_one_judgement_more_moves_the_recount() -> None:
    name = "bad_counsel_tiny"
    study = RawStudy(PROJECT, name)
    study.db.sql(
        "UPDATE counsel SET label = 'bad' WHERE request_id = (SELECT min(request_id) FROM counsel JOIN completions"
        " USING (request_id) JOIN runs USING (run_id) JOIN items USING (item_id)"
        " WHERE arm = 'bad' AND role = 'bystander' AND counsel.label = 'sound')"
    )
    moved = recount(study)[0]["spread"]["estimate"] - results_of(name)["spread"]["estimate"]
    assert moved == pytest.approx(1 / (8 * 160))


@pytest.mark.parametrize("file", ["recounting.py", "test_recounted.py", "test_recounted_others.py"])
def test_the_recount_imports_duckdb_and_scipy_and_nothing_of_seedlock(file: str) -> None:
    tree = ast.parse((Path(__file__).parent / file).read_text(encoding="utf-8"))
    names = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    names += [str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    foreign = {name.split(".")[0] for name in names} - sys.stdlib_module_names
    assert foreign <= {"duckdb", "scipy", "pytest", "tests"}
    assert {name for name in names if name.startswith("tests")} <= {"tests.recounting"}
