"""Before any result: check, simulate, estimate, lock, amend, deviate."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from seedlock.cli.common import JsonOption, RootOption, StudyArgument, bar, find, next_step, progress, say, say_json
from seedlock.cli.weights import look_at_weights
from seedlock.prereg.english import counted
from seedlock.prereg.errors import BadInput, Finding

if TYPE_CHECKING:
    from seedlock.cli.rehearsal import Rehearsal
    from seedlock.generation.local.option_check import OptionCheck
    from seedlock.prereg.base.paths import StudyPaths
    from seedlock.prereg.lock.document import LockedReplication
    from seedlock.prereg.plan.lint import Lint
    from seedlock.prereg.plan.plan import Plan


def check(
    study: StudyArgument,
    files: Annotated[
        list[Path] | None, typer.Argument(metavar="[FILE...]", help="Rehearse the import of these too.")
    ] = None,
    root: RootOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read the plan and lint its design; with files, rehearse their import as `import --dry-run` does.

    Example:  seedlock check published_bird_seeds
    Example:  seedlock check my_study ../answers.csv
    """
    from seedlock.cli import synthesis
    from seedlock.prereg.plan.read import read_plan

    if (pooled := synthesis.synthesis_at(study, root)) is not None:
        synthesis.check(pooled, as_json=as_json)
        return
    paths = find(study, root)
    plan = read_plan(paths.plan)
    lints = _design(paths)
    weights = look_at_weights(plan, paths)
    if as_json:
        rehearsal = _rehearsed(paths, files or ())
        told = {"weights": weights.as_json(), **({"import": rehearsal.as_json} if rehearsal else {})}
        say_json(_design_json(paths, lints) | told)
    else:
        runs = list(plan.runs())
        say(f"{paths.name}: {plan.study.title}")
        hypotheses = counted(sum(1 for _ in plan.expanded()), "hypothesis", "hypotheses")
        say(f"  {counted(len(runs), 'run')}, {counted(len(plan.measures), 'measure')}, {hypotheses}")
        for line in weights.lines():
            say(f"  {line}")
        _print_lints(lints)
        for found in _options(paths):
            say(f"  {found.line()}")
        _print_absent(plan)
        rehearsal = _rehearsed(paths, files or ())
        for line in rehearsal.lines if rehearsal else ():
            say(f"  {line}")
    _require_lockable(paths, lints)
    if not as_json:
        _print_promises(paths)
    if rehearsal is not None:
        rehearsal.require_analysable(paths.name)
    if not as_json:
        from seedlock.prereg.workflow.status import next_before_lock

        say(f"No fault found.  Next: seedlock {next_before_lock(paths, plan)} {paths.name}")


def _rehearsed(paths: StudyPaths, files: Sequence[Path]) -> Rehearsal | None:
    if not files:
        return None
    from seedlock.cli.rehearsal import rehearse

    return rehearse(paths, files)


def _design(paths: StudyPaths) -> list[Lint]:
    from seedlock.analysis.simulation.broken_promises import broken_promises
    from seedlock.analysis.simulation.design_lints import design_lints
    from seedlock.prereg.plan.lint import acknowledge
    from seedlock.prereg.plan.read import read_plan
    from seedlock.training.cost.memory import memory_lints

    plan = read_plan(paths.plan)
    return [
        *design_lints(plan, paths.study),
        *acknowledge(plan, list(memory_lints(paths, plan))),
        *broken_promises(paths),
    ]


def _design_json(paths: StudyPaths, lints: list[Lint]) -> dict[str, Any]:
    from dataclasses import asdict

    options = [asdict(found) for found in _options(paths)]
    return {"study": paths.name, "lints": [asdict(lint) for lint in lints], "options": options}


def _options(paths: StudyPaths) -> list[OptionCheck]:
    from seedlock.prereg.plan.read import read_plan

    plan = read_plan(paths.plan)
    if not any(items.file for items in plan.items.values()):
        return []
    from seedlock.generation.local.option_check import check_options

    return check_options(plan, paths)


def _require_lockable(paths: StudyPaths, lints: list[Lint]) -> None:
    from seedlock.generation.import_rehearsal import require_maps
    from seedlock.prereg.lock.original import require_original
    from seedlock.prereg.plan.lint import require_lockable
    from seedlock.prereg.plan.read import read_plan
    from seedlock.training.bases.licence import require_true_bases

    plan = read_plan(paths.plan)
    require_original(plan, paths)
    if plan.import_ is not None or plan.judgements:
        require_maps(paths, plan)
    look_at_weights(plan, paths).require(paths.name)
    require_true_bases(plan, paths.root)
    require_lockable(paths.name, lints)
    if plan.used_corpora and plan.import_ is None:
        from seedlock.training.checks.before_lock import require_trainable_rows

        require_trainable_rows(paths, plan)


def _print_absent(plan: Plan) -> None:
    """Libraries that the plan will need and that are not here: the lock may be made without them, a stage may not."""
    from seedlock.prereg.plan.extras import install_command, needs

    lacking = [need for need in needs(plan) if need.absent]
    for need in lacking:
        say(f"  needs   {need.where} = {need.asks!r} needs {', '.join(need.absent)} at  seedlock {need.stage}")
    if lacking:
        say(f"          not installed here: {install_command(need.extra for need in lacking)}")


