"""A local server that speaks chat completions, OpenAI batches, Messages and Message Batches, faults included.

It counts what a provider would bill: `paid` holds every request that was carried out, answered or not.
"""

from __future__ import annotations

import email
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlparse

STATUSES = {"429": 429, "500": 500, "529": 529, "502": 502, "400": 400, "401": 401, "404": 404}


@dataclass(slots=True, kw_only=True)
class Hosted:
    """What the server remembers, and how it misbehaves.

    `faults`: taken one a chat request: a status, "hang" (carried out, answered too late), "truncated" (half the JSON),
    "cut" (the line breaks within the answer), "drop" (carried out, never answered). `batch_faults`: the same for batch
    creations; "drop" creates the batch. A request under an `Idempotency-Key` that was carried out is not billed again.
    `garble` rewrites the result lines of a batch. `say` answers a body. `lines` counts connections that are open.
    """

    say: Callable[[dict[str, Any]], str] = field(default=lambda body: f"{body['messages'][-1]['content']}!")
    faults: list[str] = field(default_factory=list)
    batch_faults: list[str] = field(default_factory=list)
    garble: Callable[[list[dict[str, Any]]], list[Any]] = field(default=lambda lines: lines)
    retry_after: str | None = "0.05"
    hang_s: float = 1.0
    slow_s: float = 0.0
    polls_to_end: int = 2
    stop: str = "stop"
    usage: bool = True
    top: list[tuple[str, float]] | None = None
    hidden: int = 0
    paid: Counter[str] = field(default_factory=Counter)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    files: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    batches: dict[str, dict[str, Any]] = field(default_factory=dict)
    once: set[str] = field(default_factory=set)
    lines: int = 0
    flying: int = 0
    most_flying: int = 0
    lock: Any = field(default_factory=threading.RLock)
    url: str = ""

    def add_batch(self, requests: list[tuple[str, dict[str, Any]]], told: dict[str, Any]) -> str:
        """Carry out a batch of requests, named by their ids."""
        with self.lock:
            key = f"batch-{len(self.batches)}"
            for id, _ in requests:
                self.paid[id] += 1
            self.batches[key] = {"requests": requests, "polls": 0, "at": datetime.now(UTC), **told}
            return key

    def polled(self, key: str) -> bool:
        """Count a look at a batch; True once it has ended."""
        with self.lock:
            self.batches[key]["polls"] += 1
            return bool(self.batches[key]["polls"] >= self.polls_to_end)

    def listed(self) -> list[str]:
        """Batches, newest first; `hidden` of the newest are not in the list yet, for so many lists."""
        newest = list(reversed(self.batches))
        if self.hidden > 0:
            self.hidden -= 1
            return newest[1:]
        return newest


