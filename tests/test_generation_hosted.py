"""Studies whose runs live behind an API: the same table of answers, every request one row, none paid for twice."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from seedlock.generation.generate import Generated, generate_study
from seedlock.generation.requests.run_models import run_models
from seedlock.prereg.errors import BadInput, OutOfOrder
from seedlock.prereg.lock.gate import LockedPlan, require_lock
from seedlock.prereg.lock.ledger import append_event, read_ledger
from seedlock.prereg.lock.lock import create_lock
from seedlock.prereg.plan.read import read_plan
from tests.generation_builders import ASKED, PLAN, locked_study, sealed_rows, write_study
from tests.hosted_server import Hosted, serving
from tests.training_builders import tiny_base

KEY = "sk-a-very-secret-key"
FREE = PLAN.replace('[items.scored]\nfile = "scored.jsonl"\nprobe = true\n', "")
RUNS = 5


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_base(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    monkeypatch.setattr("seedlock.generation.hosted.rate_limit.FIRST_WAIT_S", 0.05)
    monkeypatch.setattr("seedlock.generation.hosted.batches.FIRST_LOOK_S", 0.01)


@pytest.fixture
def server() -> Iterator[Hosted]:
    with serving(Hosted()) as state:
        yield state


def plan(server: Hosted, backend: str, *, free: bool = True, **settings: Any) -> str:
    endpoint = server.url + ("/v1" if backend == "openai" else "")
    told = {"endpoint": endpoint, "timeout_s": 5.0, "poll_s": 0.01, "served": {"tiny": "the-model"}} | settings
    lines = [f"{name} = {_toml(value)}" for name, value in told.items()]
    table = "\n[hosted]\n" + "\n".join(lines) + "\n"
    text = (FREE if free else PLAN).replace("draws = 3", f'draws = 3\nbackend = "{backend}"')
    return text.replace("\n[measures.stance]", f"{table}\n[measures.stance]")


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f'"{key}" = "{name}"' for key, name in value.items()) + " }"
    return str(value).lower() if isinstance(value, bool) else repr(value)


def rows(locked: LockedPlan, table: str = "completions") -> Any:
    return pd.DataFrame(sealed_rows(locked.paths.runs / "sealed", table))


@pytest.mark.parametrize("backend", ["openai", "anthropic"])
@pytest.mark.parametrize("mode", ["chat", "batch"])
def test_every_planned_request_has_one_row_and_is_paid_for_once(
    server: Hosted, backend: str, mode: str, base: Path, tmp_path: Path
) -> None:
    server.faults = ["429", "500"]
    locked = locked_study(tmp_path / "r", base, plan=plan(server, backend, mode=mode))
    done = generate_study(locked)
    found = rows(locked)
    assert done.planned == len(found) == RUNS * 3 * len(ASKED)
    assert set(found["status"]) == {"ok"}
    assert sum(server.paid.values()) == done.planned
    asked = {row["item_id"]: row["user"] for row in ASKED}
    assert all(text == f"{asked[item]}!" for item, text in zip(found["item_id"], found["text"], strict=True))
    events = [
        e for e in read_ledger(locked.paths.ledger) if e.name == "data.sealed" and e.body["table"] == "completions"
    ]
    assert len(events) == RUNS
    assert events[-1].body["generation"] | {"options": None} == {
        "options": None,
        "backend": backend,
        "batch_size": 256,
        "mode": mode,
        "sampling_sent": True,
        "seed_sent": backend == "openai",
        "served_by": ["the-model-2026"],
        "lost_and_asked_again": 0,
        "may_be_paid_twice": 0,
    }
    if mode == "batch":
        assert len(server.batches) == 1
    again: Generated = generate_study(require_lock(locked.paths))
    assert (again.answered, sum(server.paid.values())) == (0, done.planned)
    assert all(KEY.encode() not in p.read_bytes() for p in locked.paths.root.rglob("*") if p.is_file())


def test_a_request_carries_the_turns_and_the_settings_of_the_plan(server: Hosted, base: Path, tmp_path: Path) -> None:
    locked = locked_study(
        tmp_path / "r", base, plan=plan(server, "openai").replace("draws = 3", "draws = 3\ntop_p = 0.9")
    )
    generate_study(locked)
    body = next(b for b in server.bodies if b["messages"][0]["role"] == "system")
    assert body["messages"][0]["content"] == "You are a helpful assistant."
    assert {name: body[name] for name in ("model", "temperature", "top_p", "max_completion_tokens")} == {
        "model": "the-model", "temperature": 1.0, "top_p": 0.9, "max_completion_tokens": 24,
    }  # fmt: skip
    seeds = [b["seed"] for b in server.bodies]
    assert len(set(seeds)) == len(seeds)
    assert set(rows(locked, "requests")["seed"]) == set(seeds)


def test_a_model_that_refuses_sampling_settings_is_sent_none(server: Hosted, base: Path, tmp_path: Path) -> None:
    locked = locked_study(tmp_path / "r", base, plan=plan(server, "anthropic", sampling=False))
    generate_study(locked)
    assert not any({"temperature", "top_p"} & set(body) for body in server.bodies)


@pytest.mark.parametrize("backend", ["openai", "anthropic"])
def test_outcomes_that_are_no_answer_are_rows_with_their_status(
    server: Hosted, backend: str, base: Path, tmp_path: Path
) -> None:
    server.stop = "content_filter" if backend == "openai" else "refusal"
    server.faults = ["", "", "truncated"]
    locked = locked_study(tmp_path / "r", base, plan=plan(server, backend, unanswered="missing"))
    done = generate_study(locked)
    assert done.statuses == {"refusal": done.planned - 1, "error": 1}
    assert rows(locked)["reason"].notna().all()


def test_probes_are_scored_from_the_first_tokens_that_the_api_names(server: Hosted, base: Path, tmp_path: Path) -> None:
    server.top = [("A", -0.5), ("B", -1.5), ("4", -3.0), (" A", -4.0)]
    server.say = lambda _: "A"
    locked = locked_study(tmp_path / "r", base, plan=plan(server, "openai", free=False))
    generate_study(locked)
    found = rows(locked).set_index("item_id")
    pro, con, rate = (found.loc[[f"tram/{name}"]].iloc[0] for name in ("pro", "con", "rate"))
    assert (pro["value"], pro["label"], pro["status"]) == (1.0, "pro", "ok")
    assert (con["value"], con["label"]) == (-1.0, "con")
    assert rate["status"] == "unparsed"
    assert rate["value"] != rate["value"]  # null
    assert "'1'" in rate["reason"]
    masses = rows(locked, "requests").set_index("item_id")["option_mass"]
    assert masses["tram/pro"].iloc[0] == pytest.approx(0.6065306597 + 0.2231301601)
    assert masses["tram/rate"].isna().all()


def test_probes_of_an_api_without_log_probabilities_are_no_plan(server: Hosted, base: Path, tmp_path: Path) -> None:
    paths = write_study(tmp_path / "r", base, plan=plan(server, "anthropic", free=False))
    with pytest.raises(BadInput, match="no log-probabilities"):
        read_plan(paths.plan)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"served": {"tinny": "x"}}, "did you mean 'tiny'"),
        ({"served": {"tiny/plain/7": "x"}}, "unknown "),
        ({"mode": "fast"}, "mode"),
        ({"endpoint": "http://a:b@c"}, "key_variable"),
    ],
)
def test_settings_that_cannot_be_meant_are_no_plan(
    server: Hosted, settings: dict[str, Any], says: str, base: Path, tmp_path: Path
) -> None:
    paths = write_study(tmp_path / "r", base, plan=plan(server, "openai", **settings))
    with pytest.raises(BadInput, match=says):
        read_plan(paths.plan)


def test_the_table_without_such_a_backend_is_no_plan(base: Path, tmp_path: Path) -> None:
    text = PLAN.replace("\n[measures.stance]", "\n[hosted]\nat_once = 2\n\n[measures.stance]")
    paths = write_study(tmp_path / "r", base, plan=text)
    with pytest.raises(BadInput, match="anthropic"):
        read_plan(paths.plan)


TRAINED = """
[corpora.c]
recipe = "benign_chat"
n = 8

