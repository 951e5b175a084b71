"""How rows are named: an item by its values, a request by everything that determines it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence

SEPARATOR = " | "


def item_id(values: Sequence[str]) -> str:
    r"""Join an item's values into its id, readable and never ambiguous.

    One value is its own id. Several are joined by ``" | "`` with ``\`` and ``|`` inside a value escaped by ``\``,
    so that two different lists of the same length never share an id.
    """
    if len(values) == 1:
        return values[0]
    return SEPARATOR.join(value.replace("\\", "\\\\").replace("|", "\\|") for value in values)


def request_id(determinants: Mapping[str, str | int]) -> str:
    """Digest what determines a request: SHA-256 of its canonical JSON (RFC 8785), in hex.

    Parameters
    ----------
    determinants
        Text and whole numbers within +-(2^53 - 1); ASCII keys. An imported answer is determined by
        `run_id`, `item_id` and `draw`; a generated one also by prompt, decoding and model digests.
    """
    canonical = json.dumps(determinants, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()
