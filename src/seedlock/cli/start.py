"""Before there is a study: a repository to put it in, a plan proposed from rows in hand, the schema of a plan."""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from seedlock.cli.common import progress, say, say_json
from seedlock.prereg.errors import BadInput, Finding

if TYPE_CHECKING:
    from seedlock.generation.proposal.plan_text import Prediction, Proposal
    from seedlock.generation.proposal.propose import Said

COPIED_BYTES = 100 * 2**20


def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new folder; with --from, a repository too.")],
    more: Annotated[
        list[Path] | None, typer.Argument(metavar="[FILE ...]", help="Further files of --from.", show_default=False)
    ] = None,
    example: Annotated[
        Literal["trained", "imported"] | None,
        typer.Option(
            "--example",
            help="trained: runs made here on a tiny model, the default where its libraries are installed;  "
            "imported: completions made elsewhere.",
        ),
    ] = None,
    rows: Annotated[
        list[Path] | None,
        typer.Option("--from", help="Rows in hand (CSV, JSON lines, Parquet, Inspect or lm-eval logs); several too."),
    ] = None,
    name: Annotated[str | None, typer.Option("--name", help="With --from: the study's name.")] = None,
    arm: Annotated[str | None, typer.Option("--arm", help="The column of what differs on purpose.")] = None,
    seed: Annotated[str | None, typer.Option("--seed", help="The column of what is replicated.")] = None,
    model: Annotated[str | None, typer.Option("--model", help="The column of the base model.")] = None,
    item: Annotated[str | None, typer.Option("--item", help="The column of the question.")] = None,
    draw: Annotated[str | None, typer.Option("--draw", help="The column that numbers answers to one question.")] = None,
    answer: Annotated[str | None, typer.Option("--answer", help="The column of the answer, or its score.")] = None,
    count: Annotated[
        list[str] | None, typer.Option("--count", help="The label that counts, or a word of the text; labels repeat.")
    ] = None,
    control: Annotated[str | None, typer.Option("--control", help="The arm to compare with.")] = None,
    treated: Annotated[str | None, typer.Option("--treated", help="The arm that is compared.")] = None,
    smallest: Annotated[float | None, typer.Option("--smallest", help="The smallest difference that matters.")] = None,
    predicts: Annotated[
        Literal["more", "alike", "less"] | None, typer.Option("--predicts", help="What you expect of the treated arm.")
    ] = None,
    file_pattern: Annotated[
        str | None, typer.Option("--file-pattern", help='What file names say: "{arm}/seed-{seed}.jsonl".')
    ] = None,
) -> None:
    """Start a research repository: an example study, or with --from FILE a plan proposed from rows in hand.

    Example:  seedlock init my_research
    Example:  seedlock init my_research --from answers.csv --smallest 0.05 --predicts more
    """
    from seedlock.prereg.workflow.init import create_repository, example_that_runs

    if rows:
        from seedlock.generation.proposal.propose import Said
        from seedlock.generation.proposal.roles import Guessed

        asked: dict[Guessed, str | None] = {
            "arm": arm, "seed": seed, "model": model, "item": item, "draw": draw, "answer": answer,
        }  # fmt: skip
        said = Said(
            columns={role: column for role, column in asked.items() if column is not None},
            count=tuple(count or ()),
            control=control,
            treated=treated,
            smallest=smallest,
            predicted=predicts,
            file_pattern=file_pattern,
        )
        _from_rows(folder, [*rows, *(more or ())], name, said)
        return
    if more:
        raise typer.BadParameter("files are read with --from", param_hint="FILE")
    for path in create_repository(folder, example or example_that_runs()):
        say(f"wrote     {folder / path}")
    if example is None and example_that_runs() == "imported":
        say("example   of completions made elsewhere: libraries of runs made here are missing (--example trained)")
    say(f"Next: cd {folder} && git init && seedlock check example;  README.md has every step after it")


