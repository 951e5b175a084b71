"""From sealed tables to a report that holds: analyze, show, verify, notebook, export."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from seedlock.analysis.exporters import EXPORTERS
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
)
from seedlock.cli.overview import MANY
from seedlock.prereg.english import counted
from seedlock.prereg.errors import BadInput, Finding
from seedlock.prereg.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from seedlock.prereg.base.paths import StudyPaths
    from seedlock.prereg.paper.check import Paper
    from seedlock.prereg.verify.checks import Check, Verification


SignersOption = Annotated[
    Path | None,
    typer.Option("--allowed-signers", help="Whose signatures count: a file of yours, not the repository's."),
]
AuthoritiesOption = Annotated[
    Path | None, typer.Option("--tsa-ca", help="Certificates of timestamp authorities that you trust.")
]
HeadersOption = Annotated[
    Path | None, typer.Option("--bitcoin-headers", help="Block headers that you hold, one in hexadecimal a line.")
]
ChainOption = Annotated[Path | None, typer.Option("--drand-chain", help="Another drand chain's /info, as JSON.")]


class Engine(StrEnum):
    """What samples: Seedlock's compiled densities, or the model as bambi states it."""

    SEEDLOCK = "seedlock"
    BAMBI = "bambi"


def analyze(
    study: StudyArgument,
    at_lock: Annotated[bool, typer.Option("--at-lock", help="With the code of the locked commit.")] = False,
    engine: Annotated[Engine, typer.Option("--engine", help="What samples the seed hierarchies.")] = Engine.SEEDLOCK,
    root: RootOption = None,
    as_json: JsonOption = False,
) -> None:
    """Scores, statistics, decisions, report.

    Example:  seedlock analyze published_bird_seeds
    Example:  seedlock analyze published_bird_seeds --engine bambi
    """
    from seedlock.cli import synthesis

    if (pooled := synthesis.synthesis_at(study, root)) is not None:
        synthesis.analyze(pooled, as_json=as_json)
        return
    if at_lock:
        _analyze_at_lock(find(study, root))
        return
    from seedlock.analysis.analyze import analyze_study

    locked = gate(study, root, stage="analyze")
    with progress("analysing"):
        results = analyze_study(locked, engine=engine.value)
    page = locked.paths.report / "report.html"
    if as_json:
        say_json(results.model_dump(mode="json"))
        return
    for sentence in results.answer.sentences:
        say(sentence)
    look = results.accounting.look
    if look is not None:
        goes_on = f"; the plan goes on to {look.next_seeds} seeds" if look.goes_on else "; the plan ends here"
        at_will = f"; valid at any time: end here, or go on to {look.next_seeds} seeds"
        after = "" if look.goes_on is None else at_will if look.at_will else goes_on
        say(f"look      {look.place} of {results.accounting.looks_planned}, at {look.seeds} seeds an arm{after}")
    say(f"status    {results.status}")
    say(f"report    {page}")
    later = f",  and then  {next_step(locked.paths)}" if look is not None and look.goes_on else ""
    say(f"Next: seedlock verify {locked.paths.name}{later}")


def _analyze_at_lock(paths: StudyPaths) -> None:
    from seedlock.prereg.errors import OutOfOrder
    from seedlock.prereg.lock.document import lock_paths, read_lock
    from seedlock.prereg.lock.run_at_lock import run_at_lock

    files = lock_paths(paths)
    if not files:
        raise OutOfOrder(f"{paths.name} has no lock", then=f"seedlock lock {paths.name}")
    done = run_at_lock(paths, read_lock(files[-1]), "analyze", paths.name)
    typer.echo(done.stdout.decode("utf-8", "replace"), nl=False)
    typer.echo(done.stderr.decode("utf-8", "replace"), nl=False, err=True)
    if done.returncode:
        raise typer.Exit(done.returncode)


def recompute(study: StudyArgument, root: RootOption = None) -> None:
    """Print results.json as this code computes it; what `verify --replay` runs at the locked commit."""
    from seedlock.analysis.replay import recompute as compute_again

    say_json(compute_again(find(study, root)))


def show(study: StudyArgument, root: RootOption = None) -> None:
    """The report on a terminal.

    Example:  seedlock show published_bird_seeds
    """
    from seedlock.cli import synthesis

    if (pooled := synthesis.synthesis_at(study, root)) is not None:
        synthesis.show(pooled)
        return
    from seedlock.analysis.report.terminal import show as show_results
    from seedlock.analysis.results.schema import read_results
    from seedlock.prereg.lock.ledger import read_ledger
    from seedlock.prereg.verify.withdraw import withdrawn_because

    paths = find(study, root)
    show_results(read_results(paths))
    if reason := withdrawn_because(read_ledger(paths.ledger)):
        say(f"This registration was withdrawn: {reason}")


