"""The command line: one lazy sub-command a stage, nothing else."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn, Protocol

import typer

from prereg.errors import BadInput, Finding, SeedlockError

if TYPE_CHECKING:
    from analysis.study import Study
    from generation.option_check import OptionCheck
    from prereg.checks import Check
    from prereg.gate import LockedPlan
    from prereg.layout import StudyPaths
    from prereg.lint import Lint

    class _Account(Protocol):
        """What a stage did, for a machine and for a person."""

        def as_json(self) -> dict[str, Any]: ...

        def lines(self) -> Iterable[str]: ...


__all__ = ["Study", "app", "main"]

app = typer.Typer(
    name="seedlock",
    help="Pre-registration-first statistics for fine-tuning studies: plan, lock, run, analyse, verify.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)

StudyArgument = Annotated[str, typer.Argument(metavar="STUDY", help="A study's name, or the path of its folder.")]
RootOption = Annotated[
    Path | None, typer.Option("--root", help="A repository of this layout; the current folder otherwise.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for a machine.")]


def _find(study: str, root: Path | None) -> StudyPaths:
    from prereg.layout import find_study

    return find_study(study, root)


def _studies(study: str | None, root: Path | None) -> list[StudyPaths]:
    """One study, or every study of the repository."""
    from prereg.layout import StudyPaths, list_studies

    if study:
        return [_find(study, root)]
    base = (root or Path.cwd()).resolve()
    return [StudyPaths(root=base, name=name) for name in list_studies(base)]


def _gate(study: str, root: Path | None) -> LockedPlan:
    from prereg.gate import require_lock

    return require_lock(_find(study, root))


def _say(text: str = "") -> None:
    typer.echo(text)


def _say_json(value: Any) -> None:
    typer.echo(json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False))


@contextmanager
def _progress(label: str) -> Iterator[None]:
    """Show that something is running, on a terminal only."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(label):
        yield


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new or empty folder.")],
    example: Annotated[
        Literal["trained", "imported"],
        typer.Option("--example", help="Runs made here on a tiny model, or completions made elsewhere."),
    ] = "trained",
) -> None:
    """Start a research repository with this layout, a filled-in example study and CI that verifies.

    Example:  seedlock init my_research
    """
    from prereg.starting import create_repository

    for path in create_repository(folder, example):
        _say(f"wrote     {folder / path}")
    _say(f"Next: cd {folder} && git init && seedlock check example;  README.md has every step after it")


@app.command()
def check(study: StudyArgument, root: RootOption = None, as_json: JsonOption = False) -> None:
    """Read the plan and lint its design.

    Example:  seedlock check published_bird_seeds
    """
    from prereg.plan_file import read_plan

    paths = _find(study, root)
    plan = read_plan(paths.plan)
    lints = _design(paths)
    if as_json:
        _say_json(_design_json(paths, lints))
    else:
        runs = list(plan.runs())
        _say(f"{paths.name}: {plan.study.title}")
        _say(f"  {len(runs)} runs, {len(plan.measures)} measures, {sum(1 for _ in plan.expanded())} hypotheses")
        _print_lints(lints)
        for found in _options(paths):
            _say(f"  {found.line()}")
    _require_lockable(paths, lints)
    if not as_json:
        from prereg.progress import next_before_lock

        _say(f"No fault found.  Next: {next_before_lock(paths, plan)}")


def _design(paths: StudyPaths) -> list[Lint]:
    from analysis.design import design_lints
    from prereg.plan_file import read_plan

    return design_lints(read_plan(paths.plan), paths.study)


def _design_json(paths: StudyPaths, lints: list[Lint]) -> dict[str, Any]:
    from dataclasses import asdict

    options = [asdict(found) for found in _options(paths)]
    return {"study": paths.name, "lints": [asdict(lint) for lint in lints], "options": options}


