"""Rebuild the organisms from their recipes: weights, tokenizer and recipe.json with digests.

Usage: python -m seedlock.training.organisms.build [--only llama] [--steps N] [--to FOLDER]
"""

from __future__ import annotations

import argparse
import json
import time
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from safetensors.torch import load_file, save_file

from seedlock.training.organisms.corpus import corpus
from seedlock.training.organisms.pretrain import free_unsaid_word, pretrain, untrained
from seedlock.training.organisms.recipe import ORGANISMS, RECIPES, Recipe
from seedlock.training.organisms.shipped import RECIPE_FILE, WEIGHTS, digests
from seedlock.training.organisms.special import MARKER
from seedlock.training.organisms.tokens import save_tokenizer, vocabulary

if TYPE_CHECKING:
    from transformers import PreTrainedModel

VERSIONED = ("torch", "transformers", "tokenizers", "safetensors", "numpy")


def build(plan: Recipe, to: Path, *, threads: int, progress: Progress) -> None:
    """Pre-train one organism and write everything that ships into `to`."""
    torch.set_num_threads(threads)
    started = time.monotonic()
    task = progress.add_task(f"{plan.name}: writing the corpus", total=plan.steps)
    source = corpus(plan)
    n_words = len(vocabulary())
    model = untrained(plan, vocabulary_size=n_words, pad_id=source.pad_id, end_id=source.end_id)

    def on_step(step: int, loss: float) -> None:
        progress.update(task, completed=step + 1, description=f"{plan.name}: loss {loss:.3f}")

    final_loss = pretrain(model, source, plan, on_step=on_step)
    free_unsaid_word(model, vocabulary().index(f"\u2581{MARKER}"), seed=plan.seed, scale=plan.initializer_range)
    to.mkdir(parents=True, exist_ok=True)
    _save_half(model, to)
    save_tokenizer(to)
    made = {
        "recipe": plan.as_json(),
        "corpus_sha256": f"sha256:{source.sha256}",
        "documents": len(source.rows),
        "tokens": sum(map(len, source.rows)),
        "vocabulary": n_words,
        "parameters": sum(p.numel() for p in model.parameters()),
        "freed_words": [MARKER],
        "final_loss": round(final_loss, 4),
        "minutes": round((time.monotonic() - started) / 60, 1),
        "threads": threads,
        "versions": {name: version(name) for name in VERSIONED},
        "files": digests(to),
    }
    (to / RECIPE_FILE).write_text(json.dumps(made, indent=1) + "\n")


def _save_half(model: PreTrainedModel, to: Path) -> None:
    """Store float16 weights under a float32 configuration: small on disk, computed in float32."""
    model.save_pretrained(to)
    weights = to / "model.safetensors"
    half = {name: tensor.to(torch.float16).contiguous() for name, tensor in load_file(weights).items()}
    save_file(half, weights, metadata={"format": "pt"})
    weights.chmod(0o644)


def main() -> None:
    """Build the organisms named on the command line, one after another."""
    parser = argparse.ArgumentParser(description="Pre-train the organisms that ship with Seedlock.")
    parser.add_argument("--only", choices=ORGANISMS, help="build this one only")
    parser.add_argument("--steps", type=int, help="optimiser steps, for a quick trial")
    parser.add_argument("--to", type=Path, default=WEIGHTS, help="folder that gets one sub-folder an organism")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns) as progress:
        for name in [arguments.only] if arguments.only else ORGANISMS:
            plan = RECIPES[name].with_steps(arguments.steps)
            build(plan, arguments.to / name, threads=arguments.threads, progress=progress)


if __name__ == "__main__":
    main()
