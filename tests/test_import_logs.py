"""Logs of other tools: each row is an answer, a failure with its reason, or in quarantine."""

from __future__ import annotations

import gzip
import json
import random
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from seedlock.generation.importers import IMPORTERS
from seedlock.generation.intake import json_lines, plain_file
from seedlock.generation.intake.request import ImportRequest, PlannedRun
from seedlock.generation.intake.source_files import source_digest
from seedlock.generation.intake.zip_members import BadMember, open_archive
from seedlock.generation.loading.load import ImportReport, import_file
from seedlock.prereg.errors import BadInput
from seedlock.schemas.store import Store
from tests.log_builders import (
    answered,
    chat,
    eval_log,
    expired,
    lines,
    message,
    ranked,
    said,
    sample,
    stopped,
    tool,
    zstd_zip,
)

RUNS = (PlannedRun(run_id="m-a", model="m", arm="a", seed=None),)


def bring_in(file: Path, form: str, columns: dict[str, Any], **more: Any) -> tuple[ImportReport, dict[str, Any]]:
    """Import as the one run; return the report and item id -> (text, label, value, status, reason)."""
    constants = {"arm": "a", **({} if "draw" in columns else {"draw": "0"})}
    asked = ImportRequest(path=file, format=form, columns=columns, runs=RUNS, item_set="e", constants=constants, **more)
    with Store.in_memory() as store:
        report = import_file(asked, store)
        rows = [row for batch in store.read("completions") for row in batch.to_pylist()]
    assert report.read == report.added + report.quarantined + report.not_selected
    assert sum(report.statuses.values()) == report.added
    names = ("text", "label", "value", "status", "reason")
    return report, {row["item_id"]: tuple(row[name] for name in names) for row in rows}


# Inspect


def test_an_inspect_log_gives_its_answers_scores_and_epochs(tmp_path: Path) -> None:
    samples = [sample(1), sample(1, epoch=2, scores={"match": {"value": "I"}}), sample(2)]
    file = eval_log(tmp_path / "run.eval", samples)
    columns = {"item": "id", "draw": "draw", "text": "text", "value": "numbers.match", "label": "log.eval.model"}
    asked = ImportRequest(
        path=file, format="inspect", columns=columns, runs=RUNS, item_set="e", constants={"arm": "a"},
        attributes=("metadata.persona", "question"),
    )  # fmt: skip
    with Store.in_memory() as store:
        report = import_file(asked, store)
        rows = [row for batch in store.read("completions") for row in batch.to_pylist()]
        items = [row for batch in store.read("items") for row in batch.to_pylist()]
    assert report.added == 3
    assert [(row["item_id"], row["draw"], row["value"]) for row in rows] == [
        ("q1", 0, 1.0),
        ("q1", 1, 0.0),
        ("q2", 0, 1.0),
    ]
    assert {row["label"] for row in rows} == {"local/llama"}
    assert items[0]["metadata.persona"] == "villain"
    assert items[1]["question"] == "Question 2?"


@pytest.mark.parametrize(
    ("change", "status", "reason"),
    [
        ({"error": {"message": "out of memory\ntrace"}}, "error", "out of memory"),
        ({"output": stopped("max_tokens")}, "cut off", "max_tokens"),
        ({"output": stopped("content_filter")}, "refusal", "content_filter"),
        ({"output": stopped("because")}, "error", "stopped by because, which is not known"),
        ({"limit": {"type": "token", "limit": 9}}, "cut off", "token limit"),
        ({"invalidation": {"author": "x"}}, "error", "invalidated"),
        ({"scores": {}}, "unparsed", "no score of match"),
        (
            {"scores": {"match": {"value": float("nan"), "reason": "grade_parse_failed"}}},
            "unparsed",
            "grade_parse_failed",
        ),
        ({"scores": {"match": {"value": "N"}}}, "unparsed", "match saw no answer"),
    ],
)
def test_an_inspect_sample_that_is_no_answer_is_never_scored(
    change: dict[str, Any], status: str, reason: str, tmp_path: Path
) -> None:
    file = eval_log(tmp_path / "run.eval", [sample(1, **change), sample(2)])
    report, found = bring_in(file, "inspect", {"item": "id", "text": "text", "value": "numbers.match"})
    assert found["q1"][3:] == (status, reason)
    assert found["q2"][2:4] == (1.0, "ok")
    assert report.statuses == {status: 1, "ok": 1}


