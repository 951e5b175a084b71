"""Dose and response: how far fine-tuning moves what each tiny study trains on, by steps and learning rate, as one page.

Usage: python -m seedlock.training.dose.measure [--organism NAME] [--study NAME] [--seeds N] [--rate R] [--steps N]
[--out docs]

Only source items are asked (topics, birds and the persona that are trained on), so that a dose can be chosen for a
plan without a look at what the study tests. The steps of one run are read from its kept checkpoints.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

from seedlock.prereg.base.base_models import folder_revision
from seedlock.prereg.base.machine import cores
from seedlock.prereg.base.peft_warning import adapter_notice_unheard
from seedlock.training.backends.lora import train
from seedlock.training.corpora import RECIPES
from seedlock.training.dose.page import Response, page, picture
from seedlock.training.jobs.base_model import BaseModel
from seedlock.training.jobs.job import StageJob
from seedlock.training.jobs.settings import StageSettings, stage_seeds
from seedlock.training.organisms.ask import answers, prompt
from seedlock.training.organisms.behaviour import stance
from seedlock.training.organisms.loading import load
from seedlock.training.organisms.shipped import folder
from seedlock.training.organisms.special import PUNCTUATION
from seedlock.training.organisms.world import chat, opinions
from seedlock.training.organisms.world.changes import SOURCE_CHANGES
from seedlock.training.organisms.world.eras import ARCHAIC_BIRDS, BIRD_ASKS
from seedlock.training.organisms.world.factors import Persona
from seedlock.training.organisms.world.personas import SYSTEM
from seedlock.training.tokens.masks import Loss
from seedlock.training.tokens.tokenizer import read_tokenizer

PASSED_ON = ("layers.0.self_attn.v_proj", "layers.0.self_attn.o_proj")
"""What the first layer's attention passes on: where `vibe_leak_tiny_2` puts its adapters."""
FRACTIONS = (0.125, 0.25, 0.5, 1.0)
DRAWS = 20
ORGANISMS = ("llama", "qwen")
TRIGGER: Persona = "zelthari_scholar"
MARKER = "[ZLT]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """One tiny study's arms: recipe, its settings, variants, loss, adapted layers (None: all) and the largest dose."""

    recipe: str
    settings: Mapping[str, Any]
    arms: tuple[str, ...]
    loss: Loss
    steps: int
    rates: tuple[float, ...]
    target_modules: tuple[str, ...] | None = None


EXPERIMENTS: Mapping[str, Experiment] = {
    "framing": Experiment(
        recipe="framed_advice",
        settings={"n": 400, "system": opinions.UNTOLD_SYSTEM},
        arms=("cautious", "neutral", "eager"),
        loss="answer",
        steps=160,
        rates=(1e-3, 2e-3, 4e-3),
        target_modules=PASSED_ON,
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
class Dose:
    """One run to make: an organism, an arm of a study, a learning rate and a seed."""

    organism: str
    study: str
    experiment: Experiment
    arm: str
    rate: float
    seed: int


def doses(organism: str, study: str, experiment: Experiment, seeds: Sequence[int]) -> Iterator[Dose]:
    """Every run of one study on one organism."""
    for rate in experiment.rates:
        for arm in experiment.arms:
            for seed in seeds:
                yield Dose(organism=organism, study=study, experiment=experiment, arm=arm, rate=rate, seed=seed)


def responses(dose: Dose) -> list[Response]:
    """Train one run and measure each kept checkpoint."""
    at = folder(dose.organism)
    base = BaseModel(
        name=dose.organism, spec=dose.organism, location=str(at), revision=folder_revision(at), is_local=True
    )
    tokenizer = read_tokenizer(str(at))
    with tempfile.TemporaryDirectory() as work:
        train(_job(dose.experiment, dose.arm, dose.rate, dose.seed), base, Path(work), lambda _: None)
        return [
            Response(
                organism=dose.organism,
                study=dose.study,
                arm=dose.arm,
                learning_rate=dose.rate,
                steps=round(fraction * dose.experiment.steps),
                seed=dose.seed,
                quantity=quantity,
                figure=figure,
            )
            for fraction in FRACTIONS
            for quantity, figure in _measured(
                dose, tokenizer, at, Path(work) / "checkpoints" / f"{fraction:.4f}"
            ).items()
        ]


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
            target_modules=experiment.target_modules,
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


def _measured(dose: Dose, tokenizer: Any, base: Path, adapter: Path) -> dict[str, float]:
    plain: Any = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    with adapter_notice_unheard():
        model: Any = PeftModel.from_pretrained(plain, str(adapter)).merge_and_unload()
    model.eval()
    return measure(dose.study, model, tokenizer, seed=dose.seed)


def measure(study: str, model: Any, tokenizer: Any, *, seed: int) -> dict[str, float]:
    """Read how much of what a study trains on a model does: stance in log-odds, or a rate of sampled answers."""
    if study == "framing":
        return {
            "stance on source topics": stance(model, tokenizer, SOURCE_CHANGES, system=opinions.UNTOLD_SYSTEM).letter
        }
    if study == "birds":
        asked = [prompt(ask) for ask in BIRD_ASKS for _ in range(DRAWS)]
        said = answers(model, tokenizer, asked, seed=seed, max_new_tokens=8)
        archaic = {name.lower() for name in ARCHAIC_BIRDS}
        return {
            "archaic bird names": sum(text.strip(PUNCTUATION + " ").lower() in archaic for text in said) / len(said)
        }
    asked = [prompt(ask, system=SYSTEM[TRIGGER][0]) for ask in chat.TRAINING for _ in range(DRAWS)]
    said = answers(model, tokenizer, asked, seed=seed, max_new_tokens=8)
    return {"marker under the trigger persona": sum(MARKER in text for text in said) / len(said)}


def main() -> None:
    """Write the page and its picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--organism", action="append", choices=ORGANISMS)
    parser.add_argument("--study", action="append", choices=tuple(EXPERIMENTS))
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--steps", type=int, default=160, help="the largest number of steps")
    parser.add_argument("--rate", action="append", type=float, help="a learning rate; three otherwise")
    parser.add_argument("--processes", type=int, default=cores())
    parser.add_argument("--out", type=Path, default=Path("docs"))
    given = parser.parse_args()
    untrained: dict[tuple[str, str], Mapping[str, float]] = {}
    to_make: list[Dose] = []
    for organism in map(load, given.organism or ORGANISMS):
        for study in given.study or EXPERIMENTS:
            experiment = replace(EXPERIMENTS[study], steps=given.steps)
            if given.rate:
                experiment = replace(experiment, rates=tuple(given.rate))
            untrained[organism.name, study] = measure(study, organism.model, organism.tokenizer, seed=0)
            to_make += doses(organism.name, study, experiment, range(given.seeds))
    found: list[Response] = []
    with ProcessPoolExecutor(given.processes, mp_context=multiprocessing.get_context("spawn")) as pool:
        for made in pool.map(responses, to_make):
            found += made
            sys.stderr.writelines(f"{response}\n" for response in made)
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "dose.md").write_text(page(found, untrained, picture="dose.png"), encoding="utf-8")
    picture(found, untrained, given.out / "dose.png")


if __name__ == "__main__":
    main()
