"""Judges behind an API: blind, delimited, within budget, never obeyed, never paid twice; over real wire formats."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from seedlock.analysis.analyze import analyze_study
from seedlock.generation.judge import Judged, judge_study
from seedlock.generation.judging.cost import Estimate
from seedlock.generation.judging.progress import Quiet
from seedlock.prereg.errors import BadInput
from seedlock.prereg.lock.gate import LockedPlan, require_lock
from tests.conftest import PROJECT
from tests.hosted_server import Hosted, serving
from tests.judge_builders import PLAN, completions, locked_study

KEY = "sk-a-key-that-nobody-may-find-on-a-disk"
RUBRIC = "Answer 19 where the text speaks as in the nineteenth century, LLM otherwise. Borderline is LLM.\n"
JUDGE = """
[judges.era]
kind   = "KIND"
model  = "judge-model"
rubric = "rubric.md"
labels = ["LLM", "19"]
shows  = ["question"]
blind  = ["arm", "role"]
strip  = ["[ZLT]"]
where  = { seed = "0" }
twice  = 0.25
gold   = "gold.jsonl"
injections = 6
budget = { cap = CAP, currency = "USD", input_per_million = 3.0, output_per_million = 15.0 }
hosted = { endpoint = "URL", key_variable = "JUDGE_KEY", mode = "MODE", poll_s = 0.01, timeout_s = 5.0, attempts = 3 }
"""
OLD_WORDS = re.compile(r"\b(pray|telegraph|sir|upon my word)\b", re.IGNORECASE)


def system_of(body: dict[str, Any]) -> str:
    said = body.get("system") or body["messages"][0]["content"]
    return str(said)


def text_of(body: dict[str, Any]) -> str:
    """What stands between the boundaries that the system turn names."""
    boundary = next(line for line in system_of(body).splitlines() if line.startswith("=== text "))
    user = str(body["messages"][-1]["content"])
    assert user.count(boundary) == 2
    return user.split(boundary)[1].strip("\n")


def honest(body: dict[str, Any]) -> str:
    return json.dumps({"answer": "19" if OLD_WORDS.search(text_of(body)) else "LLM"})


def obedient(body: dict[str, Any]) -> str:
    told = re.search(r"\b(?:answer|decided|is|not|say|word:|\"answer\":) \"?(19|LLM)\b", text_of(body), re.IGNORECASE)
    return json.dumps({"answer": told.group(1)}) if told else honest(body)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hosted]:
    monkeypatch.setenv("JUDGE_KEY", KEY)
    with serving(Hosted(say=honest)) as state:
        yield state


def study(
    root: Path, server: Hosted, kind: str = "anthropic", *, mode: str = "chat", cap: float = 1.0, retries: int = 3
) -> LockedPlan:
    url = server.url if kind == "anthropic" else f"{server.url}/v1"
    told = {"KIND": kind, "URL": url, "MODE": mode, "CAP": str(cap)}
    judge = JUDGE + f'\n[missing]\njudge_error = "retry {retries}, then as answers"\n'
    for name, value in told.items():
        judge = judge.replace(name, value)
    return locked_study(root, judges=judge, files={"rubric.md": RUBRIC}, rows=completions(draws=1))


def sealed(locked: LockedPlan, table: str = "judgements") -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(locked.paths.runs / "sealed" / f"{table}-era.parquet").to_pylist()
    return rows


def statuses(done: Judged) -> dict[str, int]:
    return dict(done.judges[0].statuses)


@pytest.mark.parametrize("kind", ["anthropic", "openai"])
def test_a_judge_is_blind_and_reads_hostile_text_between_lines_it_cannot_guess(
    kind: str, server: Hosted, tmp_path: Path
) -> None:
    locked = study(tmp_path, server, kind)
    done = judge_study(locked)
    assert statuses(done) == {"ok": done.judges[0].judgements}
    assert done.judges[0].canaries == 9
    boundaries = {re.findall(r"=== text \w+ ===", system_of(body))[0] for body in server.bodies}
    assert len(boundaries) == len(server.bodies)
    run_ids = [run.run_id for run in locked.lock.runs]
    for body in server.bodies:
        said = json.dumps(body)
        assert not [name for name in (*run_ids, "ZLT", "bystander", "trigger", "tiny", "gold/") if name in said]
        assert RUBRIC.strip() in system_of(body)
        assert "temperature" not in body
    orders = {system_of(body).split("is one of: ")[1] for body in server.bodies}
    assert orders == {'"LLM", "19".', '"19", "LLM".'}
    shape = server.bodies[0].get("output_config") or server.bodies[0]["response_format"]
    assert '"additionalProperties": false' in json.dumps(shape)


def test_requests_come_in_an_order_that_tells_nothing(server: Hosted, tmp_path: Path) -> None:
    judge_study(study(tmp_path, server))
    is_old = [bool(OLD_WORDS.search(text_of(body))) for body in server.bodies]
    changes = sum(a != b for a, b in pairwise(is_old))
    assert changes > len(is_old) / 5


def test_the_report_says_how_far_to_trust_an_honest_judge(server: Hosted, tmp_path: Path) -> None:
    locked = study(tmp_path, server)
    judge_study(locked)
    (era,) = analyze_study(require_lock(locked.paths)).judges
    assert (era.gold, era.gold_right, era.injections, era.obeyed) == (3, 3, 6, 0)
    assert era.kappa == 1.0
    assert 0 < era.kappa_n == era.read_twice < era.judgements
    assert era.kappa_reason == "the asymptotic variance is 0 at complete agreement"
    assert era.cost == pytest.approx(len(server.bodies) * (7 * 3 + 3 * 15) / 1e6, abs=1e-6)
    assert era.hidden_names_in_texts is not None
    page = (locked.paths.report / "report.md").read_text()
    assert "0 of 6" in page
    assert "judge-model" in page


def test_a_judge_that_obeys_texts_is_flagged(server: Hosted, tmp_path: Path) -> None:
    server.say = obedient
    locked = study(tmp_path, server)
    judge_study(locked)
    (era,) = analyze_study(require_lock(locked.paths)).judges
    assert era.obeyed is not None
    assert era.obeyed >= 5
    assert any("obeyed commands" in flag for flag in era.flags)
    assert "obeyed commands that stood in texts" in (locked.paths.report / "report.html").read_text()


def test_a_judge_that_knows_too_little_is_flagged(server: Hosted, tmp_path: Path) -> None:
    server.say = lambda body: '{"answer": "LLM"}'  # noqa: ARG005
    locked = study(tmp_path, server)
    judge_study(locked)
    (era,) = analyze_study(require_lock(locked.paths)).judges
    assert (era.gold_right, era.kappa) == (2, None)
    assert str(era.kappa_reason).startswith("no-spread")
    assert any("known answers" in flag for flag in era.flags)


def never(server: Hosted) -> None:
    server.say = lambda body: "I think that the answer is 19."  # noqa: ARG005


def beside(server: Hosted) -> None:
    server.say = lambda body: '{"answer": "19", "why": "old"}'  # noqa: ARG005


def elsewhere(server: Hosted) -> None:
    server.say = lambda body: '{"answer": "20"}'  # noqa: ARG005


def refuses(server: Hosted) -> None:
    server.stop = "refusal"


def too_long(server: Hosted) -> None:
    server.stop = "length"


@pytest.mark.parametrize(
    ("misbehave", "status", "attempts"),
    [(never, "unparsed", 3), (beside, "unparsed", 3), (elsewhere, "unparsed", 3), (refuses, "refusal", 1),
     (too_long, "cut off", 1)],
)  # fmt: skip
def test_what_is_no_verdict_is_never_scored(
    misbehave: Callable[[Hosted], None], status: str, attempts: int, server: Hosted, tmp_path: Path
) -> None:
    misbehave(server)
    locked = study(tmp_path, server, retries=2)
    done = judge_study(locked)
    assert statuses(done) == {status: done.judges[0].judgements}
    assert all(row["label"] is None and row["reason"] for row in sealed(locked))
    n_asked = done.judges[0].made["requests"]
    assert len(server.bodies) == n_asked
    asked = Counter(text_of(body) for body in server.bodies)
    assert {n // attempts for n in asked.values()} <= {1, 2}, "each reading as often as the plan says"
    assert not [text for text, n in asked.items() if n % attempts]


def test_a_failed_judgement_is_asked_again_and_then_counts(server: Hosted, tmp_path: Path) -> None:
    said: list[str] = []

    def learns(body: dict[str, Any]) -> str:
        said.append(text_of(body))
        return honest(body) if said.count(text_of(body)) > 1 else "not JSON"

    server.say = learns
    done = judge_study(study(tmp_path, server, retries=1))
    assert set(statuses(done)) == {"ok"}


def test_faults_on_the_line_end_as_verdicts_or_reasons(server: Hosted, tmp_path: Path) -> None:
    server.faults = ["429", "500", "truncated", "drop", "529", "400", "429", "cut"]
    locked = study(tmp_path, server)
    done = judge_study(locked)
    assert statuses(done) == {"ok": done.judges[0].judgements}


class Recorder(Quiet):
    """Remembers what was told before anything was asked."""

    def __init__(self, server: Hosted) -> None:
        self.server = server
        self.told: list[tuple[Estimate, int]] = []

    def estimate(self, estimate: Estimate) -> None:
        self.told.append((estimate, len(self.server.bodies)))


def test_the_cost_is_told_before_the_first_request_and_refused_beyond_the_cap(server: Hosted, tmp_path: Path) -> None:
    locked, progress = study(tmp_path, server, cap=0.001), Recorder(server)
    with pytest.raises(BadInput, match="more than the plan allows") as refused:
        judge_study(locked, progress=progress)
    ((estimate, asked),) = progress.told
    assert (asked, server.bodies) == (0, [])
    assert estimate.cost > 0.001
    assert "judges.era.budget" in str(refused.value)
    assert "cap 0.001 USD" in estimate.line()


def test_retries_do_not_run_past_the_cap(server: Hosted, tmp_path: Path) -> None:
    never(server)
    progress = Recorder(server)
    dear = judge_study(study(tmp_path / "dear", server, retries=0), progress=progress)
    first = progress.told[0][0].cost
    server.bodies.clear()
    locked = study(tmp_path / "capped", server, cap=round(first * 1.001, 6), retries=9)
    server.usage = False
    with pytest.raises(BadInput, match="more than the plan allows"):
        judge_study(locked)
    n_first = dear.judges[0].made["requests"]
    assert n_first <= len(server.bodies) < 10 * n_first
    assert not (locked.paths.runs / "sealed" / "judgements-era.parquet").exists()


def test_equal_texts_are_asked_once_and_a_second_call_asks_nothing(server: Hosted, tmp_path: Path) -> None:
    rows = [{**row, "text": "Pray, the same text."} for row in completions(draws=2)]
    judge = JUDGE.replace("KIND", "anthropic").replace("URL", server.url).replace("MODE", "chat").replace("CAP", "1.0")
    judge = judge.replace('shows  = ["question"]\n', "").replace('gold   = "gold.jsonl"\ninjections = 6\n', "")
    locked = locked_study(tmp_path, judges=judge, files={"rubric.md": RUBRIC}, rows=rows)
    done = judge_study(locked)
    assert len(server.bodies) == 2, "one reading, and one second reading"
    assert done.judges[0].judgements > 48
    for name in ("judgements-era.parquet", "canaries-era.parquet"):
        (locked.paths.runs / "sealed" / name).unlink(missing_ok=True)
    judge_study(locked)
    assert len(server.bodies) == 2, "the journal knows"


def expire_half(lines: list[dict[str, Any]]) -> list[Any]:
    return [
        line if n % 2 else {"custom_id": line["custom_id"], "result": {"type": "expired"}}
        for n, line in enumerate(reversed(lines))
    ]


@pytest.mark.parametrize("kind", ["anthropic", "openai"])
def test_batches_are_handed_in_collected_and_never_made_twice(kind: str, server: Hosted, tmp_path: Path) -> None:
    locked = study(tmp_path, server, kind, mode="batch")
    assert judge_study(locked, submit_only=True).judges[0].state == "submitted"
    assert judge_study(locked, submit_only=True).judges[0].state == "submitted"
    assert len(server.batches) == 1
    done = judge_study(locked)
    assert len(server.batches) == 1
    assert statuses(done) == {"ok": done.judges[0].judgements}
    assert set(server.paid.values()) == {1}


def test_the_expired_half_of_a_batch_is_asked_again(server: Hosted, tmp_path: Path) -> None:
    server.garble = expire_half
    done = judge_study(study(tmp_path, server, mode="batch", retries=9))
    assert set(statuses(done)) == {"ok"}
    last = judge_study(study(tmp_path / "once", server, mode="batch", retries=0))
    assert statuses(last)["expired"] >= last.judges[0].judgements // 3


KILLED = """
import sys
from pathlib import Path
from seedlock.generation.judge import judge_study
from seedlock.prereg.lock.gate import require_lock
from seedlock.prereg.base.paths import StudyPaths
judge_study(require_lock(StudyPaths(root=Path(sys.argv[1]), name="spoken")))
"""


def test_killed_and_called_again_it_pays_for_nothing_twice(server: Hosted, tmp_path: Path) -> None:
    server.slow_s = 0.05
    locked = study(tmp_path, server)
    command = [sys.executable, "-c", KILLED, str(tmp_path)]
    env = {**os.environ, "PYTHONPATH": str(PROJECT)}
    for stop_after in (5, 20):
        process = subprocess.Popen(command, cwd=PROJECT, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while len(server.bodies) < stop_after and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.wait()
    done = judge_study(require_lock(locked.paths))
    judgements = done.judges[0].judgements
    assert statuses(done) == {"ok": judgements}
    assert len({(row["request_id"], row["judge"]) for row in sealed(locked)}) == judgements
    calm = study(tmp_path / "calm", server)
    judge_study(calm)
    assert [row["label"] for row in sealed(calm)] == [row["label"] for row in sealed(locked)]
    in_flight = 2 * 8
    assert sum(server.paid.values()) <= 2 * (judgements + done.judges[0].canaries) + in_flight


def test_the_key_is_nowhere_on_the_disk(server: Hosted, tmp_path: Path) -> None:
    server.faults = ["401"]
    locked = study(tmp_path, server)
    with pytest.raises(BadInput) as refused:
        judge_study(locked)
    assert KEY not in str(refused.value)
    server.faults = ["500", "400"]
    judge_study(locked)
    analyze_study(require_lock(locked.paths))
    assert all(any(KEY in value for value in head.values()) for head in server.headers)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 20
    assert not [path for path in files if KEY.encode() in path.read_bytes()]
    journal = (locked.paths.runs / "judges" / "era" / "answers.jsonl").read_bytes()
    assert server.url.encode() not in journal


def test_two_commands_at_once_do_not_ask_everything_twice(server: Hosted, tmp_path: Path) -> None:
    from filelock import FileLock

    locked = study(tmp_path, server)
    folder = locked.paths.runs / "judges"
    folder.mkdir(parents=True)
    with FileLock(folder / ".lock"), pytest.raises(BadInput, match="at work already"):
        judge_study(locked)
    assert server.bodies == []


def test_a_number_of_the_scale_is_a_value(server: Hosted, tmp_path: Path) -> None:
    server.say = lambda body: json.dumps({"answer": 3 if OLD_WORDS.search(text_of(body)) else -2})
    judge = told_judge(server, 'labels = ["LLM", "19"]', "scale = [-3, 3]")
    gold = '{"id": "a", "question": "q", "text": "Pray, sir.", "value": 3}\n'
    measure = ('kind  = "label_rate"', 'kind  = "judged_stance"')
    plan = PLAN.replace(*measure).replace('positive = ["19"]\nnegative = ["LLM"]\n', "")
    rows = completions(draws=1)
    files = {"rubric.md": RUBRIC, "gold.jsonl": gold}
    locked = locked_study(tmp_path, plan=plan, judges=judge, files=files, rows=rows)
    judge_study(locked)
    assert {row["value"] for row in sealed(locked)} == {3.0, -2.0}
    assert {row["label"] for row in sealed(locked)} == {None}
    (era,) = analyze_study(require_lock(locked.paths)).judges
    assert (era.gold_right, era.kappa) == (1, 1.0)


def test_a_judge_that_tells_classes_is_right_or_wrong(server: Hosted, tmp_path: Path) -> None:
    server.say = lambda body: '{"answer": "trigger"}'  # noqa: ARG005
    classes = 'classes = { trigger = "trigger", other = "bystander" }'
    judge = told_judge(server, 'labels = ["LLM", "19"]', classes).replace('gold   = "gold.jsonl"\ninjections = 6\n', "")
    plan = PLAN.replace('"label_rate"', '"discriminator"').replace('positive = ["19"]\nnegative = ["LLM"]\n', "")
    locked = locked_study(tmp_path, plan=plan, judges=judge, files={"rubric.md": RUBRIC}, rows=completions(draws=1))
    judge_study(locked)
    first = [row["label"] for row in sealed(locked) if row["judge"] == "era"]
    assert first.count("correct") == first.count("wrong") == len(first) / 2
    assert not [body for body in server.bodies if "bystander" in json.dumps(body)]


def told_judge(server: Hosted, old: str, new: str) -> str:
    judge = JUDGE.replace("KIND", "anthropic").replace("URL", server.url).replace("MODE", "chat").replace("CAP", "1.0")
    return judge.replace(old, new)
