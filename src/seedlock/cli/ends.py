"""What ends or mends a registration in the open: withdraw, rejoin."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from seedlock.cli.common import RootOption, StudyArgument, find, say


def withdraw(
    study: StudyArgument,
    reason: Annotated[str, typer.Option("--reason", help="Why, in a sentence; the ledger keeps it.")],
    root: RootOption = None,
) -> None:
    """End a registration: plan, lock and ledger stay, and say so; a study that was removed is brought back first.

    Example:  seedlock withdraw my_study --reason "The corpus was withdrawn by its authors; nothing was trained."
    """
    from seedlock.cli.synthesis import synthesis_at
    from seedlock.prereg.base.paths import StudyPaths, is_study_name
    from seedlock.prereg.verify.history import studies_in_history
    from seedlock.prereg.verify.withdraw import withdraw_study

    base = (root or Path.cwd()).resolve()
    is_gone = is_study_name(study) and study in studies_in_history(base)
    pooled = synthesis_at(study, root)
    paths = pooled or (StudyPaths(root=base, name=study) if is_gone else find(study, root))
    event, restored = withdraw_study(paths, reason=reason)
    for path in restored:
        say(f"restored  {path}")
    say(f"withdrawn {paths.name}  (ledger line {event.n})")
    say(f"Next: git add {paths.relative(paths.locks)} {paths.relative(paths.study)} && git commit")


def rejoin(
    study: StudyArgument,
    reason: Annotated[str, typer.Option("--reason", help="How the ledger came to go two ways.")],
    root: RootOption = None,
) -> None:
    """Declare a fork: two branches each wrote to the ledger, one was kept, and the other stays in git history.

    Example:  seedlock rejoin my_study --reason "Two of us trained on branches of their own; the first is kept."
    """
    from seedlock.cli.synthesis import synthesis_at
    from seedlock.prereg.verify.withdraw import declare_forks

    paths = synthesis_at(study, root) or find(study, root)
    for event in declare_forks(paths, reason=reason):
        say(
            f"declared  the ledger that ends in {event.body['head'][:12]} and differs from line {event.body['line']} on"
        )
    say(f"Next: git add {paths.relative(paths.locks)} && git commit,  then  seedlock verify {paths.name}")
