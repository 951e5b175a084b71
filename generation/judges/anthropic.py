"""The Anthropic API as a judge."""

from __future__ import annotations

from seedlock.generation.judging.hosted import HostedJudging
from seedlock.generation.judging.protocol import Bench
from seedlock.prereg.plan.judges import HostedJudge


def open_judge(judge: HostedJudge, bench: Bench) -> HostedJudging:
    """Open the judge; nothing is asked yet."""
    return HostedJudging(judge, bench)
