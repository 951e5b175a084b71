"""How often each score was given: what a model of ratings reads, which the mean of a cell cannot tell."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from seedlock.analysis.bayes.models import MODELS
from seedlock.prereg.plan.plan import Plan
from seedlock.schemas.table import to_frame

KEYS = ["run_id", "item_id", "measure", "score"]


def rated_measures(plan: Plan) -> frozenset[str]:
    """Measures whose single scores a hypothesis's Bayesian model reads."""
    return frozenset(
        h.measure for h in plan.hypothesis if h.bayes and h.bayes in MODELS and MODELS[h.bayes].of_ratings is not None
    )


def count_scores(scores: Iterable[pa.Table]) -> pd.DataFrame | None:
    """Count equal scores of a run, item and measure; None where there is no scored answer.

    Parameters
    ----------
    scores
        Batches of `scores` (`analysis.scoring.scores.score_rows` gives them).

    Returns
    -------
    pandas.DataFrame
        Columns `run_id`, `item_id`, `measure`, `score` and `n`, sorted by the first four.
    """
    parts = [
        batch.filter(pc.is_valid(batch["score"])).group_by(KEYS).aggregate([([], "count_all")]) for batch in scores
    ]
    if not any(part.num_rows for part in parts):
        return None
    whole = pa.concat_tables(parts).group_by(KEYS).aggregate([("count_all", "sum")])
    return to_frame(whole.rename_columns([*KEYS, "n"]).sort_by([(key, "ascending") for key in KEYS]))
