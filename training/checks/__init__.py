"""Checks of a corpus that stand before training; one file a check."""

from __future__ import annotations

from seedlock.training.checks import blocklist, duplicates, enough, format, framing, marker, matched, overlap
from seedlock.training.checks.result import Check

CHECKS: dict[str, Check] = {
    "format": format.check,
    "blocklist": blocklist.check,
    "marker": marker.check,
    "duplicates": duplicates.check,
    "overlap": overlap.check,
    "matched": matched.check,
    "framing": framing.check,
    "enough": enough.check,
}

LIMITS: dict[str, float] = {
    name: limit
    for module in (format, blocklist, marker, duplicates, overlap, matched, framing, enough)
    for name, limit in module.LIMITS.items()
}
"""Every limit a plan may override under `[corpora.NAME.gates]`, with its default."""
