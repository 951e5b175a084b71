"""Raw rows as counts: k of n, or a published mean."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from seedlock.generation.intake.match import Doubts, given
from seedlock.generation.intake.numbers import decimals, whole_numbers
from seedlock.generation.intake.raw import Failed
from seedlock.generation.intake.request import ImportRequest


def count_columns(
    request: ImportRequest, raw: Mapping[str, pa.Array], failed: Failed | None, doubts: Doubts
) -> dict[str, pa.Array]:
    """Return measure, k, n and mean of every row; a row must be one of the two forms and possible."""
    n_rows = len(doubts.any)
    if failed is not None:
        doubts.add("failed, by its source", pc.is_valid(failed.status))
    told = {role: given(request, role, raw, n_rows) for role in ("k", "n", "mean")}
    texts = {role: pa.nulls(n_rows, pa.string()) if text is None else text for role, text in told.items()}
    k = whole_numbers(texts["k"], "k", doubts)
    n = whole_numbers(texts["n"], "n", doubts)
    mean = decimals(texts["mean"], "mean", doubts)
    has_k, has_n, has_mean = (pc.is_valid(texts[role]) for role in ("k", "n", "mean"))
    doubts.add("k without n, or n without k", pc.xor(has_k, has_n))
    doubts.add("both counts and a mean", pc.and_(pc.and_(has_k, has_n), has_mean))
    doubts.add("neither counts nor a mean", pc.invert(pc.or_(pc.or_(has_k, has_n), has_mean)))
    doubts.add("n is 0: there is no rate", pc.equal(n, 0))
    doubts.add("k is larger than n", pc.greater(k, n))
    measure = given(request, "measure", raw, n_rows)
    doubts.add("measure is empty", pc.is_null(measure))
    return {"measure": measure, "k": k, "n": n, "mean": mean}
