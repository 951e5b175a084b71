"""The order in which a stage sees its rows, known before step 1."""

from __future__ import annotations

import random


def training_order(n: int, *, n_rows: int, seed: int) -> list[int]:
    """Indices of `n` rows as a stage sees them: one seeded shuffle an epoch, one after another, `n_rows` long."""
    order: list[int] = []
    rng = random.Random(seed)  # noqa: S311 - a recorded seed
    while len(order) < n_rows:
        epoch = list(range(n))
        rng.shuffle(epoch)
        order += epoch
    del order[n_rows:]
    return order
