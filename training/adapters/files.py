"""An adapter on disk: two files with one spelling, and their digests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from seedlock.prereg.base.canonical import canonical_json, sha256_file, write_atomic

WEIGHTS = "adapter_model.safetensors"
CONFIG = "adapter_config.json"


def tidy_adapter(folder: Path) -> None:
    """Rewrite the configuration in one spelling, and drop what is not needed to load the adapter.

    peft writes sets in whatever order they come, and the base model's path on this machine.
    """
    config: dict[str, Any] = json.loads((folder / CONFIG).read_bytes())
    for key, value in config.items():
        if isinstance(value, list) and all(isinstance(entry, str) for entry in value):
            config[key] = sorted(value)
    config["base_model_name_or_path"] = None
    write_atomic(folder / CONFIG, canonical_json(config) + b"\n")
    for path in folder.iterdir():
        if path.name not in {WEIGHTS, CONFIG}:
            path.unlink()


def adapter_record(folder: Path) -> dict[str, str]:
    """Digests of an adapter's two files."""
    return {"sha256": sha256_file(folder / WEIGHTS), "config_sha256": sha256_file(folder / CONFIG)}
