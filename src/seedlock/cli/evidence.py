"""Evidence of who and when: register, sign, stamp, beacon."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from seedlock.cli.common import JsonOption, RootOption, StudyArgument, find, say, say_json
from seedlock.prereg.errors import BadInput, Finding

if TYPE_CHECKING:
    from seedlock.prereg.base.paths import StudyPaths
    from seedlock.prereg.lock.ledger import Event


def _locked(study: str, root: Path | None) -> tuple[StudyPaths, list[Event]]:
    """A locked study or synthesis and its ledger; whoever only adds evidence needs no more of the gate."""
    from seedlock.cli.synthesis import synthesis_at
    from seedlock.prereg.lock.gate import require_lock
    from seedlock.prereg.lock.synthesis import require_synthesis

    if (pooled := synthesis_at(study, root)) is not None:
        return pooled, list(require_synthesis(pooled, only_reading=True).events)
    locked = require_lock(find(study, root), only_reading=True)
    return locked.paths, list(locked.events)


def sign(
    study: StudyArgument,
    key: Annotated[Path, typer.Option("--key", help="An SSH private key.")],
    what: Annotated[
        Literal["lock", "ledger", "replay"],
        typer.Option("--what", help="The newest lock; where the ledger stands; that a replay gave the same numbers."),
    ] = "lock",
    by: Annotated[str, typer.Option("--by", help="Who replayed: a short name, for the name of the statement.")] = "",
    root: RootOption = None,
) -> None:
    """Sign a lock, the ledger as it stands, or a replay; each signature holds for its own kind only.

    Example:  seedlock sign my_study --key ~/.ssh/id_ed25519
    Example:  seedlock sign their_study --key ~/.ssh/id_ed25519 --what replay --by ada
    """
    from seedlock.cli.synthesis import synthesis_at
    from seedlock.prereg.base.canonical import sha256_file
    from seedlock.prereg.lock.document import lock_paths
    from seedlock.prereg.lock.ledger import append_event
    from seedlock.prereg.verify.signatures import sign as sign_file
    from seedlock.prereg.verify.statements import ledger_statement

    if what == "replay":
        _sign_replay(synthesis_at(study, root) or find(study, root), key, by)
        return
    paths, events = _locked(study, root)
    file = lock_paths(paths)[-1] if what == "lock" else ledger_statement(paths, events)
    signature = sign_file(file, key, what)
    append_event(paths.ledger, "signature.added", {"file": signature.name, "sha256": sha256_file(signature)})
    say(f"signed    {paths.relative(signature)}")
    say(f"Next: git add {paths.relative(paths.locks)} && git commit && git push")


def _sign_replay(paths: StudyPaths, key: Path, by: str) -> None:
    """Replay, and sign for it where it held. The ledger is the author's: nothing is appended to it."""
    from seedlock.analysis.pool_again import again_check
    from seedlock.analysis.replay import replay_check
    from seedlock.prereg.base.paths import SynthesisPaths
    from seedlock.prereg.base.tool import this_tool
    from seedlock.prereg.lock.ledger import read_ledger
    from seedlock.prereg.verify.signatures import sign as sign_file
    from seedlock.prereg.verify.statements import replay_statement

    done = again_check(paths) if isinstance(paths, SynthesisPaths) else replay_check(paths)
    if done.state not in {"pass", "warn"}:
        raise BadInput(f"the replay did not hold: {done.what}", *done.findings, then=f"seedlock verify {paths.name}")
    events = read_ledger(paths.ledger)
    file = replay_statement(paths, events, by=by, said=done.what, tool=f"seedlock {this_tool()}")
    signature = sign_file(file, key, "replay")
    say(f"replayed  {done.what}")
    say(f"signed    {paths.relative(signature)}")
    say(f"Next: give {file.name} and {signature.name} to the author, who commits them beside the lock")