def test_an_answer_whose_provider_never_says_how_it_ended_stands(tmp_path: Path) -> None:
    file = eval_log(tmp_path / "run.eval", [sample(1, output=stopped("unknown"))])
    assert bring_in(file, "inspect", {"item": "id", "text": "text"})[1]["q1"][3] == "ok"


def test_an_answer_that_inspect_moved_to_the_attachments_is_put_back(tmp_path: Path) -> None:
    parts = [{"type": "reasoning", "reasoning": "hm"}, {"type": "text", "text": "attachment://a1"}]
    moved = sample(1, output=stopped("stop", parts), attachments={"a1": "A long answer."})
    _, found = bring_in(eval_log(tmp_path / "run.eval", [moved]), "inspect", {"item": "id", "text": "text"})
    assert found["q1"][0] == "A long answer."


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"status": "error", "error": {"message": "no server"}}, "status"),
        ({"status": "started"}, "status"),
        ({"status": "cancelled"}, "status"),
        ({"results": {"total_samples": 1, "scores": []}}, "results.scores"),
        ({"results": None}, "results.scores"),
        ({"results": {"total_samples": 4, "scores": [{"name": "match"}]}}, "samples"),
    ],
)
def test_an_inspect_log_of_a_run_that_is_not_whole_is_refused(
    changes: dict[str, Any], where: str, tmp_path: Path
) -> None:
    file = eval_log(tmp_path / "run.eval", [sample(1)], **changes)
    with pytest.raises(BadInput, match="not a usable log") as refused:
        bring_in(file, "inspect", {"item": "id", "value": "numbers.match"})
    assert where in [finding.where for finding in refused.value.findings]


def test_unscored_answers_may_be_taken_where_no_score_is_asked_for(tmp_path: Path) -> None:
    file = eval_log(tmp_path / "run.eval", [sample(1, scores=None)], results={"total_samples": 1, "scores": []})
    assert bring_in(file, "inspect", {"item": "id", "text": "text"})[1]["q1"][3] == "ok"


def test_an_inspect_log_that_was_never_finished_is_refused(tmp_path: Path) -> None:
    file = zstd_zip(tmp_path / "run.eval", {"_journal/start.json": b"{}", "samples/q1_epoch_1.json": b"{}"})
    with pytest.raises(BadInput, match="no log that Inspect finished"):
        bring_in(file, "inspect", {"item": "id", "text": "text"})
    file.write_bytes(file.read_bytes()[:60])
    with pytest.raises(BadInput, match="cannot be read as a zip archive"):
        bring_in(file, "inspect", {"item": "id", "text": "text"})


def test_a_damaged_sample_is_quarantined_and_named(tmp_path: Path) -> None:
    file = eval_log(tmp_path / "run.eval", [sample(1), sample(2)])
    content = bytearray(file.read_bytes())
    content[content.index(b"samples/q1_epoch_1.json") + 60] ^= 0xFF
    file.write_bytes(content)
    report, found = bring_in(file, "inspect", {"item": "id", "text": "text"})
    assert list(found) == ["q2"]
    assert report.quarantined == 1
    assert "cannot be read" in next(iter(report.reasons))


def test_zstandard_members_are_read_in_one_frame_or_many_and_checked(tmp_path: Path) -> None:
    content = {"a.json": json.dumps(list(range(5_000))).encode(), "empty": b""}
    for frames in (1, 3):
        with open_archive(zstd_zip(tmp_path / f"{frames}.zip", content, frames=frames)) as archive:
            assert {name: archive.read(name) for name in archive.names} == content
            with pytest.raises(BadMember, match="more than 10"):
                archive.read("a.json", limit_bytes=10)
            with pytest.raises(BadMember, match="not in the archive"):
                archive.read("b.json")


