"""The command line's root: one lazy sub-command a stage."""

from __future__ import annotations

import sys
from typing import Annotated, NoReturn

import typer

from seedlock.prereg.errors import SeedlockError

app = typer.Typer(
    name="seedlock",
    help="Pre-registration-first statistics for fine-tuning studies: plan, lock, run, analyse, verify.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)


def _version(wanted: bool) -> None:
    if wanted:
        from seedlock.prereg.lock.lock import tool_version

        typer.echo(f"seedlock {tool_version()}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def main() -> NoReturn:
    """Run the command line; errors go to stderr as one block, with the exit code of the link that broke."""
    try:
        app()
    except SeedlockError as error:
        typer.echo(str(error), err=True)
        sys.exit(error.exit_code)
    sys.exit(0)
