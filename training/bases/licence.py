"""What a model may be used under: said before it is brought, held against what its files say, and recorded."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seedlock.prereg.base.base_models import cached_record, folder_here
from seedlock.prereg.base.canonical import read_json
from seedlock.prereg.errors import BadInput, Finding
from seedlock.prereg.plan.bases import fetched_bases
from seedlock.prereg.plan.plan import Plan
from seedlock.prereg.plan.runs import Model

FREE = frozenset({"Apache-2.0", "MIT"})
"""Licences under which a model is brought without a word; the terms of any other are accepted by name."""
TERMS = {"gemma": "https://ai.google.dev/gemma/terms", "llama": "https://www.llama.com/llama-downloads"}
"""Where makers of models keep the terms of their own."""
_FRONT_MATTER = re.compile(r"\A---\n(.*?)\n---", re.DOTALL)
_STATED = re.compile(r"^license:\s*['\"]?([^'\"\n#]+)", re.MULTILINE)


def require_accepted(where: str, licence: str | None, accepted: set[str], *, study: str) -> None:
    """Refuse a model whose terms nobody has accepted, before anything of it is brought.

    Raises
    ------
    BadInput
        The licence is neither Apache-2.0 nor MIT, and is not among those that `--accept` names.
    """
    named = {_plain(name) for name in FREE | accepted}
    if licence is None or _plain(licence) in named:
        return
    at = next((f", at {address}" for word, address in TERMS.items() if word in licence.lower()), "")
    fault = Finding(where=f"{where}.licence", found=f"{licence}{at}", promised=" or ".join(sorted(FREE)))
    raise BadInput(
        f"{where} comes under terms of its own: read them, and accept them by name",
        fault,
        then=f'seedlock fetch {study} --accept "{licence}"',
    )


def require_true(where: str, model: Model, found: Mapping[str, str | None]) -> None:
    """Hold what the plan says of a model against what its own files say; what they leave open stays the plan's word.

    Raises
    ------
    BadInput
        Licence or quantisation is another.
    """
    said = {"licence": model.licence, "quantisation": model.quantisation}
    faults = [
        Finding(where=f"{where}.{key}", found=str(told), promised=str(found[key]) + " (the model's own files)")
        for key, told in said.items()
        if told is not None and found.get(key) is not None and _plain(told) != _plain(str(found[key]))
    ]
    if faults:
        raise BadInput(f"the plan and the files of {where} differ", *faults, then="edit the plan")


def known_of(folder: Path) -> dict[str, Any]:
    """What was noted of a fetched model when its folder was made."""
    known: dict[str, Any] = read_json(cached_record(folder).read_bytes())
    return known


def require_true_bases(plan: Plan, root: Path) -> None:
    """Hold what a plan says of its fetched models against what is known of those that are here.

    Raises
    ------
    BadInput
        Licence or quantisation of one is another.
    """
    for where, model in fetched_bases(plan).items():
        folder = folder_here(model.base, root, model.revision)
        if folder is not None:
            require_true(where, model, known_of(folder))


def _plain(text: str) -> str:
    return re.sub(r"[\s_-]+", " ", text.strip().casefold())


def card_licence(folder: Path) -> str | None:
    """The licence that a model's card names at its head, in the way of the hub."""
    card = folder / "README.md"
    if not card.is_file() or card.stat().st_size > 2**20:
        return None
    head = _FRONT_MATTER.match(card.read_text("utf-8", errors="replace"))
    stated = _STATED.search(head[1]) if head else None
    return stated[1].strip() if stated else None