def _options(paths: StudyPaths) -> list[OptionCheck]:
    from prereg.plan_file import read_plan

    plan = read_plan(paths.plan)
    if not any(items.probe for items in plan.items.values()):
        return []
    from generation.option_check import check_options

    return check_options(plan, paths)


def _require_lockable(paths: StudyPaths, lints: list[Lint]) -> None:
    from prereg.lint import require_lockable

    require_lockable(paths.name, lints)


def _print_lints(lints: list[Lint]) -> None:
    for lint in lints:
        stands = f"  (acknowledged: {lint.acknowledged})" if lint.acknowledged else ""
        _say(f"  {lint.severity:6}  {lint.where} [{lint.code}]{stands}")
        _say(f"          {lint.says}")
        if not lint.acknowledged:
            _say(f"          remedy: {lint.remedy}")


@app.command()
def simulate(
    study: StudyArgument,
    simulations: Annotated[int, typer.Option("--simulations", help="Simulated studies in each world.")] = 2000,
    seed: Annotated[int, typer.Option("--seed", help="The same seed gives the same bytes.")] = 1,
    bayes: Annotated[int, typer.Option("--bayes", help="Data sets to calibrate each planned hierarchy on.")] = 0,
    to: Annotated[Path | None, typer.Option("--to", help="Another file; a locked study's own stays as it is.")] = None,
    root: RootOption = None,
    as_json: JsonOption = False,
) -> None:
    """Simulate the design before the lock: error, power, coverage, verdicts, seeds needed.

    Example:  seedlock simulate my_study --simulations 2000
    """
    from analysis.simulation.counting import count_items
    from analysis.simulation.picture import design_picture, write_picture
    from analysis.simulation.run import run_simulation, simulation_path
    from analysis.simulation.table import tables
    from prereg.plan_file import read_plan

    paths = _find(study, root)
    with _bar() as advance:
        result = run_simulation(paths, simulations=simulations, seed=seed, progress=advance, bayes=bayes, to=to)
    plan = read_plan(paths.plan)
    written = [str(to or paths.relative(simulation_path(paths)))]
    if to is None:
        svg, _ = write_picture(design_picture(plan, count_items(plan, paths)), paths.locks)
        written.append(paths.relative(svg))
    if as_json:
        _say_json(result.model_dump(mode="json"))
        return
    from rich.console import Console

    console = Console(width=None if sys.stdout.isatty() else 160)
    for table in tables(result):
        console.print(table)
    for caveat in result.not_simulated:
        _say(f"not simulated: {caveat}")
    _say(f"written   {', '.join(written)}")
    if to is None:
        from prereg.lock import lock_paths

        then = "amend" if lock_paths(paths) else "lock"
        _say(f"Next: git add -A && git commit,  then  seedlock {then} {paths.name}  records the simulation's digest")


@app.command()
def estimate(study: StudyArgument, root: RootOption = None, as_json: JsonOption = False) -> None:
    """What a study takes before anything is spent: runs, steps, requests, tokens, room, time and cost.

    Example:  seedlock estimate vibe_leak
    """
    from analysis.estimate import posterior_lines
    from generation.estimate import generation_lines
    from prereg.estimate import Known
    from prereg.estimate import estimate as reckon
    from prereg.estimate_page import page
    from prereg.model_shape import local_shape
    from prereg.plan_file import read_plan
    from training.estimate import training_lines
    from training.measured import measured_speeds

    paths = _find(study, root)
    plan = read_plan(paths.plan)
    counted = [*training_lines(paths, plan), *generation_lines(paths, plan), *posterior_lines(paths, plan)]
    shapes = {name: shape for name, model in plan.models.items() if (shape := local_shape(model, paths.root))}
    found = reckon(paths.name, plan, counted, Known(shapes=shapes, measured=measured_speeds(paths, plan)))
    if as_json:
        _say_json(found.as_json())
        return
    for line in page(found):
        _say(line)
    _say(f"Next: {_next_step(paths)}")


