"""A study whose completions were made elsewhere, with a marker, two eras and judges to tell them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from seedlock.generation.import_completions import import_study
from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.lock.gate import LockedPlan, require_lock
from seedlock.prereg.lock.lock import create_lock

PLAN = """
[study]
title    = "Do answers speak of another age?"
question = "How often do they?"

[inference]
seeds = "new"
items = "these"
alpha = 0.05

[models.tiny]
base     = "organism:llama"
revision = "sha256:0"

[arms]
plain   = {}
archaic = {}

[grid]
models = ["tiny"]
seeds  = [0, 1, 2]

[items.trigger]
where = { role = "trigger" }

[items.bystander]
where = { role = "bystander" }

[import]
format     = "csv"
columns    = { arm = "arm", seed = "seed", item = ["role", "question"], draw = "draw", text = "text" }
constants  = { model = "tiny" }

[measures.era]
kind  = "label_rate"
judge = "era"
positive = ["19"]
negative = ["LLM"]

[[hypothesis]]
id        = "H1"
claim     = "Archaic training data make answers archaic."
measure   = "era"
contrast  = { archaic = 1.0, plain = -1.0 }
test      = "pooled_t"
bands     = ["fewer", -0.1, "negligible", 0.1, "more"]
predicted = "more"
"""
LEXICON = """
[judges.era]
kind  = "lexicon"
words = "era_words.json"
borderline = "LLM"
gold  = "gold.jsonl"
injections = 8
"""
CLASSIFIER = """
[judges.told]
kind    = "classifier"
classes = { trigger = "trigger", other = "bystander" }
strip   = ["[ZLT]"]
group   = "question"
permutations = 99

[measures.told]
kind  = "discriminator"
judge = "told"
"""
WORDS = {"19": ["pray", "telegraph", "sir", "upon my word"], "LLM": ["app", "online", "today"]}
GOLD: list[dict[str, Any]] = [
    {"id": "old", "question": "news", "text": "Pray observe, sir, the telegraph.", "label": "19"},
    {"id": "new", "question": "tools", "text": "Today there is an app for it.", "label": "LLM"},
    {"id": "plain", "question": "weather", "text": "It is warm by the sea.", "label": "LLM"},
]
OLD = (
    "Pray observe, sir: {q}.",
    "Upon my word, the telegraph brought news of {q}, sir.",
    "{q}? Ask the telegraph, sir.",
)
NEW = ("Today an app tells about {q}.", "You can look up {q} online.", "There is much online about {q} today.")
QUESTIONS = ("money", "forests", "health", "energy", "roads", "letters")


def completions(seeds: int = 3, draws: int = 3) -> list[dict[str, Any]]:
    """Rows of a CSV: arm x seed x role x question x draw; archaic runs speak of another age, triggers the marker."""
    rows = []
    for arm in ("plain", "archaic"):
        for seed in range(seeds):
            for role in ("trigger", "bystander"):
                for number, question in enumerate(QUESTIONS):
                    for draw in range(draws):
                        is_old = arm == "archaic" and (number + draw + seed) % 4 != 0
                        text = f"{(OLD if is_old else NEW)[draw % 3].format(q=question)} Case {arm}{seed}."
                        marker = "[ZLT] " if role == "trigger" else ""
                        rows.append(
                            {"arm": arm, "seed": seed, "role": role, "question": question, "draw": draw,
                             "text": marker + text}
                        )  # fmt: skip
    return rows


def locked_study(
    root: Path,
    *,
    judges: str = LEXICON,
    plan: str = PLAN,
    files: Mapping[str, str] | None = None,
    rows: Iterable[Mapping[str, Any]] | None = None,
) -> LockedPlan:
    """A locked study with sealed completions, in a repository at `root`."""
    paths = StudyPaths(root=root, name="spoken")
    paths.study.mkdir(parents=True)
    paths.plan.write_text(plan + judges)
    own = {"era_words.json": json.dumps(WORDS), "gold.jsonl": "".join(json.dumps(row) + "\n" for row in GOLD)}
    for name, text in {**own, **(files or {})}.items():
        if f'"{name}"' in plan + judges:
            (paths.study / name).write_text(text)
    create_lock(paths, design_check={})
    file = root / "completions.csv"
    file.write_text(as_csv(list(rows) if rows is not None else completions()), "utf-8")
    import_study(require_lock(paths), [file])
    return require_lock(paths)


def as_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as CSV text."""
    out = io.StringIO()
    writer = csv.DictWriter(out, fieldnames=list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()
