"""The Anthropic API as a judge."""

from __future__ import annotations

from generation.judging.hosted import HostedJudging
from generation.judging.panel import Bench
from prereg.judge_tables import HostedJudge


def open_judge(judge: HostedJudge, bench: Bench) -> HostedJudging:
    """Open the judge; nothing is asked yet."""
    return HostedJudging(judge, bench)
