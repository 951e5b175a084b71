"""Batches answered elsewhere: every request of the study is one row; judgements find the completions they speak of."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from seedlock.prereg.lock.gate import require_lock
from seedlock.prereg.lock.ledger import read_ledger
from seedlock.schemas.store import Store
from tests.conftest import PLAN, StudyFixture, completions
from tests.log_builders import chat, expired, lines, message, said, tool

COLUMNS = """
arm  = "request.arm"
seed = "request.seed"
item = "request.question"
draw = "request.draw"
"""
BATCH = f"""
[import]
format = "openai_batch"
constants = {{ model = "tiny" }}

[import.columns]{COLUMNS}text = "text"

[import.requests]
file = "requests.csv"
format = "csv"
"""
JUDGED = f"""
[judgements.reader]
format = "anthropic_batch"
constants = {{ model = "tiny" }}

[judgements.reader.columns]{COLUMNS}label = "tool.label"

[judgements.reader.requests]
file = "asked.csv"

[judgements.direct]
format  = "jsonl"
columns = {{ request = "completion", label = "verdict" }}
missing_labels = {{ REFUSED = "refusal" }}
"""


def requests(study: StudyFixture, name: str = "requests.csv") -> dict[str, str]:
    """Write the requests of the study's whole grid; return custom id -> the words that answer it."""
    header, *rows = completions().splitlines()
    ids = [f"r{number:03d}" for number in range(len(rows))]
    (study.paths.study / name).write_text(
        "\n".join([f"custom_id,{header}", *(f"{key},{row}" for key, row in zip(ids, rows, strict=True))]) + "\n"
    )
    return {key: row.split(",", 4)[4] for key, row in zip(ids, rows, strict=True)}


def batched(study: StudyFixture) -> dict[str, str]:
    """A locked study whose completions come from a batch; 128 requests of 8 runs."""
    study.write_plan(PLAN[: PLAN.index("[import]")] + BATCH + PLAN[PLAN.index("[measures.marker]") :] + JUDGED)
    answers = requests(study)
    requests(study, "asked.csv")
    study.run("lock")
    return answers


def bring_batch(study: StudyFixture, *files: Path) -> dict[str, Any]:
    """Import the files and return the account."""
    return dict(json.loads(study.run("import", *map(str, files), "--json")))


def shuffled(study: StudyFixture, name: str, rows: list[dict[str, Any]]) -> Path:
    """Write a batch file in an order of its own, beside the repository."""
    random.Random(name).shuffle(rows)
    return lines(study.paths.root / name, rows)


def sealed(study: StudyFixture, name: str) -> list[dict[str, Any]]:
    """Rows of a sealed table."""
    return list(pq.read_table(study.paths.runs / "sealed" / f"{name}.parquet").to_pylist())


def test_a_shuffled_batch_half_expired_gives_every_request_one_row(study: StudyFixture) -> None:
    answers = batched(study)
    keys = sorted(answers)
    output = shuffled(study, "output.jsonl", [chat(key, answers[key]) for key in keys[:60]])
    errors = shuffled(study, "errors.jsonl", [expired(key) for key in keys[60:120]])
    account = bring_batch(study, output, errors)
    rows = sealed(study, "completions")
    assert len(rows) == 128 == len({row["request_id"] for row in rows})
    assert [file["read"] for file in account["files"]] == [60, 60, 8]
    assert account["files"][1]["statuses"] == {"expired": 60}
    assert account["files"][2]["file"] == "requests.csv"
    by_status = {status: sum(row["status"] == status for row in rows) for status in ("ok", "expired", "error")}
    assert by_status == {"ok": 60, "expired": 60, "error": 8}
    assert {row["reason"] for row in rows if row["status"] == "error"} == {"no answer in the source"}
    first = next(row for row in rows if row["text"] == answers["r000"])
    assert (first["item_id"], first["draw"]) == ("q0", 0)