def _print_lints(lints: list[Lint]) -> None:
    for lint in lints:
        stands = f"  (acknowledged: {lint.acknowledged})" if lint.acknowledged else ""
        say(f"  {lint.severity:6}  {lint.where} [{lint.code}]{stands}")
        say(f"          {lint.says}")
        if not lint.acknowledged:
            say(f"          remedy: {lint.remedy}")


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
    from seedlock.analysis.report.figures.design import design_picture, write_picture
    from seedlock.analysis.simulation.counting import count_items
    from seedlock.analysis.simulation.run import run_simulation, simulation_path
    from seedlock.analysis.simulation.table import tables
    from seedlock.prereg.plan.extras import require_extras
    from seedlock.prereg.plan.read import read_plan

    paths = find(study, root)
    if bayes:
        require_extras(read_plan(paths.plan), "analyze")
    with bar() as advance:
        result = run_simulation(paths, simulations=simulations, seed=seed, progress=advance, bayes=bayes, to=to)
    plan = read_plan(paths.plan)
    written = [str(to or paths.relative(simulation_path(paths)))]
    if to is None:
        svg, _ = write_picture(design_picture(plan, count_items(plan, paths)), paths.locks)
        written.append(paths.relative(svg))
    if as_json:
        say_json(result.model_dump(mode="json"))
        return
    from rich.console import Console

    console = Console(width=None if sys.stdout.isatty() else 160)
    for table in tables(result):
        console.print(table)
    for left_out in result.not_simulated:
        say(f"note      {left_out.where} [{left_out.code}]: {left_out.says}")
    for finding in result.findings:
        say(f"warn      {finding}")
    say(f"written   {', '.join(written)}")
    if to is None:
        from seedlock.prereg.lock.document import lock_paths

        then = "amend" if lock_paths(paths) else "lock"
        say(f"Next: git add -A && git commit,  then  seedlock {then} {paths.name}  records the simulation's digest")


def estimate(
    study: StudyArgument,
    measure: Annotated[
        bool, typer.Option("--measure", help="Time a few training steps and answers on this machine first.")
    ] = False,
    root: RootOption = None,
    as_json: JsonOption = False,
) -> None:
    """What a study takes before anything is spent: runs, steps, requests, tokens, room, time and cost.

    Example:  seedlock estimate vibe_leak
    Example:  seedlock estimate marker_leak_tiny --measure
    """
    from seedlock.analysis.simulation.disk_estimate import posterior_lines
    from seedlock.generation.cost.generate import generation_lines
    from seedlock.prereg.cost.estimate import Known
    from seedlock.prereg.cost.estimate import estimate as reckon
    from seedlock.prereg.cost.page import page
    from seedlock.prereg.cost.speeds import read_speeds
    from seedlock.prereg.plan.model_shape import local_shape
    from seedlock.prereg.plan.read import read_plan
    from seedlock.training.cost.estimate import training_lines
    from seedlock.training.cost.memory import memory_lines
    from seedlock.training.cost.throughput import measured_speeds

    paths = find(study, root)
    plan = read_plan(paths.plan)
    if measure:
        _time_models(paths, plan)
    counted = [*training_lines(paths, plan), *generation_lines(paths, plan), *posterior_lines(paths, plan)]
    counted += memory_lines(paths, plan)
    shapes = {name: shape for name, model in plan.models.items() if (shape := local_shape(model, paths.root))}
    known = Known(shapes=shapes, measured=measured_speeds(paths, plan), timed=read_speeds(paths, plan))
    found = reckon(paths.name, plan, counted, known)
    if as_json:
        say_json(found.as_json())
        return
    for line in page(found):
        say(line)
    say(f"Next: {next_step(paths)}")


def _time_models(paths: StudyPaths, plan: Plan) -> None:
    """Time every model of the plan that lies here and works here, and keep what was found for later estimates."""
    from datetime import UTC, datetime

    from seedlock.prereg.base.base_models import folder_here
    from seedlock.prereg.cost.speeds import Speed, Timed, Work, keep_speeds, read_speeds
    from seedlock.prereg.plan.extras import require_extras

    models = {name: plan.models[name] for name in plan.grid.models}
    here = [name for name, model in models.items() if folder_here(model.base, paths.root, model.revision)]
    if not here or plan.import_ is not None:
        fault = Finding(where="models", found="none that works here", promised="a model on this machine")
        raise BadInput("there is nothing to time", fault, then=f"seedlock estimate {paths.name}")
    require_extras(plan, "train")
    require_extras(plan, "generate")
    from seedlock.generation.cost.timing import time_answers
    from seedlock.generation.local.device import device_for
    from seedlock.training.cost.timing import time_training

    timed = read_speeds(paths, plan)
    for name in here:
        speeds: dict[Work, Speed] = {}
        with progress(f"timing {name}: a few training steps, then a few answers"):
            if (training := time_training(paths, plan, name)) is not None:
                speeds["training"] = training
            if plan.decoding is not None and plan.decoding.backend == "transformers":
                speeds |= time_answers(paths, plan, name)
        device = device_for("float32").type
        today = datetime.now(UTC).date()
        timed[name] = Timed(revision=plan.models[name].revision, day=today, device=device, speeds=speeds)
    keep_speeds(paths, timed)


