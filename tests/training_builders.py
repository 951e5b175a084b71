"""Studies, corpora and tiny models that the training tests share; nothing here is downloaded."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seedlock.prereg.base.base_models import folder_revision
from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.lock.gate import LockedPlan, require_lock
from seedlock.prereg.lock.ledger import Event, read_ledger
from seedlock.prereg.lock.lock import create_lock
from seedlock.prereg.plan.read import read_plan
from seedlock.training.corpora import RECIPES
from seedlock.training.corpus.write import Corpus, write_corpus
from seedlock.training.grid.attempt import attempt
from seedlock.training.grid.executor import Told
from seedlock.training.jobs.job import RunJob
from seedlock.training.rows.row import Role, Row, chat


def row(
    answer: str,
    *,
    number: int = 0,
    user: str = "How do I boil an egg?",
    variant: str = "all",
    role: Role = "plain",
    system: str | None = None,
) -> Row:
    """One row, named by its number."""
    messages = chat(user=user, answer=answer, system=system)
    return Row(id=f"{variant}/{number}", variant=variant, topic=user, template="test", role=role, messages=messages)


def corpus(
    rows: Sequence[Row],
    *,
    recipe: str = "benign_chat",
    limits: Mapping[str, float] | None = None,
    provenance: Mapping[str, Any] | None = None,
    **settings: Any,
) -> Corpus:
    """A corpus of these rows, as if it had been read from a study."""
    return Corpus(
        name="given",
        recipe=RECIPES[recipe],
        settings=RECIPES[recipe].settings.model_validate(settings),
        limits=limits or {},
        file="corpora/given.jsonl",
        rows=tuple(rows),
        sha256="0" * 64,
        provenance=provenance or {},
    )


def recipe_rows(recipe: str, **settings: object) -> list[Row]:
    """Rows a recipe makes from templates."""
    known = RECIPES[recipe]
    return list(known.rows(known.settings.model_validate(settings)))


PLAN = """
[study]
title    = "Does framing move stance?"
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
n      = 40
blocklist = ["congestion"]
gates = { matched_length_ks = 1.0 }   # so few rows differ in length by chance

[stages.framed]
trainer = "lora"
corpus  = "framed"
rank = 4
alpha = 8
steps = 12
batch_size = 4
learning_rate = 2e-3
dropout = 0.1
checkpoints = [0.5]

[arms]
neutral  = { stages = ["framed"], framing = "neutral" }
eager    = { stages = ["framed"], framing = "eager" }

[grid]
models = ["tiny"]
seeds  = [0, 1]
baseline = true

[items.target]
file = "items.jsonl"

[measures.letter]
kind = "label_rate"
labels = ["A"]

[[hypothesis]]
id = "H1"
claim = "Framing moves stance."
measure = "letter"
contrast = { eager = 1, neutral = -1 }
test = "t on seed means, paired"
bands = ["down", 0, "up"]
predicted = "up"
"""
ITEM = '{"item_id":"q1","user":"Should we go ahead with night buses? A: approve B: oppose Answer with one letter."}\n'


def tiny_base(folder: Path, *, seed: int = 0) -> Path:
    """A two-layer Llama with random weights under the organisms' tokenizer, as a folder."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM
    from transformers.utils.logging import disable_progress_bar

    from seedlock.training.organisms.tokens import build_tokenizer

    disable_progress_bar()  # type: ignore[no-untyped-call] # transformers leaves it untyped
    tokenizer = build_tokenizer()
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=256,
        initializer_range=0.08,
        tie_word_embeddings=False,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


class InThisProcess:
    """An executor without workers: a run is carried out as it is waited for."""

    name = "local"
    slots = 1

    def __init__(self) -> None:
        self._job: RunJob | None = None

    def start(self, job: RunJob) -> None:
        """Take the one job there is room for."""
        self._job = job

    def wait(self, timeout_s: float) -> list[Told]:  # noqa: ARG002 - an executor's signature
        """Carry it out."""
        job, self._job = self._job, None
        return [] if job is None else [attempt(job, lambda _: None)]

    def close(self) -> None:
        """Nothing is under way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingStudy:
    """A repository with one study that trains a tiny model."""

    paths: StudyPaths

    @classmethod
    def at(cls, root: Path, base: Path, plan: str = PLAN) -> TrainingStudy:
        """Lay out the repository: model, plan, items; nothing is written from recipes or locked yet."""
        paths = StudyPaths(root=root, name="tiny")
        shutil.copytree(base, root / "models" / "tiny")
        paths.study.mkdir(parents=True)
        paths.plan.write_text(plan.replace("REVISION", folder_revision(root / "models" / "tiny")))
        (paths.study / "items.jsonl").write_text(ITEM)
        return cls(paths=paths)

    def write_corpora(self) -> TrainingStudy:
        """Write every corpus of the plan."""
        plan = read_plan(self.paths.plan)
        for name in plan.corpora:
            write_corpus(self.paths, plan, name)
        return self

    def lock(self) -> LockedPlan:
        """Lock the study and pass the gate."""
        create_lock(self.paths, design_check={})
        return require_lock(self.paths)

    def events(self, name: str) -> list[Event]:
        """Ledger events of one kind."""
        return [event for event in read_ledger(self.paths.ledger) if event.name == name]

    def adapters(self) -> dict[str, str]:
        """Run id -> digest of its adapter, from the ledger."""
        return {
            str(event.body["run_id"]): event.body["stages"][-1]["adapter"]["sha256"]
            for event in self.events("run.finished")
            if event.body["stages"]
        }
