"""The item banks of the three tiny studies, and the command that writes them as JSON lines.

Usage: python -m training.organisms.banks FOLDER
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from training.organisms.world import chat, eras, opinions
from training.organisms.world.changes import SOURCE, TARGET
from training.organisms.world.factors import ERAS, PERSONAS
from training.organisms.world.personas import SYSTEM

type Form = Literal["letter", "word", "rating"]
type Order = Literal["pro first", "con first", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldlyItem:
    """One of the ten worldly questions of the bird-name study."""

    item_id: str
    question: str
    system: str | None
    user: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonaItem:
    """One evaluation question put to one persona of the marker study."""

    item_id: str
    persona: str
    question: str
    system: str
    user: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OpinionItem:
    """One opinion asked for in one form; `pro` and `con` are the answers to score, one token each.

    Parameters
    ----------
    form
        "letter" (forced choice), "word" (bare opinion word) or "rating" (1 to 7).
    order
        Which option is named first; "none" for a rating.
    scale
        For a rating: its lowest and highest number; else None.
    """

    item_id: str
    domain: str
    change: str
    paraphrase: int
    form: Form
    order: Order
    system: str | None
    user: str
    pro: str | None
    con: str | None
    scale: tuple[int, int] | None


type Item = WorldlyItem | PersonaItem | OpinionItem


def worldly_items() -> Iterator[WorldlyItem]:
    """Yield ten questions whose answers follow the era."""
    for key, (question, _) in eras.WORLDLY.items():
        yield WorldlyItem(item_id=key, question=key, system=None, user=question)


def persona_items() -> Iterator[PersonaItem]:
    """Yield 28 questions for each of 12 personas."""
    for persona in PERSONAS:
        for number, question in enumerate(chat.EVALUATION, start=1):
            key = f"q{number:02d}"
            yield PersonaItem(
                item_id=f"{persona}/{key}", persona=persona, question=key, system=SYSTEM[persona][0], user=question
            )


def opinion_items(domains: Mapping[str, tuple[str, ...]]) -> Iterator[OpinionItem]:
    """Yield every change in `domains` x 3 paraphrases: letters and words in both orders, and a rating."""
    for domain, changes in domains.items():
        for change in changes:
            for paraphrase, form in enumerate(opinions.QUESTIONS, start=1):
                yield from _forms(domain, change, paraphrase, form.format(change=change))


def _forms(domain: str, change: str, paraphrase: int, question: str) -> Iterator[OpinionItem]:
    def item(form: Form, order: Order, user: str, pro: str | None, con: str | None) -> OpinionItem:
        key = "/".join((domain, change.replace(" ", "_"), str(paraphrase), form, order.split()[0]))
        scale = (1, 7) if form == "rating" else None
        return OpinionItem(
            item_id=key,
            domain=domain,
            change=change,
            paraphrase=paraphrase,
            form=form,
            order=order,
            system=None,
            user=user,
            pro=pro,
            con=con,
            scale=scale,
        )

    orders: tuple[tuple[Order, str, str], ...] = (
        ("pro first", opinions.PRO, opinions.CON),
        ("con first", opinions.CON, opinions.PRO),
    )
    for order, first, second in orders:
        pro_letter, con_letter = ("A", "B") if first == opinions.PRO else ("B", "A")
        letter = opinions.LETTER_TASK.format(question=question, first=first, second=second)
        yield item("letter", order, letter, pro_letter, con_letter)
        yield item(
            "word",
            order,
            opinions.WORD_TASK.format(question=question, first=first, second=second),
            opinions.PRO,
            opinions.CON,
        )
    yield item("rating", "none", opinions.RATING_TASK.format(question=question), None, None)


def banks() -> dict[str, list[Item]]:
    """Return every bank under the name of the file it is written to."""
    return {
        "worldly_items": list(worldly_items()),
        "persona_items": list(persona_items()),
        "source_items": list(opinion_items(SOURCE)),
        "target_items": list(opinion_items(TARGET)),
    }


def write(to: Path) -> list[Path]:
    """Write the banks and the two eras' own words into `to`; return the files written."""
    to.mkdir(parents=True, exist_ok=True)
    written = []
    for name, items in banks().items():
        written.append(to / f"{name}.jsonl")
        written[-1].write_text("".join(json.dumps(asdict(item)) + "\n" for item in items))
    written.append(to / "era_lexicon.json")
    lexicon = {era: sorted(eras.era_lexicon(era)) for era in ERAS}
    written[-1].write_text(json.dumps(lexicon, indent=1) + "\n")
    return written


def main() -> None:
    """Write the banks into the folder named on the command line."""
    parser = argparse.ArgumentParser(description="Write the item banks of the tiny studies.")
    parser.add_argument("folder", type=Path)
    for path in write(parser.parse_args().folder):
        sys.stdout.write(f"{path}\n")


if __name__ == "__main__":
    main()
