"""Answers that a measure scores although they are neither one thing nor the other, counted apart."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from seedlock.analysis.scoring.scores import NamedMeasure


@dataclass(frozen=True, slots=True, kw_only=True)
class Ties:
    """Scored answers of a run that are neither, and how many of them the measure scores 1."""

    n: int
    ones: int


def count_ties(rows: Iterable[pa.Table], measures: Sequence[NamedMeasure]) -> Mapping[tuple[str, str], Ties]:
    """Count, by measure and run; measures that know no tie are absent.

    Parameters
    ----------
    rows
        Batches with the columns of `completions`.
    """
    known = [named for named in measures if named.measure.neither is not None and not named.kept]
    total: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    for batch in rows if known else ():
        for named in known:
            own = named.rows(batch)
            is_neither = named.measure.neither(own, named.params) if named.measure.neither else None
            score = named.measure.score(own, named.params).score
            found = pa.table({"run_id": own["run_id"], "tie": pc.and_(is_neither, pc.is_valid(score)), "score": score})
            ones = pc.and_(found["tie"], pc.fill_null(pc.equal(found["score"], 1.0), False))
            counted = found.append_column("one", ones).group_by("run_id").aggregate([("tie", "sum"), ("one", "sum")])
            for run in counted.to_pylist():
                place = total[named.name, run["run_id"]]
                place[0] += run["tie_sum"]
                place[1] += run["one_sum"]
    return {key: Ties(n=n, ones=ones) for key, (n, ones) in total.items()}
