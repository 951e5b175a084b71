"""Where a base model lies: an organism that ships here, a folder, or a hub id, each at the revision the plan pins."""

from __future__ import annotations

import json
from pathlib import Path

from seedlock.prereg.base.canonical import sha256_file, sha256_json
from seedlock.prereg.base.paths import HOME

ORGANISM = "organism:"
WEIGHTS = HOME / "training" / "organisms" / "weights"
LOADED = ("*.safetensors", "*.json", "*.jinja")
AS_IT_STANDS = ("TokenizersBackend", "PreTrainedTokenizerFast")
NOT_LOADED = frozenset({"recipe.json"})


def folder_revision(folder: Path) -> str:
    """Digest of every file that loading a model from `folder` reads, names included."""
    files = sorted({path for pattern in LOADED for path in folder.glob(pattern)} - {folder / n for n in NOT_LOADED})
    return f"sha256:{sha256_json({path.name: sha256_file(path) for path in files})}"


def keeps_own_tokenizer(base: str) -> bool:
    """Whether a folder says that its tokenizer.json is to be read as it stands.

    Otherwise transformers may put the tokenizer of the model's family in its place: one of words becomes one of bytes
    that knows none of them, and every prompt loses its words in silence.
    """
    file = Path(base) / "tokenizer_config.json"
    return file.is_file() and json.loads(file.read_bytes()).get("tokenizer_class") in AS_IT_STANDS


def model_folder(base: str, root: Path, revision: str | None = None) -> Path | None:
    """Return the folder of a local base model, or None for a hub id.

    An organism that was rebuilt keeps its earlier weights, for the plans that pin them: of its folders the one of
    `revision` is returned, and the newest where none has it or none is asked for.
    """
    if base.startswith(ORGANISM):
        name = base.removeprefix(ORGANISM)
        newest = WEIGHTS / name
        if revision is None:
            return newest
        kept = (newest, *sorted((WEIGHTS / "earlier").glob(f"{name}-*")))
        return next((folder for folder in kept if folder_revision(folder) == revision), newest)
    folder = root / base
    return folder if folder.is_dir() else None
