"""Raw rows as judgements: each finds the completion it speaks of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from seedlock.generation.intake.completions import answer_columns, draws
from seedlock.generation.intake.match import Doubts, RunMatch, given, item_ids
from seedlock.generation.intake.raw import Failed
from seedlock.generation.intake.request import ImportRequest
from seedlock.schemas.store import Store

FOUND = "SELECT request_id, run_id, status FROM asked LEFT JOIN completions"
BY_ID = f"{FOUND} USING (request_id) ORDER BY place"
BY_KEY = f"{FOUND} USING (run_id, item_id, draw) ORDER BY place"


class JudgementColumns:
    """Gives every judgement the request id of its completion in the store."""

    def __init__(self, request: ImportRequest, store: Store) -> None:
        self._request = request
        self._store = store
        self._has_id = "request" in {*request.columns, *request.constants}
        self._match_run = None if self._has_id else RunMatch(request)

    def __call__(self, raw: Mapping[str, pa.Array], failed: Failed | None, doubts: Doubts) -> dict[str, pa.Array]:
        """Return request_id, run_id, label, value, status and reason of every row.

        A row that speaks of no completion, or of one that is no answer, is doubted.
        """
        found = self._completions(raw, doubts)
        doubts.add("no completion of this study is meant", pc.is_null(found["run_id"]))
        doubts.add("the completion it judges is no answer", pc.not_equal(found["status"], pa.scalar("ok")))
        said = answer_columns(self._request, raw, failed, doubts)
        del said["text"]
        return {"request_id": found["request_id"], "run_id": found["run_id"], **said}

    def _completions(self, raw: Mapping[str, pa.Array], doubts: Doubts) -> dict[str, pa.Array]:
        """The completion of every row, null where there is none."""
        n_rows = len(doubts.any)
        if self._match_run is None:
            asked = {"request_id": given(self._request, "request", raw, n_rows)}
        else:
            asked = {
                "run_id": self._match_run(raw, doubts),
                "item_id": item_ids(self._request, raw, doubts),
                "draw": draws(self._request, raw, doubts),
            }
        rows = pa.table({"place": pa.array(range(n_rows), pa.int64()), **asked})
        # Not a registered view: one registered inside a transaction keeps its rows in memory until the commit.
        relation: Any = self._store.con.from_arrow(rows).query("asked", BY_KEY if self._match_run else BY_ID)
        answers = relation.to_arrow_table().combine_chunks()
        return {name: answers[name].combine_chunks() for name in answers.column_names}