def verify(
    study: Annotated[str | None, typer.Argument(metavar="STUDY", help="All studies when left out.")] = None,
    replay: Annotated[bool, typer.Option("--replay", help="Run the analysis again and compare every number.")] = False,
    signers: SignersOption = None,
    tsa_ca: AuthoritiesOption = None,
    headers: HeadersOption = None,
    chain: ChainOption = None,
    require: Annotated[str | None, typer.Option("--require", help="Fail below this evidence level, T0 to T5.")] = None,
    paper: Annotated[
        Path | None, typer.Option("--paper", help="A LaTeX paper: are its numbers the report's? (--format latex)")
    ] = None,
    badge: Annotated[Path | None, typer.Option("--badge", help="Write an SVG badge: whether all of it holds.")] = None,
    root: RootOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check lock, files, ledger, data, results and report; name the first link that does not hold.

    Example:  seedlock verify published_bird_seeds --replay
    Example:  seedlock verify --paper paper/main.tex
    """
    from seedlock.cli import synthesis
    from seedlock.prereg.verify.chain import verify_study
    from seedlock.prereg.verify.checks import LEVELS
    from seedlock.prereg.verify.evidence import require_level
    from seedlock.prereg.verify.trust import bring_trust

    if require is not None and require not in {level[:2] for level in LEVELS}:
        raise BadInput("no such level", Finding(where="--require", found=require, promised="T0 to T5"))
    pooled = synthesis.synthesis_at(study, root)
    read, found = (
        (None, studies(study, root) if pooled is None else []) if paper is None else _named_in(paper, study, root)
    )
    also = [pooled] if pooled is not None else synthesis.syntheses(root) if study is None and paper is None else []
    base = found[0].root if found else (root or Path.cwd()).resolve()
    trust = bring_trust(base, signers=signers, authorities=tsa_ca, headers=headers, chain=chain)
    again, read_again = _replay if replay else None, partial(_reading, by_its_builder=replay)
    with progress(f"checking {counted(len(found), 'study', 'studies')}"):
        verified = [verify_study(one, trust=trust, recount=_recount, reading=read_again, replay=again) for one in found]
        verified += [synthesis.verified(one, trust) for one in also]
    if read is not None:
        pairs = zip(verified, found, strict=True)
        verified = [_with_paper(done, read, paths, is_first=paths is found[0]) for done, paths in pairs]
    if badge is not None:
        _write_badge(badge, verified)
    if as_json:
        say_json(verified[0].as_json() if study else [one.as_json() for one in verified])
    is_brief = len(verified) > MANY
    for one in [] if as_json else verified:
        (_say_briefly if is_brief else _say_verified)(one)
    if not as_json and is_brief:
        say(f"  seedlock verify {verified[0].study}  shows every check of one")
    if not as_json and verified:
        if found:
            say(f"  {how_many(found)}")
        say("  no local check can know:")
        for unknowable in verified[0].cannot_know:
            say(f"    {unknowable}")
    failed = next((one for one in verified if one.exit_code), None)
    if failed is not None and failed.first_failure is not None:
        first = failed.first_failure
        where = first.findings[0].where if first.findings else first.link
        said = where if first.state == "fail" else f"not checked, {first.findings[0].found}"
        typer.echo(printable(f"{failed.study}: {first.id} {first.what}: {said}"), err=True)
        raise typer.Exit(failed.exit_code)
    if require is not None:
        for one in verified:
            require_level(one.level, int(require[1]), one.study)


def _write_badge(file: Path, verified: list[Verification]) -> None:
    from seedlock.prereg.base.canonical import write_atomic
    from seedlock.prereg.site.badge import badge

    write_atomic(file, badge(verified).encode())


def _say_briefly(one: Verification) -> None:
    """A study among many in a line, and below it what does not hold or is warned of."""
    from seedlock.prereg.verify.checks import LEVELS, lines, tally

    level = "not locked" if one.lock_id is None else "no level" if one.level is None else LEVELS[one.level]
    say(f"{one.study}  [{one.status or 'not locked'}]  {level}: {tally(one.checks)}")
    for line in lines(check for check in one.checks if check.state in {"fail", "warn"}):
        say(f"  {line}")


def _say_verified(one: Verification) -> None:
    from seedlock.prereg.verify.checks import LEVELS, lines, tally
    from seedlock.prereg.verify.evidence import next_evidence

    say(f"{one.study}  lock {one.lock_id or 'none'}  [{one.status or 'not locked'}]")
    for line in lines(one.checks):
        say(f"  {line}")
    for fact in one.facts:
        say(f"  fact   {fact}")
    say(f"  sum    {tally(one.checks)}")
    if one.lock_id is not None:
        say(f"  level  {'none' if one.level is None else LEVELS[one.level]}")
    if one.level is not None:
        say(f"  next   {next_evidence(one.checks)}")


def _named_in(paper: Path, study: str | None, root: Path | None) -> tuple[Paper, list[StudyPaths]]:
    """The paper, and the study asked for or else every study whose numbers it inputs."""
    from seedlock.prereg.paper.check import read_paper

    read = read_paper(paper)
    if not study and not read.exports:
        fault = Finding(where=str(paper), found=r"no \input of a study's numbers.tex", promised="at least one")
        raise BadInput("the paper binds no number", fault, then="seedlock export STUDY --format latex")
    return read, [find(name, root) for name in ([study] if study else read.exports)]


def _with_paper(done: Verification, read: Paper, paths: StudyPaths, *, is_first: bool) -> Verification:
    from seedlock.prereg.paper.check import paper_checks

    return replace(done, checks=(*done.checks, *paper_checks(read, paths, is_first=is_first)))


def registry(root: RootOption = None, as_json: JsonOption = False) -> None:
    """Print a page (Markdown) of every study here and what became of it: reported, running, locked, withdrawn, removed.

    Example:  seedlock registry > REGISTRY.md
    """
    from seedlock.prereg.site.registry import as_markdown
    from seedlock.prereg.site.registry import registry as entries_of

    entries = entries_of((root or Path.cwd()).resolve())
    if as_json:
        say_json([entry.as_json() for entry in entries])
    else:
        say(as_markdown(entries).rstrip("\n"))


def _recount(paths: StudyPaths) -> Check:
    from seedlock.analysis.recount import recount_check

    return recount_check(paths)


def _reading(paths: StudyPaths, *, by_its_builder: bool = False) -> Iterator[Check]:
    from seedlock.analysis.report.check import promise_check, reading_check
    from seedlock.analysis.report.rebuild import rebuild_check

    yield from promise_check(paths)
    yield reading_check(paths)
    yield rebuild_check(paths, by_its_builder=by_its_builder)


def _replay(paths: StudyPaths) -> Check:
    from seedlock.analysis.replay import replay_check

    return replay_check(paths)


def notebook(
    study: StudyArgument,
    to: Annotated[Path | None, typer.Option("--to", help="The file; runs/STUDY/notebook.py otherwise.")] = None,
    root: RootOption = None,
) -> None:
    """Write a marimo notebook that explores a study's sealed tables: seeds, items, answers, measures.

    Example:  seedlock notebook published_bird_seeds
    """
    from seedlock.analysis.notebook.write import write_notebook

    made = write_notebook(find(study, root), to)
    from seedlock.prereg.plan.extras import Need, install_command

    marimo = Need(stage="notebook", where="seedlock notebook", asks="marimo", extra="notebook", modules=("marimo",))
    say(f"written   {made}")
    say(f"Next: {install_command(['notebook']) + '  and then  ' if marimo.absent else ''}marimo edit {made}")


def export(
    study: StudyArgument,
    format: Annotated[str, typer.Option("--format", help=" | ".join(EXPORTERS))] = "ro-crate",
    to: Annotated[Path | None, typer.Option("--to", help="Where it goes; the study's name decides otherwise.")] = None,
    license_url: Annotated[str | None, typer.Option("--license", help="Address of the data's licence.")] = None,
    without_texts: Annotated[
        bool, typer.Option("--without-texts", help="Leave out questions, training texts and answers.")
    ] = False,
    root: RootOption = None,
) -> None:
    """Write a study in a form that others read: an archive that describes itself, a paper's numbers.

    Example:  seedlock export published_bird_seeds --license https://creativecommons.org/licenses/by/4.0/
    Example:  seedlock export published_bird_seeds --format latex
    """
    if format not in EXPORTERS:
        raise BadInput("no such format", Finding(where="--format", found=format, promised=" | ".join(EXPORTERS)))
    from seedlock.analysis.exporters import exporter
    from seedlock.analysis.exporters.internals.exporter import Wishes

    chosen = exporter(format)
    asked = {"--license": license_url is not None, "--without-texts": without_texts}
    for option in (name for name, is_asked in asked.items() if is_asked and name not in chosen.options):
        raise BadInput(f"--format {format} knows no {option}", then=f"seedlock export {study} --format {format}")
    paths = find(study, root)
    made = chosen.run(
        paths,
        to or Path(chosen.to.format(study=paths.name)),
        Wishes(license_url=license_url, without_texts=without_texts),
    )
    size = sum(file.stat().st_size for file in ([made] if made.is_file() else made.rglob("*")) if file.is_file())
    said = f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.0f} kB"
    say(f"written   {made}  ({said})")
    then = "unzip it, and read WITHOUT-TEXTS.md there" if without_texts else chosen.then
    say(f"Next: {then.format(study=paths.name, to=made)}")
