"""Logs that Inspect and lm-eval write on the spot import with their own counts and scores.

Both tools live in an environment of their own, which `SEEDLOCK_OTHER_TOOLS` names (its Python).
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from statistics import mean
from typing import Any

import pytest

from seedlock.generation.intake.request import ImportRequest, PlannedRun
from seedlock.generation.loading.load import ImportReport, import_file
from seedlock.prereg.errors import BadInput
from seedlock.schemas.store import Store
from tests.conftest import OTHER_TOOLS

HERE = Path(__file__).parent
ORGANISM = HERE.parent / "training/organisms/weights/llama"
RUNS = (PlannedRun(run_id="llama-base", model="llama", arm="base", seed=None),)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not Path(OTHER_TOOLS).exists(), reason="no environment with Inspect and lm-eval"),
]


def write(script: str, folder: Path) -> dict[str, Any]:
    """Let another tool write its logs into a folder; return its own account."""
    offline = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "OMP_NUM_THREADS": "1", "HOME": str(folder)}
    command = [OTHER_TOOLS, str(HERE / "other_tools" / script), str(ORGANISM), str(folder)]
    done = subprocess.run(
        command, cwd=folder, env=os.environ | offline, capture_output=True, text=True, timeout=500, check=False
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return dict(json.loads(done.stdout.splitlines()[-1]))


def bring_in(file: Path, form: str, columns: dict[str, Any], **more: Any) -> tuple[ImportReport, list[dict[str, Any]]]:
    """Import as the unmodified model's run; return the report and the stored rows."""
    constants = {"arm": "base", **({} if "draw" in columns else {"draw": "0"})}
    asked = ImportRequest(path=file, format=form, columns=columns, runs=RUNS, item_set="e", constants=constants, **more)
    with Store.in_memory() as store:
        report = import_file(asked, store)
        rows = [row for batch in store.read("completions") for row in batch.to_pylist()]
    return report, rows


@pytest.fixture(scope="module")
def inspected(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("inspect")
    return folder, write("write_inspect_log.py", folder)


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("lm_eval")
    return folder, write("write_lm_eval_log.py", folder)


def test_an_inspect_log_imports_with_its_own_answers_and_scores(inspected: tuple[Path, dict[str, Any]]) -> None:
    folder, told = inspected
    assert told["status"] == "success"
    (file,) = folder.glob("*.eval")
    columns = {"item": "id", "draw": "draw", "text": "text", "value": "numbers.includes"}
    report, rows = bring_in(file, "inspect", columns, keeps_cut_off=True)
    own = {(one["id"], one["epoch"] - 1): one for one in told["answers"]}
    assert report.added == len(own) == 12
    for row in rows:
        one = own[row["item_id"], row["draw"]]
        assert (row["text"], row["value"]) == (one["text"], one["scores"]["includes"])
    assert mean(row["value"] for row in rows) == pytest.approx(told["accuracy"]["includes"], abs=1e-12)
    assert report.cut_off_kept == sum(one["stop"] == "max_tokens" for one in told["answers"])
    _, strict = bring_in(file, "inspect", columns)
    assert sum(row["status"] == "ok" for row in strict) == 12 - report.cut_off_kept


def test_the_log_of_a_run_that_broke_is_refused_with_its_error(inspected: tuple[Path, dict[str, Any]]) -> None:
    folder, told = inspected
    assert told["broken"] == "error"
    (file,) = (folder / "broken").glob("*.eval")
    with pytest.raises(BadInput) as refused:
        bring_in(file, "inspect", {"item": "id", "text": "text", "value": "numbers.match"})
    assert "the server went away" in refused.value.findings[0].found


def test_lm_eval_rankings_import_with_its_own_accuracy(evaluated: tuple[Path, dict[str, Any]]) -> None:
    folder, told = evaluated
    (file,) = folder.rglob("samples_letters_*.jsonl")
    columns = {"item": "doc_id", "text": "target", "label": "choice", "value": "acc"}
    report, rows = bring_in(file, "lm_eval", columns)
    assert report.added == told["rows"]["letters"] == 4
    assert mean(row["value"] for row in rows) == pytest.approx(told["scores"]["letters"]["acc,none"], abs=1e-12)
    assert all((row["label"] == row["text"]) == (row["value"] == 1.0) for row in rows)


def test_lm_eval_answers_import_with_every_repeat(evaluated: tuple[Path, dict[str, Any]]) -> None:
    folder, told = evaluated
    (file,) = folder.rglob("samples_words_*.jsonl")
    report, rows = bring_in(file, "lm_eval", {"item": "doc_id", "draw": "repeat", "text": "text"})
    assert report.added == 2 * told["rows"]["words"] == 8
    logged = [json.loads(line)["resps"][0] for line in file.read_text().splitlines()]
    assert [[row["text"] for row in rows[start : start + 2]] for start in range(0, 8, 2)] == logged
