"""`[original]`: the study that a plan replicates, by its lock and the digest of its results, both carried beside it."""

from __future__ import annotations

from pydantic import Field

from seedlock.prereg.plan.design import Name
from seedlock.prereg.plan.runs import Table

CARRIED_LOCK = "original/lock-of-original.json"
CARRIED_RESULTS = "original/results-of-original.json"
"""Where the original's lock and results lie in the folder of the study that replicates it."""
_DIGEST = r"^[0-9a-f]{64}$"


class Original(Table):
    """`[original]`: which study is replicated, and how sure its prediction of the replication is to be.

    `lock` is the original's lock id and `results` the SHA-256 of its results.json; both files are carried in
    `original/`. `level` is that of the prediction interval, which is locked with the plan.
    """

    study: Name
    lock: str = Field(pattern=_DIGEST)
    results: str = Field(pattern=_DIGEST)
    level: float = Field(default=0.95, gt=0.5, lt=1)