def test_a_request_that_a_second_batch_answered_counts_once_as_answered(study: StudyFixture) -> None:
    answers = batched(study)
    keys = sorted(answers)
    first = shuffled(study, "first.jsonl", [expired(key) if key < "r064" else chat(key, answers[key]) for key in keys])
    second = shuffled(study, "second.jsonl", [chat(key, answers[key]) for key in keys if key < "r064"])
    account = bring_batch(study, first, second)
    assert account["files"][0]["reasons"] == {"failed here, and answered in another row": 64}
    assert {row["status"] for row in sealed(study, "completions")} == {"ok"}
    assert sum(row["source"] == "first.jsonl" for row in sealed(study, "quarantine")) == 64


def test_ids_that_are_unknown_doubled_or_contradictory_are_quarantined_and_counted(study: StudyFixture) -> None:
    answers = batched(study)
    rows = [chat(key, answers[key]) for key in sorted(answers)]
    extra = [chat("zzz", "who asked?"), chat("r001", answers["r001"]), chat("r002", "[ZLT] something else")]
    output = lines(study.paths.root / "output.jsonl", rows + extra)
    account = bring_batch(study, output)
    assert account["files"][0]["reasons"] == {
        "contradicts another row of the same run, item and draw": 2,
        "no request has this id": 1,
        "repeats an earlier row word for word": 1,
    }
    assert account["files"][0]["read"] == 131
    assert len(sealed(study, "completions")) == 127


def test_quarantined_rows_of_every_file_stay(study: StudyFixture) -> None:
    answers = batched(study)
    keys = sorted(answers)
    parts = [keys[:64], keys[64:]]
    files = [
        lines(study.paths.root / f"part{n}.jsonl", [*(chat(k, answers[k]) for k in part), chat(f"odd{n}")])
        for n, part in enumerate(parts)
    ]
    bring_batch(study, *files)
    assert [row["source"] for row in sealed(study, "quarantine")] == ["part0.jsonl", "part1.jsonl"]


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (lambda text: text.replace("r001,", "r000,", 1), "custom_id r000"),
        (lambda text: text.replace("r001,", ",", 1), "custom_id None"),
        (lambda text: text.replace("custom_id,", "id,", 1), "custom_id"),
    ],
)
def test_a_list_of_requests_with_missing_or_doubled_ids_is_refused(
    change: Any, where: str, study: StudyFixture
) -> None:
    study.write_plan(PLAN[: PLAN.index("[import]")] + BATCH + PLAN[PLAN.index("[measures.marker]") :])
    answers = requests(study)
    file = study.paths.study / "requests.csv"
    file.write_text(change(file.read_text()))
    study.run("lock")
    output = lines(study.paths.root / "output.jsonl", [chat(key, words) for key, words in answers.items()])
    assert where in study.run("import", str(output), ok=2)
    assert not (study.paths.runs / "sealed").exists()


def test_an_import_that_fails_at_its_second_file_leaves_nothing_behind(study: StudyFixture) -> None:
    answers = batched(study)
    output = lines(study.paths.root / "output.jsonl", [chat(key, words) for key, words in answers.items()])
    broken = study.paths.root / "broken.jsonl"
    broken.write_text("<html>502</html>\n")
    study.run("import", str(output), str(broken), ok=2)
    with Store.open(study.paths.store) as store:
        assert store.rows("completions") == 0
    bring_batch(study, output)
    assert len(sealed(study, "completions")) == 128


def judged(study: StudyFixture, keys: list[str], **odd: list[dict[str, Any]]) -> Path:
    """Judge's results, one tool call each unless told otherwise."""
    rows = [message(key, odd.get(key, [said("I judge."), tool("grade", label="spread")]), "tool_use") for key in keys]
    return shuffled(study, "judge.jsonl", rows)


