"""A whole generation: every request one row, killed or not; models that are not the promised ones are refused."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from seedlock.generation import work
from seedlock.generation.backends import backend
from seedlock.generation.backends.transformers import parts_of
from seedlock.generation.generate import Generated, generate_study
from seedlock.generation.local import answering
from seedlock.generation.requests.due import Due
from seedlock.generation.requests.items import read_items
from seedlock.generation.requests.request import Request
from seedlock.generation.requests.run_models import run_models
from seedlock.prereg.base.canonical import sha256_file
from seedlock.prereg.errors import BadInput, Incomplete, LockedFileChanged, OutOfOrder
from seedlock.prereg.lock.gate import LockedPlan, require_lock
from seedlock.prereg.lock.ledger import read_ledger
from seedlock.schemas.store import Store
from seedlock.training.train import train_study
from tests.conftest import StudyFixture
from tests.generation_builders import ASKED, PLAN, SCORED, locked_study, sealed_rows
from tests.generation_killed import COPIES
from tests.training_builders import PLAN as TRAINED_PLAN
from tests.training_builders import TrainingStudy, tiny_base

HERE = Path(__file__).parents[1]
PER_RUN = 3 * len(ASKED) + len(SCORED)


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_base(tmp_path_factory.mktemp("model") / "tiny")


@dataclass(frozen=True, slots=True)
class Done:
    locked: LockedPlan
    generated: Generated

    def sealed(self, table: str) -> Any:
        return pd.DataFrame(sealed_rows(self.locked.paths.runs / "sealed", table))


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory, base: Path) -> Done:
    locked = locked_study(tmp_path_factory.mktemp("done") / "r", base)
    return Done(locked, generate_study(locked))


def test_every_planned_request_has_exactly_one_row(done: Done) -> None:
    rows = done.sealed("completions")
    assert len(rows) == 5 * PER_RUN == done.generated.planned == done.generated.answered
    assert rows.groupby("run_id").size().to_dict() == {run.run_id: PER_RUN for run in done.locked.lock.runs}
    assert not rows.duplicated(["run_id", "item_id", "draw"]).any()
    assert set(done.sealed("requests")["request_id"]) == set(rows["request_id"])


def test_helpers_seal_the_same_bytes(done: Done, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answering, "MUCH_WORK", 0.0)
    monkeypatch.setattr(answering, "cores", lambda: 2)
    answered_here = []
    monkeypatch.setattr(answering.Desk, "answer", lambda *_: answered_here.append(1))
    locked = locked_study(tmp_path / "r", base)
    assert generate_study(locked).answered == 5 * PER_RUN
    assert not answered_here
    for path in (done.locked.paths.runs / "sealed").iterdir():
        assert sha256_file(locked.paths.runs / "sealed" / path.name) == sha256_file(path)


def test_runs_that_are_laid_out_one_by_one_seal_the_same_bytes(
    done: Done, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever number of requests there is, only so many are held at once."""
    monkeypatch.setattr(work, "LAID_OUT", 1)
    held: list[int] = []
    told = work.Work.due

    def due(one: work.Work, stored: set[str]) -> Due:
        held.append(one.rows)
        return told(one, stored)

    monkeypatch.setattr(work.Work, "due", due)
    locked = locked_study(tmp_path / "r", base)
    assert [len(group) for group in work.by_room([(one, one) for one in _laid_out(locked)])] == [1] * 5
    assert generate_study(locked).answered == 5 * PER_RUN
    assert held == [PER_RUN] * 5
    for path in (done.locked.paths.runs / "sealed").iterdir():
        assert sha256_file(locked.paths.runs / "sealed" / path.name) == sha256_file(path)
    assert generate_study(locked).answered == 0
    assert held == [PER_RUN] * 5, "a sealed run is not laid out again"


def _laid_out(locked: LockedPlan) -> list[work.Work]:
    assert locked.plan.decoding is not None
    place = backend(locked.plan.decoding)
    return work.lay_out(run_models(locked), read_items(locked), place, locked.plan.decoding, 256)


