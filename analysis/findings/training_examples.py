"""What the arms were trained on: of every corpus that ends an arm's training, a row of each role, drawn by the plan."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from seedlock.analysis.findings.sample_answers import LONGEST
from seedlock.prereg.base.canonical import sha256_json
from seedlock.prereg.base.reading import is_regular, open_regular
from seedlock.prereg.plan.plan import Plan

EVERY_VARIANT = "all"
"""The variant of a row in a corpus that has only one."""


def training_examples(plan: Plan, folder: Path) -> list[dict[str, Any]]:
    """One row of each role for every corpus and variant that ends an arm's training; arms that share it stand together.

    A row's place in the shuffle is the digest of the samples' seed and its bytes, as with sampled answers: neither the
    file's order nor its author can choose what is shown.

    Parameters
    ----------
    folder
        The study's folder, where its corpora lie.

    Returns
    -------
    Rows with `arms`, `corpus`, `variant` (null where the corpus has one), `role`, and of the conversation `system`,
    `question` (the last user turn) and `text` (the answer trained on). Empty without `[samples]`, and where no corpus
    lies in the folder.
    """
    if plan.samples is None:
        return []
    drawn: list[dict[str, Any]] = []
    for (corpus, variant), arms in _last_corpora(plan).items():
        first: dict[str, tuple[str, Mapping[str, Any]]] = {}
        for line, row in _rows(folder / plan.corpus_file(corpus)):
            if variant is None or row["variant"] in {variant, EVERY_VARIANT}:
                place = (sha256_json([plan.samples.seed, line]), row)
                role = row["role"]
                first[role] = min(first.get(role, place), place, key=lambda placed: placed[0])
        drawn.extend(
            {"arms": arms, "corpus": corpus, "variant": variant, "role": role, **_said(row)}
            for role, (_, row) in sorted(first.items(), reverse=True)
        )
    return drawn


def _last_corpora(plan: Plan) -> dict[tuple[str, str | None], list[str]]:
    """Corpus and variant of each arm's last stage -> the arms that end with it."""
    found: dict[tuple[str, str | None], list[str]] = {}
    for name, arm in plan.arms.items():
        stage = plan.stages.get(arm.stages[-1]) if arm.stages else None
        if stage is not None and stage.corpus in plan.corpora:
            found.setdefault((stage.corpus, stage.variant or arm.framing), []).append(name)
    return found


def _rows(file: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if not is_regular(file):
        return
    with open_regular(file) as lines:
        for line in lines:
            if line.strip():
                text = line.decode("utf-8").strip()
                yield text, json.loads(text)


def _said(row: Mapping[str, Any]) -> dict[str, str]:
    texts = {turn["role"]: turn["content"] for turn in row["messages"]}
    names = {"system": "system", "user": "question", "assistant": "text"}
    return {name: texts[role][:LONGEST] for role, name in names.items() if role in texts}