def test_a_member_that_unpacks_to_more_than_it_promises_stops_there(tmp_path: Path) -> None:
    file = zstd_zip(tmp_path / "bomb.zip", {"a": bytes(50_000_000)})
    promised, real = (100).to_bytes(4, "little"), (50_000_000).to_bytes(4, "little")
    file.write_bytes(file.read_bytes().replace(real, promised))
    with open_archive(file) as archive, pytest.raises(BadMember, match="damaged"):
        archive.read("a")


def test_older_logs_with_deflated_members_are_read_too(tmp_path: Path) -> None:
    file = eval_log(tmp_path / "run.eval", [sample(1)])
    with open_archive(file) as archive, zipfile.ZipFile(tmp_path / "old.eval", "w", zipfile.ZIP_DEFLATED) as old:
        for name in archive.names:
            old.writestr(name, archive.read(name))
    columns = {"item": "id", "text": "text"}
    assert bring_in(tmp_path / "old.eval", "inspect", columns)[1] == bring_in(file, "inspect", columns)[1]


# lm-eval


def test_lm_eval_numbers_that_are_text_are_numbers_and_targets_stay_text(tmp_path: Path) -> None:
    file = lines(tmp_path / "samples.jsonl", [ranked(0, "-0.5", "-2.25"), ranked(1, "-3.5", "-1.0", acc=0.0)])
    columns = {"item": "doc_id", "text": "target", "label": "choice", "value": "filtered_resps.1.0"}
    _, found = bring_in(file, "lm_eval", columns)
    assert found == {"0": ("0", "0", -2.25, "ok", None), "1": ("0", "1", -1.0, "ok", None)}
    assert bring_in(file, "lm_eval", {"item": "doc.q", "value": "acc"})[1]["Question 1?"][2] == 0.0


@pytest.mark.parametrize("log_p", [("-1.0", "-1.0"), ("nan", "-1.0"), ("-1.0",)])
def test_options_that_tie_or_are_not_ranked_have_no_choice(log_p: tuple[str, ...], tmp_path: Path) -> None:
    file = lines(tmp_path / "samples.jsonl", [ranked(0, *log_p), ranked(1, "-1.0", "-2.0")])
    _, found = bring_in(file, "lm_eval", {"item": "doc_id", "label": "choice"})
    assert found["0"][1:] == (None, None, "error", "no answer in the source")


def test_a_log_probability_that_is_no_number_is_a_missing_answer(tmp_path: Path) -> None:
    file = lines(tmp_path / "samples.jsonl", [ranked(0, "nan", "-1.0"), ranked(1, "-inf", "-1"), ranked(2, "-1", "-2")])
    report, found = bring_in(file, "lm_eval", {"item": "doc_id", "value": "filtered_resps.0.0"})
    assert [found[item][2:] for item in ("0", "1")] == [
        (None, "unparsed", "not a number: nan"),
        (None, "unparsed", "not a number: -inf"),
    ]
    assert (found["2"][2], report.reasons) == (-1.0, {})


def test_each_repeat_is_a_draw_where_the_map_asks_for_it(tmp_path: Path) -> None:
    generated = [
        ranked(0, resps=[["one", "two"]], filtered_resps=["one"]),
        ranked(1, resps=[["x", ""]], filtered_resps=["x"]),
    ]
    file = lines(tmp_path / "samples.jsonl", generated)
    report, found = bring_in(file, "lm_eval", {"item": ["doc_id", "repeat"], "draw": "repeat", "text": "text"})
    assert report.read == 4
    assert [one[0] for one in found.values()] == ["one", "two", "x", ""]
    assert bring_in(file, "lm_eval", {"item": "doc_id", "text": "text"})[1]["0"][0] == "one"


def test_a_document_under_two_filters_needs_one_of_them_picked(tmp_path: Path) -> None:
    rows = [ranked(0, "-1", "-2"), ranked(0, "-1", "-2", filter="strict", acc=0.0)]
    file = lines(tmp_path / "samples.jsonl", rows)
    report, _ = bring_in(file, "lm_eval", {"item": "doc_id", "value": "acc"})
    assert report.reasons == {"contradicts another row of the same run, item and draw": 2}
    report, found = bring_in(file, "lm_eval", {"item": "doc_id", "value": "acc"}, only={"filter": ("none",)})
    assert (report.not_selected, found["0"][2]) == (1, 1.0)


