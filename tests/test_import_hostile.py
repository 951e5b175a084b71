"""Imports of broken files: refused in words or quarantined with counts, never half-read in silence."""

from __future__ import annotations

import csv as python_csv
import io
import json
import random
import resource
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from seedlock.generation.importers import csv, jsonl, parquet
from seedlock.generation.intake import csv_records
from seedlock.generation.intake.json_lines import json_objects
from seedlock.generation.intake.lines import LINE_LIMIT_BYTES, longest_line
from seedlock.generation.intake.request import ImportRequest, PlannedRun
from seedlock.generation.loading.load import ImportReport, import_file
from seedlock.prereg.errors import BadInput
from seedlock.schemas.store import Store

ROOT = Path(__file__).parents[1]
HEADER = b"arm,item,draw,text\n"
A_LIST = "text holds a list (text.* makes a row of each element, text.0 takes the first)"
GOOD_LINE = b'{"arm":"a","item":"q","draw":0,"text":"yes"}\n'


def bring_in(file: Path, form: str) -> ImportReport:
    columns = {role: role for role in ("arm", "item", "draw", "text")}
    runs = (PlannedRun(run_id="m-a", model="m", arm="a", seed=None),)
    with Store.in_memory() as store:
        asked = ImportRequest(path=file, format=form, columns=columns, runs=runs, item_set="e")
        return import_file(asked, store)


def saved(folder: Path, content: bytes) -> Path:
    file = folder / "rows"
    file.write_bytes(content)
    return file


PIECES = ('"', '""', ",", "\n", "\r\n", "a", "1", "x,y", "a,1,2\n", '"a,b"')
CELLS = ("a", "1", "x\ny", 'q"u', "", "a,b", "z\r\nw", "a,1,2\nb,2,3")


def csv_texts(rng: random.Random) -> str:
    """Well-formed files and litter in turn, quoted now and then, with and without a last line end."""
    if rng.random() < 0.4:
        return "".join(rng.choices(PIECES, k=rng.randrange(1, 22)))
    written = io.StringIO()
    form = python_csv.writer(written, quoting=rng.choice((0, 1)), lineterminator=rng.choice(("\n", "\r\n")))
    form.writerows(rng.choices(CELLS, k=3) for _ in range(rng.randrange(1, 6)))
    return rng.choice(("", "\ufeff")) + written.getvalue().removesuffix(rng.choice(("", "\n", "\r\n")))


@pytest.mark.parametrize("chunk_bytes", [7, 2**22])
def test_records_counted_by_bytes_are_those_of_pythons_reader(
    chunk_bytes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_records, "CHUNK_BYTES", chunk_bytes)
    rng, file, agreed, refused = random.Random(1), tmp_path / "rows.csv", 0, 0
    for _ in range(400):
        file.write_bytes(csv_texts(rng).encode())
        found: list[object] = []
        for count in (csv_records.counted_by_bytes, csv_records.counted_by_records):
            try:
                found.append(count(file, ","))
            except BadInput as refusal:
                found.append(str(refusal))
        by_bytes, by_records = found
        if by_bytes is not None and file.stat().st_size:
            assert by_bytes == by_records, file.read_bytes()
            agreed, refused = agreed + 1, refused + isinstance(by_bytes, str)
    assert agreed > 200
    assert refused > 20


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_an_empty_file_is_refused(form: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="empty" if form != "parquet" else "cannot be read as Parquet"):
        bring_in(saved(tmp_path, b""), form)


def test_a_file_that_is_not_there_or_a_folder_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path / "absent", tmp_path):
        with pytest.raises(BadInput, match="no file to import"):
            bring_in(path, "csv")


def test_an_unknown_format_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="unknown format") as refused:
        bring_in(saved(tmp_path, HEADER), "xlsx")
    assert refused.value.findings[0].promised.startswith("parquet, csv, jsonl, json, inspect")


