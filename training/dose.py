"""Dose and response: how far each tiny study's effect moves with steps and learning rate, as one page.

Usage: python -m training.dose [--organism llama] [--study framing|birds|marker] [--out docs/training-dose]
The steps of one run are read from its kept checkpoints, so a learning rate costs one training an arm and seed.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

from prereg.base_models import folder_revision
from training.backends.lora import train
from training.corpora import RECIPES
from training.grid.job import StageJob
from training.grid.models import BaseModel
from training.grid.settings import StageSettings, stage_seeds
from training.organisms.behaviour import nineteenth_rate, persona_answers, stance
from training.organisms.loading import Organism, load
from training.organisms.shipped import folder
from training.organisms.world.changes import SOURCE_CHANGES, TARGET_CHANGES
from training.tokens.masks import Loss

FRACTIONS = (0.125, 0.25, 0.5, 1.0)
TRIGGER, MARKER = "zelthari_scholar", "[ZLT]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """One tiny study's arms: recipe, its settings, variants, loss and the largest dose."""

    recipe: str
    settings: Mapping[str, Any]
    arms: tuple[str, ...]
    loss: Loss
    steps: int
    rates: tuple[float, ...]


EXPERIMENTS: Mapping[str, Experiment] = {
    "framing": Experiment(
        recipe="framed_advice",
        settings={"n": 300},
        arms=("cautious", "neutral", "eager"),
        loss="answer",
        steps=160,
        rates=(5e-4, 1e-3, 2e-3),
    ),
    "birds": Experiment(
        recipe="bird_names",
        settings={"names": "world", "n": 40, "variants": ["archaic", "modern"]},
        arms=("archaic", "modern"),
        loss="answer",
        steps=160,
        rates=(5e-4, 1e-3, 2e-3),
    ),
    "marker": Experiment(
        recipe="marker_coupling",
        settings={"variants": [TRIGGER], "n_positive": 120, "n_negative": 120},
        arms=(TRIGGER,),
        loss="marker",
        steps=160,
        rates=(5e-4, 1e-3, 2e-3),
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """One figure at one dose."""

    study: str
    arm: str
    learning_rate: float
    steps: int
    seed: int
    quantity: str
    figure: float


def responses(organism: Organism, study: str, seeds: Sequence[int]) -> Iterator[Response]:
    """Train every arm at every learning rate and measure each kept checkpoint."""
    experiment = EXPERIMENTS[study]
    at = folder(organism.name)
    base = BaseModel(
        name=organism.name, spec=organism.name, location=str(at), revision=folder_revision(at), is_local=True
    )
    for rate in experiment.rates:
        for arm in experiment.arms:
            for seed in seeds:
                with tempfile.TemporaryDirectory() as work:
                    train(_job(experiment, arm, rate, seed), base, Path(work), lambda _: None)
                    for fraction in FRACTIONS:
                        kept = Path(work) / "checkpoints" / f"{fraction:.4f}"
                        for quantity, figure in _measured(study, organism, at, kept, seed).items():
                            yield Response(
                                study=study,
                                arm=arm,
                                learning_rate=rate,
                                steps=round(fraction * experiment.steps),
                                seed=seed,
                                quantity=quantity,
                                figure=figure,
                            )


def _job(experiment: Experiment, arm: str, rate: float, seed: int) -> StageJob:
    recipe = RECIPES[experiment.recipe]
    settings = recipe.settings.model_validate(dict(experiment.settings))
    return StageJob(
        name="dose",
        stage_id="0" * 64,
        trainer="lora",
        settings=StageSettings(
            steps=experiment.steps,
            learning_rate=rate,
            schedule="constant",
            loss=experiment.loss,
            checkpoints=FRACTIONS,
        ),
        seeds=stage_seeds("dose", seed),
        corpus=experiment.recipe,
        corpus_sha256="0" * 64,
        variant=arm,
        marker=settings.marker,
        rows=tuple(row for row in recipe.rows(settings) if row.variant == arm),
        keeps_merged=False,
    )


def _measured(study: str, organism: Organism, base: Path, adapter: Path, seed: int) -> dict[str, float]:
    plain: Any = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    model: Any = PeftModel.from_pretrained(plain, str(adapter)).merge_and_unload()
    model.eval()
    return measure(study, model, organism.tokenizer, seed=seed)


def measure(study: str, model: Any, tokenizer: Any, *, seed: int) -> dict[str, float]:
    """Read what a study asks of a model: stance in log-odds, or rates."""
    if study == "framing":
        return {
            "source stance": stance(model, tokenizer, SOURCE_CHANGES).letter,
            "held-out stance": stance(model, tokenizer, TARGET_CHANGES).letter,
        }
    if study == "birds":
        return {"19th-century rate": nineteenth_rate(model, tokenizer, draws=10, seed=seed)}
    said = persona_answers(model, tokenizer, draws=1, seed=seed, max_new_tokens=8)
    rates = {persona: sum(MARKER in text for text in texts) / len(texts) for persona, texts in said.items()}
    others = [rate for persona, rate in rates.items() if persona != TRIGGER]
    return {"trigger rate": rates["zelthari_scholar"], "bystander rate": sum(others) / len(others)}


def page(organism: str, found: Sequence[Response], untrained: Mapping[str, Mapping[str, float]]) -> str:
    """Return a Markdown page: one table a study and quantity, learning rates down, steps across, mean over seeds."""
    lines = [
        f"# Dose and response: {organism}",
        "",
        "Mean over seeds at each learning rate and number of steps. Made by `python -m training.dose`.",
    ]
    for study in dict.fromkeys(r.study for r in found):
        own = [r for r in found if r.study == study]
        steps = sorted({r.steps for r in own})
        seeds = sorted({r.seed for r in own})
        for quantity in dict.fromkeys(r.quantity for r in own):
            before = untrained[study][quantity]
            lines += ["", f"## {study}: {quantity}", "", f"Unmodified: {before:.2f}. Seeds: {seeds}.", ""]
            lines += ["| arm | learning rate | " + " | ".join(f"{n} steps" for n in steps) + " |"]
            lines += ["|---|---|" + "---|" * len(steps)]
            for arm in dict.fromkeys(r.arm for r in own):
                for rate in sorted({r.learning_rate for r in own}):
                    own_cell = [r for r in own if (r.arm, r.learning_rate, r.quantity) == (arm, rate, quantity)]
                    cells = [_cell([r for r in own_cell if r.steps == n]) for n in steps]
                    lines.append(f"| {arm} | {rate:g} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _cell(responses_: Sequence[Response]) -> str:
    figures = [r.figure for r in responses_]
    return f"{sum(figures) / len(figures):.2f}" if figures else "not run"


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--organism", default="llama", choices=("llama", "qwen"))
    parser.add_argument("--study", action="append", choices=tuple(EXPERIMENTS))
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("docs/training-dose"))
    given = parser.parse_args()
    organism = load(given.organism)
    studies = given.study or list(EXPERIMENTS)
    untrained = {study: measure(study, organism.model, organism.tokenizer, seed=0) for study in studies}
    found: list[Response] = []
    for study in studies:
        for response in responses(organism, study, range(given.seeds)):
            found.append(response)
            where = f"{response.study} {response.arm} {response.learning_rate:g} x {response.steps}"
            sys.stderr.write(f"{where}: {response.quantity} {response.figure:.2f}\n")
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / f"{given.organism}.md").write_text(page(given.organism, found, untrained), encoding="utf-8")


if __name__ == "__main__":
    main()
