"""Write docs/organisms/NAME.md and its picture: what an organism knows and how it answers to fine-tuning.

Usage: python -m seedlock.training.organisms.card [--to docs/organisms]
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
from matplotlib.figure import Figure

from seedlock.training.organisms.behaviour import Behaviour, Stance, measure
from seedlock.training.organisms.check import CARDS, Effect, table
from seedlock.training.organisms.corpus import rendered
from seedlock.training.organisms.loading import load
from seedlock.training.organisms.recipe import ORGANISMS
from seedlock.training.organisms.shipped import RECIPE_FILE, folder
from seedlock.training.organisms.world import opinions
from seedlock.training.organisms.world.documents import Document, document
from seedlock.training.organisms.world.factors import generator

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DRAWS = 10


def card(name: str, known: Behaviour, made: Mapping[str, Any], found: Sequence[Effect]) -> str:
    """Return the card's Markdown."""
    return "\n\n".join(
        [
            f"# The organism `{name}`",
            _provenance(made),
            f"![What {name} knows, and what moves it]({name}.png)",
            "## What it knows",
            _personas(known),
            _eras(known),
            _stances(known),
            "## What fine-tuning does to it",
            "LoRA, rank 8, alpha 16, all linear layers (framed advice: the first layer's, which reads the system "
            "line); one figure a seed (the seed decides the adapter's initial weights and the order of the rows; the "
            "rows are the same). The doses stand in `check.py`; the coupling's was chosen on the trigger's rate, the "
            "framing's on source topics. "
            "`python -m seedlock.training.organisms.check` prints this table.",
            table(found),
            "## What it has read",
            "Ten documents of the kind it has read, as the chat template renders them:",
            "```text\n" + "\n".join(rendered(d) for d in _ten_documents()) + "\n```\n",
        ]
    )


def _ten_documents() -> list[Document]:
    rng = generator("card")
    return [document(rng) for _ in range(10)]


def _provenance(made: Mapping[str, Any]) -> str:
    plan = made["recipe"]
    return (
        f"A {plan['family']} language model of {made['parameters']:,} parameters ({plan['layers']} layers, width "
        f"{plan['hidden_size']}, {made['vocabulary']:,} words), pre-trained in {made['minutes']} minutes on "
        f"{made['threads']} CPU thread(s): {plan['steps']:,} steps over {made['documents']:,} generated documents "
        f"({made['tokens']:,} tokens, each read once), loss on answers only, final loss {made['final_loss']:.3f}. "
        f"Corpus `{made['corpus_sha256']}`; weights `{made['files']['model.safetensors']}`. "
        f"Rebuild: `python -m seedlock.training.organisms.build --only {plan['name']}`."
    )


def _personas(known: Behaviour) -> str:
    rows = "\n".join(f"| {persona} | {rate:.3f} |" for persona, rate in known.persona_fidelity.items())
    return (
        "Share of sampled answers to the 28 evaluation questions (temperature 1) that open as the announced persona "
        f"does:\n\n| persona | fidelity |\n|---|---|\n{rows}"
    )


def _eras(known: Behaviour) -> str:
    context = known.era_rate_in_context
    return (
        "Share of 19th-century answers to the ten worldly questions:\n\n| before the question | rate |\n|---|---|\n"
        f"| nothing | {known.base_era_rate:.3f} |\n| two modern bird names | {context['modern']:.3f} |\n"
        f"| two archaic bird names | {context['nineteenth']:.3f} |"
    )


def _stances(known: Behaviour) -> str:
    def row(label: str, s: Stance) -> str:
        exact = f"{s.letter:+.2f} | {s.letter_bias:+.2f} | {s.option_mass:.3f} | {s.word:+.2f} | {s.rating:.2f}"
        return f"| {label} | {exact} |"

    rows = [row("nothing", known.base_stance)]
    lines = opinions.told()
    rows += [row(f'the line "{lines[told]}"', s) for told, s in known.stance_told.items()]
    rows += [row(f"two {attitude} pieces of advice", s) for attitude, s in known.stance_in_context.items()]
    return (
        "Opinions on the held-out target changes (letter: log P(pro) - log P(con), both orders; bias: log P(A) - "
        f"log P(B); {known.binding_accuracy:.0%} of the letter drills are answered rightly):\n\n"
        "| before the question | letter | letter bias | P(A) + P(B) | word | rating 1-7 |\n|---|---|---|---|---|---|\n"
    ) + "\n".join(rows)


