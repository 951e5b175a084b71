"""The organisms as they ship: where they lie, and whether their bytes are the recorded ones."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from seedlock.prereg.errors import Finding, Incomplete, LockedFileChanged
from seedlock.training.organisms.recipe import recipe

WEIGHTS = Path(__file__).parent / "weights"
RECIPE_FILE = "recipe.json"
LOADED_FILES = (
    "config.json",
    "generation_config.json",
    "model.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
    "chat_template.jinja",
)


def folder(name: str) -> Path:
    """Return the folder that `AutoModelForCausalLM.from_pretrained` takes."""
    return WEIGHTS / recipe(name).name


def digests(at: Path) -> dict[str, str]:
    """SHA-256 of every file that loading reads, in a fixed order.

    Raises
    ------
    Incomplete
        A file is missing; all missing files are listed.
    """
    missing = [name for name in LOADED_FILES if not (at / name).is_file()]
    if missing:
        findings = (Finding(where=name, found="absent", promised="a file that loading reads") for name in missing)
        raise Incomplete(
            f"organism {at.name} is incomplete",
            *findings,
            then=f"python -m seedlock.training.organisms.build --only {at.name}",
        )
    return {name: f"sha256:{hashlib.sha256((at / name).read_bytes()).hexdigest()}" for name in LOADED_FILES}


def recorded(at: Path) -> Mapping[str, str]:
    """Return the digests that recipe.json promises."""
    promised: dict[str, str] = json.loads((at / RECIPE_FILE).read_text())["files"]
    return promised


def require_recorded_bytes(at: Path) -> None:
    """Refuse an organism whose files differ from its recipe.

    Raises
    ------
    LockedFileChanged
        Every file whose digest differs, found and promised.
    """
    promised, found = recorded(at), digests(at)
    changed = [name for name in LOADED_FILES if promised.get(name) != found[name]]
    if changed:
        findings = (Finding(where=n, found=found[n], promised=promised.get(n, "nothing")) for n in changed)
        what = f"organism {at.name} is not the one its recipe describes"
        raise LockedFileChanged(what, *findings, then=f"git checkout -- training/organisms/weights/{at.name}")
