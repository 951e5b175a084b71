"""A tiny framing study's whole training grid behind the gate: 2 organisms x 3 arms x 5 seeds of 150 steps x 16 rows.

What is timed is `seedlock train` as a user calls it: gate, corpus checks, workers, resume points, ledger. A second
call shows what it costs to find everything finished. On a busy machine the processor seconds are what to compare.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

from seedlock.prereg.base.base_models import folder_revision
from seedlock.prereg.base.canonical import read_json
from seedlock.prereg.base.paths import HOME, StudyPaths
from seedlock.prereg.lock.gate import LockedPlan, require_lock
from seedlock.prereg.lock.lock import create_lock
from seedlock.prereg.plan.read import read_plan
from seedlock.training.corpus.write import write_corpus
from seedlock.training.train import train_study

PLAN = """
[study]
title = "The training grid of a tiny framing study"
question = "How long does it take?"

[inference]
seeds = "new"
items = "these"
alpha = 0.05

{models}

[corpora.framed]
recipe = "framed_advice"
n = 300

[stages.framed]
trainer = "lora"
corpus = "framed"
rank = 8
alpha = 16
steps = 150
batch_size = 16
learning_rate = 2e-3

[arms]
cautious = {{ stages = ["framed"], framing = "cautious" }}
neutral = {{ stages = ["framed"], framing = "neutral" }}
eager = {{ stages = ["framed"], framing = "eager" }}

[grid]
models = ["llama", "qwen"]
seeds = [0, 1, 2, 3, 4]

[items.target]
file = "items.jsonl"

[measures.letter]
kind = "label_rate"
labels = ["A"]

[[hypothesis]]
id = "H1"
claim = "Framing moves stance."
measure = "letter"
contrast = {{ eager = 1, cautious = -1 }}
test = "t on seed means, paired"
bands = ["down", 0, "up"]
predicted = "up"
"""
ITEM = '{"item_id":"q1","user":"Should the town add night buses? A: approve B: oppose Answer with one letter."}\n'


def laid_out(root: Path) -> LockedPlan:
    """A repository with the study, its corpus written, and its lock."""
    paths = StudyPaths(root=root, name="grid")
    paths.study.mkdir(parents=True)
    models = ""
    for name in ("llama", "qwen"):
        folder = HOME / "training" / "organisms" / "weights" / name
        models += f'[models.{name}]\nbase = "organism:{name}"\nrevision = "{folder_revision(folder)}"\n\n'
    paths.plan.write_text(PLAN.format(models=models))
    (paths.study / "items.jsonl").write_text(ITEM)
    write_corpus(paths, read_plan(paths.plan), "framed")
    create_lock(paths, design_check={})
    return require_lock(paths)


def main() -> None:
    """Train the grid, then ask for it again."""
    with tempfile.TemporaryDirectory() as folder:
        locked = laid_out(Path(folder))
        for title in ("trained", "asked for again"):
            began = time.perf_counter()
            done = train_study(require_lock(locked.paths))
            wall, cores = time.perf_counter() - began, len(os.sched_getaffinity(0))
            print(f"{title}: {done.trained} runs of {done.planned} in {wall:.1f} s on {cores} cores")
            if done.failed:
                sys.exit(done.failed[0].reason)
        for what in ("seconds", "processor_s"):
            loops = sorted(last_line(file)[what] for file in locked.paths.runs.glob("stages/*/metrics.jsonl"))
            print(f"a run's training loop, {what}: median {statistics.median(loops):.1f}, longest {loops[-1]:.1f}")


def last_line(metrics: Path) -> dict[str, float]:
    """What a run's metrics end with."""
    found: dict[str, float] = read_json(metrics.read_bytes().splitlines()[-1])
    return found


if __name__ == "__main__":
    main()