def stamp(
    study: StudyArgument,
    token: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="The reply (.tsr) or the proof (.ots) for the statement.")
    ] = None,
    tsa: Annotated[
        str | None, typer.Option("--tsa", metavar="URL", help="Ask this authority (RFC 3161) and keep its reply.")
    ] = None,
    root: RootOption = None,
) -> None:
    """State where the ledger stands, for a timestamp; with the authority's reply, put it beside and into the ledger.

    Example:  seedlock stamp my_study --tsa https://freetsa.org/tsr

    Only a digest is sent. Without --tsa nothing is fetched, and the commands for openssl and ots are printed.
    """
    import tempfile

    from seedlock.prereg.verify.authorities import ask_authority
    from seedlock.prereg.verify.statements import ledger_statement, ledger_statements

    paths, events = _locked(study, root)
    if token is not None:
        statements, _ = ledger_statements(paths, events)
        if not statements:
            fault = Finding(where=str(token), found="a timestamp", promised="a statement that it is of")
            raise BadInput("nothing was stated yet", fault, then=f"seedlock stamp {paths.name}")
        _keep_stamp(paths, statements[-1].file, token)
        return
    file = ledger_statement(paths, events)
    say(f"written   {paths.relative(file)}")
    if tsa is not None:
        with tempfile.TemporaryDirectory() as folder:
            reply = Path(folder, "reply.tsr")
            reply.write_bytes(ask_authority(file, tsa))
            _keep_stamp(paths, file, reply)
        return
    name = paths.relative(file)
    say(f"Next: seedlock stamp {paths.name} --tsa URL,  or by hand:")
    say(f"      openssl ts -query -data {name} -sha256 -cert -out query.tsq")
    say("      curl -H 'Content-Type: application/timestamp-query' --data-binary @query.tsq -o reply.tsr URL")
    say(f"      seedlock stamp {paths.name} reply.tsr")
    say(f"      ots stamp {name},  and after some hours  ots upgrade,  and  seedlock stamp {paths.name} {name}.ots")


def _keep_stamp(paths: StudyPaths, statement: Path, token: Path) -> None:
    """Put a timestamp that is of `statement` beside it and into the ledger."""
    from seedlock.prereg.base.canonical import sha256_bytes, write_atomic
    from seedlock.prereg.lock.ledger import append_event
    from seedlock.prereg.verify.authorities import require_stamp

    data = require_stamp(statement, token)
    beside = statement.with_name(f"{statement.name}{token.suffix}")
    if beside.exists() and beside.resolve() != token.resolve():
        fault = Finding(where=beside.name, found="a timestamp", promised="none: one is never replaced")
        raise BadInput(f"{beside.name} is there already", fault, then=f"seedlock verify {paths.name}")
    write_atomic(beside, data)
    append_event(paths.ledger, "timestamp.added", {"file": beside.name, "sha256": sha256_bytes(data)})
    say(f"stamped   {paths.relative(beside)}")
    say(f"Next: seedlock verify {paths.name} --tsa-ca FILE,  and commit it")


def register(
    study: StudyArgument,
    form: Annotated[
        Literal["osf", "aspredicted"], typer.Option("--form", help="OSF Preregistration, or AsPredicted.")
    ] = "osf",
    root: RootOption = None,
    as_json: JsonOption = False,
) -> None:
    """Print a locked plan in the words of a registry's form; with --json, for the OSF's API.

    Example:  seedlock register my_study --form aspredicted
    """
    from seedlock.prereg.lock.gate import require_lock
    from seedlock.prereg.register import forms

    locked = require_lock(find(study, root), only_reading=True)
    found = forms.answers(locked, form)
    if as_json:
        say_json(forms.as_json(locked, form, found))
    else:
        say(forms.as_text(found).rstrip("\n"))
    site = {"osf": "https://osf.io/registries", "aspredicted": "https://aspredicted.org"}[form]
    typer.echo(f"Next: copy it to {site},  and  seedlock stamp {locked.paths.name}", err=True)


def beacon(
    study: StudyArgument,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A drand round (JSON) or a Bitcoin block header.")],
    root: RootOption = None,
) -> None:
    """Put public randomness into the ledger: no later line of it is older. Best right before the first run or import.

    Example:  seedlock beacon my_study round.json

    A round is what https://api.drand.sh/v2/beacons/quicknet/rounds/latest answers with.
    """
    from seedlock.prereg.lock.beacon import record_beacon

    paths, _ = _locked(study, root)
    event = record_beacon(paths.ledger, file)
    say(f"recorded  {event.body['kind']} {event.body['value'][:16]}  (ledger line {event.n})")
    say(f"Next: seedlock status {paths.name}")