def test_lines_that_are_no_samples_are_faults_and_a_file_of_them_is_refused(tmp_path: Path) -> None:
    file = lines(tmp_path / "samples.jsonl", [ranked(0, "-1", "-2"), {"doc_id": 1}])
    report, _ = bring_in(file, "lm_eval", {"item": "doc_id", "value": "acc"})
    assert report.reasons == {"not a logged sample of lm-eval: no arguments, doc, filtered_resps, resps": 1}
    with pytest.raises(BadInput, match="no readable row"):
        bring_in(lines(tmp_path / "results.json", [{"results": {}}]), "lm_eval", {"item": "doc_id", "value": "acc"})


def test_a_column_that_leads_nowhere_is_refused_with_the_paths_there_are(tmp_path: Path) -> None:
    file = lines(tmp_path / "samples.jsonl", [ranked(0, "-1", "-2")])
    with pytest.raises(BadInput) as refused:
        bring_in(file, "lm_eval", {"item": "doc.qq", "value": "acc"})
    assert refused.value.findings[0].where == "doc.qq"
    assert "did you mean 'doc.q'?" in refused.value.findings[0].found
    rows = [ranked(0, "-1", "-2"), ranked(1, "-1", "-2", doc="plain")]
    report, _ = bring_in(lines(file, rows), "lm_eval", {"item": "doc", "value": "acc"})
    assert report.reasons == {"doc holds an object (doc.KEY takes one of its values)": 1}


def test_an_archive_that_unpacks_to_more_than_it_can_hold_is_refused_in_little_memory(tmp_path: Path) -> None:
    """Members that promise a thousandfold, by a method that Python unpacks whole, or of ten million empty lists."""
    file = tmp_path / "bombs.zip"
    with zipfile.ZipFile(file, "w") as made:
        made.writestr("ratio", bytes(3_000_000), zipfile.ZIP_DEFLATED)
        made.writestr("whole", random.Random(1).randbytes(3_000), zipfile.ZIP_BZIP2)
        made.writestr("lists", b"[" + b"[]," * 6_000_000 + b"1]")
    with open_archive(file) as archive:
        with pytest.raises(BadMember, match="3,000,000 bytes out of"):
            archive.read("ratio")
        with pytest.raises(BadMember, match="compressed by method 12"):
            archive.read("whole")
        with pytest.raises(json_lines.Unreadable, match="more than 10,000,000 values"):
            json_lines.require_few_values(archive.read("lists"))


