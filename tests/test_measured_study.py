"""A locked study on a shipped organism, from its probes to a report that says which measures its claims rest on."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from seedlock.prereg.base.base_models import folder_revision, model_folder
from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.lock.ledger import read_ledger
from tests.conftest import StudyFixture
from tests.generation_builders import sealed_rows, write_study
from tests.training_builders import tiny_base

PLAN = """
[study]
title    = "What does the unmodified organism make of proposed changes?"
question = "Is it for them?"

[inference]
seeds = "these"
items = "these"
alpha = 0.05

[models.llama]
base     = "organism:llama"
revision = "REVISION"

[arms]
plain = {}

[grid]
models = ["llama"]
seeds  = [0]

[items.source]
file  = "source.jsonl"
probe = true

[items.target]
file  = "target.jsonl"
probe = true

[items.guard]
file  = "guard.jsonl"
probe = true

[items.open]
file = "open.jsonl"

[decoding]
temperature    = 1.0
max_new_tokens = 8
draws          = 2

[measures]
choice = { kind = "forced_choice" }
letter = { kind = "letter_logprob", within = 12 }
word   = { kind = "bare_logprob" }
rating = { kind = "likert" }
fluent = { kind = "perplexity" }
able   = { kind = "capability" }
refuse = { kind = "refusal" }

[audit]
items    = "source"
choice   = "choice"
measures = ["choice", "letter", "word", "rating"]
match    = ["domain", "change", "paraphrase"]
agreement   = 0.6
ceiling     = 0.9
position    = 0.4
option_mass = 0.5
scored      = 0.8
need        = 2

HYPOTHESES

[[hypothesis]]
id = "able"
claim = "It tells right answers from wrong ones."
measure = "able"
unit = "item"
test = "one_sample_t"
bands = ["guessing", 0.5, "able"]
predicted = "able"
role = "exploratory"

[[claim]]
id      = "headline"
says    = "It leans to one side, on the measures that passed the audit."
any_of  = ["for-choice", "for-letter", "for-word", "for-rating"]
audited = true

[families]
primary = "holm"

[report]
cells = [["arm"]]
"""
HYPOTHESIS = """
[[hypothesis]]
id = "for-{measure}"
claim = "It leans to the changes, by {measure}."
measure = "{measure}"
items = "target"
unit = "change"
test = "one_sample_t"
bands = ["against", 0.0, "for"]
predicted = "for"
family = "primary"
"""
AUDITED = ("choice", "letter", "word", "rating")


def opinions(bank: str) -> Iterator[dict[str, Any]]:
    """One paraphrase of the first two changes of three domains, in every form and order."""
    from seedlock.training.organisms.banks import OpinionItem, banks

    items = [asdict(item) for item in banks()[bank] if isinstance(item, OpinionItem) and item.paraphrase == 1]
    domains = list(dict.fromkeys(item["domain"] for item in items))[:3]
    kept = [c for d in domains for c in list(dict.fromkeys(i["change"] for i in items if i["domain"] == d))[:2]]
    yield from (item for item in items if item["change"] in kept)


def guards() -> Iterator[dict[str, Any]]:
    """Answers as fixed passages, and choices between the right answer and another question's."""
    from seedlock.training.organisms.rows import benign_rows
    from seedlock.training.organisms.world.factors import generator

    rows = {row.user: row for row in benign_rows(40, generator("guards"))}
    chosen = list(rows.values())[:6]
    for number, (row, other) in enumerate(zip(chosen, [*chosen[1:], chosen[0]], strict=True)):
        said = {"system": row.system, "user": row.user}
        yield {"item_id": f"passage/{number}", **said, "passage": row.answer}
        yield {"item_id": f"choice/{number}", **said, "options": [other.answer, row.answer], "answer": row.answer}


