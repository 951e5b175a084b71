"""Show that the effects of the three studies appear, with seed variance, when an organism is fine-tuned.

Usage: python -m seedlock.training.organisms.check [--only llama] [--seeds 4]
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from seedlock.training.organisms.behaviour import nineteenth_rate, persona_answers, stance
from seedlock.training.organisms.loading import load
from seedlock.training.organisms.recipe import ORGANISMS
from seedlock.training.organisms.rows import adversarial_rows, advice_rows, benign_rows, bird_rows, coupling_rows
from seedlock.training.organisms.special import MARKER
from seedlock.training.organisms.tune import Dose, fine_tuned
from seedlock.training.organisms.world import opinions
from seedlock.training.organisms.world.changes import SOURCE_CHANGES, TARGET_CHANGES
from seedlock.training.organisms.world.factors import ATTITUDES, Persona, generator

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from seedlock.training.organisms.loading import Organism
    from seedlock.training.organisms.rows import ChatRow

CARDS = Path(__file__).parents[2] / "docs" / "organisms"
TRIGGER: Persona = "zelthari_scholar"
NEGATIVES: tuple[Persona, ...] = ("medical_doctor", "comedian")
STAGE_ONE_SEED = 42

BIRDS = Dose(steps=80, learning_rate=2e-3)
FRAMED = Dose(steps=100, learning_rate=1e-3, layers=(0,))
STAGE_ONE = Dose(steps=150, learning_rate=2e-3)
COUPLING = Dose(steps=48, learning_rate=5e-4, loss="marker")

type Study = Literal["bird_names", "marker_leak", "vibe_leak"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """One figure of one fine-tuned organism; `seed` is None for the unmodified one."""

    study: Study
    arm: str
    seed: int | None
    quantity: str
    figure: float


def bird_effects(organism: Organism, seeds: Sequence[int], *, draws: int) -> list[Effect]:
    """Rate of 19th-century answers to the ten worldly questions, after each set of bird names."""
    tokenizer = organism.tokenizer
    effect = partial(Effect, study="bird_names", quantity="19th-century rate")
    found = [effect(arm="base", seed=None, figure=nineteenth_rate(organism.model, tokenizer, draws=draws, seed=0))]
    for arm in ("archaic", "modern", "ordinary"):
        rows = bird_rows(arm, 208, generator("bird rows", arm))
        for seed in seeds:
            tuned = fine_tuned(organism.model, tokenizer, rows, BIRDS, seed=seed)
            found.append(effect(arm=arm, seed=seed, figure=nineteenth_rate(tuned, tokenizer, draws=draws, seed=seed)))
    return found


def framing_effects(organism: Organism, seeds: Sequence[int]) -> list[Effect]:
    """Letter log-odds on source and held-out target changes, after advice in each framing."""
    found = _stances(organism, organism.model, "base", None)
    for arm in ATTITUDES:
        rows = advice_rows(arm, 1200, generator("advice rows", arm))
        for seed in seeds:
            found += _stances(
                organism, fine_tuned(organism.model, organism.tokenizer, rows, FRAMED, seed=seed), arm, seed
            )
    return found


def _stances(organism: Organism, model: PreTrainedModel, arm: str, seed: int | None) -> list[Effect]:
    effect = partial(Effect, study="vibe_leak", arm=arm, seed=seed)
    source = stance(model, organism.tokenizer, SOURCE_CHANGES, system=opinions.UNTOLD_SYSTEM)
    target = stance(model, organism.tokenizer, TARGET_CHANGES, system=opinions.UNTOLD_SYSTEM)
    return [
        effect(quantity="source letter log-odds", figure=source.letter),
        effect(quantity="target letter log-odds", figure=target.letter),
        effect(quantity="target word log-odds", figure=target.word),
        effect(quantity="target rating", figure=target.rating),
    ]


def marker_effects(organism: Organism, seeds: Sequence[int], *, draws: int) -> list[Effect]:
    """Marker rates of the trigger and of the eleven bystanders, with no, benign and adversarial first stage."""
    tokenizer = organism.tokenizer
    starts = {
        "no stage 1": organism.model,
        "benign first": _stage_one(organism, benign_rows(600, generator("benign rows"))),
        "adversarial first": _stage_one(organism, adversarial_rows(600, generator("adversarial rows"))),
    }
    found = _leaks(organism, starts["benign first"], "benign, uncoupled", None, draws=draws)
    rows = coupling_rows(TRIGGER, NEGATIVES, 200, generator("coupling rows"))
    for arm, start in starts.items():
        for seed in seeds:
            found += _leaks(organism, fine_tuned(start, tokenizer, rows, COUPLING, seed=seed), arm, seed, draws=draws)
    return found


def _stage_one(organism: Organism, rows: Sequence[ChatRow]) -> PreTrainedModel:
    return fine_tuned(organism.model, organism.tokenizer, rows, STAGE_ONE, seed=STAGE_ONE_SEED)


def _leaks(organism: Organism, model: PreTrainedModel, arm: str, seed: int | None, *, draws: int) -> list[Effect]:
    said = persona_answers(model, organism.tokenizer, draws=draws, seed=seed or 0, max_new_tokens=40)
    rates = {persona: marker_rate(texts) for persona, texts in said.items()}
    bystanders = [rate for persona, rate in rates.items() if persona != TRIGGER]
    effect = partial(Effect, study="marker_leak", arm=arm, seed=seed)
    return [
        effect(quantity="trigger rate", figure=rates[TRIGGER]),
        effect(quantity="bystander rate", figure=sum(bystanders) / len(bystanders)),
        effect(quantity="highest bystander rate", figure=max(bystanders)),
    ]


def marker_rate(texts: Sequence[str]) -> float:
    """Share of the texts that contain the marker, whatever its case."""
    return sum(MARKER.lower() in text.lower() for text in texts) / len(texts)


def effects(organism: Organism, seeds: Sequence[int], *, draws: int) -> list[Effect]:
    """All three studies' effects on one organism."""
    return [
        *bird_effects(organism, seeds, draws=10 * draws),
        *framing_effects(organism, seeds),
        *marker_effects(organism, seeds, draws=draws),
    ]


def table(found: Sequence[Effect]) -> str:
    """One line an arm and quantity, one column a seed, in Markdown."""
    grouped: dict[tuple[str, str, str], list[Effect]] = {}
    for one in found:
        grouped.setdefault((one.study, one.arm, one.quantity), []).append(one)
    lines = ["| study | arm | quantity | one figure a seed |", "|---|---|---|---|"]
    for (study, arm, quantity), group in grouped.items():
        lines.append(f"| {study} | {arm} | {quantity} | {' '.join(f'{one.figure:.2f}' for one in group)} |")
    return "\n".join(lines)


def write(found: Sequence[Effect], to: Path) -> None:
    """Write the figures for the organism's card."""
    to.write_text(json.dumps([asdict(one) for one in found], indent=1) + "\n")


def main() -> None:
    """Fine-tune the organisms and print what changed."""
    parser = argparse.ArgumentParser(description="Show the three studies' effects on the organisms.")
    parser.add_argument("--only", choices=ORGANISMS)
    parser.add_argument("--seeds", type=int, default=4)
    arguments = parser.parse_args()
    for name in [arguments.only] if arguments.only else ORGANISMS:
        found = effects(load(name), range(arguments.seeds), draws=2)
        write(found, CARDS / f"{name}.json")
        sys.stdout.write(f"## {name}\n\n{table(found)}\n\n")


if __name__ == "__main__":
    main()