@contextmanager
def _bar() -> Iterator[Callable[[str, int, int], None]]:
    """Hand out a progress bar, on a terminal only."""
    if not sys.stderr.isatty():
        yield lambda _what, _done, _total: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("simulating", total=None)
        yield lambda what, done, total: bar.update(task, description=what, completed=done, total=total)


def _simulation(paths: StudyPaths) -> bytes | None:
    from analysis.simulation.run import simulation_for_lock

    return simulation_for_lock(paths)


@app.command()
def lock(study: StudyArgument, root: RootOption = None, as_json: JsonOption = False) -> None:
    """Freeze the plan: write the lock and the ledger's first line.

    Example:  seedlock lock published_bird_seeds
    """
    from prereg.lock import create_lock

    paths = _find(study, root)
    lints = _design(paths)
    _require_lockable(paths, lints)
    made, lock_id = create_lock(paths, design_check=_design_json(paths, lints), simulation=_simulation(paths))
    file = f"lockfiles/{paths.name}/lock-{made.n:04d}.json"
    if as_json:
        _say_json(
            {"study": paths.name, "lock": file, "lock_id": lock_id, "retrospective": made.exposure.is_retrospective}
        )
        return
    _say(f"locked    {file}")
    _say(f"lock id   {lock_id}")
    _say(f"pins      {len(made.files)} study files, {len(made.code)} source files, {len(made.runs)} runs")
    if made.work_tree != "clean":
        _say(f"work tree {made.work_tree}: commit before locking, so that the locked code can be found again")
    if made.exposure.is_retrospective:
        seen = ", ".join(made.exposure.outputs[:3]) or f'exposure = "{made.exposure.declared}"'
        _say(f"status    retrospective: results existed at the lock ({seen})")
    _say(f"Next: git add lockfiles/{paths.name} && git commit,  then  {_next_step(paths)}")


@app.command()
def amend(
    study: StudyArgument,
    reason: Annotated[
        str, typer.Option("--reason", help="design-change | error-in-plan | data-unavailable | code-fix | other")
    ],
    note: Annotated[str, typer.Option("--note", help="What changed and why, in a sentence.")],
    root: RootOption = None,
    as_json: JsonOption = False,
) -> None:
    """Supersede the newest lock by a new one; the ledger records why and what had been seen.

    Example:  seedlock amend my_study --reason error-in-plan --note "The SESOI was meant in percentage points."
    """
    from prereg.lock import AMEND_REASONS, create_amendment

    paths = _find(study, root)
    if reason not in AMEND_REASONS or not note.strip():
        raise BadInput(
            "an amendment needs a reason code and a note",
            Finding(where="--reason", found=reason, promised=", ".join(AMEND_REASONS)),
            then="seedlock amend --help",
        )
    lints = _design(paths)
    _require_lockable(paths, lints)
    made, lock_id = create_amendment(
        paths, reason=reason, note=note, design_check=_design_json(paths, lints), simulation=_simulation(paths)
    )
    file = f"lockfiles/{paths.name}/lock-{made.n:04d}.json"
    if as_json:
        _say_json({"study": paths.name, "lock": file, "lock_id": lock_id, "data_seen": made.exposure.data_seen})
        return
    _say(f"locked    {file}  (supersedes lock {made.n - 1})")
    _say(f"lock id   {lock_id}")
    _say(f"data seen by then: {made.exposure.data_seen}")
    _say(f"Next: {_next_step(paths)}")


