"""The ledger: what is written stays written, and every way to change it is seen."""

from __future__ import annotations

import json
import multiprocessing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seedlock.prereg.base.canonical import canonical_json, sha256_bytes
from seedlock.prereg.errors import LedgerBroken
from seedlock.prereg.lock.ledger import append_event, head_path, read_ledger


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    path = tmp_path / "study" / "ledger.jsonl"
    append_event(path, "plan.locked", {"lock": "lock-0001.json", "lock_id": "a" * 64})
    append_event(path, "run.started", {"run_id": "r1"})
    append_event(path, "run.finished", {"run_id": "r1"})
    return path


def test_events_come_back_in_order_each_chained_to_the_one_before(ledger: Path) -> None:
    events = read_ledger(ledger)
    assert [event.name for event in events] == ["plan.locked", "run.started", "run.finished"]
    assert [event.body["prev"] for event in events] == [None, events[0].sha256, events[1].sha256]


def test_prev_is_the_sha256_of_the_whole_previous_line(ledger: Path) -> None:
    lines = ledger.read_bytes().splitlines(keepends=True)
    assert json.loads(lines[1])["prev"] == sha256_bytes(lines[0])


@settings(max_examples=60)
@given(data=st.data())
def test_any_flipped_byte_is_seen(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    path = tmp_path_factory.mktemp("flip") / "study" / "ledger.jsonl"
    for n in range(3):
        append_event(path, "run.started", {"run_id": f"r{n}"})
    raw = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] ^= data.draw(st.integers(1, 255))
    path.write_bytes(bytes(raw))
    with pytest.raises(LedgerBroken):
        read_ledger(path)


@pytest.mark.parametrize("keep", [0, 1, 2])
def test_lines_cut_off_the_end_are_seen(ledger: Path, keep: int) -> None:
    lines = ledger.read_bytes().splitlines(keepends=True)
    ledger.write_bytes(b"".join(lines[:keep]))
    with pytest.raises(LedgerBroken):
        read_ledger(ledger)


def test_a_removed_ledger_is_seen(ledger: Path) -> None:
    ledger.unlink()
    with pytest.raises(LedgerBroken):
        read_ledger(ledger)


def test_an_unknown_event_fails_closed(ledger: Path) -> None:
    last = read_ledger(ledger)[-1]
    line = canonical_json({"event": "data.forgotten", "n": 4, "at": "now", "prev": last.sha256}) + b"\n"
    ledger.write_bytes(ledger.read_bytes() + line)
    head_path(ledger).write_text(sha256_bytes(line) + "\n")
    with pytest.raises(LedgerBroken, match=r"data\.forgotten"):
        read_ledger(ledger)


def test_nothing_is_appended_to_a_broken_chain(ledger: Path) -> None:
    before = ledger.read_bytes().replace(b"r1", b"r2", 1)
    ledger.write_bytes(before)
    with pytest.raises(LedgerBroken):
        append_event(ledger, "run.started", {"run_id": "r3"})
    assert ledger.read_bytes() == before


def test_a_crash_between_the_line_and_its_head_is_healed_by_the_next_append(ledger: Path) -> None:
    head = head_path(ledger).read_bytes()
    append_event(ledger, "run.started", {"run_id": "r2"})
    head_path(ledger).write_bytes(head)  # the machine died before the head was replaced
    assert len(read_ledger(ledger)) == 4
    append_event(ledger, "run.finished", {"run_id": "r2"})
    assert len(read_ledger(ledger)) == 5


def test_a_half_written_line_is_dropped_by_the_next_append(ledger: Path) -> None:
    ledger.write_bytes(ledger.read_bytes() + b'{"at":"20')
    with pytest.raises(LedgerBroken):
        read_ledger(ledger)
    append_event(ledger, "run.started", {"run_id": "r2"})
    assert [event.body["n"] for event in read_ledger(ledger)] == [1, 2, 3, 4]


def _append_many(path: str) -> None:
    for n in range(20):
        append_event(Path(path), "run.started", {"run_id": f"r{n}"})


def test_two_processes_append_without_losing_a_line(ledger: Path) -> None:
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_append_many, args=(str(ledger),)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(read_ledger(ledger)) == 43