def _replication(paths: StudyPaths) -> LockedReplication | None:
    from seedlock.analysis.inference.replication import replication_of
    from seedlock.prereg.plan.read import read_plan

    return replication_of(read_plan(paths.plan), paths)


def _print_promises(paths: StudyPaths) -> None:
    """What the original of a replication says of it, and what its plan changed."""
    found = _replication(paths)
    for promise in [] if found is None else found.promises:
        said = promise.reason if promise.low is None else f"{promise.low:.4g} to {promise.high:.4g}"
        say(f"  promise {promise.hypothesis}: {said}")
    for change in [] if found is None else found.changes:
        say(f"  changed {change}")


def _simulation(paths: StudyPaths) -> bytes | None:
    from seedlock.analysis.simulation.run import simulation_for_lock

    return simulation_for_lock(paths)


def lock(study: StudyArgument, root: RootOption = None, as_json: JsonOption = False) -> None:
    """Freeze the plan: write the lock and the ledger's first line.

    Example:  seedlock lock published_bird_seeds
    """
    from seedlock.cli import synthesis
    from seedlock.prereg.lock.lock import create_lock

    if (pooled := synthesis.synthesis_at(study, root)) is not None:
        synthesis.lock(pooled, as_json=as_json)
        return
    paths = find(study, root)
    lints = _design(paths)
    _require_lockable(paths, lints)
    made, lock_id = create_lock(
        paths, design_check=_design_json(paths, lints), simulation=_simulation(paths), replication=_replication(paths)
    )
    file = f"lockfiles/{paths.name}/lock-{made.n:04d}.json"
    if as_json:
        say_json(
            {"study": paths.name, "lock": file, "lock_id": lock_id, "retrospective": made.exposure.is_retrospective}
        )
        return
    say(f"locked    {file}")
    say(f"lock id   {lock_id}")
    files, runs = counted(len(made.files), "study file"), counted(len(made.runs), "run")
    say(f"pins      {files}, {len(made.code)} source files, {runs}")
    if made.work_tree != "clean":
        say(f"work tree {made.work_tree}: commit before locking, so that the locked code can be found again")
    if made.exposure.is_retrospective:
        seen = ", ".join(made.exposure.outputs[:3]) or f'exposure = "{made.exposure.declared}"'
        say(f"status    retrospective: results existed at the lock ({seen})")
    say(f"Next: git add lockfiles/{paths.name} && git commit,  then  {next_step(paths)}")


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
    from seedlock.cli import synthesis
    from seedlock.prereg.lock.lock import AMEND_REASONS, create_amendment

    pooled = synthesis.synthesis_at(study, root)
    if reason not in AMEND_REASONS or not note.strip():
        raise BadInput(
            "an amendment needs a reason code and a note",
            Finding(where="--reason", found=reason, promised=", ".join(AMEND_REASONS)),
            then="seedlock amend --help",
        )
    if pooled is not None:
        synthesis.lock(pooled, as_json=as_json, reason=reason, note=note)
        return
    paths = find(study, root)
    lints = _design(paths)
    _require_lockable(paths, lints)
    made, lock_id = create_amendment(
        paths,
        reason=reason,
        note=note,
        design_check=_design_json(paths, lints),
        simulation=_simulation(paths),
        replication=_replication(paths),
    )
    file = f"lockfiles/{paths.name}/lock-{made.n:04d}.json"
    if as_json:
        say_json({"study": paths.name, "lock": file, "lock_id": lock_id, "data_seen": made.exposure.data_seen})
        return
    say(f"locked    {file}  (supersedes lock {made.n - 1})")
    say(f"lock id   {lock_id}")
    say(f"data seen by then: {made.exposure.data_seen}")
    say(f"Next: {next_step(paths)}")


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
    from seedlock.analysis.simulation.design_lints import require_known
    from seedlock.prereg.lock.deviate import declare_deviation
    from seedlock.prereg.lock.gate import has_moved_on, require_lock

    try:
        value = json.loads(after)
    except json.JSONDecodeError as error:
        found = Finding(where="--after", found=f"{after!r}: {error.msg}", promised="JSON; text needs double quotes")
        raise BadInput("--after is not JSON", found, then="seedlock deviate --help") from None
    locked = require_lock(find(study, root), only_reading=True)
    event = declare_deviation(
        locked,
        pointer=pointer,
        after=value,
        reason=reason,
        effect=effect,
        hypotheses=hypothesis,
        require=require_known,
    )
    say(f"recorded  {pointer}: {json.dumps(event.body['before'])} -> {json.dumps(value)}  (ledger line {event.n})")
    analyze_again = f"seedlock analyze {locked.paths.name}{' --at-lock' if has_moved_on(locked.lock) else ''}"
    say(f"Next: {analyze_again}  shows every affected result as planned and as deviated")