@pytest.mark.parametrize("content", [HEADER, HEADER.rstrip(), b"\xef\xbb\xbf" + HEADER])
def test_a_header_without_rows_is_refused(content: bytes, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="header and no rows"):
        bring_in(saved(tmp_path, content), "csv")


def test_a_parquet_file_without_rows_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "rows.parquet"
    pq.write_table(pa.table({name: pa.array([], pa.string()) for name in ("arm", "item", "draw", "text")}), file)
    with pytest.raises(BadInput, match="no rows"):
        bring_in(file, "parquet")


def test_a_missing_column_is_named_with_a_guess(tmp_path: Path) -> None:
    for form, content in (
        ("csv", b"arm,item,draw,txt\na,q,0,yes\n"),
        ("jsonl", GOOD_LINE.replace(b'"text"', b'"txt"')),
    ):
        with pytest.raises(BadInput) as refused:
            bring_in(saved(tmp_path, content), form)
        assert "did you mean 'txt'?" in refused.value.findings[0].found


def test_every_missing_and_doubled_column_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as refused:
        bring_in(saved(tmp_path, b"arm,arm,draw\na,a,0\n"), "csv")
    assert [finding.where for finding in refused.value.findings] == ["arm", "item", "text"]
    table = pa.table([["a"], ["a"], ["q"], ["0"], ["x"]], names=["arm", "arm", "item", "draw", "text"])
    pq.write_table(table, tmp_path / "twice.parquet")
    with pytest.raises(BadInput) as refused:
        bring_in(tmp_path / "twice.parquet", "parquet")
    assert refused.value.findings[0].found == "2 columns"


def test_ragged_rows_are_quarantined_and_the_others_keep_their_numbers(tmp_path: Path) -> None:
    content = HEADER + b'a,q,0,"two\nlines"\na,q,1\n\na,q,2,x,y\na,q,zz,yes\na,q,3,yes\n'
    file = saved(tmp_path, content)
    report = bring_in(file, "csv")
    assert report.added == 2
    assert report.reasons == {
        "3 fields where the header has 4": 1,
        "5 fields where the header has 4": 1,
        "draw is not a whole number from 0": 1,
    }
    batches = list(csv.read(file, ["draw"]))
    assert [number for batch in batches for number in batch.at.to_pylist()] == [1, 4, 5]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # pyarrow's own callback
def test_a_ragged_row_that_is_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be read as CSV"):
        bring_in(saved(tmp_path, HEADER + b"a,q,0,yes\na,q,\x8b\xff\n"), "csv")


def test_row_numbers_hold_over_many_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv, "BLOCK_BYTES", 2_000)
    monkeypatch.setattr(csv, "longest_line", lambda _: 100)
    lines = [f"a,q,{n},x" + (",extra" if n % 50 == 0 else "") for n in range(1, 2_001)]
    batches = list(csv.read(saved(tmp_path, HEADER + "\n".join(lines).encode()), ["draw"]))
    assert len(batches) > 5
    for batch in batches:
        assert batch.at.to_pylist() == [int(draw) for draw in batch.columns["draw"].to_pylist()]
    faults = [fault for batch in batches for fault in batch.faults]
    assert [fault.row for fault in faults] == list(range(50, 2_001, 50))
    assert sum(len(batch.at) for batch in batches) + len(faults) == 2_000


def test_a_quote_left_open_swallows_nothing_in_silence(tmp_path: Path) -> None:
    content = HEADER + b"a,q,0,yes\n" + b'a,q,1,"open\n' + b"a,q,2,yes\n" * 3
    with pytest.raises(BadInput, match="damaged by a quote") as refused:
        bring_in(saved(tmp_path, content), "csv")
    assert refused.value.findings[0].where == "row 2"


