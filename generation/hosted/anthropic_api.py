"""The Anthropic API through the official SDK: Messages, and Message Batches."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import anthropic
from anthropic import Anthropic, AsyncAnthropic

from seedlock.generation.hosted.api import IDEMPOTENCY_KEY, BatchState, Rejected
from seedlock.generation.hosted.asking import Ask, Outcome, no_answer
from seedlock.generation.hosted.keys import NO_KEY, key_of
from seedlock.generation.hosted.sdk_errors import blotted, sorted_faults
from seedlock.prereg.errors import BadInput, Finding
from seedlock.prereg.plan.hosted import Hosted

KEY_VARIABLE = "ANTHROPIC_API_KEY"
CLOCKS_APART = timedelta(minutes=10)
NO_ARGUMENTS = ("temperature", "top_p")
"""What older models take and the SDK no longer names: sent as it is."""
FINISH = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
}


class AnthropicApi:
    """Requests are sent once a call; the SDK repeats nothing."""

    max_batch = 100_000
    max_batch_bytes = 250_000_000

    def __init__(self, settings: Hosted) -> None:
        self._key = key_of(settings, KEY_VARIABLE)
        self._options: dict[str, Any] = {
            "api_key": self._key or NO_KEY,
            "base_url": settings.endpoint,
            "timeout": settings.timeout_s,
            "max_retries": 0,
        }
        self._is_idempotent = settings.idempotent
        self._client: AsyncAnthropic | None = None
        self._in_bulk = Anthropic(**self._options)
        self._batches = self._in_bulk.messages.batches

    async def ask(self, ask: Ask) -> Outcome:
        """Send one request once."""
        if self._client is None:
            self._client = AsyncAnthropic(**self._options)
        with sorted_faults(anthropic, self._key):
            body = message_body(ask)
            extra = {name: body.pop(name) for name in NO_ARGUMENTS if name in body}
            reply: Any = await self._client.messages.with_raw_response.create(
                **body, extra_body=extra or None, extra_headers=self._once(ask)
            )
            return read_message(ask.id, json.loads(await reply.read()))

    def _once(self, ask: Ask) -> dict[str, str]:
        return {IDEMPOTENCY_KEY: ask.id} if self._is_idempotent else {}

    async def hang_up(self) -> None:
        """Close the line that `ask` opened, in the event loop that it was opened in."""
        if self._client is not None:
            await self._client.close()
            self._client = None

    def close(self) -> None:
        """Close the line of files and batches."""
        self._in_bulk.close()

    def body(self, ask: Ask) -> bytes:
        """A request as it stands in a batch."""
        return json.dumps({"custom_id": ask.id, "params": message_body(ask)}, ensure_ascii=False).encode()

    def create(self, label: str, asks: Sequence[Ask]) -> str:
        """Create a batch once; the provider keeps no label, so `find` knows it by its requests."""
        requests: Any = [{"custom_id": ask.id, "params": message_body(ask)} for ask in asks]
        try:
            with sorted_faults(anthropic, self._key):
                return self._batches.create(requests=requests).id
        except Rejected as refused:
            fault = Finding(where=f"batch {label}", found=str(refused), promised="a batch")
            raise BadInput("the provider refuses the batch", fault, then="edit the plan, and amend") from None

    def find(
        self,
        label: str,  # noqa: ARG002 - the provider keeps none
        asks: Sequence[Ask],
        *,
        since: datetime,
        taken: Collection[str],
    ) -> str | None:
        """Find the batch that holds these requests, by their number, and their ids once it has ended.

        One that is under way shows no ids: made since the intent, with as many requests and claimed by nobody, it is
        waited for, since creating another could pay twice; if its results then turn out to be a stranger's, the search
        goes on.
        """
        ids = {ask.id for ask in asks}
        with sorted_faults(anthropic, self._key):
            for batch in self._batches.list(limit=100):
                if batch.created_at < since - CLOCKS_APART:
                    return None
                counts = batch.request_counts
                total = counts.processing + counts.succeeded + counts.errored + counts.canceled + counts.expired
                if batch.id in taken or total != len(ids):
                    continue
                if batch.processing_status != "ended" or self._holds(batch.id, ids):
                    return batch.id
        return None

    def _holds(self, batch: str, ids: set[str]) -> bool:
        """Whether an ended batch answers one of these requests; a batch is all ours or not at all."""
        return any(isinstance(result, Outcome) and result.id in ids for result in self.results(batch))

    def look(self, batch: str) -> BatchState:
        """How a batch is doing."""
        with sorted_faults(anthropic, self._key):
            found = self._batches.retrieve(batch)
        counts = found.request_counts
        done = counts.succeeded + counts.errored + counts.canceled + counts.expired
        return BatchState(ended=found.processing_status == "ended", done=done, total=done + counts.processing)

    def results(self, batch: str) -> Iterator[Outcome | str]:
        """Every line of the results."""
        with (
            sorted_faults(anthropic, self._key),
            self._batches.with_streaming_response.results(batch) as response,
        ):
            for line in response.iter_lines():
                if line.strip():
                    yield read_line(line, self._key)


def message_body(ask: Ask) -> dict[str, Any]:
    """A message as the API takes it; what is None is not sent, and no seed exists."""
    body: dict[str, Any] = {
        "model": ask.model,
        "messages": [{"role": turn.role, "content": turn.content} for turn in ask.turns if turn.role != "system"],
        "system": "\n\n".join(turn.content for turn in ask.turns if turn.role == "system") or None,
        "max_tokens": ask.max_tokens,
        "temperature": ask.temperature,
        "top_p": ask.top_p,
    }
    if ask.schema is not None:
        body["output_config"] = {"format": {"type": "json_schema", "schema": dict(ask.schema)}}
    return {name: value for name, value in body.items() if value is not None}


def read_line(line: str, key: str | None) -> Outcome | str:
    """One line of a batch's results; a line that is not one is returned as text."""
    try:
        said = json.loads(line)
        id, result = said["custom_id"], said["result"]
        if not isinstance(id, str):
            raise TypeError
        match result["type"]:
            case "succeeded":
                return read_message(id, result["message"])
            case "expired":
                return no_answer(id, "the batch expired before this request was carried out", "expired")
            case "canceled":
                return no_answer(id, "the batch was canceled before this request was carried out", "canceled")
            case _:
                error = result["error"]["error"]
                return no_answer(id, blotted(f"{error.get('type')}: {error.get('message')}", key))
    except (ValueError, KeyError, TypeError, AttributeError):
        return line[:200]


def read_message(id: str, reply: Any) -> Outcome:
    """A message as an outcome; one that ended for another reason than its own end or length is no answer."""
    try:
        stop, usage = reply["stop_reason"], reply.get("usage") or {}
        text = "".join(str(block["text"]) for block in reply["content"] if block["type"] == "text")
        told = {
            "prompt_tokens": _whole(usage.get("input_tokens")),
            "new_tokens": _whole(usage.get("output_tokens")),
            "served_by": reply.get("model"),
        }
    except (KeyError, TypeError, AttributeError):
        return no_answer(id, "an answer without the fields of a message")
    if stop == "refusal":
        return Outcome(id=id, status="refusal", finish="stop", text=text, reason="the model refused", **told)
    if stop not in FINISH:
        return Outcome(id=id, status="error", finish="failed", reason=f"stop_reason {stop!r}", **told)
    return Outcome(id=id, status="ok", finish=FINISH[stop], text=text, **told)  # type: ignore[arg-type] # values of FINISH


def _whole(number: Any) -> int | None:
    return number if isinstance(number, int) and number >= 0 else None
