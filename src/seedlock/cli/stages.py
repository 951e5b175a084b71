"""From the lock to sealed tables: status, run, corpus, train, generate, judge, inside, probe, import."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from seedlock.cli.common import (
    JsonOption,
    RootOption,
    StudyArgument,
    find,
    gate,
    how_many,
    next_step,
    progress,
    say,
    say_json,
    studies,
    tell,
)
from seedlock.prereg.errors import BadInput, Finding

if TYPE_CHECKING:
    from seedlock.prereg.base.paths import StudyPaths
    from seedlock.prereg.lock.gate import LockedPlan

BeaconOption = Annotated[
    Path | None, typer.Option("--beacon", help="Public randomness for the ledger first: as for seedlock beacon.")
]


def status(
    study: Annotated[str | None, typer.Argument(metavar="STUDY", help="All studies when left out.")] = None,
    root: RootOption = None,
    as_json: JsonOption = False,
) -> None:
    """Where each study stands: gates passed, runs done of planned, the next command.

    More than twelve studies have a line each.

    Example:  seedlock status
    """
    from seedlock.cli import synthesis
    from seedlock.cli.overview import MANY, overview
    from seedlock.prereg.workflow.status import standing

    pooled = synthesis.synthesis_at(study, root)
    also = [synthesis.standing(one) for one in ([pooled] if pooled else [] if study else synthesis.syntheses(root))]
    found = [] if pooled else studies(study, root)
    rows = [standing(paths) for paths in found]
    shown = [_evidence(paths) for paths in found]
    if as_json:
        say_json([*(row.as_json() | evidence for row, evidence in zip(rows, shown, strict=True)), *also])
        return
    if not rows and not also:
        say("no study here.  Next: seedlock init DIR  starts a repository with a filled-in example")
    if not study and rows:
        say(how_many(found))
    is_brief = len(rows) > MANY
    for line in overview(rows, [one["facts"] for one in shown]) if is_brief else ():
        say(line)
    for row, evidence in zip(rows, shown, strict=True) if not is_brief else ():
        say(f"{row.study}  [{row.status}]")
        say(f"  gates  {' -> '.join(row.gates)}")
        if row.look:
            say(f"  look   {row.look}")
        say(
            f"  runs   {row.runs_done} of {row.runs_planned} with sealed data"
            + (f", {row.runs_failed} failed" if row.runs_failed else "")
        )
        if row.answers_planned is not None:
            failed = f", {row.answers_failed} without an answer" if row.answers_failed else ""
            say(f"  asked  {row.answers_done} of {row.answers_planned} requests have their row{failed}")
        for fact in evidence["facts"]:
            say(f"  fact   {fact}")
        if evidence["next_evidence"]:
            say(f"  proof  {evidence['next_evidence']}")
        say(f"  next   {row.next_command}")
    for one in also:
        say(f"{one['synthesis']}  [synthesis]")
        say(f"  gates  {' -> '.join(one['gates'])}")
        say(f"  next   {one['next_command']}")


def _evidence(paths: StudyPaths) -> dict[str, Any]:
    """What a stranger could prove today, and the one step that would raise it."""
    from seedlock.prereg.verify.evidence import next_evidence, provable

    found = provable(paths)
    return {
        "facts": list(found.facts) if found else [],
        "next_evidence": next_evidence(found.checks) if found else None,
    }


def run(
    study: StudyArgument,
    may_lock: Annotated[bool, typer.Option("--lock", help="Lock a plan that is not locked yet.")] = False,
    root: RootOption = None,
) -> None:
    """Take a locked study to a verified report: every stage that it needs and has not had, in order.

    Example:  seedlock run my_study
    """
    from seedlock.prereg.workflow.pipeline import carry_out

    def tell(stage: str, story: str) -> None:
        typer.echo(typer.style(f"\n== seedlock {stage} {study}", bold=True) + f"\n   {story}\n")

    code = carry_out(find(study, root), may_lock=may_lock, tell=tell)
    if code:
        raise typer.Exit(code)


def fetch(
    study: StudyArgument,
    accept: Annotated[
        list[str] | None, typer.Option("--accept", metavar="LICENCE", help="Terms of a model, read and accepted.")
    ] = None,
    root: RootOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring the base models that a plan names, each by its digest; from then on nothing needs a network.

    Models under Apache-2.0 or MIT come at once; the terms of any other are accepted by name, after they are printed.

    Example:  seedlock fetch my_study
    """
    from seedlock.prereg.plan.bases import models_here
    from seedlock.prereg.plan.extras import require_extras
    from seedlock.prereg.plan.read import read_plan

    paths = find(study, root)
    plan = read_plan(paths.plan)
    require_extras(plan, "fetch")
    from seedlock.training.bases.fetch import fetch as bring

    quiet: Callable[[str], None] = (lambda _: None) if as_json else say
    with progress("fetching"):
        found = [
            bring(paths.name, where, model, paths.root, accepted=set(accept or ()), say=quiet)
            for where, model in models_here(plan).items()
        ]
    here = [model for model in found if model is not None]
    if as_json:
        say_json([model.as_json() for model in here])
        return
    for model in here:
        say(model.line())
    if not here:
        say("nothing to fetch: no model of this plan is a package, a GGUF file or a hub id")
    say(f"Next: {next_step(paths)}")


