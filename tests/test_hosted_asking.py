"""Models behind an API: every request ends as one outcome, none is paid for twice, no failure is an answer."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from seedlock.generation.hosted.asking import Ask, Outcome
from seedlock.generation.hosted.journal import Journal
from seedlock.generation.hosted.open import Provider, open_place
from seedlock.generation.hosted.rate_limit import Pace, backoff_s
from seedlock.generation.requests.items import Turn
from seedlock.prereg.errors import BadInput, Incomplete
from seedlock.prereg.plan.hosted import Hosted as Settings
from tests.hosted_server import Hosted, serving

KEY = "sk-a-very-secret-key"
PROVIDERS: tuple[Provider, ...] = ("openai", "anthropic")
N = 12


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


def asks(n: int = N, **changes: Any) -> list[Ask]:
    return [
        Ask(
            id=f"q-{number}",
            model="m",
            turns=(Turn(role="system", content="Be brief."), Turn(role="user", content=f"Question {number}")),
            max_tokens=20,
            temperature=1.0,
            **changes,
        )
        for number in range(n)
    ]


def settings(server: Hosted, provider: Provider, **changes: Any) -> Settings:
    endpoint = server.url + ("/v1" if provider == "openai" else "")
    return Settings.model_validate({"endpoint": endpoint, "timeout_s": 5.0, "poll_s": 0.01, "attempts": 4} | changes)


def answered(server: Hosted, provider: Provider, folder: Path, n: int = N, **changes: Any) -> dict[str, Outcome]:
    with open_place(provider, settings(server, provider, **changes), folder) as place:
        found = list(place.outcomes(asks(n)))
    assert len(found) == len({outcome.id for outcome in found}) == n
    return {outcome.id: outcome for outcome in found}


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("mode", ["chat", "batch"])
def test_every_request_has_its_own_answer(server: Hosted, provider: Provider, mode: str, tmp_path: Path) -> None:
    server.garble = lambda lines: lines[::-1]
    found = answered(server, provider, tmp_path, mode=mode)
    assert {id: outcome.text for id, outcome in found.items()} == {f"q-{i}": f"Question {i}!" for i in range(N)}
    assert {(o.status, o.finish, o.prompt_tokens, o.new_tokens, o.served_by) for o in found.values()} == {
        ("ok", "stop", 7, 3, "m-2026")
    }
    assert set(server.paid.values()) == {1}
    again = answered(server, provider, tmp_path, mode=mode)
    assert again == found
    assert sum(server.paid.values()) == N


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("mode", ["chat", "batch"])
def test_no_line_to_a_provider_stays_open(server: Hosted, provider: Provider, mode: str, tmp_path: Path) -> None:
    lines = 0
    with open_place(provider, settings(server, provider, mode=mode), tmp_path) as place:
        for _ in place.outcomes(asks()):
            lines = max(lines, server.lines)
    assert lines > 0
    until = time.monotonic() + 10
    while server.lines and time.monotonic() < until:
        time.sleep(0.01)
    assert server.lines == 0


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("fault", ["429", "500", "529"])
def test_what_was_not_carried_out_is_asked_again(
    server: Hosted, provider: Provider, fault: str, tmp_path: Path
) -> None:
    server.faults = [fault] * 5
    found = answered(server, provider, tmp_path)
    assert {outcome.status for outcome in found.values()} == {"ok"}
    assert len(server.bodies) == N + 5
    assert set(server.paid.values()) == {1}


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("fault", ["hang", "truncated", "cut", "drop", "502"])
def test_a_plan_may_leave_lost_answers_missing_and_pay_for_nothing_twice(
    server: Hosted, provider: Provider, fault: str, tmp_path: Path
) -> None:
    server.faults = ["", fault, "", fault]
    found = answered(server, provider, tmp_path, timeout_s=0.4, unanswered="missing")
    lost = [outcome for outcome in found.values() if outcome.status != "ok"]
    assert [(o.status, o.finish, o.text, "may be paid for" in str(o.reason)) for o in lost] == [
        ("error", "failed", None, True)
    ] * 2
    assert len(server.bodies) == N
    assert answered(server, provider, tmp_path, unanswered="missing") == found
    assert len(server.bodies) == N


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("fault", ["hang", "truncated", "cut", "drop", "502"])
def test_a_lost_answer_is_asked_for_again_and_counted_as_perhaps_paid_for_twice(
    server: Hosted, provider: Provider, fault: str, tmp_path: Path
) -> None:
    server.faults = [fault, "429", fault]
    found = answered(server, provider, tmp_path, timeout_s=0.4)
    assert {outcome.status for outcome in found.values()} == {"ok"}
    with open_place(provider, settings(server, provider), tmp_path) as place:
        assert sum(place.sent_again(id) for id in found) == 2 >= sum(server.paid.values()) - N


@pytest.mark.parametrize("provider", PROVIDERS)
def test_an_idempotent_endpoint_is_asked_again_and_paid_once(
    server: Hosted, provider: Provider, tmp_path: Path
) -> None:
    server.faults = ["drop", "429", "truncated", "drop"]
    found = answered(server, provider, tmp_path, idempotent=True, unanswered="missing")
    assert {outcome.status for outcome in found.values()} == {"ok"}
    assert len(server.bodies) == N + 4
    assert set(server.paid.values()) == {1}
    assert {headers["idempotency-key"] for headers in server.headers} == set(found)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_no_key_of_a_request_is_sent_to_an_endpoint_that_promises_nothing(
    server: Hosted, provider: Provider, tmp_path: Path
) -> None:
    answered(server, provider, tmp_path)
    assert not any("idempotency-key" in headers for headers in server.headers)


def test_the_wait_that_a_provider_asks_for_is_kept_by_every_request(server: Hosted, tmp_path: Path) -> None:
    server.faults, server.retry_after = ["429"], "0.6"
    answered(server, "openai", tmp_path, at_once=1)
    assert server.times[1] - server.times[0] >= 0.6


def test_a_rejected_request_is_a_row_and_the_others_go_on(server: Hosted, tmp_path: Path) -> None:
    server.faults = ["", "400"]
    found = answered(server, "openai", tmp_path, at_once=1)
    assert [o.reason for o in found.values() if o.status != "ok"] == ["status 400: try again: Bearer [key]"]


@pytest.mark.parametrize("fault", ["429", "500", "400", "drop"])
def test_a_provider_that_answers_nothing_makes_no_table_of_failures(server: Hosted, fault: str, tmp_path: Path) -> None:
    server.faults = [fault] * 1000
    server.retry_after = None
    with pytest.raises(Incomplete, match="answered none of 20 requests in a row"):
        answered(server, "openai", tmp_path, n=60, attempts=1)
    server.faults.clear()
    found = answered(server, "openai", tmp_path, n=60)
    assert sum(o.status == "ok" for o in found.values()) >= (32 if fault == "drop" else 60)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_wrong_key_stops_at_once_and_is_not_repeated(server: Hosted, provider: Provider, tmp_path: Path) -> None:
    server.faults = ["401"] * 100
    with pytest.raises(BadInput, match="the key is refused") as refused:
        answered(server, provider, tmp_path, at_once=1)
    assert KEY not in str(refused.value)
    assert len(server.bodies) == 1


def test_no_key_is_named_before_anything_is_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(BadInput, match="no key") as refused:
        open_place("openai", Settings(), tmp_path)
    assert "OPENAI_API_KEY" in str(refused.value)


@pytest.mark.parametrize("endpoint", ["https://me:secret@host/v1", "ftp://host", "host", "https://host/v1?key=x"])
def test_an_address_that_could_hold_a_secret_is_no_plan(endpoint: str) -> None:
    with pytest.raises(ValueError, match="endpoint"):
        Settings(endpoint=endpoint)


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("mode", ["chat", "batch"])
def test_the_key_is_written_nowhere(server: Hosted, provider: Provider, mode: str, tmp_path: Path) -> None:
    server.faults = ["", "400", "429"]
    answered(server, provider, tmp_path, mode=mode)
    assert all(KEY.encode() not in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert server.url.encode() not in b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    if mode == "chat":
        sent = server.headers[0]
        assert KEY in (sent.get("authorization", "") + sent.get("x-api-key", ""))


def test_no_more_are_in_flight_than_the_plan_allows(server: Hosted, tmp_path: Path) -> None:
    server.slow_s = 0.05
    answered(server, "openai", tmp_path, at_once=3)
    assert server.most_flying == 3


def test_requests_and_tokens_a_minute_are_kept() -> None:
    now = 0.0
    sent: list[float] = []

    async def sleep(seconds: float) -> None:
        nonlocal now
        now += seconds

    async def all_of(pace: Pace, tokens: int, n: int) -> None:
        for _ in range(n):
            await pace.turn(tokens)
            sent.append(now)

    asyncio.run(all_of(Pace(30, None, clock=lambda: now, sleep=sleep), 1, 4))
    assert sent == pytest.approx([0, 2, 4, 6])
    sent.clear()
    now = 0.0
    asyncio.run(all_of(Pace(600, 1000, clock=lambda: now, sleep=sleep), 100, 3))
    assert sent == pytest.approx([0, 6, 12])


def test_waits_grow_and_are_never_the_same_for_all() -> None:
    rng = random.Random(1)
    waits = [[backoff_s(attempt, rng) for _ in range(200)] for attempt in range(9)]
    assert all(max(later) > max(sooner) for sooner, later in pairwise(waits[:6]))
    assert max(waits[8]) <= 60
    assert len(set(waits[3])) == 200


def test_a_journal_cut_off_in_a_line_is_read_up_to_it(tmp_path: Path) -> None:
    file = tmp_path / "answers.jsonl"
    first = Journal(file)
    first.ask("a")
    first.keep(Outcome(id="a", status="ok", finish="stop", text="\u2028é\n", top=(("A", -0.5),)))
    first.close()
    whole = file.read_bytes()
    file.write_bytes(whole + b'{"outcome": {"id": "b", "sta')
    second = Journal(file)
    assert second.outcome("a") == Outcome(id="a", status="ok", finish="stop", text="\u2028é\n", top=(("A", -0.5),))
    second.ask("b")
    second.close()
    assert file.read_bytes() == whole + b'{"asked": "b"}\n'
    file.write_bytes(b'{"outcome": 3}\n' + whole)
    with pytest.raises(BadInput, match="journal"):
        Journal(file)


def _forked(work: Any) -> int:
    """Run in a fork that may be killed."""
    child = os.fork()
    if not child:
        try:
            work()
            os._exit(0)
        except BaseException:
            os._exit(1)
    return child


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("provider", PROVIDERS)
def test_killed_while_asking_what_is_left_missing_is_not_paid_for_twice(
    server: Hosted, provider: Provider, tmp_path: Path
) -> None:
    server.slow_s = 0.03
    for kill in range(4):
        child = _forked(lambda: answered(server, provider, tmp_path, n=40, at_once=3, unanswered="missing"))
        time.sleep(0.25 + 0.1 * kill)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    time.sleep(0.2)
    found = answered(server, provider, tmp_path, n=40, at_once=3, unanswered="missing")
    assert set(server.paid.values()) == {1}
    lost = [o for o in found.values() if o.status != "ok"]
    assert len(lost) <= 4 * 3
    assert {str(o.reason)[:17] for o in lost} <= {"the command ended"}


@pytest.mark.parametrize("provider", PROVIDERS)
def test_half_a_batch_expired_is_half_expired_rows(server: Hosted, provider: Provider, tmp_path: Path) -> None:
    def expire(lines: list[dict[str, Any]]) -> list[Any]:
        ended = {"code": "batch_expired", "message": "too late"}
        return [
            line
            if number % 2
            else {"custom_id": line["custom_id"], "response": None, "error": ended, "result": {"type": "expired"}}
            for number, line in enumerate(lines)
        ]

    server.garble = expire
    found = answered(server, provider, tmp_path, mode="batch")
    assert sorted(o.status for o in found.values()) == ["expired"] * 6 + ["ok"] * 6
    assert all(o.text is None and o.reason for o in found.values() if o.status == "expired")


@pytest.mark.parametrize("provider", PROVIDERS)
def test_results_with_a_wrong_id_a_double_a_broken_line_and_a_gap(
    server: Hosted, provider: Provider, tmp_path: Path
) -> None:
    def garble(lines: list[dict[str, Any]]) -> list[Any]:
        said = json.dumps(lines[5])
        other = json.loads(json.dumps(lines[6]).replace("Question 6!", "Something else"))
        wrong = {**lines[1], "custom_id": "q-999"}
        return [lines[0], wrong, *lines[2:5], lines[2], said[: len(said) // 2].encode(), *lines[6:11], other]

    server.garble = garble
    found = answered(server, provider, tmp_path, mode="batch")
    bad = {id: str(o.reason) for id, o in found.items() if o.status != "ok"}
    assert set(bad) == {"q-1", "q-5", "q-6", "q-11"}
    assert all(found[id].text is None and found[id].status == "error" for id in bad)
    assert "two different results" in bad["q-6"]
    assert "1 of its lines cannot be read" in bad["q-5"]
    assert found["q-2"].text == "Question 2!"


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("fault", ["429", "500", "drop before", "drop", "truncated"])
def test_a_batch_whose_creation_was_not_answered_is_created_once(
    server: Hosted, provider: Provider, fault: str, tmp_path: Path
) -> None:
    server.batch_faults = [fault]
    server.hidden = 2 if fault == "drop" else 0  # the list lags behind
    found = answered(server, provider, tmp_path, mode="batch")
    assert {o.status for o in found.values()} == {"ok"}
    assert len(server.batches) == 1
    assert set(server.paid.values()) == {1}


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("provider", PROVIDERS)
def test_killed_between_creating_a_batch_and_noting_it(server: Hosted, provider: Provider, tmp_path: Path) -> None:
    server.slow_s = 30.0  # created at once, answered much later
    child = _forked(lambda: answered(server, provider, tmp_path, mode="batch", timeout_s=60.0))
    while not server.batches:
        time.sleep(0.01)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    server.slow_s = 0.0
    found = answered(server, provider, tmp_path, mode="batch")
    assert {o.status for o in found.values()} == {"ok"}
    assert len(server.batches) == 1


def test_a_strangers_batch_of_the_same_size_is_not_taken_for_ours(server: Hosted, tmp_path: Path) -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "Who?"}]}
    server.add_batch([(f"x-{number}", body) for number in range(N)], {})
    server.batch_faults = ["drop before"]
    found = answered(server, "anthropic", tmp_path, mode="batch")
    assert {o.text for o in found.values()} == {f"Question {i}!" for i in range(N)}
    assert [len(batch["requests"]) for batch in server.batches.values()] == [N, N]


def test_more_requests_than_a_batch_holds_go_into_several(
    server: Hosted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("seedlock.generation.hosted.openai_api.OpenAiApi.max_batch", 5)
    answered(server, "openai", tmp_path, mode="batch")
    assert [len(batch["requests"]) for batch in server.batches.values()] == [5, 5, 2]
    assert set(server.paid.values()) == {1}


@pytest.mark.parametrize(
    ("provider", "stop", "expected"),
    [
        ("openai", "length", ("ok", "length")),
        ("openai", "content_filter", ("refusal", "stop")),
        ("openai", "tool_calls", ("error", "failed")),
        ("anthropic", "length", ("ok", "length")),
        ("anthropic", "refusal", ("refusal", "stop")),
        ("anthropic", "tool_use", ("error", "failed")),
        ("anthropic", "pause_turn", ("error", "failed")),
    ],
)
def test_how_an_answer_ended_is_kept_apart(
    server: Hosted, provider: Provider, stop: str, expected: tuple[str, str], tmp_path: Path
) -> None:
    server.stop = stop
    found = answered(server, provider, tmp_path, n=1)["q-0"]
    assert (found.status, found.finish) == expected
    assert (found.reason is None) == (found.status == "ok")


@pytest.mark.parametrize("provider", PROVIDERS)
def test_what_is_not_set_is_not_sent(server: Hosted, provider: Provider, tmp_path: Path) -> None:
    bare = Ask(id="q", model="m", turns=(Turn(role="user", content="Hi"),), max_tokens=5)
    shaped = Ask(id="r", model="m", turns=bare.turns, max_tokens=5, top_p=0.5, schema={"type": "object"})
    with open_place(provider, settings(server, provider, at_once=1), tmp_path) as place:
        list(place.outcomes([bare, shaped]))
    first, second = server.bodies
    assert not {"temperature", "top_p", "seed", "logprobs", "system", "response_format", "output_config"} & set(first)
    assert second["top_p"] == 0.5
    assert '{"type": "object"}' in json.dumps(second)


def test_the_most_probable_first_tokens_come_back(server: Hosted, tmp_path: Path) -> None:
    server.top = [("A", -0.1), ("B", -2.4)]
    with open_place("openai", settings(server, "openai"), tmp_path) as place:
        (found,) = place.outcomes(asks(1, top_logprobs=20))
    assert found.top == (("A", -0.1), ("B", -2.4))
    assert server.bodies[0]["top_logprobs"] == 20


@pytest.mark.parametrize("id", ["", "x" * 65, "ä", "a b", "a/b"])
def test_an_id_that_a_provider_would_refuse_is_refused_here(id: str) -> None:
    with pytest.raises(ValueError, match="at most 64"):
        Ask(id=id, model="m", turns=(Turn(role="user", content="Hi"),), max_tokens=5)
