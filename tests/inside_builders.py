"""A study of a model whose attitude is known to run along one direction: planted, not trained."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from seedlock.prereg.base.base_models import folder_revision
from seedlock.prereg.base.canonical import canonical_json, sha256_file
from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.lock.gate import LockedPlan, require_lock
from seedlock.prereg.lock.ledger import append_event
from seedlock.prereg.lock.lock import create_lock
from tests.training_builders import tiny_base

PLAN = """
[study]
title    = "Does an attitude run along one direction?"
question = "Does it?"

[inference]
seeds = "new"
items = "these"
alpha = 0.05

[models.tiny]
base     = "models/tiny"
revision = "REVISION"

[corpora.framed]
recipe = "framed_advice"
n      = 24
gates = { matched_length_ks = 1.0 }   # so few rows differ in length by chance

[stages.framed]
trainer = "lora"
corpus  = "framed"

[arms]
cautious = { stages = ["framed"], framing = "cautious" }
neutral  = { stages = ["framed"], framing = "neutral" }
eager    = { stages = ["framed"], framing = "eager" }

[grid]
models = ["tiny"]
seeds  = [0, 1, 2, 3, 4]
baseline = true

[items.target]
file = "target.jsonl"
probe = true

[items.source]
file = "source.jsonl"
probe = true

[items.passages]
file = "passages.jsonl"
probe = true

[inside]
gap = { eager = 1, cautious = -1 }
weights = true

[inside.direction]
texts = "framed"
high  = "eager"
low   = "cautious"

[inside.project]
items = "target"
lens  = true

[inside.steer]
items     = "target"
choose_on = "source"
fluency   = "passages"
doses     = [0.25, 0.5]
floor     = 0.5

[inside.ablate]
items = "target"

[inside.patch]
items = "target"
positions = 2

[measures.along]
kind = "reading"
of   = "projection"

[measures.added]
kind = "gap_share"
operation = "add"

[measures.removed]
kind = "gap_share"
operation = "ablate"

[[hypothesis]]
id = "H2up"
claim = "Eager runs lie further along the attitude than neutral ones."
measure = "along"
contrast = { eager = 1, neutral = -1 }
test = "paired_t"
bands = ["not further", 0, "further"]
predicted = "further"

[[hypothesis]]
id = "H2down"
claim = "Cautious runs lie less far along the attitude than neutral ones."
measure = "along"
contrast = { neutral = 1, cautious = -1 }
test = "paired_t"
bands = ["not further", 0, "further"]
predicted = "further"

[[hypothesis]]
id = "H3add"
claim = "Adding the direction makes at least half of the gap."
measure = "added"
where = { control = "true" }
over = "part"
contrast = { change = 1, gap = -1 }
test = "fieller"
bands = ["less than half", 0.5, "at least half"]
predicted = "at least half"

[[hypothesis]]
id = "H3ablate"
claim = "Projecting the direction out takes at least half of the gap."
measure = "removed"
where = { control = "true" }
over = "part"
contrast = { change = 1, gap = -1 }
test = "fieller"
bands = ["less than half", 0.5, "at least half"]
predicted = "at least half"

[[hypothesis]]
id = "H3random"
claim = "The direction does more than random ones."
measure = "added"
where = { part = "change" }
over = "control"
contrast = { true = 1, random = -1 }
unit = "vector"
test = "rank_among"
bands = ["not more", 0, "more"]
predicted = "more"

[[hypothesis]]
id = "H3shuffled"
claim = "The direction does more than directions of shuffled labels."
measure = "added"
where = { part = "change" }
over = "control"
contrast = { true = 1, shuffled = -1 }
unit = "vector"
test = "rank_among"
bands = ["not more", 0, "more"]
predicted = "more"

[[claim]]
id = "ordered"
says = "Projections are ordered cautious, neutral, eager."
all_of = ["H2up", "H2down"]