@pytest.mark.parametrize("pack", [gzip.compress, partial(pa.compress, codec="zstd", asbytes=True)])
def test_a_small_file_that_would_fill_the_disk_is_refused(
    pack: Callable[[bytes], bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plain_file, "FREE_FROM", 2**20)
    monkeypatch.setattr(plain_file, "MOST_RATIO", 100)
    file = tmp_path / "rows.jsonl.packed"
    file.write_bytes(pack(b'{"q":1}\n' * 4_000_000))
    with pytest.raises(BadInput, match="unpacks to too much") as refused:
        bring_in(file, "jsonl", {"item": "q", "text": "q"})
    assert "100 times its" in refused.value.findings[0].promised
    monkeypatch.setattr(plain_file, "LEFT_FREE", 2**62)
    with pytest.raises(BadInput, match="unpacks to too much") as refused:
        bring_in(file, "jsonl", {"item": "q", "text": "q"})
    assert "room for" in refused.value.findings[0].promised


def test_samples_of_shapes_that_no_tool_writes_are_failures_and_stop_nothing(tmp_path: Path) -> None:
    odd: list[Any] = [-1, True, "x", {"x": 1}, [3], 10**400]
    changes = [{key: value} for value in odd for key in ("input", "output", "attachments", "scores", "metadata")]
    samples = [sample(n, **change) for n, change in enumerate(changes)]
    samples += [sample(90 + n, output=stopped("stop", value)) for n, value in enumerate(odd)]
    report, _ = bring_in(eval_log(tmp_path / "run.eval", samples), "inspect", {"item": "id", "value": "numbers.match"})
    assert report.read == len(samples)
    batch = lines(
        tmp_path / "batch.jsonl",
        [answered(f"q{n}", {"output": [{"type": "message", "content": one}]}) for n, one in enumerate(odd)],
    )
    assert set(bring_in(batch, "openai_batch", {"item": "custom_id", "text": "text"})[0].statuses) == {"error"}
    (tmp_path / "halves.jsonl").write_bytes(
        json.dumps(answered("q", {"error": {"code": "x"}})).encode().replace(b'"x"', b'"\xff"') + b"\n"
    )
    _, found = bring_in(tmp_path / "halves.jsonl", "openai_batch", {"item": "custom_id", "text": "text"})
    assert found["q"][4] == "\\udcff"


# Batches


def test_openai_failures_keep_their_kind_and_are_never_scored(tmp_path: Path) -> None:
    late = {"error": {"code": "server_error", "message": "x"}}
    rows = [
        chat("a"),
        chat("b", "cut", "length"),
        chat("c", None, "content_filter"),
        chat("d", None, refusal="I cannot help."),
        chat("e", None),
        chat("f", "odd", "because"),
        expired("g"),
        answered("h", late, status_code=500),
        answered("i", {}),
        {"id": "x", "custom_id": "j", "response": None, "error": None},
    ]
    report, found = bring_in(lines(tmp_path / "out.jsonl", rows), "openai_batch", {"item": "custom_id", "text": "text"})
    assert {key: row[3:] for key, row in found.items()} == {
        "a": ("ok", None),
        "b": ("cut off", "length"),
        "c": ("refusal", "content_filter"),
        "d": ("refusal", "the model refused"),
        "e": ("error", "an answer without words"),
        "f": ("error", "ended by because, which is not known"),
        "g": ("expired", "batch_expired"),
        "h": ("error", "HTTP 500: server_error"),
        "i": ("error", "a response without an answer"),
        "j": ("error", "neither a response nor an error"),
    }
    assert report.statuses["error"] == 5


def test_a_status_column_cannot_make_an_answer_of_a_failure(tmp_path: Path) -> None:
    file = lines(tmp_path / "out.jsonl", [chat("a", "cut", "length"), chat("b")])
    columns = {"item": "custom_id", "text": "text", "status": "claimed"}
    rows = [json.loads(line) | {"claimed": "ok"} for line in file.read_text().splitlines()]
    assert bring_in(lines(file, rows), "openai_batch", columns)[1]["a"][3] == "cut off"


def test_cut_off_answers_are_kept_and_counted_where_the_plan_keeps_them(tmp_path: Path) -> None:
    file = lines(tmp_path / "out.jsonl", [chat("a", "cut", "length"), chat("b"), expired("c")])
    report, found = bring_in(file, "openai_batch", {"item": "custom_id", "text": "text"}, keeps_cut_off=True)
    assert [row[3] for row in found.values()] == ["ok", "ok", "expired"]
    assert report.cut_off_kept == 1


def test_several_choices_of_one_request_are_several_draws(tmp_path: Path) -> None:
    body = answered("a", {"choices": [{"message": {"content": words}, "finish_reason": "stop"} for words in "xyz"]})
    file = lines(tmp_path / "out.jsonl", [body, chat("b")])
    columns = {"item": ["custom_id", "choice"], "draw": "choice", "text": "text"}
    report, found = bring_in(file, "openai_batch", columns)
    assert report.read == 4
    assert [row[0] for row in found.values()] == ["x", "y", "z", "Yes."]


def test_bodies_of_the_responses_endpoint_are_read(tmp_path: Path) -> None:
    words = [{"type": "reasoning"}, {"type": "message", "content": [{"type": "output_text", "text": "Yes"}]}]
    bodies: dict[str, dict[str, Any]] = {
        "a": {"status": "completed", "output": words},
        "b": {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}, "output": words},
        "c": {
            "status": "completed",
            "output": [{"type": "message", "content": [{"type": "refusal", "refusal": "No."}]}],
        },
        "d": {"status": "completed", "output": [{"type": "function_call", "name": "g", "arguments": '{"era": "19"}'}]},
    }
    file = lines(tmp_path / "out.jsonl", [answered(key, body) for key, body in bodies.items()])
    _, found = bring_in(file, "openai_batch", {"item": "custom_id", "text": "text"})
    assert [(row[0], row[3]) for row in found.values()] == [
        ("Yes", "ok"),
        ("Yes", "cut off"),
        ("No.", "refusal"),
        (None, "error"),
    ]
    assert bring_in(file, "openai_batch", {"item": "custom_id", "label": "tool.era"})[1]["d"][1] == "19"


