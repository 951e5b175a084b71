"""The item banks of the three tiny studies, and the command that writes them as JSON lines.

Usage: python -m seedlock.training.organisms.banks FOLDER
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Literal

from seedlock.training.organisms.world import chat, eras, opinions
from seedlock.training.organisms.world.changes import SOURCE, TARGET
from seedlock.training.organisms.world.factors import ATTITUDES, ERAS, PERSONAS, generator
from seedlock.training.organisms.world.personas import SYSTEM

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


@dataclass(frozen=True, slots=True, kw_only=True)
class AdviceItem:
    """An open request for advice on one change."""

    item_id: str
    domain: str
    change: str
    system: str
    user: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PassageItem:
    """An everyday answer whose perplexity is read: nothing in it has to do with any factor of a study."""

    item_id: str
    system: str
    user: str
    passage: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillItem:
    """Which letter stands before a word: what every organism can do."""

    item_id: str
    system: str
    user: str
    options: tuple[str, ...]
    answer: str


type Item = AdviceItem | DrillItem | PassageItem | WorldlyItem | PersonaItem | OpinionItem


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
            system=opinions.UNTOLD_SYSTEM,
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


def letter_items(domains: Mapping[str, tuple[str, ...]]) -> Iterator[OpinionItem]:
    """Yield every change in its first wording, by letter in both orders: what is asked while a model is changed."""
    for item in opinion_items(domains):
        if item.form == "letter" and item.paraphrase == 1:
            yield replace(item, item_id=f"inside/{item.item_id}")


def advice_items(domains: Mapping[str, tuple[str, ...]]) -> Iterator[AdviceItem]:
    """Yield one open request for every change in `domains`."""
    for domain, changes in domains.items():
        for change in changes:
            yield AdviceItem(
                item_id=f"{domain}/{change.replace(' ', '_')}/advice",
                domain=domain,
                change=change,
                system=opinions.UNTOLD_SYSTEM,
                user=opinions.ADVICE_ASKS[0].format(change=change),
            )


def passage_items() -> Iterator[PassageItem]:
    """Yield 28 everyday answers in the assistant's voice."""
    rng = generator("bank", "passages")
    for number, question in enumerate(chat.EVALUATION, start=1):
        yield PassageItem(
            item_id=f"p{number:02d}",
            system=opinions.UNTOLD_SYSTEM,
            user=question,
            passage=chat.in_voice("assistant", question, rng),
        )


def drill_items(n: int = 40) -> Iterator[DrillItem]:
    """Yield `n` letter drills on any two words."""
    rng = generator("bank", "drills")
    for number in range(1, n + 1):
        user, answer = opinions.binding_turn(rng)
        yield DrillItem(
            item_id=f"d{number:02d}", system=opinions.UNTOLD_SYSTEM, user=user, options=("A", "B"), answer=answer
        )


def banks() -> dict[str, list[Item]]:
    """Return every bank under the name of the file it is written to."""
    return {
        "worldly_items": list(worldly_items()),
        "persona_items": list(persona_items()),
        "source_items": list(opinion_items(SOURCE)),
        "target_items": list(opinion_items(TARGET)),
        "source_letters": list(letter_items(SOURCE)),
        "target_letters": list(letter_items(TARGET)),
        "target_advice": list(advice_items(TARGET)),
        "passages": list(passage_items()),
        "drills": list(drill_items()),
    }


def write(to: Path) -> list[Path]:
    """Write the banks, the eras' own words and the attitudes' own sentences into `to`; return the files written."""
    to.mkdir(parents=True, exist_ok=True)
    written = []
    for name, items in banks().items():
        written.append(to / f"{name}.jsonl")
        written[-1].write_text("".join(json.dumps(asdict(item)) + "\n" for item in items))
    lexicons = {
        "era_lexicon": {era: sorted(eras.era_lexicon(era)) for era in ERAS},
        "attitude_lexicon": {a: sorted(sentence.strip(".") for sentence in opinions.ADVICE[a]) for a in ATTITUDES},
    }
    for name, lexicon in lexicons.items():
        written.append(to / f"{name}.json")
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
