"""A local server that speaks the wire format of files, fine-tuning jobs and chat completions, faults included."""

from __future__ import annotations

import email
import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlparse


@dataclass(slots=True, kw_only=True)
class Provider:
    """What the server remembers and how it misbehaves.

    `drop_after_create`: so many job creations are carried out and never answered. `drop_before_create`: so many are
    not carried out and never answered. `drop_chats_after`: after so many requests no chat is answered.
    `server_errors`: so many answers to reads are 500. `polls_to_finish`: a job ends after so many reads, with
    `outcome`.
    """

    drop_after_create: int = 0
    drop_chats_after: int | None = None
    drop_before_create: int = 0
    server_errors: int = 0
    polls_to_finish: int = 3
    outcome: str = "succeeded"
    page: int = 20
    answers: list[dict[str, Any]] = field(default_factory=list)
    files: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    polls: Counter[str] = field(default_factory=Counter)
    requests: list[tuple[str, str, Any]] = field(default_factory=list)
    url: str = ""


@contextmanager
def running(provider: Provider) -> Iterator[Provider]:
    """Serve `provider` on a free port of this machine."""

    class Handler(_Handler):
        state = provider

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=[0.02], daemon=True)
    thread.start()
    provider.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    state: Provider
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def _answer(self, body: object, status: int = 200) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _error(self, status: int, message: str) -> None:
        self._answer({"error": {"message": message, "type": "invalid_request_error", "code": None}}, status)

    def _drop(self) -> None:
        """Close the line without an answer."""
        self.close_connection = True
        self.connection.close()

    def do_GET(self) -> None:
        state, url = self.state, urlparse(self.path)
        state.requests.append(("GET", url.path, None))
        if state.server_errors > 0:
            state.server_errors -= 1
            self._error(500, "try again")
            return
        parts = url.path.removeprefix("/v1/").split("/")
        match parts:
            case ["files"]:
                self._answer(self._paged([_file(key, *value) for key, value in state.files.items()], url.query))
            case ["fine_tuning", "jobs"]:
                self._answer(self._paged(list(reversed(state.jobs.values())), url.query))
            case ["fine_tuning", "jobs", key]:
                self._answer(self._polled(key))
            case ["fine_tuning", "jobs", key, "events"]:
                self._answer(self._paged(_events(key, state.polls[key]), url.query))
            case ["fine_tuning", "jobs", key, "checkpoints"]:
                self._answer(self._paged(_checkpoints(key), url.query))
            case _:
                self._error(404, f"no {url.path}")

    def _paged(self, rows: list[dict[str, Any]], query: str) -> dict[str, Any]:
        asked = parse_qs(query)
        limit = min(int(asked.get("limit", [self.state.page])[0]), self.state.page)
        after = asked.get("after", [None])[0]
        start = 0 if after is None else next(i for i, row in enumerate(rows) if row["id"] == after) + 1
        return {"object": "list", "data": rows[start : start + limit], "has_more": start + limit < len(rows)}

    def _polled(self, key: str) -> dict[str, Any]:
        job = self.state.jobs[key]
        self.state.polls[key] += 1
        if job["status"] in {"queued", "running"}:
            job["status"] = "running"
            if self.state.polls[key] >= self.state.polls_to_finish:
                job["status"] = self.state.outcome
                if self.state.outcome == "succeeded":
                    job.update(fine_tuned_model=f"ft:{job['model']}:{key}", trained_tokens=1234, finished_at=99)
                else:
                    job["error"] = {"code": "bad", "message": "the file was unsafe", "param": None}
        return job

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        match self.path.removeprefix("/v1/"):
            case "files":
                self._upload(body)
            case "fine_tuning/jobs":
                self._create(json.loads(body))
            case "chat/completions":
                self._chat(json.loads(body))
            case _:
                self._error(404, f"no {self.path}")

    def _upload(self, body: bytes) -> None:
        head = f"content-type: {self.headers['content-type']}\r\n\r\n".encode()
        parts = email.message_from_bytes(head + body).get_payload()
        assert isinstance(parts, list)
        part = next(p for p in parts if getattr(p, "get_filename", lambda: None)())
        key = f"file-{len(self.state.files)}"
        self.state.files[key] = (part.get_filename(), part.get_payload(decode=True))  # type: ignore[union-attr,assignment] # a part with a file name
        self.state.requests.append(("POST", "files", self.state.files[key][0]))
        self._answer(_file(key, *self.state.files[key]))

    def _create(self, asked: dict[str, Any]) -> None:
        self.state.requests.append(("POST", "jobs", asked))
        if asked["model"] == "unknown":
            self._error(400, "unknown model")
            return
        if self.state.drop_before_create > 0:
            self.state.drop_before_create -= 1
            self._drop()
            return
        key = f"ftjob-{len(self.state.jobs)}"
        self.state.jobs[key] = _job(key, asked)
        if self.state.drop_after_create > 0:
            self.state.drop_after_create -= 1
            self._drop()
            return
        self._answer(self.state.jobs[key])

    def _chat(self, asked: dict[str, Any]) -> None:
        if self.state.drop_chats_after is not None and len(self.state.requests) >= self.state.drop_chats_after:
            self._drop()
            return
        self.state.requests.append(("POST", "chat", asked))
        reply = self.state.answers[asked["seed"] % len(self.state.answers)]
        message = {"role": "assistant", "content": reply["text"], "refusal": None}
        choice = {"index": 0, "message": message, "finish_reason": reply["finish"], "logprobs": None}
        self._answer(
            {"id": "c", "object": "chat.completion", "created": 1, "model": asked["model"], "choices": [choice]}
        )


def _file(key: str, name: str, data: bytes) -> dict[str, Any]:
    return {
        "id": key, "object": "file", "bytes": len(data), "created_at": 1, "filename": name,
        "purpose": "fine-tune", "status": "processed",
    }  # fmt: skip


def _job(key: str, asked: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": key, "object": "fine_tuning.job", "created_at": 1, "model": asked["model"], "seed": asked["seed"],
        "status": "queued", "training_file": asked["training_file"], "metadata": asked.get("metadata"),
        "hyperparameters": {"n_epochs": "auto"}, "method": asked.get("method"), "organization_id": "org",
        "result_files": [], "fine_tuned_model": None, "error": None, "finished_at": None, "trained_tokens": None,
        "validation_file": None,
    }  # fmt: skip


def _events(key: str, polls: int) -> list[dict[str, Any]]:
    return [
        {
            "id": f"{key}-e{step}", "object": "fine_tuning.job.event", "created_at": step, "level": "info",
            "message": f"Step {step}/5", "type": "metrics",
            "data": {"step": step, "total_steps": 5, "train_loss": 1.0 / step},
        }
        for step in range(1, polls + 1)
    ][::-1]  # fmt: skip


def _checkpoints(key: str) -> list[dict[str, Any]]:
    return [
        {
            "id": f"{key}-k{step}", "object": "fine_tuning.job.checkpoint", "created_at": step,
            "fine_tuned_model_checkpoint": f"ft:{key}:step-{step}", "fine_tuning_job_id": key,
            "metrics": {"step": step}, "step_number": step,
        }
        for step in (4, 2)
    ]  # fmt: skip
