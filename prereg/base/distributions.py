"""The installed libraries whose arithmetic decides, by what their installers recorded beside the version."""

from __future__ import annotations

import base64
import csv
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from seedlock.prereg.base.canonical import Sha256, sha256_file, sha256_json

ANALYSIS = (
    "bambi", "arviz", "arviz-base", "arviz-stats", "duckdb", "numba", "numpy", "nutpie", "pandas", "pandera",
    "pingouin", "pyarrow", "pydantic", "pydantic-core", "pymc", "pytensor", "rfc8785", "scipy", "statsmodels", "xarray",
)  # fmt: skip
"""What reads sealed tables, estimates and samples."""
MODELS = (
    "accelerate", "anthropic", "datasets", "datasketch", "openai", "peft", "safetensors", "scikit-learn", "tokenizers",
    "torch", "transformers", "trl", "vllm",
)  # fmt: skip
"""What trains, answers and judges."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """A library as it is installed: its version, and the digest of the files that its wheel brought."""

    name: str
    version: str
    record_sha256: Sha256


@cache
def installed() -> tuple[Installed, ...]:
    """Every library of these that is installed here, by name."""
    here = [(name, found) for name in sorted((*ANALYSIS, *MODELS)) if (found := _distribution(name)) is not None]
    return tuple(
        Installed(name=name, version=found.version, record_sha256=sha256_json(dict(_recorded(found))))
        for name, found in here
    )


def record_sha256(name: str) -> Sha256 | None:
    """Digest of the files that the wheel of one library brought; None where it is not installed."""
    found = _distribution(name)
    return None if found is None else sha256_json(dict(_recorded(found)))


def altered(name: str) -> Iterator[str]:
    """Yield files of an installed library whose bytes are no longer those that its wheel brought, or that are gone."""
    found = _distribution(name)
    if found is None:
        return
    for path, digest in _recorded(found):
        file = Path(str(found.locate_file(path)))
        if not file.is_file() or _spelled(bytes.fromhex(sha256_file(file))) != digest:
            yield path


def _distribution(name: str) -> Distribution | None:
    try:
        return distribution(name)
    except PackageNotFoundError:
        return None


def _recorded(found: Distribution) -> Iterator[tuple[str, str]]:
    """Path and digest of every file of the wheel, as RECORD lists them; what an installer adds is left out."""
    for path, digest, *_ in csv.reader((found.read_text("RECORD") or "").splitlines()):
        is_added = path.startswith(("..", "/")) or ".dist-info/" in path or path.endswith(".pyc")
        if digest.startswith("sha256=") and not is_added:
            yield path, digest.removeprefix("sha256=")


def _spelled(digest: bytes) -> str:
    """A digest as RECORD spells it."""
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