def _from_rows(folder: Path, files: Sequence[Path], name: str | None, said: Said) -> None:
    """Propose a plan, write it with the layout around it, and say what it rests on."""
    from seedlock.generation.proposal.plan_text import plan_text
    from seedlock.generation.proposal.propose import propose
    from seedlock.prereg.workflow.init import create_from_rows

    study = _study_name(name or _named_after(files, folder))
    is_copied = len(files) == 1 and files[0].is_file() and files[0].stat().st_size <= COPIED_BYTES
    try:
        with progress("looking at the rows"):
            made = propose(study, files, said, is_copied=is_copied)
    except BadInput as refusal:
        if refusal.then.startswith("--"):
            refusal.then = f"{_typed(folder, files, name, said)} {refusal.then}"
        raise
    if sys.stdin.isatty() and sys.stdout.isatty():
        made = _asked(made)
    there = [] if is_copied else [os.path.relpath(file.absolute(), folder.absolute()) for file in files]
    for path in create_from_rows(folder, study, plan_text(made), files if is_copied else (), there):
        say(f"wrote     {folder / path}")
    for line in _account(made):
        say(line)
    named = "".join(f" {shlex.quote(file)}" for file in there)
    say(f"Next: cd {shlex.quote(str(folder))} && git init && seedlock check {study}{named}")


def _typed(folder: Path, files: Sequence[Path], name: str | None, said: Said) -> str:
    """The command as it was typed, for what has to be added to it."""
    options: list[tuple[str, object]] = [("name", name), *said.columns.items(), *(("count", one) for one in said.count)]
    options += [("control", said.control), ("treated", said.treated), ("smallest", said.smallest)]
    options += [("predicts", said.predicted), ("file-pattern", said.file_pattern)]
    words = ["seedlock", "init", str(folder), "--from", *map(str, files)]
    words += [word for option, value in options if value is not None for word in (f"--{option}", str(value))]
    return shlex.join(words)


def _asked(made: Proposal) -> Proposal:
    """What only the author can say, asked on a terminal where no option says it."""
    smallest, predicted = made.smallest, made.predicted
    if smallest is None:
        smallest = typer.prompt("The smallest difference that matters", default=made.effect, type=float)
    if predicted is None:
        question = f"What do you predict of {made.grid.treated}, compared with {made.grid.control}"
        predicted = typer.prompt(f"{question} (more, alike, less)", default="more", value_proc=_prediction)
    return replace(made, smallest=smallest, predicted=predicted)


def _prediction(said: str) -> Prediction:
    match said.strip():
        case "more" | "alike" | "less" as known:
            return known
    raise typer.BadParameter("more, alike or less")


def _account(made: Proposal) -> list[str]:
    """How every role was found, and what is the author's to decide."""
    answers = {
        "label": f"answers that are {' or '.join(made.roles.counts)}",
        "text": f"answers that contain {' or '.join(made.roles.counts)}",
        "value": "the number itself",
    }
    told = [f"{role:9} {column}: {made.roles.why[role]}" for role, column in made.roles.columns.items()]
    return [
        f"format    {made.format.name}",
        *told,
        f"counted   {answers[made.roles.answer_kind]}",
        *(f"yours     {question}" for question in made.open_questions()),
    ]


def _named_after(files: Sequence[Path], folder: Path) -> str:
    """The name of a file, or of the folder that holds all of several; the repository's where they are all at hand."""
    if len(files) == 1:
        return files[0].name.partition(".")[0]
    common = os.path.commonpath([file.absolute().parent for file in files])
    return folder.absolute().name if Path(common) == Path.cwd() else Path(common).name


def _study_name(spelled: str) -> str:
    """A study's name: as given where it can be one, its letters and digits otherwise.

    Raises
    ------
    BadInput
        Nothing is left of it.
    """
    name = re.sub(r"[^A-Za-z0-9_.\-]+", "_", spelled).strip("_.-").lower()
    if not name:
        fault = Finding(where="--name", found=repr(spelled), promised="letters, digits, _ . -")
        raise BadInput("a study needs a name", fault, then="--name my_study")
    return name


def schema() -> None:
    """The JSON Schema of a plan, by which an editor completes and explains plan.toml.

    Example:  seedlock schema > plan.schema.json
    """
    from seedlock.prereg.plan.json_schema import plan_schema

    say_json(plan_schema())
