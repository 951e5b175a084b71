"""Whether a row filter leaves out more of one level than of another: what is left is then no fair comparison."""

from __future__ import annotations

import json

import pandas as pd

from seedlock.analysis.inference.reason import Reason
from seedlock.prereg.plan.filters import row_filters
from seedlock.prereg.plan.plan import Estimand, Plan


def uneven_filter(plan: Plan, estimand: Estimand, owed: pd.DataFrame) -> Reason | None:
    """Why a filter is not to be trusted: its losses differ between levels by more than `missing.filter_gap`.

    Parameters
    ----------
    owed
        From `select`, with what never came: `level`, `n_scored`, `n_missing`, and `missing` reasons as JSON.
    """
    filters = row_filters(plan, estimand.where)
    if not filters:
        return None
    lost = {one.lost_as for one in filters}
    shares: dict[str, float] = {}
    for level, rows in owed.groupby("level", sort=True):
        n_out = sum(n for text in rows["missing"] for why, n in json.loads(text).items() if why in lost)
        n_all = int(rows["n_scored"].fillna(0).sum() + rows["n_missing"].sum())
        shares[str(level)] = n_out / n_all if n_all else 0.0
    if max(shares.values()) - min(shares.values()) <= plan.missing.filter_gap:
        return None
    by_level = ", ".join(f"{level} {share:.1%}" for level, share in shares.items())
    says = " and ".join(one.says for one in filters)
    gap = f"{plan.missing.filter_gap:.0%}"
    return Reason("uneven-filter", f"{says} leaves out {by_level}: a difference of more than {gap} between levels")
