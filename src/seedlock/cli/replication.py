"""The same study again: replicate."""

from __future__ import annotations

from typing import Annotated

import typer

from seedlock.cli.common import RootOption, StudyArgument, find, progress, say
from seedlock.prereg.errors import BadInput, Finding


def replicate(
    study: StudyArgument,
    name: Annotated[str | None, typer.Option("--name", help="Its name; STUDY_again otherwise.")] = None,
    seeds: Annotated[
        str | None, typer.Option("--seeds", help="Seeds of every model, as 11,12,13; as many new ones otherwise.")
    ] = None,
    as_planned: Annotated[
        bool, typer.Option("--as-planned", help="Of a study that departed from its plan: replicate the plan.")
    ] = False,
    root: RootOption = None,
) -> None:
    """Write the plan of a replication: the same but for its seeds, with what the original promises of it.

    Example:  seedlock replicate bird_names_tiny --name bird_names_tiny_again
    """
    from seedlock.analysis.inference.replication import replication_of
    from seedlock.analysis.replicate import replicate as write
    from seedlock.prereg.workflow.status import next_before_lock

    original = find(study, root)
    numbers = None if seeds is None else _numbers(seeds, study)
    with progress("reading the original"):
        made = write(original, name or f"{original.name}_again", seeds=numbers, as_planned=as_planned)
    say(f"wrote     {made.paths.relative(made.paths.study)}  (with the original's lock and results)")
    for model in made.plan.grid.models:
        say(f"seeds     {model}: {', '.join(map(str, made.plan.grid.seeds_of(model)))}")
    promised = replication_of(made.plan, made.paths)
    for promise in promised.promises if promised else ():
        said = promise.reason if promise.low is None else f"{promise.low:.4g} to {promise.high:.4g}"
        say(f"promise   {promise.hypothesis}: {said}")
    then = next_before_lock(made.paths, made.plan)
    say(f"Next: seedlock check {made.paths.name}  and then  seedlock {then} {made.paths.name}")


def _numbers(spelled: str, study: str) -> list[int]:
    """Seeds as they are typed, each once."""
    try:
        numbers = [int(one) for one in spelled.split(",")]
    except ValueError:
        numbers = []
    if not numbers or len(set(numbers)) != len(numbers):
        fault = Finding(where="--seeds", found=spelled, promised="whole numbers, each once: 11,12,13")
        raise BadInput("these are no seeds", fault, then=f"seedlock replicate {study} --seeds 11,12,13")
    return numbers
