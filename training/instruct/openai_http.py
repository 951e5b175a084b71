"""An instruct model behind an OpenAI-compatible endpoint, through the official SDK, several requests at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from openai import AsyncOpenAI, OpenAIError

from seedlock.prereg.errors import Finding, Incomplete
from seedlock.training.instruct.model import Answer, Sampling

FINISH = {"stop": "stop", "length": "length", "content_filter": "filtered"}


class OpenAiModel:
    """Chat completions; the SDK retries what may be retried, and reads key and address from its own variables.

    Parameters
    ----------
    model
        The model's name at the endpoint.
    sampling
        Sent with each request; the seed of request i is `sampling.seed + i`.
    at_once
        Requests in flight.
    base_url
        Another address than the SDK's default.
    """

    def __init__(
        self, model: str, sampling: Sampling, *, at_once: int = 8, base_url: str | None = None, retries: int = 5
    ) -> None:
        self._model = model
        self._sampling = sampling
        self._at_once = at_once
        self._base_url = base_url
        self._retries = retries

        self._client()  # refuses without a key, before anything is asked

    def generate(self, prompts: Sequence[str], *, first: int = 0) -> list[Answer]:
        """Answer each prompt, in order.

        Raises
        ------
        Incomplete
            The endpoint did not answer, however often it was asked.
        """
        try:
            return asyncio.run(self._all(prompts, first))
        except OpenAIError as error:
            reason = type(error).__name__.removesuffix("Error")
            fault = Finding(where=f"writer {self._model}", found=f"{reason}: {error}"[:200], promised="an answer")
            raise Incomplete(
                "the endpoint of the corpus's writer did not answer",
                fault,
                then="the same command again; what was written is kept",
            ) from None

    def _client(self) -> AsyncOpenAI:
        return AsyncOpenAI(base_url=self._base_url, max_retries=self._retries)

    async def _all(self, prompts: Sequence[str], first: int) -> list[Answer]:
        gate = asyncio.Semaphore(self._at_once)
        async with self._client() as client:
            return await asyncio.gather(*(self._one(client, gate, p, i) for i, p in enumerate(prompts, first)))

    async def _one(self, client: AsyncOpenAI, gate: asyncio.Semaphore, prompt: str, number: int) -> Answer:
        settings: dict[str, Any] = {"temperature": self._sampling.temperature, "top_p": self._sampling.top_p}
        async with gate:
            reply = await client.chat.completions.create(
                model=self._model,
                messages=[{"role": "user", "content": prompt}],
                max_completion_tokens=self._sampling.max_new_tokens,
                seed=self._sampling.seed + number,
                **settings,
            )
        choice = reply.choices[0]
        finish = FINISH.get(choice.finish_reason, "filtered")
        return Answer(text=choice.message.content or "", finish=finish)  # type: ignore[arg-type] # values of FINISH

    def describe(self) -> Mapping[str, str | int | float]:
        """Model and sampling; never the address or the key."""
        return {"model": self._model, "endpoint": "openai-compatible", **asdict(self._sampling)}