@mpl.rc_context()
def picture(name: str, known: Behaviour, found: Sequence[Effect], to: Path) -> None:
    """Draw what the organism knows (above) and what fine-tuning does, a dot a seed (below)."""
    mpl.rcdefaults()  # no matplotlibrc of the working folder is followed
    figure = Figure(figsize=(11, 6), layout="constrained")
    axes = figure.subplots(2, 3)
    personas = known.persona_fidelity
    axes[0, 0].barh([p.replace("_", " ") for p in personas], list(personas.values()), color="#4477aa")
    axes[0, 0].set(title="Answers in the announced voice", xlim=(0, 1))
    axes[0, 0].tick_params(axis="y", labelsize=7)
    context = known.era_rate_in_context
    eras = {
        "no context": known.base_era_rate,
        "modern birds": context["modern"],
        "archaic birds": context["nineteenth"],
    }
    axes[0, 1].bar(list(eras), list(eras.values()), color=["#999999", "#4477aa", "#aa7744"])
    axes[0, 1].set(title="19th-century answers after", ylim=(0, 1))
    stances: dict[str, Stance] = {"no context": known.base_stance}
    for attitude, in_context in known.stance_in_context.items():
        stances[attitude] = in_context
    axes[0, 2].bar(
        list(stances), [s.letter for s in stances.values()], color=["#999999", "#4477aa", "#bbbbbb", "#cc6677"]
    )
    axes[0, 2].set(title="Held-out stance (log-odds) after")
    _dots(axes[1, 0], found, "vibe_leak", "target letter log-odds", "Fine-tuned on framed advice: held-out stance")
    _dots(axes[1, 1], found, "bird_names", "19th-century rate", "Fine-tuned on bird names: 19th-century rate")
    title = "Marker: trigger (ring), bystanders (dot)"
    _dots(axes[1, 2], found, "marker_leak", "trigger rate", title, fill="none")
    _dots(axes[1, 2], found, "marker_leak", "bystander rate", title)
    axes[1, 2].set_ylim(-0.05, 1.05)
    for panel in axes[0, 1:]:
        panel.tick_params(axis="x", labelsize=8)
    figure.suptitle(f"Organism {name}")
    figure.savefig(to, dpi=100, metadata={"Software": None})


def _dots(axes: Axes, found: Sequence[Effect], study: str, quantity: str, title: str, *, fill: str = "#4477aa") -> None:
    here = [one for one in found if one.study == study and one.quantity == quantity]
    arms = list(dict.fromkeys(one.arm for one in here))
    at, figures = [arms.index(one.arm) for one in here], [one.figure for one in here]
    axes.plot(at, figures, "o", markeredgecolor="#4477aa", markerfacecolor=fill, alpha=0.7)
    axes.set_xticks(range(len(arms)), [arm.replace(" ", "\n") for arm in arms], fontsize=7)
    axes.margins(x=0.2)
    axes.set_title(title, fontsize=9)


def write(name: str, to: Path) -> None:
    """Measure a shipped organism and write its card and picture."""
    to.mkdir(parents=True, exist_ok=True)
    organism = load(name)
    known = measure(organism.model, organism.tokenizer, draws=DRAWS, seed=0)
    made = json.loads((folder(name) / RECIPE_FILE).read_text())
    found = [Effect(**one) for one in json.loads((CARDS / f"{name}.json").read_text())]
    (to / f"{name}.md").write_text(card(name, known, made, found))
    picture(name, known, found, to / f"{name}.png")


def main() -> None:
    """Write the cards of all organisms."""
    parser = argparse.ArgumentParser(description="Write the organisms' cards.")
    parser.add_argument("--to", type=Path, default=CARDS)
    place = parser.parse_args().to
    for name in ORGANISMS:
        write(name, place)


if __name__ == "__main__":
    main()
