"""What leaves for other tools is what their published schemas ask for, and says what the plan and the report say."""

from __future__ import annotations

import json
import re
import uuid
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from seedlock.analysis.exporters import EXPORTERS, exporter
from seedlock.analysis.exporters.every_eval_ever import eval_records
from seedlock.analysis.exporters.prml import as_yaml, prml_manifests
from seedlock.analysis.results.schema import read_results
from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.lock.gate import LockedPlan, require_lock
from tests.conftest import PLAN, PROJECT, StudyFixture

SCHEMAS = PROJECT / "tests" / "reference" / "schemas"
"""As published; see the README beside them."""
PUBLISHED = sorted(path.parent.name for path in (PROJECT / "reports").glob("*/results.json"))


def schema(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((SCHEMAS / name).read_bytes())
    return found


def published(study: str) -> LockedPlan:
    return require_lock(StudyPaths(root=PROJECT, name=study), only_reading=True)


def test_every_exporter_is_a_file_of_its_name() -> None:
    files = {path.stem for path in (PROJECT / "analysis" / "exporters").glob("*.py")} - {"__init__"}
    assert {name.replace("-", "_") for name in EXPORTERS} == files
    assert all(exporter(name).says for name in EXPORTERS)


@pytest.mark.parametrize("study", PUBLISHED)
def test_manifests_are_valid_prml_in_yaml_and_the_same_each_time(study: str) -> None:
    locked = published(study)
    manifests = dict(prml_manifests(locked))
    validator = jsonschema.Draft202012Validator(
        schema("prml-0.1.schema.json"), format_checker=jsonschema.FormatChecker()
    )
    for manifest in manifests.values():
        read = yaml.safe_load(as_yaml(manifest))
        assert read == manifest
        validator.validate(read)
        assert uuid.UUID(read["claim_id"]).version == 7
        assert re.fullmatch(r"[0-9a-f]{64}", read["dataset"]["hash"])
    assert len({manifest["claim_id"] for manifest in manifests.values()}) == len(manifests)
    assert manifests == dict(prml_manifests(locked))


@pytest.mark.parametrize("study", PUBLISHED)
def test_all_manifests_of_a_hypothesis_hold_where_its_interval_lies_in_the_predicted_band(study: str) -> None:
    """By the manifests' own rule, on the report's intervals: the verdict of the plan, reached another way."""
    locked, results = published(study), read_results(StudyPaths(root=PROJECT, name=study))
    manifests = list(prml_manifests(locked))
    for h in results.hypotheses:
        if h.ci is None or h.alpha_in_family is not None or h.family is not None:
            continue
        limits = {"lower": h.ci[0], "upper": h.ci[1]}
        mine = [m for _, m in manifests if m["metric"].endswith(f" interval of {h.id}")]
        held = [
            limits[m["metric"].split()[0]] > m["threshold"]
            if m["comparator"] == ">"
            else limits[m["metric"].split()[0]] < m["threshold"]
            for m in mine
        ]
        assert mine
        assert all(held) == (h.verdict == [h.predicted]), h.id


def test_a_band_with_two_edges_gives_two_manifests(study: StudyFixture) -> None:
    study.write_plan(PLAN.replace('predicted = "more"', 'predicted = "negligible"'))
    study.run("lock")
    manifests = dict(prml_manifests(require_lock(study.paths)))
    stated = {name: (m["comparator"], m["threshold"]) for name, m in manifests.items()}
    assert stated == {"H1-lower": (">", -0.1), "H1-upper": ("<", 0.1)}
    assert manifests["H1-lower"]["metric_args"] == {
        "interval_level": 0.95, "measure": "marker", "over": "arm", "contrast": {"coupled": 1.0, "plain": -1.0},
        "scale": "raw", "test": "pooled_t",
    }  # fmt: skip


@pytest.mark.parametrize("study", PUBLISHED)
def test_records_are_valid_in_the_schema_of_every_eval_ever(study: str) -> None:
    results = read_results(StudyPaths(root=PROJECT, name=study))
    records = eval_records(published(study), results)
    validator = jsonschema.Draft7Validator(schema("every_eval_ever-0.3.0.schema.json"))
    scores = []
    for name, record in records.items():
        validator.validate(json.loads(json.dumps(record, allow_nan=False)))
        assert re.fullmatch(r"data/[^/]+/[^/]+/[^/]+/[0-9a-f-]{36}\.json", name)
        assert uuid.UUID(Path(name).stem).version == 4
        scores += [result["score_details"]["score"] for result in record["evaluation_results"]]
    if len(published(study).plan.grid.models) == 1:
        assert sorted(scores) == sorted(cell.mean for cell in results.cells if cell.mean is not None)


def test_the_command_line_writes_each_format_and_nothing_over_other_files(
    reported: StudyFixture, tmp_path: Path
) -> None:
    for name in ("prml", "every-eval-ever"):
        said = reported.run("export", "--format", name, "--to", str(tmp_path / name))
        assert "Next: " in said
        reported.run("export", "--format", name, "--to", str(tmp_path / name))
    [file] = (tmp_path / "prml").iterdir()
    assert file.name == "H1-lower.prml.yaml"
    file.write_text("mine", "utf-8")
    refused = reported.run("export", "--format", "prml", "--to", str(tmp_path / "prml"), ok=2)
    assert "holds other files" in refused
    assert file.read_text("utf-8") == "mine"
    assert "ro-crate | latex | prml | every-eval-ever" in reported.run("export", "--format", "docx", ok=2)