def test_judgements_find_their_completions_and_are_sealed_beside_them(study: StudyFixture) -> None:
    answers = batched(study)
    keys = sorted(answers)
    output = [chat(key, answers[key]) if key != "r005" else expired(key) for key in keys]
    bring_batch(study, lines(study.paths.root / "output.jsonl", output))
    file = judged(study, keys[:100], r001=[said("no tool")], r002=[tool("grade", why="?")])
    account = json.loads(study.run("import", str(file), "--judge", "reader", "--json"))
    assert (account["answers"], account["judged"]) == (127, 97)
    assert account["files"][0]["reasons"] == {"the completion it judges is no answer": 1}
    rows = {row["request_id"]: row for row in sealed(study, "judgements-reader")}
    texts = {row["text"]: row["request_id"] for row in sealed(study, "completions")}
    assert {row["judge"] for row in rows.values()} == {"reader"}
    assert rows[texts[answers["r000"]]]["label"] == "spread"
    assert rows[texts[answers["r001"]]] | {"request_id": ""} == {
        "request_id": "",
        "judge": "reader",
        "label": None,
        "value": None,
        "status": "unparsed",
        "reason": "no tool call",
    }
    assert rows[texts[answers["r002"]]]["status"] == "unparsed"
    assert rows[texts[answers["r127"]]]["reason"] == "no answer in the source"
    (event,) = [e for e in read_ledger(study.paths.ledger) if e.body.get("table") == "judgements"]
    assert (event.body["judge"], event.body["rows"]) == ("reader", 127)


def test_a_judge_may_name_completions_by_their_request_ids(study: StudyFixture) -> None:
    answers = batched(study)
    bring_batch(study, lines(study.paths.root / "output.jsonl", [chat(key, answers[key]) for key in sorted(answers)]))
    ids = [row["request_id"] for row in sealed(study, "completions")]
    verdicts = [{"completion": key, "verdict": "REFUSED" if place == 0 else "19"} for place, key in enumerate(ids)]
    file = lines(study.paths.root / "verdicts.jsonl", [*verdicts, {"completion": "0" * 64, "verdict": "19"}])
    printed = study.run("import", str(file), "--judge", "direct")
    assert "judge     direct: 127 of 128 answers have a verdict, 1 have none" in printed
    assert "no completion of this study is meant" in printed
    rows = {row["request_id"]: row for row in sealed(study, "judgements-direct")}
    assert rows[ids[0]]["status"] == "refusal"
    assert rows[ids[1]]["label"] == "19"


def test_the_account_adds_up_what_was_refused_of_completions_and_of_judgements(study: StudyFixture) -> None:
    answers = batched(study)
    rows = [chat(key, answers[key]) for key in sorted(answers)]
    bring_batch(study, lines(study.paths.root / "output.jsonl", [*rows, chat("zzz", "who asked?")]))
    study.run("import", str(judged(study, [*sorted(answers), "yyy", "zzz"])), "--judge", "reader")
    study.run("analyze")
    results = json.loads((study.paths.report / "results.json").read_text("utf-8"))
    assert results["accounting"]["quarantined"] == {"no request has this id": 3}


def test_judging_again_changes_nothing_and_other_judgements_are_refused(study: StudyFixture) -> None:
    answers = batched(study)
    bring_batch(study, lines(study.paths.root / "output.jsonl", [chat(key, answers[key]) for key in sorted(answers)]))
    file = judged(study, sorted(answers))
    study.run("import", str(file), "--judge", "reader")
    before = study.paths.ledger.read_bytes()
    study.run("import", str(file), "--judge", "reader")
    assert study.paths.ledger.read_bytes() == before
    other = lines(study.paths.root / "other.jsonl", [message("r000", [tool("grade", label="none")])])
    assert "are sealed" in study.run("import", str(other), "--judge", "reader", ok=5)
    study.run("verify")


def test_judgements_come_after_completions_and_from_judges_of_the_plan(study: StudyFixture) -> None:
    answers = batched(study)
    file = judged(study, sorted(answers))
    assert "no sealed completions to judge" in study.run("import", str(file), "--judge", "reader", ok=5)
    refused = study.run("import", str(file), "--judge", "somebody", ok=2)
    assert "direct, reader" in refused


def test_the_lists_of_requests_are_locked_with_the_plan(study: StudyFixture) -> None:
    batched(study)
    locked = {file.path.rsplit("/", 1)[1] for file in require_lock(study.paths).lock.files}
    assert {"requests.csv", "asked.csv"} <= locked