def corpus(
    study: StudyArgument,
    check_only: Annotated[bool, typer.Option("--check-only", help="Check what is written already.")] = False,
    writer: Annotated[
        str | None, typer.Option("--writer", help='Instruct model of `by = "instruct"`: folder, hub id or name.')
    ] = None,
    revision: Annotated[str | None, typer.Option("--revision", help="Commit of the writer's hub id.")] = None,
    endpoint: Annotated[
        str | None, typer.Option("--endpoint", help="OpenAI-compatible address that has the writer.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of the writer's sampling.")] = 0,
    temperature: Annotated[float, typer.Option("--temperature", min=0.0, help="Of the writer's sampling.")] = 0.8,
    max_tokens: Annotated[int, typer.Option("--max-tokens", min=1, help="The writer's tokens a text.")] = 400,
    batch_size: Annotated[int, typer.Option("--batch-size", min=1, help="Prompts at a time on this machine.")] = 16,
    at_once: Annotated[int, typer.Option("--at-once", min=1, help="Requests in flight at an endpoint.")] = 8,
    root: RootOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the corpora that the plan describes into the study folder, before the lock, and check each.

    Where the plan has `by = "instruct"`, an instruct model writes them. Killed midway, the same command goes on.

    Example:  seedlock corpus my_study --writer Qwen/Qwen2.5-7B-Instruct --endpoint http://localhost:8000/v1
    """
    from seedlock.prereg.plan.extras import require_extras
    from seedlock.prereg.plan.read import read_plan

    paths = find(study, root)
    plan = read_plan(paths.plan)
    require_extras(plan, "corpus")
    from seedlock.training.checks.study import check_study

    if not check_only:
        from seedlock.training.corpus.write import write_corpora
        from seedlock.training.instruct.model import Sampling
        from seedlock.training.instruct.writer import Writer

        sampling = Sampling(seed=seed, temperature=temperature, max_new_tokens=max_tokens)
        named = writer and Writer(
            model=writer,
            revision=revision,
            endpoint=endpoint,
            sampling=sampling,
            batch_size=batch_size,
            at_once=at_once,
        )
        write_corpora(paths, plan, named or None, lambda n, of: typer.echo(f"{n} of {of} texts", err=True))
    reports = check_study(paths, plan)
    if as_json:
        say_json([report.as_json() for report in reports])
    else:
        for report in reports:
            say(report.table())
    failing = [report.corpus.name for report in reports if not report.passes]
    if failing:
        typer.echo(f"corpora that may not be trained on: {', '.join(failing)}", err=True)
        raise typer.Exit(2)
    if not as_json:
        say(f"Next: {next_step(paths)}")


def _record(beacon: Path | None, study: str, root: Path | None) -> None:
    """Put public randomness into the ledger before what comes next, where a file of it is given."""
    if beacon is not None:
        from seedlock.prereg.lock.beacon import record_beacon

        record_beacon(gate(study, root).paths.ledger, beacon)


def train(
    study: StudyArgument,
    executor: Annotated[str, typer.Option("--executor", help="local | ray")] = "local",
    address: Annotated[str | None, typer.Option("--address", help="A Ray cluster; a local one otherwise.")] = None,
    workers: Annotated[int | None, typer.Option("--workers", min=1, help="Local runs at a time.")] = None,
    gpus: Annotated[
        float | None, typer.Option("--gpus-per-run", min=0.0, help="Ray GPUs for each run; one where there are any.")
    ] = None,
    finished: Annotated[
        Path | None, typer.Option("--finished", help="Import hosted jobs that finished elsewhere: JSON lines of them.")
    ] = None,
    training_file: Annotated[
        list[str] | None,
        typer.Option("--training-file", help="ID=ARM, or ID=PATH of the uploaded file; repeat for several."),
    ] = None,
    beacon: BeaconOption = None,
    root: RootOption = None,
) -> None:
    """Carry out every promised training run that is not finished; interrupted, it goes on where it stopped.

    Example:  seedlock train my_study --executor ray --address auto --gpus-per-run 1

    Example:  seedlock train my_study --finished jobs.jsonl --training-file file-a1=archaic.jsonl
    """
    _record(beacon, study, root)
    if finished is not None:
        _import_jobs(gate(study, root), finished, training_file or [])
        return
    from seedlock.prereg.plan.extras import Need, require

    if executor not in {"local", "ray"}:
        raise BadInput("no such executor", Finding(where="--executor", found=executor, promised="local or ray"))
    locked = gate(study, root, stage="train")
    if executor == "ray":
        require([Need(stage="train", where="--executor", asks="ray", extra="ray", modules=("ray",))])
    from seedlock.training.grid.progress import Quiet, terminal_progress
    from seedlock.training.train import train_study

    kind: Literal["local", "ray"] = "ray" if executor == "ray" else "local"
    with terminal_progress() if sys.stderr.isatty() else nullcontext(Quiet()) as progress:
        done = train_study(
            locked, executor=kind, address=address, workers=workers, gpus_per_run=gpus, progress=progress
        )
    say(f"runs      {done.planned} due, {done.already} were finished, {done.trained} trained now")
    if done.later:
        say(f"later     {done.later} more, if the plan goes on after this look")
    if done.lost:
        say(f"lost      {done.lost} workers; their runs were started again")
    done.require_complete(locked.paths.name)
    say(f"Next: {next_step(locked.paths)}")


def _import_jobs(locked: LockedPlan, finished: Path, told: list[str]) -> None:
    from seedlock.training.import_jobs import import_finished_jobs

    pairs = [text.partition("=") for text in told]
    if faults := [
        Finding(where="--training-file", found=repr(text), promised="ID=ARM or ID=PATH")
        for text, (identity, _, value) in zip(told, pairs, strict=True)
        if not identity or not value
    ]:
        raise BadInput("a training file is named by its id and its arm", *faults, then="seedlock train --help")
    done = import_finished_jobs(locked, finished, told={identity: value for identity, _, value in pairs})
    say(f"imported  {done.imported} jobs as finished runs; {done.finished} of {done.hosted} hosted runs are finished")
    say(f"Next: {next_step(locked.paths)}")


def generate(
    study: StudyArgument,
    batch: Annotated[int, typer.Option("--batch", min=1, help="Answers made at a time.")] = 256,
    root: RootOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put every item to every run, resumably, and seal each run when it is done; probes are scored in the same pass.

    Example:  seedlock generate my_study
    """
    locked = gate(study, root, stage="generate")
    from seedlock.generation.generate import generate_study
    from seedlock.generation.progress import terminal_progress

    with terminal_progress() as progress:
        done = generate_study(locked, progress=progress, batch_size=batch, audit=_audit_first(locked))
    tell(done, locked.paths, as_json=as_json)


def _audit_first(locked: LockedPlan) -> Callable[[LockedPlan], None] | None:
    """What judges the metric audit before other items are asked; None where nothing in the plan rests on it."""
    if not locked.plan.begins_with_audit:
        return None
    from seedlock.analysis.audit_stage import judge_audit

    return judge_audit


def judge(
    study: StudyArgument,
    judge: Annotated[str | None, typer.Option("--judge", help="One judge of the plan; all otherwise.")] = None,
    submit: Annotated[bool, typer.Option("--submit", help="Hand in batches, and collect them another time.")] = False,
    root: RootOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put sealed completions to the plan's judges, blind and within budget, and seal their judgements.

    Example:  seedlock judge my_study --judge era
    """
    locked = gate(study, root, stage="judge")
    from seedlock.generation.judge import judge_study
    from seedlock.generation.judging.progress import terminal_progress

    with terminal_progress() as progress:
        done = judge_study(locked, only=judge, submit_only=submit, progress=progress)
    tell(done, locked.paths, as_json=as_json)


def label(
    study: StudyArgument,
    judge: Annotated[str | None, typer.Option("--judge", help="One judge of the plan; all otherwise.")] = None,
    root: RootOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the sheet and the page on which people give right answers to a part of what a judge judged.

    Example:  seedlock label my_study --judge era
    """
    locked = gate(study, root)
    from seedlock.generation.label import label_study

    tell(label_study(locked, only=judge), locked.paths, as_json=as_json)


def inside(
    study: StudyArgument,
    batch: Annotated[int, typer.Option("--batch", min=1, help="Prompts read at a time.")] = 64,
    root: RootOption = None,
    as_json: JsonOption = False,
) -> None:
    """Look inside the models as planned: projections, steering, ablation, patching; resumably, then seal.

    Example:  seedlock inside my_study
    """
    locked = gate(study, root, stage="inside")
    from seedlock.generation.inside.progress import terminal_progress
    from seedlock.generation.inside.run import look_inside

    with terminal_progress() as progress:
        done = look_inside(locked, progress=progress, batch_size=batch)
    tell(done, locked.paths, as_json=as_json)


def probe(
    study: StudyArgument,
    batch: Annotated[int, typer.Option("--batch", min=1, help="Probes scored at a time; as for generate.")] = 256,
    root: RootOption = None,
    as_json: JsonOption = False,
) -> None:
    """Score the probes only (letters, words, ratings, choices, passages); generate then answers the rest and seals.

    Example:  seedlock probe my_study
    """
    locked = gate(study, root, stage="generate")
    from seedlock.generation.generate import generate_study
    from seedlock.generation.progress import terminal_progress

    with terminal_progress() as progress:
        done = generate_study(locked, progress=progress, batch_size=batch, probes_only=True, audit=_audit_first(locked))
    tell(done, locked.paths, as_json=as_json)


def import_(
    study: StudyArgument,
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="FILE...", help="The plan's import.file otherwise.")
    ] = None,
    format: Annotated[
        str | None,
        typer.Option("--format", help="parquet | csv | jsonl | json | inspect | lm_eval | ..."),
    ] = None,
    judge: Annotated[
        str | None, typer.Option("--judge", help="These are judgements, mapped by the plan's [judgements.NAME].")
    ] = None,
    gold: Annotated[
        str | None, typer.Option("--gold", help="These are right answers to this judge: a sheet of seedlock label.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check and count everything, and keep nothing; also before the lock.")
    ] = False,
    beacon: BeaconOption = None,
    root: RootOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring in completions, counts or judgements made elsewhere, through the same schema and seal.

    Example:  seedlock import my_study ../logs/run1.eval ../logs/run2.eval --format inspect
    """
    from seedlock.generation.import_completions import Imported, import_study
    from seedlock.generation.import_judgements import ImportedJudgements, import_judgements

    if gold is not None:
        _import_gold(study, files or [], gold, root, as_json=as_json, others=(format, judge, dry_run))
        return
    if dry_run and judge is None:
        _rehearse(find(study, root), files or (), format, as_json=as_json)
        return
    _record(beacon, study, root)
    locked = gate(study, root)
    done: Imported | ImportedJudgements
    with progress("importing"):
        if judge is None:
            done = import_study(locked, files or (), format)
        else:
            done = import_judgements(locked, judge, files or (), format, is_rehearsal=dry_run)
    tell(done, locked.paths, as_json=as_json)


def _import_gold(
    study: str, files: list[Path], judge: str, root: Path | None, *, as_json: bool, others: tuple[Any, ...]
) -> None:
    from seedlock.generation.label import import_gold

    if any(others):
        fault = Finding(where="--gold", found="with --format, --judge or --dry-run", promised="alone")
        raise BadInput("a sheet of right answers has one form", fault, then=f"seedlock import {study} --gold {judge}")
    locked = gate(study, root)
    with progress("importing"):
        done = import_gold(locked, judge, files)
    tell(done, locked.paths, as_json=as_json)


def _rehearse(paths: StudyPaths, files: Sequence[Path], format: str | None, *, as_json: bool) -> None:
    from seedlock.cli.rehearsal import rehearse

    done = rehearse(paths, files, format)
    if as_json:
        say_json(done.as_json)
        return
    for line in done.lines:
        say(line)
