"""Where a base model lies: an organism that ships here, a folder, or a hub id, each at the revision the plan pins."""

from __future__ import annotations

from pathlib import Path

from prereg.canonical import sha256_file, sha256_json
from prereg.layout import HOME

ORGANISM = "organism:"
LOADED = ("*.safetensors", "*.json", "*.jinja")
NOT_LOADED = frozenset({"recipe.json"})


def folder_revision(folder: Path) -> str:
    """Digest of every file that loading a model from `folder` reads, names included."""
    files = sorted({path for pattern in LOADED for path in folder.glob(pattern)} - {folder / n for n in NOT_LOADED})
    return f"sha256:{sha256_json({path.name: sha256_file(path) for path in files})}"


def model_folder(base: str, root: Path) -> Path | None:
    """Return the folder of a local base model, or None for a hub id."""
    if base.startswith(ORGANISM):
        return HOME / "training" / "organisms" / "weights" / base.removeprefix(ORGANISM)
    folder = root / base
    return folder if folder.is_dir() else None
