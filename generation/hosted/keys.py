"""Keys come from the environment, are given to the SDK, and go nowhere else."""

from __future__ import annotations

import os

from seedlock.prereg.errors import BadInput, Finding
from seedlock.prereg.plan.hosted import Hosted

NO_KEY = "none"
"""Sent to a server of one's own that asks for no key."""


def key_of(settings: Hosted, default: str) -> str | None:
    """The key, or None where a server of one's own needs none.

    Raises
    ------
    BadInput
        The environment variable that should hold it is empty.
    """
    name = settings.key_variable or default
    key = os.environ.get(name, "").strip()
    if not key and (settings.key_variable is not None or settings.endpoint is None):
        fault = Finding(where=f"environment variable {name}", found="nothing", promised="an API key")
        raise BadInput("there is no key for the provider", fault, then=f"export {name}=...  (it is written nowhere)")
    return key or None
