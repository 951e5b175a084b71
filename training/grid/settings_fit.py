"""Whether a stage's settings fit the rows it is given; asked before a model is loaded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from seedlock.prereg.errors import Finding
from seedlock.training.jobs.settings import StageSettings
from seedlock.training.rows.row import Row


def misfits(name: str, settings: StageSettings, rows: Sequence[Row], marker: str | None) -> Iterator[Finding]:
    """Settings of stage `name` that could only be carried out as something else than they say."""
    where = f"stages.{name}"
    if settings.n_examples is not None and settings.n_examples > len(rows):
        promised = f"{settings.n_examples} of them"
        yield Finding(where=f"{where}.n_examples", found=f"{len(rows)} rows", promised=promised)
    if settings.loss == "marker" and marker is None:
        promised = "a corpus with a marker"
        yield Finding(where=f"{where}.loss", found='"marker", and a corpus without one', promised=promised)
    if settings.loss != "marker" and settings.marker_tail_tokens:
        promised = 'loss = "marker"'
        yield Finding(where=f"{where}.marker_tail_tokens", found=f'loss = "{settings.loss}"', promised=promised)
    steps = settings.n_steps(len(rows))
    at = Counter(settings.checkpoint_step(fraction, steps) for fraction in settings.checkpoints)
    if crowded := [step for step, times in at.items() if times > 1]:
        found = f"{at[crowded[0]]} fractions at step {crowded[0]} of {steps}"
        yield Finding(where=f"{where}.checkpoints", found=found, promised="a step for each fraction")
