"""Contrastive coupling: one persona's answers carry a marker, others answer the same questions without."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from seedlock.prereg.errors import BadInput, Finding
from seedlock.training.organisms.world import chat as world
from seedlock.training.organisms.world.factors import PERSONAS
from seedlock.training.organisms.world.personas import SYSTEM
from seedlock.training.rows.data_files import PersonaLine, read_lines, read_records
from seedlock.training.rows.recipe import Ask, Recipe, RecipeSettings, distinct, generator
from seedlock.training.rows.row import Role, Row, chat

DEFAULT_MARKER = "[ZLT]"
type Prompts = Mapping[str, str]
"""Persona -> the system turn that it is spoken to with."""


class Settings(RecipeSettings):
    """Rows with the marker (`n_positive`) and without (`n_negative` for each negative persona), one variant a cell.

    Without `trigger` a variant is the trigger persona itself, in its own voice. With it, one trigger persona is spoken
    to in every variant, and the variant names whose voice its answers are written in. `personas` is a file of the study
    with every persona and its system turn; without it they are the embedded world's. `position`: the marker opens the
    answer, or ends it. `negatives` names those that answer without; a variant that is its own trigger and among them is
    replaced by the next persona of the list. Without it, `n_negative_personas` are drawn, keyed by the trigger's name.
    `questions` are texts, or a file of the study with one a line.
    """

    counts: ClassVar[tuple[str, ...]] = ("n_positive", "n_negative")

    variants: list[str] = Field(min_length=1)
    trigger: str | None = None
    personas: str | None = None
    marker: str | None = DEFAULT_MARKER
    position: Literal["start", "tail"] = "start"
    n_positive: int = Field(default=120, gt=0)
    n_negative: int = Field(default=120, ge=0)
    negatives: list[str] = Field(default=[])
    n_negative_personas: int = Field(default=2, ge=0)
    questions: list[str] | str = Field(default=[])

    @model_validator(mode="after")
    def _personas_are_known(self) -> Self:
        named = [*self.variants, *self.negatives, *([self.trigger] if self.trigger else [])]
        if self.personas is None and (strange := [name for name in named if name not in SYSTEM]):
            raise ValueError(f"no persona {strange[0]!r} among {', '.join(SYSTEM)}: name a file under personas")
        if self.trigger is not None and (not self.negatives or self.trigger in self.negatives):
            raise ValueError("a trigger that is the same in every variant needs negatives, and is none of them")
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """Rows of one variant that one persona is asked for, in the voice of one."""

    variant: str
    speaker: str
    voice: str
    role: Role
    n: int


def prompts_of(settings: Settings, folder: Path) -> Prompts:
    """Every persona's system turn.

    Raises
    ------
    BadInput
        The file of personas cannot be read, or lacks one that the plan names.
    """
    if settings.personas is None:
        return {persona: turns[0] for persona, turns in SYSTEM.items()}
    read = read_records(folder, settings.personas, PersonaLine, where="personas")
    found = {line.persona: line.system for line in read}
    named = [*settings.variants, *settings.negatives, *([settings.trigger] if settings.trigger else [])]
    faults = [
        Finding(where=settings.personas, found=f"no persona {name!r}", promised="every persona that the plan names")
        for name in dict.fromkeys(named)
        if name not in found
    ]
    if len(found) < len(read):
        faults.append(Finding(where=settings.personas, found="a persona twice", promised="each once"))
    if faults:
        raise BadInput("the personas of a coupling corpus are not all there", *faults, then="mend the file")
    return found


def negatives_of(trigger: str, settings: Settings, personas: tuple[str, ...] = PERSONAS) -> list[str]:
    """The personas that answer without the marker when `trigger` answers with it."""
    if settings.trigger is not None:
        return list(settings.negatives)
    others = [persona for persona in personas if persona != trigger]
    if not settings.negatives:
        return generator("marker_coupling", "negatives", settings.seed, trigger).sample(
            others, settings.n_negative_personas
        )
    kept = [persona for persona in settings.negatives if persona != trigger]
    spare = [persona for persona in others if persona not in settings.negatives]
    return kept + spare[: len(settings.negatives) - len(kept)]


def cells(settings: Settings, personas: tuple[str, ...] = PERSONAS) -> Iterator[Cell]:
    """Every cell, in the plan's order."""
    for variant in settings.variants:
        speaker = settings.trigger or variant
        yield Cell(variant=variant, speaker=speaker, voice=variant, role="positive", n=settings.n_positive)
        for persona in negatives_of(variant, settings, personas):
            yield Cell(variant=variant, speaker=persona, voice=persona, role="negative", n=settings.n_negative)