@app.command()
def deviate(
    study: StudyArgument,
    pointer: Annotated[str, typer.Option("--pointer", help="JSON pointer into the parsed plan, e.g. /missing/runs")],
    after: Annotated[
        str, typer.Option("--after", help="What was done instead, as JSON, e.g. '\"analyse and disclose\"'")
    ],
    reason: Annotated[str, typer.Option("--reason", help="Why.")],
    effect: Annotated[str, typer.Option("--effect", help="How this changes the severity of the test.")],
    hypothesis: Annotated[list[str], typer.Option("--hypothesis", help="An id it touches; repeat for several.")],
    root: RootOption = None,
) -> None:
    """Record a departure from the plan without changing the lock.

    Example:  seedlock deviate my_study --pointer /missing/runs --after '"analyse and disclose"'
    --reason "two runs lost to a node failure" --effect "fewer seeds, wider interval" --hypothesis H1
    """
    from analysis.design import require_known
    from prereg.deviate import declare_deviation
    from prereg.gate import has_moved_on, require_lock

    try:
        value = json.loads(after)
    except json.JSONDecodeError as error:
        found = Finding(where="--after", found=f"{after!r}: {error.msg}", promised="JSON; text needs double quotes")
        raise BadInput("--after is not JSON", found, then="seedlock deviate --help") from None
    locked = require_lock(_find(study, root), only_reading=True)
    event = declare_deviation(
        locked,
        pointer=pointer,
        after=value,
        reason=reason,
        effect=effect,
        hypotheses=hypothesis,
        require=require_known,
    )
    _say(f"recorded  {pointer}: {json.dumps(event.body['before'])} -> {json.dumps(value)}  (ledger line {event.n})")
    analyze_again = f"seedlock analyze {locked.paths.name}{' --at-lock' if has_moved_on(locked.lock) else ''}"
    _say(f"Next: {analyze_again}  shows every affected result as planned and as deviated")


@app.command()
def status(
    study: Annotated[str | None, typer.Argument(metavar="[STUDY]")] = None,
    root: RootOption = None,
    as_json: JsonOption = False,
) -> None:
    """Where each study stands: gates passed, runs done of planned, the next command.

    Example:  seedlock status
    """
    from prereg.progress import standing

    found = _studies(study, root)
    rows = [standing(paths) for paths in found]
    if as_json:
        _say_json([row.as_json() for row in rows])
        return
    if not rows:
        _say("no study here.  Next: seedlock init DIR  starts a repository with a filled-in example")
    for row in rows:
        _say(f"{row.study}  [{row.status}]")
        _say(f"  gates  {' -> '.join(row.gates)}")
        if row.look:
            _say(f"  look   {row.look}")
        _say(
            f"  runs   {row.runs_done} of {row.runs_planned} with sealed data"
            + (f", {row.runs_failed} failed" if row.runs_failed else "")
        )
        if row.answers_planned is not None:
            failed = f", {row.answers_failed} without an answer" if row.answers_failed else ""
            _say(f"  asked  {row.answers_done} of {row.answers_planned} requests have their row{failed}")
        _say(f"  next   {row.next_command}")


def _next_step(paths: StudyPaths) -> str:
    from prereg.progress import standing

    return standing(paths).next_command


def _tell(done: _Account, paths: StudyPaths, *, as_json: bool) -> None:
    """Say what a stage did, and the command that comes next."""
    if as_json:
        _say_json(done.as_json())
        return
    for line in done.lines():
        _say(line)
    _say(f"Next: {_next_step(paths)}")


@app.command()
def run(
    study: StudyArgument,
    may_lock: Annotated[bool, typer.Option("--lock", help="Lock a plan that is not locked yet.")] = False,
    root: RootOption = None,
) -> None:
    """Take a locked study to a verified report: every stage that it needs and has not had, in order.

    Example:  seedlock run my_study
    """
    from prereg.stages import carry_out

    def tell(stage: str, story: str) -> None:
        _say(typer.style(f"\n== seedlock {stage} {study}", bold=True) + f"\n   {story}\n")

    code = carry_out(_find(study, root), may_lock=may_lock, tell=tell)
    if code:
        raise typer.Exit(code)


