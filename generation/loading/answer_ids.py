"""The request ids of imported answers, for millions of rows."""

from __future__ import annotations

import json
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc


def answer_ids(con: duckdb.DuckDBPyConnection, run_ids: pa.Array, item_ids: pa.Array, draws: pa.Array) -> pa.Array:
    """Return `schemas.identity.request_id` of `run_id`, `item_id` and `draw`, row by row."""
    parts = ('{"draw":', draws.cast(pa.string()), ',"item_id":', _json(item_ids), ',"run_id":', _json(run_ids), "}")
    said = pa.table({"said": pc.binary_join_element_wise(*parts, "")})
    asked: Any = con.from_arrow(said).query("asked", "SELECT sha256(said) AS id FROM asked")
    return asked.to_arrow_table()["id"].combine_chunks()


def _json(texts: pa.Array) -> pa.Array:
    """Texts as JSON; a study has few different run and item ids."""
    named = texts.dictionary_encode()
    words = pa.array([json.dumps(text, ensure_ascii=False) for text in named.dictionary.to_pylist()], pa.string())
    return words.take(named.indices)
