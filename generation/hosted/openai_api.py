"""An OpenAI-compatible server through the official SDK: chat completions, and the Batch API."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

import openai
from openai import AsyncOpenAI, OpenAI

from seedlock.generation.hosted.api import IDEMPOTENCY_KEY, BatchState, Busy, Rejected, Unsettled
from seedlock.generation.hosted.asking import Ask, Outcome, no_answer
from seedlock.generation.hosted.keys import NO_KEY, key_of
from seedlock.generation.hosted.sdk_errors import blotted, sorted_faults
from seedlock.prereg.errors import BadInput, Finding
from seedlock.prereg.plan.hosted import Hosted

KEY_VARIABLE = "OPENAI_API_KEY"
LABEL = "seedlock_batch"
CHAT_PATH: Literal["/v1/chat/completions"] = "/v1/chat/completions"
CLOCKS_APART = timedelta(minutes=10)
ENDED = frozenset({"completed", "expired", "cancelled"})


class OpenAiApi:
    """Requests are sent once a call; the SDK repeats nothing."""

    max_batch = 50_000
    max_batch_bytes = 190_000_000

    def __init__(self, settings: Hosted) -> None:
        self._key = key_of(settings, KEY_VARIABLE)
        self._options: dict[str, Any] = {
            "api_key": self._key or NO_KEY,
            "base_url": settings.endpoint,
            "timeout": settings.timeout_s,
            "max_retries": 0,
        }
        self._is_idempotent = settings.idempotent
        self._client: AsyncOpenAI | None = None
        self._files = OpenAI(**self._options)

    async def ask(self, ask: Ask) -> Outcome:
        """Send one request once."""
        if self._client is None:
            self._client = AsyncOpenAI(**self._options)
        with sorted_faults(openai, self._key):
            reply: Any = await self._client.chat.completions.with_raw_response.create(
                **chat_body(ask), extra_headers=self._once(ask)
            )
            return read_reply(ask.id, json.loads(reply.content))

    def _once(self, ask: Ask) -> dict[str, str]:
        return {IDEMPOTENCY_KEY: ask.id} if self._is_idempotent else {}

    async def hang_up(self) -> None:
        """Close the line that `ask` opened, in the event loop that it was opened in."""
        if self._client is not None:
            await self._client.close()
            self._client = None

    def close(self) -> None:
        """Close the line of files and batches."""
        self._files.close()

    def body(self, ask: Ask) -> bytes:
        """A line of a batch file."""
        line = {"custom_id": ask.id, "method": "POST", "url": CHAT_PATH, "body": chat_body(ask)}
        return json.dumps(line, ensure_ascii=False).encode()

    def create(self, label: str, asks: Sequence[Ask]) -> str:
        """Upload the requests, unless they are there already, and create a batch of them once."""
        name = f"seedlock-{label}.jsonl"
        data = b"".join(self.body(ask) + b"\n" for ask in asks)
        try:
            with sorted_faults(openai, self._key):
                file = self._uploaded(name, len(data))
                if file is None:
                    file = self._files.files.create(file=(name, data, "application/jsonl"), purpose="batch").id
        except Unsettled as lost:  # an upload costs nothing, and is found again by its name
            raise Busy(str(lost)) from None
        except Rejected as refused:
            raise _refused(label, str(refused)) from None
        try:
            with sorted_faults(openai, self._key):
                made = self._files.batches.create(
                    input_file_id=file, endpoint=CHAT_PATH, completion_window="24h", metadata={LABEL: label}
                )
        except Rejected as refused:
            raise _refused(label, str(refused)) from None
        return made.id

    def _uploaded(self, name: str, size: int) -> str | None:
        found = (f for f in self._files.files.list(purpose="batch") if f.filename == name and f.bytes == size)
        return next((file.id for file in found if file.status != "error"), None)

    def find(
        self,
        label: str,
        asks: Sequence[Ask],  # noqa: ARG002 - the label is enough here
        *,
        since: datetime,
        taken: Collection[str],
    ) -> str | None:
        """Find the batch with this label that the provider did not refuse."""
        oldest = (since - CLOCKS_APART).timestamp()
        with sorted_faults(openai, self._key):
            for batch in self._files.batches.list(limit=100):
                if batch.created_at < oldest:
                    return None
                is_ours = (batch.metadata or {}).get(LABEL) == label and batch.id not in taken
                if is_ours and batch.status != "failed":
                    return batch.id
        return None

    def look(self, batch: str) -> BatchState:
        """How a batch is doing."""
        with sorted_faults(openai, self._key):
            found = self._files.batches.retrieve(batch)
        counts = found.request_counts
        refused = None
        if found.status == "failed":
            told = (found.errors.data or []) if found.errors is not None else []
            refused = blotted("; ".join(str(error.message) for error in told[:3]) or "no reason given", self._key)
        return BatchState(
            ended=found.status in ENDED,
            done=0 if counts is None else counts.completed + counts.failed,
            total=0 if counts is None else counts.total,
            refused=refused,
        )

    def results(self, batch: str) -> Iterator[Outcome | str]:
        """Every line of the output file and of the file of errors."""
        with sorted_faults(openai, self._key):
            found = self._files.batches.retrieve(batch)
            for file in (found.output_file_id, found.error_file_id):
                if file is not None:
                    for line in self._files.files.content(file).content.splitlines():
                        if line.strip():
                            yield read_line(line, self._key)


def _refused(label: str, said: str) -> BadInput:
    fault = Finding(where=f"batch {label}", found=said, promised="a batch")
    return BadInput("the provider refuses the batch", fault, then="edit the plan, and amend")


def chat_body(ask: Ask) -> dict[str, Any]:
    """A chat completion as the API takes it; what is None is not sent."""
    body: dict[str, Any] = {
        "model": ask.model,
        "messages": [{"role": turn.role, "content": turn.content} for turn in ask.turns],
        "max_completion_tokens": ask.max_tokens,
        "temperature": ask.temperature,
        "top_p": ask.top_p,
        "seed": ask.seed,
    }
    if ask.top_logprobs is not None:
        body |= {"logprobs": True, "top_logprobs": ask.top_logprobs}
    if ask.schema is not None:
        shape = {"name": "answer", "strict": True, "schema": dict(ask.schema)}
        body["response_format"] = {"type": "json_schema", "json_schema": shape}
    return {name: value for name, value in body.items() if value is not None}


def read_line(line: bytes, key: str | None) -> Outcome | str:
    """One line of a batch's files; a line that is not one is returned as text."""
    try:
        said = json.loads(line)
        id = said["custom_id"]
        response, error = said.get("response"), said.get("error")
        if not isinstance(id, str):
            raise TypeError
        if error is not None:
            status = {"batch_expired": "expired", "batch_cancelled": "canceled"}.get(str(error.get("code")), "error")
            return no_answer(id, blotted(f"{error.get('code')}: {error.get('message')}", key), status)  # type: ignore[arg-type] # values of Status
        if response["status_code"] != 200:
            told = (response.get("body") or {}).get("error") or {}
            return no_answer(id, blotted(f"status {response['status_code']}: {told.get('message')}", key))
        return read_reply(id, response["body"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return line[:200].decode("utf-8", "replace")


def read_reply(id: str, reply: Any) -> Outcome:
    """A chat completion as an outcome; one without a readable choice is an error, never an answer."""
    try:
        choice, usage = reply["choices"][0], reply.get("usage") or {}
        message, finish = choice["message"], choice.get("finish_reason")
        told = {
            "prompt_tokens": _whole(usage.get("prompt_tokens")),
            "new_tokens": _whole(usage.get("completion_tokens")),
            "served_by": reply.get("model"),
        }
        refusal, text = message.get("refusal"), message.get("content")
        top = _top(choice.get("logprobs"))
    except (KeyError, IndexError, TypeError, AttributeError, ValueError):
        return no_answer(id, "an answer without the fields of a chat completion")
    if refusal or finish == "content_filter":
        reason = str(refusal or "the provider filtered the answer")
        return Outcome(id=id, status="refusal", finish="stop", text=text, reason=reason, **told)
    if finish not in {"stop", "length"} or not isinstance(text, str):
        return Outcome(
            id=id, status="error", finish="failed", reason=f"finish_reason {finish!r}, {_kind(text)}", **told
        )
    return Outcome(id=id, status="ok", finish=finish, text=text, top=top, **told)


def _whole(number: Any) -> int | None:
    return number if isinstance(number, int) and number >= 0 else None


def _kind(text: Any) -> str:
    return "a text" if isinstance(text, str) else "no text"


def _top(logprobs: Mapping[str, Any] | None) -> tuple[tuple[str, float], ...] | None:
    """The most probable first tokens."""
    if not logprobs or not logprobs.get("content"):
        return None
    return tuple((str(one["token"]), float(one["logprob"])) for one in logprobs["content"][0]["top_logprobs"])