[stages.tune]
trainer = "hosted"
corpus = "c"

[measures.stance]"""


def test_fine_tuned_runs_answer_under_the_names_their_jobs_ended_with(
    server: Hosted, base: Path, tmp_path: Path
) -> None:
    text = plan(server, "openai", served={"tiny": "base-name", "tiny/other/1": "by-hand"})
    text = text.replace("plain = {}\nother = {}", 'plain = { stages = ["tune"] }\nother = { stages = ["tune"] }')
    paths = write_study(tmp_path / "r", base, plan=text.replace("\n[measures.stance]", TRAINED))
    (paths.study / "corpora").mkdir()
    (paths.study / "corpora" / "c.jsonl").write_text("{}\n")
    create_lock(paths, design_check={})
    with pytest.raises(OutOfOrder, match="4 runs of said are not trained"):
        run_models(require_lock(paths))
    for run in require_lock(paths).lock.runs:
        if run.seed is not None:
            load = {"hosted_model": None if (run.arm, run.seed) == ("other", 1) else f"ft:{run.arm}:{run.seed}"}
            append_event(paths.ledger, "run.finished", {"run_id": run.run_id, "stages": [], "load": load})
    locked = require_lock(paths)
    names = {model.label: model.served for model in run_models(locked)}
    assert names == {
        "tiny/plain/0": "ft:plain:0",
        "tiny/plain/1": "ft:plain:1",
        "tiny/other/0": "ft:other:0",
        "tiny/other/1": "by-hand",
        "tiny/base": "base-name",
    }
    generate_study(locked)
    assert {body["model"] for body in server.bodies} == set(names.values())


def killed_often(server: Hosted, locked: LockedPlan) -> Generated:
    """Generate with three kills at moments when requests are on their way, then to the end."""
    for kill in range(3):
        child = os.fork()
        if not child:
            try:
                generate_study(require_lock(locked.paths))
                os._exit(0)
            except BaseException:
                os._exit(1)
        heard = len(server.bodies)
        until = time.monotonic() + 30
        while len(server.bodies) < heard + 3 + 5 * kill and not server.batches and time.monotonic() < until:
            time.sleep(0.005)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    while server.flying:
        time.sleep(0.02)
    return generate_study(require_lock(locked.paths))


def ledger_sum(locked: LockedPlan, key: str) -> int:
    """What the seals of all runs say together of how their answers were made."""
    events = read_ledger(locked.paths.ledger)
    return sum(e.body["generation"].get(key, 0) for e in events if e.body.get("table") == "completions")


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork.*:DeprecationWarning")
def test_killed_at_any_moment_a_batch_is_paid_for_once(server: Hosted, base: Path, tmp_path: Path) -> None:
    server.slow_s, server.polls_to_end = 0.02, 30
    locked = locked_study(tmp_path / "r", base, plan=plan(server, "openai", mode="batch"))
    done = killed_often(server, locked)
    assert set(server.paid.values()) == {1}
    found = rows(locked)
    assert len(found) == done.planned == found["request_id"].nunique()
    assert set(found["status"]) == {"ok"}
    assert done.may_be_paid_twice == 0


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("backend", ["openai", "anthropic"])
def test_requests_that_a_kill_cut_off_are_asked_again_and_counted(
    server: Hosted, backend: str, base: Path, tmp_path: Path
) -> None:
    server.slow_s = 0.05
    locked = locked_study(tmp_path / "r", base, plan=plan(server, backend, at_once=4))
    done = killed_often(server, locked)
    found = rows(locked)
    assert len(found) == done.planned == found["request_id"].nunique()
    assert set(found["status"]) == {"ok"}
    twice = len(server.bodies) - done.planned
    assert 0 < twice <= 3 * 4
    assert sum(server.paid.values()) - done.planned == twice
    assert ledger_sum(locked, "may_be_paid_twice") == done.may_be_paid_twice >= twice - 3
    assert "may be paid for twice" in " ".join(done.lines())


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork.*:DeprecationWarning")
def test_an_endpoint_that_knows_a_request_again_is_paid_once_whatever_was_killed(
    server: Hosted, base: Path, tmp_path: Path
) -> None:
    server.slow_s = 0.05
    locked = locked_study(tmp_path / "r", base, plan=plan(server, "openai", at_once=4, idempotent=True))
    done = killed_often(server, locked)
    assert set(rows(locked)["status"]) == {"ok"}
    assert len(server.bodies) > done.planned
    assert set(server.paid.values()) == {1}
    assert (done.may_be_paid_twice, ledger_sum(locked, "may_be_paid_twice")) == (0, 0)
    assert ledger_sum(locked, "lost_and_asked_again") > 0


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork.*:DeprecationWarning")
def test_a_plan_may_leave_what_a_kill_cut_off_missing(server: Hosted, base: Path, tmp_path: Path) -> None:
    server.slow_s = 0.05
    locked = locked_study(tmp_path / "r", base, plan=plan(server, "openai", at_once=2, unanswered="missing"))
    done = killed_often(server, locked)
    found = rows(locked)
    assert len(found) == done.planned == found["request_id"].nunique()
    assert set(server.paid.values()) <= {1}
    lost = found[found["status"] != "ok"]
    assert 0 < len(lost) <= 3 * 2
    assert lost["reason"].str.startswith("the command ended").all()
    assert ledger_sum(locked, "may_be_paid_twice") == 0