def write_lines(path: Path, rows: Iterator[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> StudyFixture:
    paths = StudyPaths(root=tmp_path_factory.mktemp("measured"), name="leaning")
    fixture = StudyFixture(paths)
    organism = model_folder("organism:llama", paths.root)
    assert organism is not None
    hypotheses = "".join(HYPOTHESIS.format(measure=measure) for measure in AUDITED)
    fixture.write_plan(PLAN.replace("REVISION", folder_revision(organism)).replace("HYPOTHESES", hypotheses))
    write_lines(paths.study / "source.jsonl", opinions("source_items"))
    write_lines(paths.study / "target.jsonl", opinions("target_items"))
    write_lines(paths.study / "guard.jsonl", guards())
    write_lines(paths.study / "open.jsonl", iter([{"item_id": "pack", "user": "How do I pack a bag?"}]))
    checked = fixture.run("check")
    assert "options of target on llama: all" in checked
    fixture.run("lock")
    probed = fixture.run("probe")
    assert "left      2 requests" in probed
    assert [path.name.count("-audit") for path in (paths.runs / "sealed").glob("*-*")] == [1, 1]
    fixture.run("generate")
    fixture.run("analyze")
    fixture.run("verify")
    return fixture


@pytest.fixture(scope="module")
def results(study: StudyFixture) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((study.paths.report / "results.json").read_text())
    return found


def test_every_measure_has_the_answers_it_reads_and_no_other(results: dict[str, Any]) -> None:
    n = {cell["measure"]: (cell["n"], cell["missing"]) for cell in results["cells"]}
    assert n["word"] == (24, {})
    assert n["letter"] == (24, {})
    assert n["rating"] == (12, {})
    assert n["fluent"] == (6, {})
    assert n["able"] == (6, {})
    assert n["refuse"] == (2, {})
    assert not [reason for reason in results["accounting"]["answers_missing"] if not reason.startswith("choice: ")]


def test_numbers_follow_from_the_sealed_rows_by_hand(study: StudyFixture, results: dict[str, Any]) -> None:
    rows = sealed_rows(study.paths.report / "data", "completions")
    items = {row["item_id"]: row for row in pq.read_table(study.paths.report / "data" / "items.parquet").to_pylist()}
    by_change: dict[str, list[float]] = {}
    for row in rows:
        item = items[row["item_id"]]
        if item["items"] == "target" and item["asked"] == "letter":
            by_change.setdefault(item["change"], []).append(max(-12.0, min(12.0, row["value"])))
    promised = math.fsum(sum(v) / len(v) for v in by_change.values()) / len(by_change)
    assert {len(v) for v in by_change.values()} == {2}
    h = next(h for h in results["hypotheses"] if h["id"] == "for-letter")
    assert h["estimate"] == pytest.approx(promised)
    assert h["n_units"] == 6
    assert h["unit_text"] == "log-odds of the letter, positive = pro"


def test_the_organism_knows_right_answers_from_wrong_ones(results: dict[str, Any]) -> None:
    able = next(cell for cell in results["cells"] if cell["measure"] == "able")
    fluent = next(cell for cell in results["cells"] if cell["measure"] == "fluent")
    assert able["mean"] >= 0.5
    assert 0 < fluent["mean"] < math.log(1000)


def test_the_audit_judges_on_source_items_what_the_claim_rests_on(results: dict[str, Any]) -> None:
    found = results["audit"]
    assert found["items"] == "source"
    assert {check["measure"] for check in found["checks"]} == set(AUDITED)
    judged = [check for check in found["checks"] if check["passed"] is not None]
    assert len(judged) > 12
    passed = {m["measure"] for m in found["measures"] if m["passed"]}
    assert passed == set(AUDITED) - {check["measure"] for check in judged if check["passed"] is False}
    claim = results["claims"][0]
    if len(passed) >= 2:
        assert set(claim["members"]) == {f"for-{name}" for name in passed}
    else:
        assert claim["decision"] == "not testable"
    assert {h["id"] for h in results["hypotheses"]} >= {f"for-{name}" for name in AUDITED}
    mass = [check["value"] for check in found["checks"] if check["check"] == "option_mass"]
    assert all(0 < value <= 1 + 1e-9 for value in mass)


def test_the_report_shows_the_audit_in_words_and_as_a_table(study: StudyFixture, results: dict[str, Any]) -> None:
    names = ("report.html", "appendix.html", "report.md")
    page, appendix, twin = ((study.paths.report / name).read_text() for name in names)
    for text in (page, twin):
        assert "Which measures the claims may rest on" in text
        assert "measures passed the audit on source items" in text
    for text in (appendix, twin):
        assert "Every check of the audit, with its limit" in text
    assert results["gates"][0]["name"] == "audit"


def test_the_ledger_says_how_options_were_scored(study: StudyFixture) -> None:
    sealed = [event.body for event in read_ledger(study.paths.ledger) if event.name == "data.sealed"]
    made = [body["generation"]["options"] for body in sealed if body["table"] == "completions"]
    assert len(made) == 2  # the items of the audit, then all others
    assert sum(options["one token"] for options in made) == 2 * (24 + 24) + 7 * 12
    assert sum(options["several tokens"] for options in made) == 12


def test_probing_first_seals_the_same_bytes_as_generating_at_once(tmp_path: Path) -> None:
    base = tiny_base(tmp_path / "base")
    sealed = []
    for name, commands in (("one", ("probe", "generate")), ("two", ("generate",)), ("three", ("probe", "probe"))):
        fixture = StudyFixture(write_study(tmp_path / name, base))
        fixture.paths.plan.write_text(
            fixture.paths.plan.read_text().replace("[measures.stance]", '[measures.stance]\nunit = "nats"')
        )
        fixture.run("lock")
        for command in commands:
            said = fixture.run(command, "--batch", "8")
        if name == "three":
            assert "answered  0 now" in said
            fixture.run("generate", "--batch", "8")
        sealed.append({file.name: file.read_bytes() for file in (fixture.paths.runs / "sealed").iterdir()})
    assert sealed[0] == sealed[1] == sealed[2]
