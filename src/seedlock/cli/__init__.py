"""The command line: one lazy sub-command a stage, nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from seedlock.cli.root import main

if TYPE_CHECKING:
    import typer

    app: typer.Typer

__all__ = ["app", "main"]


def __getattr__(name: str) -> Any:
    """`seedlock.cli.app`: every sub-command in one Typer application, for tests and other front ends."""
    if name == "app":
        from seedlock.cli.commands import COMMANDS
        from seedlock.cli.root import build

        globals()["app"] = build(*COMMANDS)
        return globals()["app"]
    raise AttributeError(f"module 'seedlock.cli' has no attribute {name!r}")
