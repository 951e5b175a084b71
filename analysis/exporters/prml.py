"""The plan's predictions as Pre-Registered ML Manifests, for tools that compare one number with one threshold.

A hypothesis ends in its predicted band when its interval clears the band's edges. A manifest states one edge: the lower
limit of the interval lies above it, or the upper limit below it; a band with two edges gives two manifests.
PRML 0.1: https://spec.falsify.dev/v0.1
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from seedlock.analysis.exporters.internals.exporter import Exporter, Wishes, write_new
from seedlock.analysis.report.text.pieces import shows_hidden
from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.lock.gate import LockedPlan, require_lock
from seedlock.prereg.plan.plan import Hypothesis
from seedlock.prereg.plan.runs import Where

MAX_NOTES = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class _Edge:
    """One edge of a predicted band, and the limit of the interval that must clear it."""

    limit: str
    comparator: str
    threshold: float


def export_prml(paths: StudyPaths, to: Path) -> Path:
    """Write one `.prml.yaml` for every edge of every predicted band into the folder `to`.

    Raises
    ------
    SeedlockError
        The study is not locked, or its plan is not the locked one.
    BadInput
        A file that would be written is there already and says something else.
    """
    locked = require_lock(paths, only_reading=True)
    manifests = {f"{name}.prml.yaml": as_yaml(manifest).encode() for name, manifest in prml_manifests(locked)}
    return write_new(to, manifests, then=f"seedlock export {paths.name} --format prml --to ANOTHER")


def prml_manifests(locked: LockedPlan) -> Iterator[tuple[str, dict[str, Any]]]:
    """A name and the manifest of every edge, in the order of the plan. The same lock gives the same manifests."""
    for identity, hypothesis, extra in locked.plan.expanded():
        for edge in _edges(hypothesis):
            yield f"{_file(identity)}-{edge.limit}", _manifest(locked, identity, hypothesis, extra, edge)


def _edges(hypothesis: Hypothesis) -> Iterator[_Edge]:
    band = next(band for band in hypothesis.partition.bands if band.name == hypothesis.predicted)
    if band.lower is not None:
        yield _Edge(limit="lower", comparator=">", threshold=band.lower)
    if band.upper is not None:
        yield _Edge(limit="upper", comparator="<", threshold=band.upper)


def _manifest(locked: LockedPlan, identity: str, h: Hypothesis, extra: Where, edge: _Edge) -> dict[str, Any]:
    alpha = h.alpha or locked.plan.inference.alpha
    created = datetime.fromisoformat(locked.lock.created_asserted).astimezone(UTC)
    args: dict[str, Any] = {
        "interval_level": round(1 - 2 * alpha, 12),
        "measure": h.measure,
        "over": h.over,
        "contrast": h.contrast,
        "dose": None if h.dose is None else h.dose.model_dump(mode="json", exclude_unset=True),
        "adjust": h.adjust,
        "where": {**h.where, **extra},
        "scale": h.scale,
        "test": h.test,
        "family": h.family,
    }
    decoding = locked.plan.decoding
    stated: dict[str, Any] = _clean({
        "version": "prml/0.1",
        "claim_id": _uuid7(created, f"{locked.lock_id} {identity} {edge.limit}"),
        "created_at": created.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "metric": f"{edge.limit} limit of the interval of {identity}"[:256],
        "metric_args": {key: value for key, value in args.items() if value not in (None, {})},
        "comparator": edge.comparator,
        "threshold": float(edge.threshold),
        "dataset": {"id": f"what the lock of {locked.paths.name} names: questions, runs, code", "hash": locked.lock_id},
        "seed": None if decoding is None else decoding.seed,
        "producer": {"id": f"seedlock study {locked.paths.name}"},
        "notes": f"{h.claim} Predicted: {h.predicted}. Lock {locked.lock_id}."[:MAX_NOTES],
    })  # fmt: skip
    return stated


def _uuid7(at: datetime, name: str) -> str:
    """A UUID of version 7: the lock's time, and 74 bits of a digest in place of chance."""
    moment = int(at.timestamp() * 1000) << 80
    chance = int.from_bytes(hashlib.sha256(name.encode()).digest()[:10])
    fixed = (0x7 << 76) | (0b10 << 62)
    free = ((1 << 12) - 1) << 64 | ((1 << 62) - 1)
    return str(uuid.UUID(int=moment | fixed | (chance & free)))


def _clean(value: Any) -> Any:
    """Texts in one normal form and without characters that hide: PRML refuses both."""
    match value:
        case dict():
            return {_clean(key): _clean(one) for key, one in value.items()}
        case list():
            return [_clean(one) for one in value]
        case str():
            return unicodedata.normalize("NFC", shows_hidden(" ".join(value.split())))
        case _:
            return value


def as_yaml(manifest: dict[str, Any]) -> str:
    """One key a line; each value as JSON, which YAML reads as the same."""
    return "".join(f"{key}: {json.dumps(value, ensure_ascii=False)}\n" for key, value in manifest.items())


def _file(identity: str) -> str:
    return "".join(one if one.isalnum() or one in "._-" else "-" for one in identity).strip("-.")


def _run(paths: StudyPaths, to: Path, _wishes: Wishes) -> Path:
    return export_prml(paths, to)


EXPORTER = Exporter(
    run=_run,
    says="the predictions as PRML manifests, one for each edge of a predicted band",
    to="{study}-prml",
    then="falsify lock {to}/NAME.prml.yaml  in an environment with  pip install falsify",
)
