"""A hub id at its commit, from a hub on this machine: its terms first, then its files, then nothing of a network."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

COMMIT = "1234567890abcdef" * 2 + "12345678"
FILES = {
    "config.json": b"{}",
    "model.safetensors": b"w" * 4000,
    "pytorch_model.bin": b"pickled" * 999,
    "README.md": b"---\nlicense: mit\n---\n# A model\n",
    "tokenizer.json": b'{"a": 1}',
}
asked: list[str] = []


class Hub(BaseHTTPRequestHandler):
    """Lists a repository at one commit, and hands out its files."""

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def _answer(self, *, with_body: bool) -> None:
        path = self.path.partition("?")[0]
        asked.append(path)
        name = path.rpartition(f"/resolve/{COMMIT}/")[2]
        if path.startswith("/api/models/org/tiny/"):
            kinds = [
                {"type": "file", "path": n, "rfilename": n, "size": len(b), "oid": "0" * 40} for n, b in FILES.items()
            ]
            listing: object = {
                "id": "org/tiny",
                "sha": COMMIT,
                "siblings": kinds,
                "private": False,
                "tags": [],
                "downloads": 0,
            }
            self._send(json.dumps(kinds if "/tree/" in path else listing).encode(), with_body=with_body)
        elif name in FILES and path.startswith("/org/tiny/"):
            self._send(FILES[name], with_body=with_body)
        else:
            self.send_error(404)

    def _send(self, body: bytes, *, with_body: bool) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Type", "application/json")
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{hashlib.sha1(body).hexdigest()}"')  # noqa: S324 - as the hub does
        self.end_headers()
        if with_body:
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def hub() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, args=[0.02], daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


BRING = """
import sys
from pathlib import Path
from seedlock.prereg.plan.runs import Model
from seedlock.prereg.errors import SeedlockError
from seedlock.training.bases.fetch import fetch
model = Model(base="org/tiny", revision=sys.argv[1], licence=sys.argv[2])
try:
    found = fetch("study", "models.tiny", model, Path("/nowhere"), accepted=set(), say=lambda _: None)
except SeedlockError as error:
    sys.exit(str(error))
print(found.line())
print(*sorted(at.name for at in Path(found.folder).iterdir()))
"""


def bring(home: Path, endpoint: str, *, commit: str = COMMIT, licence: str = "MIT") -> subprocess.CompletedProcess[str]:
    settings = os.environ | {"HF_ENDPOINT": endpoint, "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1"}
    settings |= {"HF_HUB_DISABLE_PROGRESS_BARS": "1", "HF_HUB_OFFLINE": "0", "NO_PROXY": "127.0.0.1"}
    line = [sys.executable, "-c", BRING, commit, licence]
    return subprocess.run(line, capture_output=True, text=True, env=settings, check=False)


def test_a_commit_of_the_hub_comes_once_without_pickled_weights(hub: str, tmp_path: Path) -> None:
    first = bring(tmp_path, hub)
    assert first.stdout.splitlines() == [
        "tiny: org/tiny, mit, is here now",
        "README.md config.json model.safetensors tokenizer.json",
    ], first.stderr
    asked.clear()
    again = bring(tmp_path, hub)
    assert again.stdout.startswith("tiny: org/tiny, mit, was here"), again.stderr
    assert asked == []


def test_a_licence_that_the_card_does_not_have_is_refused_and_so_is_a_commit_that_is_not_there(
    hub: str, tmp_path: Path
) -> None:
    other = bring(tmp_path, hub, licence="Apache-2.0")
    assert other.returncode == 1
    assert "models.tiny.licence" in other.stderr
    assert "mit (the model's own files)" in other.stderr
    absent = bring(tmp_path, hub, commit="f" * 40)
    assert "tiny could not be brought from the hub" in absent.stderr
    assert "Next: seedlock fetch study" in absent.stderr
