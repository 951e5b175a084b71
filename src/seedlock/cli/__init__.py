"""The command line: one lazy sub-command a stage, nothing else."""

from seedlock.cli import plan, report, stages  # noqa: F401 - each adds its sub-commands
from seedlock.cli.app import app, main

__all__ = ["app", "main"]