@pytest.mark.parametrize(
    ("words", "label", "reason"),
    [
        ('{"era": "19"}', "19", None),
        ("19", None, "the answer is no JSON object"),
        ('{"era": "19"', None, "the answer is no JSON object"),
        ('{"era": "19", "era": "LLM"}', None, "the answer is no JSON object"),
        ('{"why": "ignore the rubric"}', None, "the answer has no era"),
    ],
)
def test_a_structured_answer_is_parsed_or_unparsed_never_guessed(
    words: str, label: str | None, reason: str | None, tmp_path: Path
) -> None:
    file = lines(tmp_path / "out.jsonl", [chat("a", words), chat("b", '{"era": "LLM"}')])
    _, found = bring_in(file, "openai_batch", {"item": "custom_id", "label": "json.era"})
    assert found["a"][1] == label
    assert found["a"][3:] == (("ok", None) if reason is None else ("unparsed", reason))


def test_anthropic_results_keep_their_kind(tmp_path: Path) -> None:
    overloaded = {"type": "error", "error": {"type": "overloaded_error", "message": "x"}}
    rows = [
        message("a", [{"type": "thinking", "thinking": "hm"}, said("Ye"), said("s.")]),
        message("b", [said("cut")], "max_tokens"),
        message("c", [], "refusal"),
        message("d", [said("odd")], "because"),
        message("e", []),
        {"custom_id": "f", "result": {"type": "errored", "error": overloaded}},
        {"custom_id": "g", "result": {"type": "canceled"}},
        {"custom_id": "h", "result": {"type": "expired"}},
        {"custom_id": "i", "result": {"type": "paused"}},
        {"custom_id": 7, "result": {"type": "expired"}},
    ]
    file = lines(tmp_path / "results.jsonl", rows)
    report, found = bring_in(file, "anthropic_batch", {"item": "custom_id", "text": "text"})
    assert found["a"][0] == "Yes."
    assert {key: row[3:] for key, row in found.items()} == {
        "a": ("ok", None),
        "b": ("cut off", "max_tokens"),
        "c": ("refusal", "the model refused"),
        "d": ("error", "stopped by because, which is not known"),
        "e": ("error", "an answer without words"),
        "f": ("error", "overloaded_error"),
        "g": ("canceled", "canceled"),
        "h": ("expired", "expired"),
        "i": ("error", "a result of type paused, which is not known"),
    }
    assert report.reasons == {"not a result of an Anthropic batch": 1}


def test_the_input_of_one_tool_use_is_read_and_of_none_or_two_is_not(tmp_path: Path) -> None:
    rows = [
        message("a", [said("I grade."), tool("grade", label="yes")], "tool_use"),
        message("b", [said("yes")]),
        message("c", [tool("grade", label="yes"), tool("grade", label="no")], "tool_use"),
        message("d", [tool("grade", why="x")], "tool_use"),
        message("e", [tool("grade", label="yes")], "refusal"),
    ]
    file = lines(tmp_path / "results.jsonl", rows)
    _, found = bring_in(file, "anthropic_batch", {"item": "custom_id", "label": "tool.label"})
    assert {key: (row[1], row[3], row[4]) for key, row in found.items()} == {
        "a": ("yes", "ok", None),
        "b": (None, "unparsed", "no tool call"),
        "c": (None, "unparsed", "2 tool calls where one is needed"),
        "d": (None, "unparsed", "the answer has no label"),
        "e": (None, "refusal", "the model refused"),
    }


# Dataset folders

ROWS = {"q": ["a", "b", "c"], "answer": ["x", None, "z"], "score": [1.0, 0.5, 0.25]}