@app.command()
def corpus(
    study: StudyArgument,
    check_only: Annotated[bool, typer.Option("--check-only", help="Check what is written already.")] = False,
    root: RootOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the corpora that the plan describes into the study folder, before the lock, and check each.

    Example:  seedlock corpus my_study
    """
    from prereg.plan_file import read_plan
    from training.checks.study import check_study
    from training.rows.study import write_corpus

    paths = _find(study, root)
    plan = read_plan(paths.plan)
    if not check_only:
        for name in plan.used_corpora:
            write_corpus(paths, plan, name)
    reports = check_study(paths, plan)
    if as_json:
        _say_json([report.as_json() for report in reports])
    else:
        for report in reports:
            _say(report.table())
    failing = [report.corpus.name for report in reports if not report.passes]
    if failing:
        typer.echo(f"corpora that may not be trained on: {', '.join(failing)}", err=True)
        raise typer.Exit(2)
    if not as_json:
        _say(f"Next: {_next_step(paths)}")


@app.command()
def train(
    study: StudyArgument,
    executor: Annotated[str, typer.Option("--executor", help="local | ray")] = "local",
    address: Annotated[str | None, typer.Option("--address", help="A Ray cluster; a local one otherwise.")] = None,
    workers: Annotated[int | None, typer.Option("--workers", min=1, help="Local runs at a time.")] = None,
    gpus: Annotated[float, typer.Option("--gpus-per-run", min=0.0, help="Ray GPUs for each run.")] = 0.0,
    finished: Annotated[
        Path | None, typer.Option("--finished", help="Import hosted jobs that finished elsewhere: JSON lines of them.")
    ] = None,
    training_file: Annotated[
        list[str] | None,
        typer.Option("--training-file", help="ID=ARM, or ID=PATH of the uploaded file; repeat for several."),
    ] = None,
    root: RootOption = None,
) -> None:
    """Carry out every promised training run that is not finished; interrupted, it goes on where it stopped.

    Example:  seedlock train my_study --executor ray --address auto --gpus-per-run 1
    Example:  seedlock train my_study --finished jobs.jsonl --training-file file-a1=archaic.jsonl
    """
    if finished is not None:
        _import_jobs(_gate(study, root), finished, training_file or [])
        return
    from training.grid.progress import Quiet, terminal_progress
    from training.grid.train import train_study

    if executor not in {"local", "ray"}:
        raise BadInput("no such executor", Finding(where="--executor", found=executor, promised="local or ray"))
    locked = _gate(study, root)
    kind: Literal["local", "ray"] = "ray" if executor == "ray" else "local"
    with terminal_progress() if sys.stderr.isatty() else nullcontext(Quiet()) as progress:
        done = train_study(
            locked, executor=kind, address=address, workers=workers, gpus_per_run=gpus, progress=progress
        )
    _say(f"runs      {done.planned} due, {done.already} were finished, {done.trained} trained now")
    if done.later:
        _say(f"later     {done.later} more, if the plan goes on after this look")
    if done.lost:
        _say(f"lost      {done.lost} workers; their runs were started again")
    done.require_complete(locked.paths.name)
    _say(f"Next: {_next_step(locked.paths)}")


def _import_jobs(locked: LockedPlan, finished: Path, told: list[str]) -> None:
    from training.hosted.finished import import_finished_jobs

    pairs = [text.partition("=") for text in told]
    if faults := [
        Finding(where="--training-file", found=repr(text), promised="ID=ARM or ID=PATH")
        for text, (identity, _, value) in zip(told, pairs, strict=True)
        if not identity or not value
    ]:
        raise BadInput("a training file is named by its id and its arm", *faults, then="seedlock train --help")
    done = import_finished_jobs(locked, finished, told={identity: value for identity, _, value in pairs})
    _say(f"imported  {done.imported} jobs as finished runs; {done.finished} of {done.hosted} hosted runs are finished")
    _say(f"Next: {_next_step(locked.paths)}")


@app.command()
def generate(
    study: StudyArgument,
    batch: Annotated[int, typer.Option("--batch", min=1, help="Answers made at a time.")] = 256,
    root: RootOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put every item to every run, resumably, and seal each run when it is done; probes are scored in the same pass.

    Example:  seedlock generate my_study
    """
    from generation.generate import generate_study
    from generation.progress import terminal_progress

    locked = _gate(study, root)
    with terminal_progress() as progress:
        done = generate_study(locked, progress=progress, batch_size=batch, audit=_audit_first(locked))
    _tell(done, locked.paths, as_json=as_json)


def _audit_first(locked: LockedPlan) -> Callable[[LockedPlan], None] | None:
    """What judges the metric audit before other items are asked; None where nothing in the plan rests on it."""
    if not locked.plan.begins_with_audit:
        return None
    from analysis.audit_first import judge_audit

    return judge_audit


@app.command()
def judge(
    study: StudyArgument,
    judge: Annotated[str | None, typer.Option("--judge", help="One judge of the plan; all otherwise.")] = None,
    submit: Annotated[bool, typer.Option("--submit", help="Hand in batches, and collect them another time.")] = False,
    root: RootOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put sealed completions to the plan's judges, blind and within budget, and seal what they said.

    Example:  seedlock judge my_study --judge era
    """
    from generation.judge import judge_study
    from generation.judging.progress import terminal_progress

    locked = _gate(study, root)
    with terminal_progress() as progress:
        done = judge_study(locked, only=judge, submit_only=submit, progress=progress)
    _tell(done, locked.paths, as_json=as_json)


@app.command()
def inside(
    study: StudyArgument,
    batch: Annotated[int, typer.Option("--batch", min=1, help="Prompts read at a time.")] = 64,
    root: RootOption = None,
    as_json: JsonOption = False,
) -> None:
    """Look inside the models as [inside] plans: projections, steering, ablation, patching; resumably, then seal.

    Example:  seedlock inside my_study
    """
    from generation.inside.progress import terminal_progress
    from generation.inside.study import look_inside

    locked = _gate(study, root)
    with terminal_progress() as progress:
        done = look_inside(locked, progress=progress, batch_size=batch)
    _tell(done, locked.paths, as_json=as_json)


@app.command()
def probe(
    study: StudyArgument,
    batch: Annotated[int, typer.Option("--batch", min=1, help="Probes scored at a time; as for generate.")] = 256,
    root: RootOption = None,
    as_json: JsonOption = False,
) -> None:
    """Score the probes only (letters, words, ratings, choices, passages); generate then answers the rest and seals.

    Example:  seedlock probe my_study
    """
    from generation.generate import generate_study
    from generation.progress import terminal_progress

    locked = _gate(study, root)
    with terminal_progress() as progress:
        done = generate_study(locked, progress=progress, batch_size=batch, probes_only=True, audit=_audit_first(locked))
    _tell(done, locked.paths, as_json=as_json)


@app.command("import")
def import_(
    study: StudyArgument,
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="[FILE...]", help="The plan's import.file otherwise.")
    ] = None,
    format: Annotated[
        str | None,
        typer.Option("--format", help="parquet | csv | jsonl | inspect | lm_eval | openai_batch | ..."),
    ] = None,
    judge: Annotated[
        str | None, typer.Option("--judge", help="These are judgements, mapped by the plan's [judgements.NAME].")
    ] = None,
    root: RootOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring in completions, counts or judgements made elsewhere, through the same schema and seal.

    Example:  seedlock import my_study ../logs/run1.eval ../logs/run2.eval --format inspect
    """
    from generation.import_judgements import ImportedJudgements, import_judgements
    from generation.import_study import Imported, import_study

    locked = _gate(study, root)
    done: Imported | ImportedJudgements
    with _progress("importing"):
        if judge is None:
            done = import_study(locked, files or (), format)
        else:
            done = import_judgements(locked, judge, files or (), format)
    _tell(done, locked.paths, as_json=as_json)


@app.command()
def analyze(
    study: StudyArgument,
    at_lock: Annotated[bool, typer.Option("--at-lock", help="With the code of the locked commit.")] = False,
    root: RootOption = None,
    as_json: JsonOption = False,
) -> None:
    """Scores, statistics, decisions, report.

    Example:  seedlock analyze published_bird_seeds
    """
    if at_lock:
        _analyze_at_lock(_find(study, root))
        return
    from analysis.analyze import analyze_study

    locked = _gate(study, root)
    with _progress("analysing"):
        results = analyze_study(locked)
    page = locked.paths.report / "report.html"
    if as_json:
        _say_json(results.model_dump(mode="json"))
        return
    for sentence in results.answer.sentences:
        _say(sentence)
    look = results.accounting.look
    if look is not None:
        goes_on = f"; the plan goes on to {look.next_seeds} seeds" if look.goes_on else "; the plan ends here"
        after = "" if look.goes_on is None else goes_on
        _say(f"look      {look.place} of {results.accounting.looks_planned}, at {look.seeds} seeds an arm{after}")
    _say(f"status    {results.status}")
    _say(f"report    {page}")
    later = f",  and then  {_next_step(locked.paths)}" if look is not None and look.goes_on else ""
    _say(f"Next: seedlock verify {locked.paths.name}{later}")


def _analyze_at_lock(paths: StudyPaths) -> None:
    from prereg.at_lock import run_at_lock
    from prereg.errors import OutOfOrder
    from prereg.lock import lock_paths, read_lock

    files = lock_paths(paths)
    if not files:
        raise OutOfOrder(f"{paths.name} has no lock", then=f"seedlock lock {paths.name}")
    done = run_at_lock(paths, read_lock(files[-1]), "analyze", paths.name)
    typer.echo(done.stdout.decode("utf-8", "replace"), nl=False)
    typer.echo(done.stderr.decode("utf-8", "replace"), nl=False, err=True)
    if done.returncode:
        raise typer.Exit(done.returncode)


@app.command(hidden=True)
def recompute(study: StudyArgument, root: RootOption = None) -> None:
    """Print results.json as this code computes it; what `verify --replay` runs at the locked commit."""
    from analysis.replay import recompute as compute_again

    _say_json(compute_again(_find(study, root)))


@app.command()
def show(study: StudyArgument, root: RootOption = None) -> None:
    """The report on a terminal.

    Example:  seedlock show published_bird_seeds
    """
    from analysis.report.terminal import show as show_results
    from analysis.results import read_results

    show_results(read_results(_find(study, root)))


@app.command()
def verify(
    study: Annotated[str | None, typer.Argument(metavar="[STUDY]", help="All studies when left out.")] = None,
    replay: Annotated[bool, typer.Option("--replay", help="Run the analysis again and compare every number.")] = False,
    signers: Annotated[Path | None, typer.Option("--allowed-signers", help="Whose signatures count.")] = None,
    tsa_ca: Annotated[Path | None, typer.Option("--tsa-ca", help="Certificates of the timestamp authority.")] = None,
    require: Annotated[str | None, typer.Option("--require", help="Fail below this evidence level, T0 to T5.")] = None,
    root: RootOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check lock, files, ledger, data, results and report; name the first link that does not hold.

    Example:  seedlock verify published_bird_seeds --replay
    """
    from prereg.checks import LEVELS, lines
    from prereg.evidence import require_level
    from prereg.verify import verify_study

    if require is not None and require not in {level[:2] for level in LEVELS}:
        raise BadInput("no such level", Finding(where="--require", found=require, promised="T0 to T5"))
    found = _studies(study, root)
    verified = [
        verify_study(paths, signers=signers, ca_file=tsa_ca, reading=_reading, replay=_replay if replay else None)
        for paths in found
    ]
    if as_json:
        _say_json(verified[0].as_json() if study else [one.as_json() for one in verified])
    for one in [] if as_json else verified:
        _say(f"{one.study}  lock {one.lock_id or 'none'}  [{one.status or 'not locked'}]")
        for line in lines(one.checks):
            _say(f"  {line}")
        if one.lock_id is not None:
            _say(f"  level  {'none' if one.level is None else LEVELS[one.level]}")
    if not as_json and verified:
        _say("  no local check can know:")
        for unknowable in verified[0].cannot_know:
            _say(f"    {unknowable}")
    failed = next((one for one in verified if one.exit_code), None)
    if failed is not None and failed.first_failure is not None:
        first = failed.first_failure
        where = first.findings[0].where if first.findings else first.link
        typer.echo(f"{failed.study}: {first.id} {first.what}: {where}", err=True)
        raise typer.Exit(failed.exit_code)
    if require is not None:
        for one in verified:
            require_level(one.level, int(require[1]), one.study)


def _reading(paths: StudyPaths) -> Check:
    from analysis.report.check import reading_check

    return reading_check(paths)


def _replay(paths: StudyPaths) -> Check:
    from analysis.replay import replay_check

    return replay_check(paths)


@app.command()
def notebook(
    study: StudyArgument,
    to: Annotated[Path | None, typer.Option("--to", help="The file; runs/STUDY/notebook.py otherwise.")] = None,
    root: RootOption = None,
) -> None:
    """Write a marimo notebook that explores a study's sealed tables: seeds, items, answers, measures.

    Example:  seedlock notebook published_bird_seeds
    """
    from analysis.notebook import write_notebook

    made = write_notebook(_find(study, root), to)
    _say(f"written   {made}")
    _say(f"Next: marimo edit {made}")


@app.command()
def export(
    study: StudyArgument,
    format: Annotated[str, typer.Option("--format", help="ro-crate")] = "ro-crate",
    to: Annotated[Path | None, typer.Option("--to", help="The archive; STUDY.crate.zip otherwise.")] = None,
    license_url: Annotated[str | None, typer.Option("--license", help="Address of the data's licence.")] = None,
    root: RootOption = None,
) -> None:
    """Write one archive of a study that describes itself, for a repository or a reviewer.

    Example:  seedlock export published_bird_seeds --license https://creativecommons.org/licenses/by/4.0/
    """
    from analysis.export import FORMATS, export_study

    if format not in FORMATS:
        raise BadInput("no such format", Finding(where="--format", found=format, promised=" | ".join(FORMATS)))
    paths = _find(study, root)
    made = export_study(paths, to or Path(f"{paths.name}.crate.zip"), license_url=license_url)
    _say(f"written   {made}  ({made.stat().st_size / 1e6:.1f} MB)")
    _say(f"Next: unzip it anywhere and  seedlock verify {paths.name} --root FOLDER")


@app.command()
def sign(
    study: StudyArgument,
    key: Annotated[Path, typer.Option("--key", help="An SSH private key.")],
    root: RootOption = None,
) -> None:
    """Sign the newest lock with an SSH key.

    Example:  seedlock sign my_study --key ~/.ssh/id_ed25519
    """
    from prereg.evidence import sign as sign_file
    from prereg.lock import lock_paths

    locked = _gate(study, root)
    signature = sign_file(lock_paths(locked.paths)[-1], key, locked.paths)
    _say(f"signed    {locked.paths.relative(signature)}")


def __getattr__(name: str) -> Any:
    """`seedlock.Study`, for notebooks, without loading the analysis where only the command line is wanted."""
    if name == "Study":
        from analysis.study import Study

        return Study
    raise AttributeError(f"module 'seedlock' has no attribute {name!r}")


def main() -> NoReturn:
    """Run the command line; errors go to stderr as one block, with the exit code of the link that broke."""
    try:
        app()
    except SeedlockError as error:
        typer.echo(str(error), err=True)
        sys.exit(error.exit_code)
    sys.exit(0)


if __name__ == "__main__":
    main()
