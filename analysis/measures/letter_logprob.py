"""Which letter the model leans to: log P of the letter for the change less log P of the one against it."""

from __future__ import annotations

from seedlock.analysis.measures.base.log_odds import LogOdds, log_odds
from seedlock.analysis.measures.base.measure import Measure

MEASURE = Measure(
    params=LogOdds,
    score=log_odds,
    unit="log-odds of the letter, positive = pro",
    is_proportion=False,
    higher_means="the model leans more to the option for the change",
    reads=("letter",),
)