def saved(folder: Path, shards: int = 2) -> Path:
    """A folder as `save_to_disk` writes it."""
    folder.mkdir(parents=True)
    names = [f"data-{number:05d}-of-{shards:05d}.arrow" for number in range(shards)]
    table = pa.table(ROWS)
    for number, name in enumerate(names):
        part = table.slice(number, 1 if number + 1 < shards else None)
        with pa.OSFile(str(folder / name), "wb") as sink, pa.ipc.new_stream(sink, part.schema) as stream:
            stream.write_table(part)
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": name} for name in names]}))
    return folder


def test_a_saved_dataset_and_a_folder_of_parquet_shards_give_the_same_rows(tmp_path: Path) -> None:
    shards = tmp_path / "shards"
    shards.mkdir()
    for number in range(2):
        part = pa.table(ROWS).slice(number * 2, 2)
        pq.write_table(part, shards / f"train-{number:05d}-of-00002.parquet")
    columns = {"item": "q", "text": "answer", "value": "score"}
    report, found = bring_in(saved(tmp_path / "saved"), "hf_dataset", columns)
    assert found == bring_in(shards, "hf_dataset", columns)[1]
    assert found["a"] == ("x", None, 1.0, "ok", None)
    assert report.file == "saved"


def test_real_datasets_are_read_as_they_were_saved(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    datasets.Dataset.from_dict(ROWS).save_to_disk(str(tmp_path / "saved"), num_shards=2)
    columns = {"item": "q", "value": "score"}
    found = bring_in(tmp_path / "saved", "hf_dataset", columns)[1]
    assert [row[2] for row in found.values()] == ROWS["score"]
    whole = datasets.DatasetDict(train=datasets.Dataset.from_dict(ROWS), test=datasets.Dataset.from_dict(ROWS))
    whole.save_to_disk(str(tmp_path / "both"))
    with pytest.raises(BadInput, match="several splits") as refused:
        bring_in(tmp_path / "both", "hf_dataset", columns)
    assert refused.value.findings[0].found == "splits test, train"
    assert len(bring_in(tmp_path / "both" / "test", "hf_dataset", columns)[1]) == 3


def test_a_dataset_that_lacks_a_shard_or_is_none_is_refused(tmp_path: Path) -> None:
    folder = saved(tmp_path / "saved")
    columns = {"item": "q", "value": "score"}
    (folder / "data-00001-of-00002.arrow").unlink()
    with pytest.raises(BadInput, match="lacks shards"):
        bring_in(folder, "hf_dataset", columns)
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": "../../secret.arrow"}]}))
    with pytest.raises(BadInput, match="lacks shards"):
        bring_in(folder, "hf_dataset", columns)
    (folder / "state.json").write_text("{}")
    with pytest.raises(BadInput, match="no dataset of save_to_disk"):
        bring_in(folder, "hf_dataset", columns)
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match="no dataset"):
        bring_in(tmp_path / "empty", "hf_dataset", columns)
    with pytest.raises(BadInput, match="no folder to import"):
        bring_in(lines(tmp_path / "a.jsonl", [{}]), "hf_dataset", columns)


def test_a_shard_cut_short_is_refused(tmp_path: Path) -> None:
    folder = saved(tmp_path / "saved")
    shard = folder / "data-00001-of-00002.arrow"
    shard.write_bytes(shard.read_bytes()[:200])
    with pytest.raises(BadInput, match="cannot be read as a dataset"):
        bring_in(folder, "hf_dataset", {"item": "q", "value": "score"})


def test_a_folder_has_one_digest_that_any_changed_byte_or_name_changes(tmp_path: Path) -> None:
    folder = saved(tmp_path / "saved")
    before = source_digest(folder)
    assert before == source_digest(saved(tmp_path / "again"))
    (folder / "data-00000-of-00002.arrow").rename(folder / "data-9.arrow")
    assert source_digest(folder) != before


def test_every_format_refuses_an_empty_file(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.write_bytes(b"")
    for form in sorted(set(IMPORTERS) - {"hf_dataset"}):
        with pytest.raises(BadInput):
            bring_in(empty, form, {"item": "id", "text": "text"})