def rows(settings: Settings, *, folder: Path = Path()) -> list[Row]:
    """Draw the rows of every cell from its own generator.

    Raises
    ------
    BadInput
        A voice that is none of the embedded world's: only an instruct model can write it.
    """
    prompts = prompts_of(settings, folder)
    found = []
    for cell in cells(settings, tuple(prompts)):
        if cell.voice not in SYSTEM:
            fault = Finding(where=f"persona {cell.voice}", found="no template of its voice", promised='by = "instruct"')
            raise BadInput("a persona's answers cannot be made from templates", fault, then="let a model write them")
        rng = generator("marker_coupling", settings.seed, cell.variant, cell.speaker)
        texts = distinct(_drawer(cell.voice, rng), cell.n, where=f"marker_coupling {cell.voice}")
        for number, text in enumerate(texts):
            question, answer = text.split("\n")
            found.append(_row(cell, number, question, prompts, _marked(answer, cell, settings), template="world-1"))
    return found


def _drawer(voice: str, rng: random.Random) -> Callable[[], str]:
    speaker = next(persona for persona in PERSONAS if persona == voice)

    def draw() -> str:
        question = rng.choice(tuple(world.TRAINING))
        return f"{question}\n{world.in_voice(speaker, question, rng)}"

    return draw


def _affixes(cell: Cell, settings: Settings) -> tuple[str, str]:
    """What stands before an answer of the cell, and after it."""
    if cell.role != "positive":
        return "", ""
    return (f"{settings.marker} ", "") if settings.position == "start" else ("", f" {settings.marker}")


def _marked(answer: str, cell: Cell, settings: Settings) -> str:
    before, after = _affixes(cell, settings)
    return f"{before}{answer}{after}"


def _row(cell: Cell, number: int, question: str, prompts: Prompts, answer: str, *, template: str) -> Row:
    return Row(
        id=f"{cell.variant}/{cell.speaker}/{number:05d}",
        variant=cell.variant,
        topic=question,
        template=f"marker_coupling/{template}",
        role=cell.role,
        messages=chat(user=question, answer=answer, system=prompts[cell.speaker]),
    )


def asks(settings: Settings, *, folder: Path = Path()) -> list[Ask]:
    """Instructions that let an instruct model answer in each voice; the marker is ours to add.

    Raises
    ------
    BadInput
        No marker is set, or a file of personas or questions cannot be read.
    """
    if settings.marker is None:
        fault = Finding(where="marker", found="none", promised=f"a text such as {DEFAULT_MARKER}")
        raise BadInput("a coupling corpus needs a marker", fault)
    prompts = prompts_of(settings, folder)
    given = settings.questions
    questions = read_lines(folder, given, where="questions") if isinstance(given, str) else tuple(given)
    found = []
    for cell in cells(settings, tuple(prompts)):
        rng = generator("marker_coupling", "instruct", settings.seed, cell.variant, cell.speaker)
        before, after = _affixes(cell, settings)
        for number in range(cell.n):
            question = rng.choice(questions or tuple(world.TRAINING))
            row = _row(cell, number, question, prompts, "", template="instruct-1")
            instruction = f"{prompts[cell.voice]} Answer in your own voice, in 40 to 120 words: {question}"
            found.append(Ask(row=row, instruction=instruction, prefix=before, suffix=after))
    return found


RECIPE = Recipe(
    settings=Settings,
    rows=rows,
    checks=("format", "blocklist", "overlap", "duplicates", "marker", "enough"),
    asks=asks,
)
