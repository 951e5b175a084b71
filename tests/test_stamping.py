"""A timestamp is asked for and kept only where it is whole and of the statement; authority and calendar are ours."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib import import_module
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from seedlock.prereg.base.canonical import sha256_file
from seedlock.prereg.lock.ledger import read_ledger
from seedlock.prereg.verify.chain import verify_study
from seedlock.prereg.verify.trust import bring_trust
from tests.conftest import StudyFixture
from tests.evidence_builders import make_authority, make_header, make_timestamp


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificate of a timestamp authority, its key beside it."""
    return make_authority(tmp_path_factory.mktemp("tsa") / "tsa")


@contextmanager
def served(authority: Path) -> Iterator[str]:
    """The authority over HTTP, replies made by openssl; its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.headers["Content-Type"] == "application/timestamp-query"
            query = authority.parent / "asked.tsq"
            query.write_bytes(self.rfile.read(int(self.headers["Content-Length"])))
            made = ["openssl", "ts", "-reply", "-config", "tsa.cnf", "-queryfile", query.name]
            reply = subprocess.run(made, cwd=authority.parent, check=True, capture_output=True).stdout
            self.send_response(200)
            self.end_headers()
            self.wfile.write(reply)

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, args=[0.02], daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/tsr"
        finally:
            server.shutdown()
            thread.join()


def level_3(study: StudyFixture, **trust: Path) -> str:
    done = verify_study(study.paths, trust=bring_trust(Path("/nowhere"), **trust))
    return next(check.state for check in done.checks if check.id == "E3")


def test_one_command_asks_an_authority_and_keeps_a_reply_that_verifies(study: StudyFixture, authority: Path) -> None:
    study.run("lock")
    with served(authority) as address:
        said = study.run("stamp", "--tsa", address)
    assert "stamped   lockfiles/spread/ledger-line-0001.json.tsr" in said
    assert read_ledger(study.paths.ledger)[-1].name == "timestamp.added"
    study.run("import", str(study.bring_data()))
    assert level_3(study, authorities=authority) == "pass"


def test_where_nobody_answers_nothing_is_kept_and_another_is_asked(study: StudyFixture, authority: Path) -> None:
    study.run("lock")
    assert "another authority" in study.run("stamp", "--tsa", "http://127.0.0.1:9/tsr", ok=2)
    assert "http://" in study.run("stamp", "--tsa", "file:///etc/passwd", ok=2)
    assert not list(study.paths.locks.glob("*.tsr"))
    with served(authority) as address:
        study.run("stamp", "--tsa", address)


def test_a_reply_for_other_bytes_or_none_at_all_is_not_kept(
    study: StudyFixture, authority: Path, tmp_path: Path
) -> None:
    study.run("lock")
    study.run("stamp")
    (tmp_path / "other").write_text("other bytes")
    make_timestamp(authority, tmp_path / "other", tmp_path / "other.tsr")
    assert "another document" in study.run("stamp", str(tmp_path / "other.tsr"), ok=8)
    (tmp_path / "no.tsr").write_bytes(b"<html>busy</html>")
    assert "holds no timestamp" in study.run("stamp", str(tmp_path / "no.tsr"), ok=8)
    assert not list(study.paths.locks.glob("*.tsr"))
    assert [event.name for event in read_ledger(study.paths.ledger)] == ["plan.locked"]


def proof(document: Path, *, is_complete: bool) -> tuple[bytes, bytes]:
    """An OpenTimestamps proof as a calendar of ours makes it, and what a block's Merkle root must be for it."""
    notary, op, serialize, stamps = (
        import_module(f"opentimestamps.core.{name}") for name in ("notary", "op", "serialize", "timestamp")
    )
    stamp = stamps.Timestamp(bytes.fromhex(sha256_file(document)))
    end = stamp.ops.add(op.OpAppend(b"salt")).ops.add(op.OpSHA256())
    end.attestations.add(notary.PendingAttestation("https://calendar.example.org"))
    if is_complete:
        end.attestations.add(notary.BitcoinBlockHeaderAttestation(900_000))
    context = serialize.BytesSerializationContext()
    stamps.DetachedTimestampFile(op.OpSHA256(), stamp).serialize(context)
    return context.getbytes(), end.msg


def test_a_proof_is_kept_once_it_reaches_a_block(study: StudyFixture, tmp_path: Path) -> None:
    pytest.importorskip("opentimestamps")
    study.run("lock")
    study.run("stamp")
    statement = study.paths.locks / "ledger-line-0001.json"
    beside = statement.with_name(f"{statement.name}.ots")  # where  ots stamp  writes it
    beside.write_bytes(proof(statement, is_complete=False)[0])
    assert "ots upgrade" in study.run("stamp", str(beside), ok=2)
    complete, root = proof(statement, is_complete=True)
    beside.write_bytes(complete)
    assert "stamped" in study.run("stamp", str(beside))
    (tmp_path / "headers").write_text(make_header(merkle_root=root).hex() + "\n")
    study.run("import", str(study.bring_data()))
    assert level_3(study, headers=tmp_path / "headers") == "pass"
    (tmp_path / "other.ots").write_bytes(proof(study.paths.plan, is_complete=True)[0])
    assert "another document" in study.run("stamp", str(tmp_path / "other.ots"), ok=8)