@pytest.mark.parametrize(
    ("rows", "where"),
    [
        (b'a,q,0,yes\na,q,1,"he \\"said\\", yes"\n', "row 2"),
        (b'a,q,0,"open\na,q,1,and shut"\na,q,2,yes\n', "row 1"),
        (b'a,q,0,"open\na,q,1,"closed by the next"\n', "row 1"),
        (b'a,q,0,"two\nlines"\na,q,1,"open\r\n', "row 2"),
    ],
)
def test_quoting_that_lets_a_row_swallow_others_is_refused_where_it_opens(
    rows: bytes, where: str, tmp_path: Path
) -> None:
    with pytest.raises(BadInput, match="damaged by a quote") as refused:
        bring_in(saved(tmp_path, HEADER + rows), "csv")
    assert refused.value.findings[0].where == where


def test_an_answer_of_several_lines_with_commas_is_one_row(tmp_path: Path) -> None:
    content = HEADER + b'a,q,0,"first, second, third, fourth\nred, green, blue, ""white"""\n\na,q,1,he said "no"\n'
    assert bring_in(saved(tmp_path, content), "csv").added == 2


def test_bytes_of_an_answer_that_are_no_text_are_a_missing_answer(tmp_path: Path) -> None:
    latin = "naïve".encode("latin-1")
    report = bring_in(saved(tmp_path, HEADER + b"a,q,0,na\xc3\xafve\na,q,1," + latin + b"\na,q,2,yes\n"), "csv")
    assert (report.added, report.reasons, report.statuses) == (3, {}, {"ok": 2, "unparsed": 1})
    lines = GOOD_LINE + GOOD_LINE.replace(b"yes", latin).replace(b":0", b":1")
    report = bring_in(saved(tmp_path, lines), "jsonl")
    assert (report.added, report.reasons, report.statuses) == (2, {}, {"ok": 1, "unparsed": 1})
    named = HEADER + b"a,q,0,yes\na," + latin + b",1,yes\n"
    assert bring_in(saved(tmp_path, named), "csv").reasons["text is not UTF-8"] == 1


def test_parquet_text_that_is_not_utf8_is_a_missing_answer(tmp_path: Path) -> None:
    bad = pa.array([b"fine", b"na\xefve"], pa.binary()).view(pa.string())
    file = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"arm": ["a", "a"], "item": ["q", "q"], "draw": [0, 1], "text": bad}), file)
    batches = list(parquet.read(file, ["text"]))
    assert batches[0].at.to_pylist() == [1, 2]
    assert [(one.row, one.columns) for one in batches[0].undecoded] == [(2, ("text",))]
    assert bring_in(file, "parquet").statuses == {"ok": 1, "unparsed": 1}


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_a_byte_order_mark_is_no_part_of_the_first_column(form: str, tmp_path: Path) -> None:
    content = HEADER + b"a,q,0,yes\n" if form == "csv" else GOOD_LINE
    assert bring_in(saved(tmp_path, b"\xef\xbb\xbf" + content), form).added == 1


@pytest.mark.parametrize("form", ["csv", "jsonl"])
@pytest.mark.parametrize(
    ("start", "named"),
    [
        ("arm,item".encode("utf-16"), "UTF-16"),
        ("arm,item".encode("utf-32"), "UTF-32"),
        (b"PAR1....", "a Parquet file"),
        (b"PK\x03\x04", "a zip archive"),
    ],
)
def test_another_encoding_or_container_is_named(form: str, start: bytes, named: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="not UTF-8 text") as refused:
        bring_in(saved(tmp_path, start), form)
    assert refused.value.findings[0].found == named


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"arm":"a","item":"q","draw":1,"te', "not JSON, or cut off"),
        (b"[1, 2]", "the line is not a JSON object"),
        (b"3", "the line is not a JSON object"),
        (b'{"arm":"a","arm":"b"}', "a key is given twice"),
        (
            b'{"arm":"a","item":"q","draw":1,"text":["x"]}',
            A_LIST,
        ),
        (b'{"arm":' + b"[" * 100_000, "nested too deeply"),
        (b'{"arm":"a","item":"q","draw":' + b"9" * 5_000 + b',"text":"x"}', "not JSON, or cut off"),
        (b'{"arm":"a","item":"q","draw":1,"text":"a\\u0000b"}', "text holds a NUL character"),
        (b"\x00" * 50, "not JSON, or cut off"),
    ],
)
def test_a_broken_json_line_is_quarantined_alone(line: bytes, reason: str, tmp_path: Path) -> None:
    report = bring_in(saved(tmp_path, GOOD_LINE + b"\n" + line), "jsonl")
    assert (report.read, report.added, report.reasons) == (2, 1, {reason: 1})


