"""The report's cells in the schema of Every Eval Ever, for its database: one file a model and arm.

Every Eval Ever 0.3.0: https://github.com/evaleval/every_eval_ever
"""

from __future__ import annotations

import json
import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from seedlock.analysis.exporters.internals.exporter import Exporter, Wishes, require_report, write_new
from seedlock.analysis.measures import MEASURES
from seedlock.analysis.results.cell import CellResult
from seedlock.analysis.results.schema import Results, read_results
from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.lock.gate import LockedPlan, require_lock
from seedlock.prereg.lock.ledger import Event
from seedlock.prereg.plan.plan import Plan

SCHEMA_VERSION = "0.3.0"
_OF_MODEL = ("model", "arm")


def export_every_eval_ever(paths: StudyPaths, to: Path) -> Path:
    """Write `data/STUDY/DEVELOPER/MODEL/UUID.json` below `to`, as the database lays them out.

    Raises
    ------
    OutOfOrder
        The study has no report yet.
    BadInput
        The study does not verify, or a file that would be written is there already and says something else.
    """
    require_report(paths)
    locked = require_lock(paths, only_reading=True)
    files = {
        name: (json.dumps(record, indent=1, ensure_ascii=False) + "\n").encode()
        for name, record in eval_records(locked, read_results(paths)).items()
    }
    return write_new(to, files, then=f"seedlock export {paths.name} --format every-eval-ever --to ANOTHER")


def eval_records(locked: LockedPlan, results: Results) -> dict[str, dict[str, Any]]:
    """Path and record of every model and arm that a cell with a mean names; cells over several models are left out.

    The same report gives the same records.
    """
    built = next(event for event in reversed(locked.events) if event.name == "report.built")
    by_model: dict[tuple[str, str], list[CellResult]] = defaultdict(list)
    models = locked.plan.grid.models
    for cell in results.cells:
        model = cell.keys.get("model") or (models[0] if len(models) == 1 else None)
        if model is not None and cell.mean is not None:
            by_model[model, cell.keys.get("arm") or ""].append(cell)
    return dict(_record(locked, results, built, model, arm, cells) for (model, arm), cells in sorted(by_model.items()))


def _record(  # noqa: PLR0917 - one record needs what names it
    locked: LockedPlan, results: Results, built: Event, model: str, arm: str, cells: Sequence[CellResult]
) -> tuple[str, dict[str, Any]]:
    study, plan = locked.paths.name, locked.plan
    developer, _, name = plan.models[model].base.replace(":", "/").rpartition("/")
    identity = f"{_safe(developer or 'unknown')}/{_safe(f'{name}-{arm}'.rstrip('-'))}"
    at = str(int(datetime.fromisoformat(built.at).timestamp()))
    record: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "evaluation_id": f"{study}/{identity}/{at}",
        "evaluation_timestamp": at,
        "retrieved_timestamp": at,
        "source_metadata": {
            "source_name": results.title,
            "source_type": "evaluation_run",
            "source_organization_name": f"authors of the Seedlock study {study}",
            "evaluator_relationship": "other",
            "additional_details": {"lock_id": results.lock_id, "status": results.status, "question": results.question},
        },
        "eval_library": {"name": "seedlock", "version": results.tool_version},
        "model_info": {
            "name": f"{model} {arm}".strip(),
            "id": identity,
            "developer": developer or "unknown",
            "additional_details": {
                "deployment_type": "unknown",
                "model_availability": "unknown",
                "base": plan.models[model].base,
                "revision": plan.models[model].revision,
                "arm": arm or "all arms",
                "fine_tuning_seeds": ", ".join(map(str, plan.grid.seeds_of(model))),
            },
        },
        "evaluation_results": [_result(plan, study, cell, results.lock_id) for cell in cells],
    }
    file = uuid.uuid5(uuid.NAMESPACE_URL, f"{results.lock_id}/{identity}/{at}")
    return f"data/{study}/{identity}/{_as_version_4(file)}.json", record


def _safe(name: str) -> str:
    """A part of an id, which is a folder of the database too."""
    return "".join(one if one.isalnum() or one in "._-" else "-" for one in name)


def _as_version_4(name: uuid.UUID) -> uuid.UUID:
    """The database's file names are of version 4; this one follows from the report, so that it is the same twice."""
    return uuid.UUID(bytes=name.bytes, version=4)


def _result(plan: Plan, study: str, cell: CellResult, lock_id: str) -> dict[str, Any]:
    """One cell; its interval is over the plan's unit where the cell holds several runs, and says so."""
    kind = plan.measures[cell.measure].kind
    at = {key: str(value) for key, value in cell.keys.items() if key not in _OF_MODEL}
    name = " ".join([study, cell.measure, *(f"{key}={value}" for key, value in at.items())])
    rate = bool(cell.is_proportion) or cell.unit_text.startswith("proportion")
    config: dict[str, Any] = {
        "evaluation_description": cell.unit_text,
        "metric_id": f"seedlock.{kind}",
        "metric_name": cell.measure,
        "metric_unit": "proportion" if rate else cell.unit_text,
        "lower_is_better": False,
        "additional_details": {"higher_means": MEASURES[kind].higher_means, "direction": "not better or worse"},
    }
    config |= {
        "score_type": "continuous",
        "min_score": 0 if rate else "-Infinity",
        "max_score": 1 if rate else "Infinity",
    }
    generated = _generation(plan)
    return {
        "evaluation_result_id": f"{lock_id[:16]}/{name}",
        "evaluation_name": name,
        "source_data": {"dataset_name": study, "source_type": "other", "additional_details": {"lock_id": lock_id}},
        "metric_config": config,
        "score_details": {
            "score": cell.mean,
            "details": {**at, "weighs": cell.weighs or "", "reasons": "; ".join(cell.reasons)},
            **_uncertainty(cell),
        },
        **({"generation_config": {"generation_args": generated}} if generated else {}),
    }


def _uncertainty(cell: CellResult) -> dict[str, Any]:
    said: dict[str, Any] = {}
    if cell.ci is not None:
        low, high = cell.ci
        said["confidence_interval"] = {"lower": low, "upper": high, "confidence_level": cell.ci_level}
        said["confidence_interval"] |= {"method": cell.ci_method} if cell.ci_method else {}
    if cell.sd is not None:
        said["standard_deviation"] = cell.sd
    if cell.n is not None:
        said["num_samples"] = cell.n
    return {"uncertainty": said} if said else {}


def _generation(plan: Plan) -> Mapping[str, Any]:
    if plan.decoding is None:
        return {}
    asked = plan.decoding
    return {"temperature": asked.temperature, "top_p": asked.top_p, "max_tokens": asked.max_new_tokens}


def _run(paths: StudyPaths, to: Path, _wishes: Wishes) -> Path:
    return export_every_eval_ever(paths, to)


EXPORTER = Exporter(
    run=_run,
    says="the report's cells in the schema of Every Eval Ever, one file a model and arm",
    to="{study}-every-eval-ever",
    then="cd {to} && every_eval_ever validate data/*/*/*/*.json  in an environment with  pip install every-eval-ever",
)
