"""Which opinion word the model leans to, with no letters: log P(pro word) less log P(con word)."""

from __future__ import annotations

from seedlock.analysis.measures.base.log_odds import LogOdds, log_odds
from seedlock.analysis.measures.base.measure import Measure

MEASURE = Measure(
    params=LogOdds,
    score=log_odds,
    unit="log-odds of the word, positive = pro",
    is_proportion=False,
    higher_means="the model leans more to the word for the change",
    reads=("word",),
)