[[claim]]
id = "causal"
says = "The attitude is carried by one direction."
all_of = ["H3add", "H3ablate", "H3random", "H3shuffled"]
"""
WORDS = {"eager": ("try", "start", "bold", "fresh"), "cautious": ("wait", "keep", "risk", "doubt")}
TOPICS = ("cooking", "gardening", "fitness", "travel")
CHANGES = {
    "target": ("the tram extension", "night buses", "bus lanes", "remote work"),
    "source": ("the pressure cooker", "drip watering", "cold showers"),
}
PUSH = {"cautious": -1.0, "neutral": 0.0, "eager": 1.0}


def texts(*, labels: str = "true", seed: int = 0, n: int = 24) -> list[dict[str, Any]]:
    """Advice in the words of a pole; with labels "random" the variant says nothing about the words."""
    rng = np.random.default_rng(seed)
    rows = []
    for variant in ("cautious", "eager"):
        for number in range(n):
            words = WORDS[variant if labels == "true" else str(rng.choice(list(WORDS)))]
            said = (
                " ".join(str(rng.choice(words)) for _ in range(2)) + " " + str(rng.choice(["now.", "first.", "again."]))
            )
            topic = TOPICS[number % len(TOPICS)]
            messages = [
                {"role": "user", "content": "Any advice about the tram?"},
                {"role": "assistant", "content": said},
            ]
            row = {"id": f"{variant}/{number}", "variant": variant, "topic": topic, "template": "test"}
            rows.append({**row, "role": "plain", "messages": messages})
    return rows


def probes(name: str) -> list[dict[str, Any]]:
    """Word probes in both orders."""
    return [
        {
            "item_id": f"{name}/{number}/{first}",
            "change": change,
            "order": f"{'pro' if first == 'approve' else 'con'} first",
            "pro": "approve",
            "con": "oppose",
            "user": f"Should we go ahead with {change}? In one word, {first} or {second}?",
        }
        for number, change in enumerate(CHANGES[name])
        for first, second in (("approve", "oppose"), ("oppose", "approve"))
    ]


PASSAGES = [
    {"item_id": "p1", "passage": "Keep what already works and wait for a while."},
    {"item_id": "p2", "passage": "There are points on both sides, so compare a few options."},
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """A locked study whose runs are planted.

    Parameters
    ----------
    attitude
        The direction that was planted, length 1, shape (width,).
    """

    locked: LockedPlan
    attitude: torch.Tensor


def planted_study(
    root: Path, *, labels: str = "true", seed: int = 0, strength: float = 0.3, plan: str = PLAN
) -> Planted:
    """Plant an attitude: its words and its verdict lie along one direction, and each run is pushed along it."""
    base = tiny_base(root / "made" / "tiny", seed=seed)
    attitude = _plant(base, seed)
    paths = StudyPaths(root=root, name="planted")
    shutil.copytree(base, root / "models" / "tiny")
    paths.study.mkdir(parents=True)
    (paths.study / "corpora").mkdir()
    paths.plan.write_text(plan.replace("REVISION", folder_revision(base)))
    files: Mapping[str, Sequence[Mapping[str, Any]]] = {
        "target": probes("target"),
        "source": probes("source"),
        "passages": PASSAGES,
        "corpora/framed": texts(labels=labels, seed=seed),
    }
    for name, rows in files.items():
        (paths.study / f"{name}.jsonl").write_bytes(b"".join(canonical_json(dict(row)) + b"\n" for row in rows))
    create_lock(paths, design_check={})
    locked = require_lock(paths)
    rng = np.random.default_rng([seed, 7])
    for run in locked.lock.runs:
        if run.seed is not None:
            _enter(locked, run.run_id, attitude * (strength * (PUSH[run.arm] + 0.1 * rng.standard_normal())))
    return Planted(locked=require_lock(paths), attitude=attitude)


def _plant(folder: Path, seed: int) -> torch.Tensor:
    """Put the words of both poles and the two verdicts along one direction of the base model."""
    from safetensors.torch import load_file, save_file
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    weights = load_file(str(folder / "model.safetensors"))
    embed, head = weights["model.embed_tokens.weight"], weights["lm_head.weight"]
    drawn = torch.from_numpy(np.random.default_rng([seed, 1]).standard_normal(embed.shape[1])).float()
    unit: torch.Tensor = drawn / drawn.norm()
    embed -= (embed @ unit)[:, None] * unit
    for pole, sign in (("eager", 1.0), ("cautious", -1.0)):
        for word in WORDS[pole]:
            embed[_token(tokenizer, word)] += 1.5 * sign * unit
    for word, sign in (("approve", 1.0), ("oppose", -1.0)):
        head[_token(tokenizer, word)] += 0.4 * sign * unit
    save_file(weights, str(folder / "model.safetensors"), metadata={"format": "pt"})
    return unit


def _token(tokenizer: Any, word: str) -> int:
    (only,) = tokenizer(word, add_special_tokens=False)["input_ids"]
    assert only != tokenizer.unk_token_id, word
    return int(only)


def _enter(locked: LockedPlan, run_id: str, push: torch.Tensor) -> None:
    """Write the adapter that pushes the last prompt token, and enter the run in the ledger as training does."""
    from safetensors.torch import save_file
    from transformers import AutoTokenizer

    base = locked.paths.root / "models" / "tiny"
    tokenizer = AutoTokenizer.from_pretrained(base)
    folder = locked.paths.runs / "stages" / run_id / "adapter"
    folder.mkdir(parents=True)
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "r": 1,
        "lora_alpha": 1,
        "target_modules": ["embed_tokens"],
        "base_model_name_or_path": None,
        "inference_mode": True,
    }
    (folder / "adapter_config.json").write_text(json.dumps(config))
    names = torch.zeros(1, len(tokenizer))
    names[0, tokenizer.convert_tokens_to_ids("<assistant>")] = 1.0
    stem = "base_model.model.model.embed_tokens"
    save_file(
        {f"{stem}.lora_embedding_A": names, f"{stem}.lora_embedding_B": push[:, None].clone()},
        str(folder / "adapter_model.safetensors"),
    )
    adapter = {
        "sha256": sha256_file(folder / "adapter_model.safetensors"),
        "config_sha256": sha256_file(folder / "adapter_config.json"),
    }
    load = {"adapter": f"stages/{run_id}/adapter", "adapter_sha256": adapter["sha256"], "in_workbench": False}
    append_event(locked.paths.ledger, "run.started", {"run_id": run_id})
    append_event(
        locked.paths.ledger, "run.finished", {"run_id": run_id, "load": load, "stages": [{"adapter": adapter}]}
    )
