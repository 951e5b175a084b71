"""Which instruct model writes a study's corpora: weights on this machine, or an OpenAI-compatible endpoint."""

from __future__ import annotations

from dataclasses import dataclass

from seedlock.prereg.errors import BadInput, Finding
from seedlock.training.instruct.model import Sampling, TextModel


@dataclass(frozen=True, slots=True, kw_only=True)
class Writer:
    """An instruct model by name.

    Parameters
    ----------
    model
        A folder, a hub's id, or the name that the endpoint knows.
    revision
        Commit of a hub's id.
    endpoint
        Address of an OpenAI-compatible API, vLLM's server among them; None loads the model here.
    batch_size
        Prompts at a time on this machine.
    at_once
        Requests in flight at an endpoint.
    """

    model: str
    revision: str | None
    endpoint: str | None
    sampling: Sampling
    batch_size: int
    at_once: int

    def open(self) -> TextModel:
        """The model, ready to be asked.

        Raises
        ------
        BadInput
            The endpoint needs a key and none is set, or the model is not here.
        """
        if self.endpoint is None:
            from seedlock.training.instruct.local import LocalModel  # noqa: PLC0415 - torch, for local weights only

            return LocalModel(self.model, self.sampling, revision=self.revision, batch_size=self.batch_size)
        from openai import OpenAIError  # noqa: PLC0415 - the SDK, for an endpoint only

        from seedlock.training.instruct.openai_http import OpenAiModel  # noqa: PLC0415

        try:
            return OpenAiModel(self.model, self.sampling, at_once=self.at_once, base_url=self.endpoint)
        except OpenAIError as error:
            fault = Finding(where="OPENAI_API_KEY", found="not set", promised="the key of the endpoint")
            then = "export OPENAI_API_KEY=...  (it is written nowhere) and then the same command again"
            raise BadInput("the endpoint cannot be asked", fault, then=then) from error
