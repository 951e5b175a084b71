"""The command line's root: reads the table of sub-commands and imports only the one that was typed."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

from seedlock.cli.commands import COMMANDS, Command
from seedlock.prereg.errors import SeedlockError

if TYPE_CHECKING:
    import typer

ABOUT = "Pre-registration-first statistics for fine-tuning studies: plan, lock, run, analyse, verify."
OPTIONS = {
    "--version": "Print the version.",
    "--install-completion": "Install completion for the current shell.",
    "--show-completion": "Show completion for the current shell, to copy it or customise the installation.",
    "--help": "Show this message.",
}
INTERRUPTED = 130
COMPLETION = "_SEEDLOCK_COMPLETE"
"""Set by a shell that asks what could come next."""


def main() -> NoReturn:
    """Run the command line; errors go to stderr as one block, with the exit code of the link that broke."""
    typed = sys.argv[1:]
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")  # or every installed package is asked for one
    page = None if COMPLETION in os.environ else _first_words(typed)
    if page is not None:
        print(page)  # noqa: T201 - the first words come before the libraries of the rest
        sys.exit(0)
    asked = [command for command in COMMANDS if [command.name] == typed[:1] and COMPLETION not in os.environ]
    sys.exit(_run(asked or list(COMMANDS)))


def _first_words(typed: list[str]) -> str | None:
    if typed in ([], ["--help"]):
        return help_page()
    if typed == ["--version"]:
        from seedlock.prereg.base.tool import this_tool

        return f"seedlock {this_tool()}"
    return None


def help_page() -> str:
    """`seedlock --help`, from the table alone."""
    shown = [command for command in COMMANDS if not command.is_hidden]
    return "\n".join(
        [
            "Usage: seedlock COMMAND [ARGUMENTS] [OPTIONS]",
            f"\n{ABOUT}\n",
            "Commands, in the order of a study's life:",
            *(f"  {command.name:<9} {command.says}" for command in shown),
            "\nOptions:",
            *(f"  {name:<21} {says}" for name, says in OPTIONS.items()),
            "\nEach command has a page of its own, with an example:  seedlock check --help",
        ]
    )


def build(*commands: Command) -> typer.Typer:
    """One Typer application of these sub-commands, each imported."""
    import typer

    app = typer.Typer(
        name="seedlock",
        help=ABOUT,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"max_content_width": 120},
    )
    app.callback()(_root)
    for command in commands:
        module, _, function = command.home.partition(":")
        home = importlib.import_module(f"seedlock.cli.{module}")
        app.command(command.name, hidden=command.is_hidden)(getattr(home, function))
    return app


def _without_idle_options(command: Any) -> Any:
    """A command of Typer's in which an option that was left out is None: Typer would build a validator to say so."""
    for one in (inner for group in (command, *getattr(command, "commands", {}).values()) for inner in group.params):
        if not one.required and one.callback is None:
            one.process_value = partial(_unless_none, one.process_value)
    return command


def _unless_none(process: Callable[[Any, Any], Any], context: Any, value: Any) -> Any:
    return None if value is None else process(context, value)


def _root() -> None:
    pass


def _run(asked: list[Command]) -> int:
    """The exit code of what was typed; 130 after Ctrl-C, with a word on what is kept."""
    try:
        import typer
        from typer._click.exceptions import ClickException

        try:
            program = _without_idle_options(typer.main.get_command(build(*asked)))
            code: int = program(standalone_mode=False, prog_name="seedlock") or 0
        except SeedlockError as error:
            typer.echo(str(error), err=True)
            code = error.exit_code
        except ClickException as error:
            error.show()
            code = error.exit_code
        except ModuleNotFoundError as error:
            code = _absent(error)
    except KeyboardInterrupt:
        code = INTERRUPTED
    if code == INTERRUPTED and asked[0].name != "run":  # a stage of `run` has said so itself
        print(_interrupted(asked[0]), file=sys.stderr)  # noqa: T201 - as above
    return code


def _absent(error: ModuleNotFoundError) -> int:
    """Refuse in one block where an extra is missing that no key of a plan named before."""
    from seedlock.prereg.plan.extras import absent_module

    refused = absent_module(error)
    if refused is None:
        raise error
    print(refused, file=sys.stderr)  # noqa: T201 - as above
    return refused.exit_code


def _interrupted(command: Command) -> str:
    typed = " ".join(sys.argv[1:])
    return f"\nInterrupted: seedlock {command.name}\n  kept      {command.kept}\nNext: seedlock {typed}"
