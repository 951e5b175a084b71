"""The table of a plan that says how models behind an API are reached, and which name there serves which run."""

from __future__ import annotations

from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from seedlock.prereg.plan.runs import Table

HOSTED_BACKENDS = ("openai", "anthropic")
"""Backends of `generation/backends` that ask an API."""


class Hosted(Table):
    """`[hosted]`: an OpenAI-compatible server or the Anthropic API; the key itself never stands in a plan.

    `endpoint` is the address (default: the SDK's own), `key_variable` the environment variable that holds the key.
    `mode` asks one request at a time ("chat") or in bulk ("batch"). `served` maps a model, or one run as
    "model/arm/seed", to its name at the endpoint; a run fine-tuned at the provider needs none. `sampling` = false
    leaves temperature and top_p out, for models that refuse them. `unanswered` says what becomes of a request whose
    answer was lost on the way, or cut off by a killed command, and may be paid for: "ask again", which is counted as
    perhaps paid for twice, or "missing". `idempotent` says that the endpoint carries out a request once, however often
    it is sent under one `Idempotency-Key`: a lost answer is then asked for again and known to be paid for once.
    """

    endpoint: str | None = None
    key_variable: str | None = Field(default=None, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    mode: Literal["chat", "batch"] = "chat"
    served: dict[str, str] = Field(default={})
    sampling: bool = True
    at_once: int = Field(default=8, gt=0, le=512)
    requests_per_minute: float | None = Field(default=None, gt=0)
    tokens_per_minute: float | None = Field(default=None, gt=0)
    timeout_s: float = Field(default=120.0, gt=0)
    attempts: int = Field(default=6, gt=0, le=20)
    poll_s: float = Field(default=30.0, gt=0)
    unanswered: Literal["ask again", "missing"] = "ask again"
    idempotent: bool = False

    @field_validator("endpoint")
    @classmethod
    def _address_without_secrets(cls, endpoint: str | None) -> str | None:
        if endpoint is not None:
            address = urlsplit(endpoint)
            if address.scheme not in {"http", "https"} or not address.hostname:
                raise ValueError("an endpoint begins with http:// or https:// and names a host")
            if address.username or address.password or address.query:
                raise ValueError("an endpoint holds no user, password or query: the key stands in key_variable")
        return endpoint
