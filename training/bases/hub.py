"""A hub id at its commit, into the hub's own cache."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from seedlock.prereg.errors import BadInput, Finding
from seedlock.prereg.plan.runs import Model
from seedlock.training.bases.fetched import Fetched
from seedlock.training.bases.licence import card_licence, require_accepted, require_true

COMMIT = re.compile(r"[0-9a-f]{40}")
KEPT = ["*.safetensors", "*.safetensors.index.json", "*.json", "*.jinja", "*.txt", "*.model", "README.md"]
"""What a loader reads, and the model's card; no pickled weights."""


def from_hub(study: str, where: str, model: Model, *, accepted: set[str], say: Callable[[str], None]) -> Fetched:
    """Bring a hub id at its commit; its card comes first, so that its terms are known before its weights.

    Raises
    ------
    BadInput
        Terms that are not accepted, a licence that is not the plan's, or no such commit within reach.
    """
    import huggingface_hub as hub  # noqa: PLC0415 - in the models' environment alone

    name = where.removeprefix("models.")
    named: dict[str, Any] = {"repo_id": model.base, "revision": model.revision}
    try:
        at = hub.snapshot_download(**named, allow_patterns=KEPT, local_files_only=True)
        was_here = any(Path(at).glob("*.safetensors"))
    except (OSError, ValueError):
        was_here = False
    try:
        if not was_here:
            card = Path(hub.hf_hub_download(**named, filename="README.md")).parent
            licence = card_licence(card)
            require_accepted(
                where, licence or model.licence or "a licence that its card does not name", accepted, study=study
            )
            say(f"{name} comes under {licence or model.licence}")
            at = hub.snapshot_download(**named, allow_patterns=KEPT)
    except (OSError, ValueError) as error:
        fault = Finding(where=f"{where}.base", found=str(error).partition("\n")[0][:200], promised=model.base)
        raise BadInput(f"{name} could not be brought from the hub", fault, then=f"seedlock fetch {study}") from None
    known = {"licence": card_licence(Path(at))}
    require_true(where, model, known)
    return Fetched.of(name, model, Path(at), known, was_here=was_here)
