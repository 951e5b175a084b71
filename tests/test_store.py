"""Store and seal: rows enter once, never change, and leave as the same bytes."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seedlock.prereg.errors import BadInput, LockedFileChanged
from seedlock.schemas import TABLES
from seedlock.schemas.identity import request_id
from seedlock.schemas.seal import ROW_GROUP_ROWS, restore, seal, sha256_of, unseal
from seedlock.schemas.store import Appended, Store

ROOT = Path(__file__).parents[1]


def completions(keys: list[tuple[str, str, int]], text: str = "answer {draw}") -> pa.Table:
    rows: list[dict[str, Any]] = [
        {
            "request_id": request_id({"run_id": run, "item_id": item, "draw": draw}),
            "run_id": run,
            "item_id": item,
            "draw": draw,
            "text": text.format(draw=draw),
            "label": None,
            "value": draw / 7,
            "status": "ok",
            "reason": None,
        }
        for run, item, draw in keys
    ]
    return pa.Table.from_pylist(rows, schema=TABLES["completions"].arrow())


KEYS = [(f"run{r}", f"item {i}", d) for r in range(3) for i in range(4) for d in range(5)]


def test_appending_the_same_rows_again_adds_nothing() -> None:
    with Store.in_memory() as store:
        assert store.append("completions", completions(KEYS)) == Appended(added=60, already_there=0)
        assert store.append("completions", completions(KEYS)) == Appended(added=0, already_there=60)
        assert store.rows("completions") == 60


def test_interrupted_work_resumes_where_it_stopped(tmp_path: Path) -> None:
    file = tmp_path / "store.duckdb"
    with Store.open(file) as store:
        store.append("completions", completions(KEYS[:25]))
    with Store.open(file) as store:
        assert store.append("completions", completions(KEYS)) == Appended(added=35, already_there=25)


def test_the_same_request_with_another_answer_is_refused_and_changes_nothing() -> None:
    with Store.in_memory() as store:
        store.append("completions", completions(KEYS[:10]))
        with pytest.raises(BadInput, match="contradict") as refused:
            store.append("completions", completions(KEYS[9:20], text="something else"))
        assert len(refused.value.findings) == 1
        assert store.rows("completions") == 10


def test_a_second_answer_to_one_draw_is_refused_even_under_another_request() -> None:
    with Store.in_memory() as store:
        store.append("completions", completions(KEYS[:1]))
        other = completions(KEYS[:1]).set_column(0, "request_id", pa.array(["f" * 64]))
        with pytest.raises(BadInput, match="contradict") as refused:
            store.append("completions", other)
        assert "draw 0" in refused.value.findings[0].where


def test_a_repeated_key_within_one_batch_is_refused() -> None:
    with Store.in_memory() as store, pytest.raises(BadInput, match="break the schema"):
        store.append("completions", pa.concat_tables([completions(KEYS[:1]), completions(KEYS[:1])]))


def test_a_transaction_is_all_or_nothing() -> None:
    with Store.in_memory() as store:
        with pytest.raises(BadInput, match="contradict"):
            _append_together(store, completions(KEYS[:10]), completions(KEYS[:1], text="other"))
        assert store.rows("completions") == 0
        store.append("completions", completions(KEYS[:10]))
        assert store.rows("completions") == 10


def _append_together(store: Store, *batches: pa.Table) -> None:
    with store.transaction():
        for batch in batches:
            store.append("completions", batch)


def test_a_store_has_one_writer(tmp_path: Path) -> None:
    file = tmp_path / "store.duckdb"
    code = (
        "import sys; from pathlib import Path; from seedlock.schemas.store import Store\n"
        "with Store.open(Path(sys.argv[1])): print('open', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(file)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdin is not None
        assert other.stdout.readline() == b"open\n"
        with pytest.raises(BadInput, match="open in another process"):
            Store.open(file)
        other.stdin.close()
        other.wait(timeout=60)
    Store.open(file).con.close()


def test_a_file_that_is_no_store_is_refused_in_words(tmp_path: Path) -> None:
    file = tmp_path / "store.duckdb"
    file.write_bytes(b"not a database" * 1000)
    with pytest.raises(BadInput, match="cannot be opened"):
        Store.open(file)


def test_items_bring_their_attributes_and_may_not_contradict_them() -> None:
    one = pa.table({"items": ["eval"], "item_id": ["q"], "persona": ["villain"]})
    with Store.in_memory() as store:
        store.append("items", one)
        store.append("items", pa.table({"items": ["other"], "item_id": ["q"], "domain": ["parks"]}))
        assert store.declared("items") == ("domain", "persona")
        assert store.append("items", one).already_there == 1
        with pytest.raises(BadInput, match="contradict"):
            store.append("items", one.set_column(2, "persona", pa.array(["pirate"])))


def test_a_name_cannot_reach_the_database_as_code() -> None:
    evil = pa.table({"items": ["e"], "item_id": ["q"], 'x" VARCHAR; DROP TABLE completions; --': ["y"]})
    with Store.in_memory() as store:
        with pytest.raises(BadInput, match="cannot name a column"):
            store.append("items", evil)
        assert store.rows("completions") == 0


@given(st.permutations(KEYS), st.integers(1, 30), st.integers(0, 2))
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_same_rows_seal_to_the_same_bytes_whatever_their_order(
    tmp_path: Path, keys: list[tuple[str, str, int]], cut: int, overlap: int
) -> None:
    promised = _sealed(tmp_path / "promised.parquet", [KEYS])
    found = _sealed(tmp_path / "found.parquet", [keys[:cut], keys[max(0, cut - overlap) :]])
    assert found == promised


def _sealed(file: Path, batches: list[list[tuple[str, str, int]]]) -> str:
    file.unlink(missing_ok=True)
    with Store.in_memory() as store:
        for batch in batches:
            store.append("completions", completions(batch))
        return seal(store, "completions", file).sha256


def test_threads_and_batches_do_not_change_a_seal_of_many_row_groups(tmp_path: Path) -> None:
    keys = [("run", f"item {i % 50}", i // 50) for i in range(2 * ROW_GROUP_ROWS + 100)]
    digests = set()
    for threads, seed, file in ((1, 0, "a"), (4, 1, "b")):
        shuffled = random.Random(seed).sample(keys, len(keys))
        with Store.in_memory() as store:
            store.con.execute(f"SET threads = {threads}")
            for start in range(0, len(keys), 7_001):
                store.append("completions", completions(shuffled[start : start + 7_001]))
            sealed = seal(store, "completions", tmp_path / f"{file}.parquet")
        digests.add(sealed.sha256)
        assert sealed.rows == len(keys)
    assert len(digests) == 1
    assert pq.ParquetFile(tmp_path / "a.parquet").num_row_groups == 3


def test_a_seal_is_sorted_counted_and_named_by_its_digest(tmp_path: Path) -> None:
    with Store.in_memory() as store:
        store.append("completions", completions(random.Random(1).sample(KEYS, len(KEYS))))
        sealed = seal(store, "completions", tmp_path / "sub" / "completions.parquet")
    rows = pa.concat_tables(unseal(sealed.file, sha256=sealed.sha256))
    assert [
        tuple(row) for row in zip(*rows.select(["run_id", "item_id", "draw"]).to_pydict().values(), strict=True)
    ] == sorted(KEYS)
    assert sealed.rows == 60
    assert sealed.sha256 == sha256_of(sealed.file)
    assert [file.name for file in sealed.file.parent.iterdir()] == ["completions.parquet"]


def test_another_parquet_reader_sees_the_same_rows(tmp_path: Path) -> None:
    with Store.in_memory() as store:
        store.append("completions", completions(KEYS))
        sealed = seal(store, "completions", tmp_path / "c.parquet")
    query = "SELECT count(*), count(DISTINCT request_id), sum(draw) FROM read_parquet(?)"
    with duckdb.connect() as other:
        read = other.execute(query, [str(sealed.file)]).fetchall()
    assert read == [(60, 60, 120)]


def test_runs_can_be_sealed_apart(tmp_path: Path) -> None:
    with Store.in_memory() as store:
        store.append("completions", completions(KEYS))
        sealed = seal(store, "completions", tmp_path / "run1.parquet", runs=["run1"])
    assert sealed.rows == 20
    assert set(pa.concat_tables(unseal(sealed.file))["run_id"].to_pylist()) == {"run1"}


def test_a_seal_is_never_overwritten_with_other_bytes(tmp_path: Path) -> None:
    file = tmp_path / "c.parquet"
    with Store.in_memory() as store:
        store.append("completions", completions(KEYS[:5]))
        first = seal(store, "completions", file)
        assert seal(store, "completions", file) == first
        store.append("completions", completions(KEYS[5:6]))
        with pytest.raises(BadInput, match="never overwritten"):
            seal(store, "completions", file)
    assert sha256_of(file) == first.sha256
    assert [found.name for found in tmp_path.iterdir()] == ["c.parquet"]


def test_nothing_is_not_sealed(tmp_path: Path) -> None:
    with Store.in_memory() as store, pytest.raises(BadInput, match="no row"):
        seal(store, "completions", tmp_path / "c.parquet")
    assert not list(tmp_path.iterdir())


def test_a_store_is_rebuilt_from_its_seals(tmp_path: Path) -> None:
    items = pa.table({"items": ["e", "e"], "item_id": ["q", "p"], "persona": ["villain", None]})
    with Store.in_memory() as store:
        store.append("completions", completions(KEYS))
        store.append("items", items)
        sealed = {name: seal(store, name, tmp_path / f"{name}.parquet") for name in ("completions", "items")}
    with Store.in_memory() as rebuilt:
        for name, found in sealed.items():
            assert restore(rebuilt, name, found.file, sha256=found.sha256).added == found.rows
            again = seal(rebuilt, name, tmp_path / f"again-{name}.parquet")
            assert again.sha256 == found.sha256


def test_a_seal_with_one_flipped_byte_is_not_read(tmp_path: Path) -> None:
    with Store.in_memory() as store:
        store.append("completions", completions(KEYS))
        sealed = seal(store, "completions", tmp_path / "c.parquet")
    changed = bytearray(sealed.file.read_bytes())
    changed[len(changed) // 2] ^= 1
    sealed.file.write_bytes(changed)
    with Store.in_memory() as store:
        with pytest.raises(LockedFileChanged):
            restore(store, "completions", sealed.file, sha256=sealed.sha256)
        assert store.rows("completions") == 0