@contextmanager
def serving(state: Hosted) -> Iterator[Hosted]:
    """Serve on a free port of this machine."""

    class Handler(_Handler):
        hosted = state

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=[0.02], daemon=True)
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    hosted: Hosted
    protocol_version = "HTTP/1.1"

    def setup(self) -> None:
        super().setup()
        with self.hosted.lock:
            self.hosted.lines += 1

    def finish(self) -> None:
        super().finish()
        with self.hosted.lock:
            self.hosted.lines -= 1

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        state, url = self.hosted, urlparse(self.path)
        match url.path.removeprefix("/v1/").split("/"):
            case ["files"]:
                self._answer(_page([_file(key, *value) for key, value in state.files.items()]))
            case ["files", key, "content"]:
                self._send(b"\n".join(_dumped(line) for line in _openai_lines(state, key)), "application/jsonl")
            case ["batches"]:
                self._answer(_page([_openai_batch(state, key) for key in state.listed()]))
            case ["batches", key]:
                state.polled(key)
                self._answer(_openai_batch(state, key))
            case ["messages", "batches"]:
                self._answer(self._anthropic_page(parse_qs(url.query)))
            case ["messages", "batches", key]:
                state.polled(key)
                self._answer(_anthropic_batch(state, key))
            case ["messages", "batches", key, "results"]:
                lines = state.garble([_anthropic_line(state, *one) for one in state.batches[key]["requests"]])
                self._send(b"\n".join(map(_dumped, lines)), "application/x-jsonl")
            case _:
                self._error(404, f"no {url.path}")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        match self.path.partition("?")[0].removeprefix("/v1/"):
            case "files":
                self._upload(body)
            case "batches":
                asked = json.loads(body)
                lines = [json.loads(line) for line in self.hosted.files[asked["input_file_id"]][1].splitlines()]
                self._create([(x["custom_id"], x["body"]) for x in lines], asked, _openai_batch)
            case "messages/batches":
                asked = [(x["custom_id"], x["params"]) for x in json.loads(body)["requests"]]
                self._create(asked, {}, _anthropic_batch)
            case "chat/completions":
                self._chat(json.loads(body), _completion)
            case "messages":
                self._chat(json.loads(body), _message)
            case _:
                self._error(404, f"no {self.path}")

    def _chat(self, asked: dict[str, Any], answer: Callable[[Hosted, dict[str, Any]], dict[str, Any]]) -> None:
        state = self.hosted
        with state.lock:
            state.flying += 1
            state.most_flying = max(state.most_flying, state.flying)
            state.bodies.append(asked)
            state.headers.append({name.lower(): value for name, value in self.headers.items()})
            state.times.append(time.monotonic())
            fault = state.faults.pop(0) if state.faults else ""
            key = self.headers.get("idempotency-key")
            if fault not in STATUSES and not (key and key in state.once):
                state.once |= {key} if key else set()
                state.paid[f"{asked['messages'][-1]['content']}/{asked.get('seed')}"] += 1
        try:
            time.sleep(state.hang_s if fault == "hang" else state.slow_s)
            self._faulty(fault, json.dumps(answer(state, asked)).encode())
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        finally:
            with state.lock:
                state.flying -= 1

    def _create(
        self, requests: list[tuple[str, Any]], told: dict[str, Any], shown: Callable[[Hosted, str], dict[str, Any]]
    ) -> None:
        state = self.hosted
        fault = state.batch_faults.pop(0) if state.batch_faults else ""
        if fault in STATUSES:
            self._error(STATUSES[fault], "try again")
            return
        if fault == "drop before":
            self._drop()
            return
        key = state.add_batch(requests, told)
        time.sleep(state.slow_s)
        self._faulty(fault, json.dumps(shown(state, key)).encode())

    def _faulty(self, fault: str, data: bytes) -> None:
        if fault in STATUSES:
            self._error(STATUSES[fault], "try again")
        elif fault == "truncated":
            self._send(data[: len(data) // 2], "application/json")
        elif fault == "cut":
            self._send(data[: len(data) // 2], "application/json", length=len(data))
            self._drop()
        elif fault == "drop":
            self._drop()
        else:
            self._send(data, "application/json")

    def _upload(self, body: bytes) -> None:
        head = f"content-type: {self.headers['content-type']}\r\n\r\n".encode()
        parts: Any = email.message_from_bytes(head + body).get_payload()
        part = next(p for p in parts if p.get_filename())
        key = f"file-{len(self.hosted.files)}"
        self.hosted.files[key] = (part.get_filename(), part.get_payload(decode=True))
        self._answer(_file(key, *self.hosted.files[key]))

    def _anthropic_page(self, query: dict[str, list[str]]) -> dict[str, Any]:
        keys = self.hosted.listed()
        after = query.get("after_id", [None])[0]
        start = 0 if after is None else keys.index(after) + 1
        shown = keys[start : start + 2]  # small pages: the client must turn them
        ends = {"first_id": shown[0] if shown else None, "last_id": shown[-1] if shown else None}
        return {
            "data": [_anthropic_batch(self.hosted, key) for key in shown],
            "has_more": start + 2 < len(keys),
            **ends,
        }

    def _answer(self, body: object, status: int = 200) -> None:
        self._send(json.dumps(body).encode(), "application/json", status)

    def _send(self, data: bytes, kind: str, status: int = 200, length: int | None = None) -> None:
        self.send_response(status)
        if status in {429, 500, 529} and self.hosted.retry_after is not None:
            self.send_header("retry-after", self.hosted.retry_after)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(data) if length is None else length))
        self.end_headers()
        self.wfile.write(data)
        self.wfile.flush()

    def _error(self, status: int, message: str) -> None:
        said = f"{message}: {self.headers.get('authorization') or self.headers.get('x-api-key')}"
        self._answer({"type": "error", "error": {"message": said, "type": "fault", "code": None}}, status)

    def _drop(self) -> None:
        """Close the line without an answer."""
        self.close_connection = True
        self.connection.close()


def _dumped(line: Any) -> bytes:
    return line if isinstance(line, bytes) else json.dumps(line).encode()


def _page(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {"object": "list", "data": rows, "has_more": False}


def _completion(state: Hosted, asked: dict[str, Any]) -> dict[str, Any]:
    logprobs = None
    if asked.get("logprobs"):
        top = [{"token": t, "logprob": lp, "bytes": None} for t, lp in state.top or []]
        logprobs = {"content": [{"token": "x", "logprob": -0.1, "bytes": None, "top_logprobs": top}], "refusal": None}
    message = {"role": "assistant", "content": state.say(asked), "refusal": None}
    choice = {"index": 0, "message": message, "finish_reason": state.stop, "logprobs": logprobs}
    said = {
        "id": "c",
        "object": "chat.completion",
        "created": 1,
        "model": f"{asked['model']}-2026",
        "choices": [choice],
    }
    usage = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
    return {**said, "usage": usage} if state.usage else said


def _message(state: Hosted, asked: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": "m", "type": "message", "role": "assistant", "model": f"{asked['model']}-2026",
        "content": [{"type": "text", "text": state.say(asked)}], "stop_sequence": None,
        "stop_reason": {"stop": "end_turn", "length": "max_tokens"}.get(state.stop, state.stop),
        "usage": {"input_tokens": 7, "output_tokens": 3},
    }  # fmt: skip


def _file(key: str, name: str, data: bytes) -> dict[str, Any]:
    return {
        "id": key, "object": "file", "bytes": len(data), "created_at": 1, "filename": name, "purpose": "batch",
        "status": "processed",
    }  # fmt: skip


def _openai_batch(state: Hosted, key: str) -> dict[str, Any]:
    batch = state.batches[key]
    has_ended = batch["polls"] >= state.polls_to_end
    n = len(batch["requests"])
    return {
        "id": key, "object": "batch", "endpoint": "/v1/chat/completions", "completion_window": "24h",
        "error_file_id": f"{key}:error" if has_ended else None,
        "created_at": int(batch["at"].timestamp()), "input_file_id": batch["input_file_id"],
        "status": "completed" if has_ended else "in_progress", "metadata": batch.get("metadata"),
        "output_file_id": f"{key}:output" if has_ended else None,
        "request_counts": {"completed": n if has_ended else 0, "failed": 0, "total": n}, "errors": None,
    }  # fmt: skip


def _openai_lines(state: Hosted, key: str) -> list[Any]:
    """Lines of a batch's output file, or of its errors: those that are no answer."""
    batch, _, kind = key.partition(":")
    made = [
        {"id": f"r-{id}", "custom_id": id, "error": None,
         "response": {"status_code": 200, "request_id": "q", "body": _completion(state, body)}}
        for id, body in state.batches[batch]["requests"]
    ]  # fmt: skip
    lines = state.garble(made)
    is_error = [isinstance(line, dict) and line["error"] is not None for line in lines]
    return [line for line, error in zip(lines, is_error, strict=True) if error == (kind == "error")]


def _anthropic_batch(state: Hosted, key: str) -> dict[str, Any]:
    batch = state.batches[key]
    has_ended = batch["polls"] >= state.polls_to_end
    n = len(batch["requests"])
    counts = {"processing": 0 if has_ended else n, "succeeded": n if has_ended else 0}
    return {
        "id": key, "type": "message_batch", "processing_status": "ended" if has_ended else "in_progress",
        "request_counts": {**counts, "errored": 0, "canceled": 0, "expired": 0},
        "created_at": batch["at"].isoformat(), "expires_at": (batch["at"] + timedelta(days=1)).isoformat(),
        "ended_at": None, "archived_at": None, "cancel_initiated_at": None,
        "results_url": f"{state.url}/v1/messages/batches/{key}/results" if has_ended else None,
    }  # fmt: skip


def _anthropic_line(state: Hosted, id: str, body: dict[str, Any]) -> dict[str, Any]:
    return {"custom_id": id, "result": {"type": "succeeded", "message": _message(state, body)}}
