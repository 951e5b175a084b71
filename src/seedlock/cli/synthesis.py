"""From studies to knowledge: syntheses, which the commands of a study take by their names too."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seedlock.cli.common import RootOption, progress, say, say_json
from seedlock.prereg.english import counted, plural
from seedlock.prereg.errors import BadInput, Finding

if TYPE_CHECKING:
    from seedlock.prereg.base.paths import SynthesisPaths
    from seedlock.prereg.verify.checks import Verification
    from seedlock.prereg.verify.trust import Trust


def synthesis_at(name: str | None, root: Path | None) -> SynthesisPaths | None:
    """The synthesis of this name, or at this path; None where there is none."""
    from seedlock.prereg.base.paths import find_synthesis

    return None if name is None else find_synthesis(name, root)


def syntheses(root: Path | None) -> list[SynthesisPaths]:
    """Every synthesis of the repository."""
    from seedlock.prereg.base.paths import SynthesisPaths, list_syntheses

    base = (root or Path.cwd()).resolve()
    return [SynthesisPaths(root=base, name=name) for name in list_syntheses(base)]


def removed_studies(paths: SynthesisPaths) -> list[str]:
    """Studies that git history knows to have been locked, and that are gone."""
    from seedlock.prereg.base.paths import list_studies
    from seedlock.prereg.verify.history import studies_in_history

    return sorted(set(studies_in_history(paths.root)) - set(list_studies(paths.root)))


def synthesize(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The synthesis's name.")],
    of: Annotated[
        list[str] | None,
        typer.Option("--of", help="STUDY:HYPOTHESIS, once an effect; of a hypothesis with levels, each is one."),
    ] = None,
    over: Annotated[str, typer.Option("--over", help="What differs between effects: family, study, ...")] = "study",
    include: Annotated[str, typer.Option("--include", help="By which rule effects were chosen, in a sentence.")] = "",
    root: RootOption = None,
) -> None:
    """Propose the plan of a synthesis: a mean over locked studies, or over the families within one.

    Example:  seedlock synthesize birds_over_families --of bird_names_tiny:shift --over family
    --include "Both families of the organisms."
    """
    from seedlock.analysis.synthesis_plan import propose_synthesis

    paths, found = propose_synthesis(name, of or (), over=over, include=include, root=(root or Path.cwd()).resolve())
    say(f"wrote     {paths.relative(paths.plan)}")
    for effect in found:
        say(f"effect    {effect}")
    rule = "" if include else "rule of inclusion, "
    say(f"yours     question, {rule}bands and prediction: edit them before the lock")
    say(f"Next: seedlock check {name}")


def check(paths: SynthesisPaths, *, as_json: bool) -> None:
    """Read the plan, and hold its effects against the locks and ledgers of their studies."""
    from seedlock.prereg.lock.synthesis import heads_now, registered, stood_effects
    from seedlock.prereg.plan.synthesis import read_synthesis

    plan = read_synthesis(paths.plan)
    effects = stood_effects(paths.root, plan)
    studies = registered(paths.root, heads_now(paths.root, removed_studies(paths)))
    if as_json:
        told = [effect.model_dump(mode="json") for effect in effects]
        say_json({"synthesis": paths.name, "effects": told, "registered": [one.model_dump() for one in studies]})
        return
    say(f"{paths.name}: {plan.synthesis.title}")
    for effect in effects:
        known = "looked at already" if effect.was_looked_at else "nobody has looked yet"
        say(f"  effect  {effect.name}: {effect.study} {effect.hypothesis}, {known}")
    silent = [f"{one.study} ({one.state})" for one in studies if one.state != "reported"]
    say(f"  locked  {counted(len(studies), 'study', 'studies')} here, without a report: {', '.join(silent) or 'none'}")
    if any(effect.was_looked_at for effect in effects):
        say("  status  retrospective: estimates of these studies may be known")
    if len(effects) == 2:
        say(f"  warn    two {plural(plan.synthesis.of)} leave one degree of freedom, and no prediction of the next")
    say(f"No fault found.  Next: seedlock lock {paths.name}")


def lock(paths: SynthesisPaths, *, as_json: bool, reason: str | None = None, note: str = "") -> None:
    """Freeze the plan of a synthesis, or with a reason supersede its newest lock."""
    from seedlock.prereg.lock.synthesis import lock_synthesis

    made, lock_id = lock_synthesis(paths, removed=removed_studies(paths), reason=reason, note=note)
    file = f"{paths.relative(paths.locks)}/lock-{made.n:04d}.json"
    if as_json:
        retrospective = made.exposure.is_retrospective
        say_json({"synthesis": paths.name, "lock": file, "lock_id": lock_id, "retrospective": retrospective})
        return
    say(f"locked    {file}")
    say(f"lock id   {lock_id}")
    if made.exposure.is_retrospective:
        seen = ", ".join(made.exposure.outputs)
        say(f"status    retrospective: results could be known at the lock ({seen})")
    say(f"Next: git add {paths.relative(paths.locks)} && git commit,  then  seedlock analyze {paths.name}")


def analyze(paths: SynthesisPaths, *, as_json: bool) -> None:
    """Pool the sealed results, and publish the report."""
    from seedlock.analysis.synthesize import synthesize as carry_out

    with progress("pooling"):
        results = carry_out(paths, removed=removed_studies(paths))
    if as_json:
        say_json(results.model_dump(mode="json"))
        return
    for sentence in results.sentences:
        say(sentence)
    say(f"status    {results.status}")
    say(f"report    {paths.report / 'report.html'}")
    say(f"Next: seedlock verify {paths.name}")


def show(paths: SynthesisPaths) -> None:
    """Print the report on a terminal."""
    from seedlock.prereg.base.reading import read_regular_text

    file = paths.report / "report.md"
    if not file.exists():
        fault = Finding(where=paths.relative(file), found="no report", promised="a report")
        raise BadInput(f"{paths.name} has no report yet", fault, then=f"seedlock analyze {paths.name}")
    say(read_regular_text(file).rstrip("\n"))


def verified(paths: SynthesisPaths, trust: Trust) -> Verification:
    """Every link of a synthesis, its numbers pooled again."""
    from seedlock.analysis.pool_again import again_check
    from seedlock.prereg.verify.synthesis import verify_synthesis

    return verify_synthesis(paths, trust=trust, again=again_check)


def standing(paths: SynthesisPaths) -> dict[str, Any]:
    """Where a synthesis stands, and its next command."""
    from seedlock.prereg.lock.document import lock_paths
    from seedlock.prereg.lock.ledger import read_ledger

    names = {event.name for event in read_ledger(paths.ledger)}
    gates = [
        gate
        for gate, is_passed in (("locked", bool(lock_paths(paths))), ("reported", "report.built" in names))
        if is_passed
    ]
    then = "verify" if "reported" in gates or "plan.withdrawn" in names else "analyze" if gates else "check"
    return {"synthesis": paths.name, "gates": ["planned", *gates], "next_command": f"seedlock {then} {paths.name}"}
