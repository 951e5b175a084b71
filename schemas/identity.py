"""How rows are named: an item by its values, a request by everything that determines it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

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


def answer_ids(run_ids: Sequence[str], item_ids: Sequence[str], draws: Sequence[int]) -> Iterator[str]:
    """Yield `request_id` of `run_id`, `item_id` and `draw`, row by row, for millions of rows."""
    for run, item, draw in zip(run_ids, item_ids, draws, strict=True):
        canonical = f'{{"draw":{draw},"item_id":{_json_text(item)},"run_id":{_json_text(run)}}}'
        yield hashlib.sha256(canonical.encode()).hexdigest()


@lru_cache(maxsize=65_536)
def _json_text(text: str) -> str:
    """Encode a text as JSON; a study has few different run and item ids."""
    return json.dumps(text, ensure_ascii=False)