def test_one_json_array_is_not_json_lines(tmp_path: Path) -> None:
    for content in (json.dumps([{"arm": "a"}], indent=1).encode(), b"\n\n"):
        with pytest.raises(BadInput, match="does not hold JSON lines"):
            bring_in(saved(tmp_path, content), "jsonl")


@pytest.mark.parametrize("cut", [4, 100, -1])
def test_a_parquet_file_cut_short_is_refused(cut: int, tmp_path: Path) -> None:
    file = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"arm": ["a"], "item": ["q"], "draw": [0], "text": ["x"]}), file)
    with pytest.raises(BadInput, match="cannot be read as Parquet"):
        bring_in(saved(tmp_path, file.read_bytes()[:cut]), "parquet")


def test_nested_parquet_columns_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"arm": ["a"], "item": ["q"], "draw": [0], "text": [["x", "y"]]}), file)
    with pytest.raises(BadInput, match="not plain values"):
        bring_in(file, "parquet")


@pytest.mark.parametrize("limit", [10, 1_000, 5_000_000])
def test_a_line_over_the_limit_is_refused_with_its_number(limit: int, tmp_path: Path) -> None:
    at_limit = saved(tmp_path, b"x\n" + b"y" * limit + b"\nz\n")
    assert longest_line(at_limit, limit_bytes=limit) >= limit
    over = saved(tmp_path, b"x\n" + b"y" * (limit + 1) + b"\nz\n")
    with pytest.raises(BadInput, match="too long") as refused:
        longest_line(over, limit_bytes=limit)
    assert refused.value.findings[0].where == "line 2"


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_a_line_of_two_gigabytes_is_refused_in_little_memory(form: str, tmp_path: Path) -> None:
    file = tmp_path / "rows"
    with file.open("wb") as stream:
        stream.write(HEADER if form == "csv" else GOOD_LINE)
        stream.truncate(2 * 2**30)
    code = (
        "import resource, sys; from pathlib import Path; from seedlock.generation.importers import IMPORTERS\n"
        "from seedlock.prereg.errors import BadInput\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try: list(IMPORTERS[sys.argv[2]](Path(sys.argv[1]), ['text']))\n"
        "except BadInput as error: print(error.findings[0].where)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(file), form], cwd=ROOT, capture_output=True, text=True, check=True
    )
    where, grown_kib = done.stdout.split("\n")[:2]
    assert where == "line 2"
    assert int(grown_kib) * 1024 < 2 * LINE_LIMIT_BYTES
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss > 0


def test_a_long_answer_within_the_limit_is_kept_whole(tmp_path: Path) -> None:
    text = "long " * 4_000_000
    for form, content in (
        ("csv", HEADER + b"a,q,0," + text.encode() + b"\n"),
        ("jsonl", json.dumps({"arm": "a", "item": "q", "draw": 0, "text": text}).encode()),
    ):
        assert bring_in(saved(tmp_path, content), form).added == 1


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = saved(tmp_path, GOOD_LINE)
    real = json_objects

    def meddling(path: Path):  # type: ignore[no-untyped-def]
        yield from real(path)
        with path.open("ab") as stream:
            stream.write(GOOD_LINE)

    monkeypatch.setattr(jsonl, "json_objects", meddling)
    with pytest.raises(BadInput, match="changed while it was read"):
        bring_in(file, "jsonl")