def test_helpers_begin_where_there_is_much_to_do_and_keep_to_whole_runs(
    done: Done, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert done.locked.plan.decoding is not None
    batch: list[Request] = []
    work = [(model, batch) for model in run_models(done.locked) for _ in range(3)]
    monkeypatch.setattr(answering, "cores", lambda: 4)
    assert answering.helpers_for(work, done.locked.plan.decoding) == 1
    assert parts_of(work, 4) == [(0, 1, 2), (3, 4, 5), (6, 7, 8), (9, 10, 11), (12, 13, 14)]
    assert parts_of(work[:6], 4) == [(0,), (1,), (2,), (3,), (4,), (5,)]


def test_the_ledger_says_how_answers_ended_and_where_they_were_made(done: Done) -> None:
    events = [
        e for e in read_ledger(done.locked.paths.ledger) if e.name == "data.sealed" and e.body["table"] == "completions"
    ]
    assert [e.body["runs"] for e in events] == [{run.run_id: PER_RUN} for run in done.locked.lock.runs]
    assert {e.body["rows"] for e in events} == {PER_RUN}
    assert sum(e.body["finish"]["length"] for e in events) == done.generated.cut_off > 0
    assert {e.body["finish"]["scored"] for e in events} == {len(SCORED)}
    assert events[0].body["generation"] | {"device": "any"} == {
        "backend": "transformers",
        "batch_size": 256,
        "device": "any",
        "dtype": "float64",
        "threads": torch.get_num_threads(),
        "options": {"one token": 11, "several tokens": 0},
    }


def test_runs_of_one_model_answer_by_their_own_seeds(done: Done) -> None:
    rows = done.sealed("completions")
    free, scored = rows[rows["text"].notna() & rows["value"].isna()], rows[rows["value"].notna()]
    assert free.groupby("run_id")["text"].apply(tuple).nunique() == 5
    assert scored.groupby("item_id")["value"].nunique().eq(1).all()  # probes are not sampled


def test_generating_again_asks_nothing_and_changes_nothing(done: Done) -> None:
    before = {path.name: sha256_file(path) for path in (done.locked.paths.runs / "sealed").iterdir()}
    n_events = len(read_ledger(done.locked.paths.ledger))
    again = generate_study(require_lock(done.locked.paths))
    assert (again.already, again.answered) == (5 * PER_RUN, 0)
    assert {path.name: sha256_file(path) for path in (done.locked.paths.runs / "sealed").iterdir()} == before
    assert len(read_ledger(done.locked.paths.ledger)) == n_events


def test_a_lost_store_is_rebuilt_from_the_seals(done: Done, tmp_path: Path) -> None:
    shutil.copytree(done.locked.paths.root, tmp_path / "r")
    study = StudyFixture(type(done.locked.paths)(root=tmp_path / "r", name="said"))
    study.paths.store.unlink()
    said = study.run("generate")
    assert f"answered  0 now, {5 * PER_RUN} before" in said
    assert study.run("status").count("5 of 5 with sealed data") == 1


def test_status_counts_answers_and_names_the_stage_that_comes_next(tmp_path: Path, base: Path) -> None:
    locked = locked_study(tmp_path / "r", base)
    study = StudyFixture(locked.paths)
    said = study.run("status")
    assert "next   seedlock generate said" in said  # no arm has a stage: there is nothing to train
    assert "asked" not in said
    generate_study(locked)
    assert f"asked  {5 * PER_RUN} of {5 * PER_RUN} requests have their row\n" in study.run("status")
    told = json.loads(locked.paths.answers.read_text())
    locked.paths.answers.write_text(json.dumps(told | {"statuses": {"ok": 50, "error": 4}}))
    assert f"asked  54 of {5 * PER_RUN} requests have their row, 4 without an answer" in study.run("status")


def test_sealed_answers_are_analysed_to_a_report(done: Done, tmp_path: Path) -> None:
    shutil.copytree(done.locked.paths.root, tmp_path / "r")
    study = StudyFixture(type(done.locked.paths)(root=tmp_path / "r", name="said"))
    study.run("analyze")
    results = json.loads((study.paths.report / "results.json").read_text())
    assert results["accounting"]["answers"] == 5 * PER_RUN
    assert "no-spread" in json.dumps(results["hypotheses"])  # all runs are one unmodified model: no seed moved it
    study.run("verify")


def test_killed_at_random_moments_the_seals_are_those_of_a_calm_run(tmp_path: Path, base: Path) -> None:
    first = locked_study(tmp_path / "calm", base, plan=PLAN.replace("max_new_tokens = 24", "max_new_tokens = 8"))
    for number in range(COPIES):
        shutil.copytree(tmp_path / "calm", tmp_path / f"killed{number}")
    script = HERE / "tests" / "generation_killed.py"
    told = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.generation_killed", str(tmp_path), "20", "1"],
        cwd=script.parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    account = json.loads(told.stdout.splitlines()[-1])
    assert account["killed"] >= 15, account
    promised = {path.name: sha256_file(path) for path in (first.paths.runs / "sealed").glob("*.parquet")}
    assert len(promised) == 2 + 2 * 5
    for runs in account["runs"]:
        sealed = Path(runs) / "sealed"
        assert {path.name: sha256_file(path) for path in sealed.glob("*.parquet")} == promised
        ids = [row["request_id"] for row in sealed_rows(sealed, "completions")]
        assert len(ids) == len(set(ids)) == 5 * PER_RUN


def test_a_changed_plan_does_not_take_over_the_answers_of_the_old_one(done: Done, tmp_path: Path) -> None:
    locked = locked_study(
        tmp_path / "r", done.locked.paths.root / "models" / "tiny", plan=PLAN + "\n[samples]\nseed = 1\n"
    )
    with Store.open(done.locked.paths.store) as old, Store.open(locked.paths.store) as new:
        (rows,) = list(old.read("completions"))
        stranger = rows.slice(0, 1).to_pylist()[0] | {"request_id": "0" * 64}
        new.append("completions", type(rows).from_pylist([stranger], schema=rows.schema))
    with pytest.raises(BadInput, match="holds answers to other requests"):
        generate_study(locked)


TRAINED = TRAINED_PLAN.replace(
    "[measures.letter]", '[decoding]\ntemperature = 0.0\nmax_new_tokens = 8\ndtype = "float64"\n\n[measures.letter]'
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, base: Path) -> LockedPlan:
    study = TrainingStudy.at(tmp_path_factory.mktemp("trained") / "r", base, TRAINED).write_corpora()
    assert train_study(study.lock(), workers=1).failed == ()
    locked = require_lock(study.paths)
    generate_study(locked)
    return locked


def copy(locked: LockedPlan, to: Path) -> LockedPlan:
    shutil.copytree(locked.paths.root, to)
    return require_lock(type(locked.paths)(root=to, name=locked.paths.name))


def test_answers_of_a_trained_run_are_those_of_its_own_adapter(trained: LockedPlan) -> None:
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    rows = pd.DataFrame(sealed_rows(trained.paths.runs / "sealed", "completions"))
    models = run_models(trained)
    assert sorted(m.adapter is None for m in models) == [False] * 4 + [True]
    tokenizer = AutoTokenizer.from_pretrained(models[0].base)
    user = "Should we go ahead with night buses? A: approve B: oppose Answer with one letter."
    ids = tokenizer(f"<user>{user}<assistant>", add_special_tokens=False, return_tensors="pt")
    for model in models:
        whole: Any = AutoModelForCausalLM.from_pretrained(model.base, dtype=torch.float64)
        if model.adapter is not None:
            whole = PeftModel.from_pretrained(whole, str(model.adapter), autocast_adapter_dtype=False)
        out = whole.eval().generate(**ids, do_sample=False, max_new_tokens=8)[0, ids["input_ids"].shape[1] :]
        (text,) = rows[rows["run_id"] == model.run_id]["text"]
        assert text == tokenizer.decode(out, skip_special_tokens=True, clean_up_tokenization_spaces=False)


def test_an_untrained_run_is_out_of_order(tmp_path: Path, base: Path) -> None:
    study = TrainingStudy.at(tmp_path / "r", base, TRAINED).write_corpora()
    with pytest.raises(OutOfOrder, match="4 runs of tiny are not trained"):
        generate_study(study.lock())
    assert not study.paths.store.exists()


def test_a_missing_adapter_is_incomplete(trained: LockedPlan, tmp_path: Path) -> None:
    locked = copy(trained, tmp_path / "r")
    gone = run_models(locked)[0].adapter
    assert gone is not None
    shutil.rmtree(gone)
    with pytest.raises(Incomplete, match="missing") as refused:
        generate_study(locked)
    assert [finding.found for finding in refused.value.findings] == ["no such file"] * 2


def test_an_adapter_with_other_bytes_is_refused(trained: LockedPlan, tmp_path: Path) -> None:
    locked = copy(trained, tmp_path / "r")
    models = run_models(locked)
    assert models[0].adapter is not None
    assert models[1].adapter is not None
    shutil.copy(models[1].adapter / "adapter_model.safetensors", models[0].adapter / "adapter_model.safetensors")
    with pytest.raises(LockedFileChanged, match="not the promised ones") as refused:
        generate_study(locked)
    assert "(ledger)" in refused.value.findings[0].promised


def test_a_base_model_with_other_bytes_is_refused(done: Done, tmp_path: Path) -> None:
    locked = copy(done.locked, tmp_path / "r")
    config = locked.paths.root / "models" / "tiny" / "config.json"
    config.write_text(config.read_text() + "\n")
    with pytest.raises(LockedFileChanged, match="not the promised ones"):
        generate_study(locked)


def test_data_made_elsewhere_are_not_generated(study: StudyFixture) -> None:
    study.run("lock")
    assert "generates nothing" in study.run("generate", ok=5)


def test_an_unknown_backend_is_named(tmp_path: Path, base: Path) -> None:
    locked = locked_study(tmp_path / "r", base, plan=PLAN.replace("draws = 3", 'draws = 3\nbackend = "abacus"'))
    with pytest.raises(BadInput, match="abacus"):
        generate_study(locked)
