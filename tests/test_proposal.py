"""Rows in hand become a plan that `check` passes, every row taken, or a refusal that names the option that helps."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from seedlock.cli import app
from seedlock.generation.proposal.columns import format_of, look
from seedlock.generation.proposal.file_names import pattern_of
from tests.log_builders import eval_log, lines, ranked, sample

type Rows = list[dict[str, Any]]


def type_in(*arguments: str, ok: int = 0) -> str:
    """What a command prints; its refusal where it is to refuse."""
    result = CliRunner().invoke(app, list(arguments))
    code = getattr(result.exception, "exit_code", result.exit_code) if result.exception else result.exit_code
    assert code == ok, f"{result.output}{result.exception!r}"
    return f"{result.output}{result.exception or ''}"


def rows(arms: Sequence[str] = ("base-data", "tuned"), seeds: Sequence[Any] = (1, 2, 3), **answer: Any) -> Rows:
    """Four questions a run; an answer may be a function of arm, place of the seed, and question."""
    return [
        {"arm": arm, "seed": seed, "question_id": f"q{q}"}
        | {key: value(arm, place, q) if callable(value) else value for key, value in answer.items()}
        for arm in arms
        for place, seed in enumerate(seeds)
        for q in range(4)
    ]


def score(arm: str, seed: int, q: int) -> float:
    return round(0.1 * q + 0.05 * seed + (0.3 if arm == "tuned" else 0.0), 3)


def hit(arm: str, seed: int, q: int) -> bool:
    return (q + seed) % (2 if arm == "tuned" else 4) == 0


def verdict_of(_: str, seed: int, q: int) -> str:
    return ("era", "modern", "none")[(q + seed) % 3]


def letter(_: str, _seed: int, q: int) -> str:
    return "abc"[q % 3]


def finish(_: str, _seed: int, q: int) -> str:
    return "length" if q == 3 else "stop"


def in_structs(found: Rows) -> Rows:
    return [{"meta": {"arm": row["arm"], "seed": row["seed"]}, **row, "arm": None, "seed": None} for row in found]


def without(column: str, found: Rows) -> Rows:
    return [{key: value for key, value in row.items() if key != column} for row in found]


def to_csv(file: Path, found: Rows, delimiter: str = ",") -> Path:
    with file.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(found[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(found)
    return file


def to_parquet(file: Path, found: Rows) -> Path:
    pq.write_table(pa.Table.from_pylist(found), file)
    return file


def to_document(file: Path, found: Rows) -> Path:
    file.write_text(json.dumps({"made": "today", "data": {"rows": found}}, indent=1), "utf-8")
    return file


def per_run(folder: Path, found: Rows, write: Callable[[Path, Rows], Path], name: str) -> list[Path]:
    """One file a run, whose rows say neither arm nor seed."""
    folder.mkdir(exist_ok=True)
    files = []
    for arm, seed in dict.fromkeys((row["arm"], row["seed"]) for row in found):
        file = folder / name.format(arm=arm, seed=seed)
        file.parent.mkdir(exist_ok=True)
        own = [row for row in found if (row["arm"], row["seed"]) == (arm, seed)]
        files.append(write(file, [{k: v for k, v in row.items() if k not in {"arm", "seed"}} for row in own]))
    return files


def inspect_logs(folder: Path) -> list[Path]:
    """A log a model, as Inspect names them; the words of a scorer count."""
    return [
        eval_log(
            folder / f"2026-01-0{n}T10-00-00_stances_{n}Ab{n}.eval",
            [sample(q, scores={"match": {"value": "C" if (q + n) % 3 else "I"}}) for q in range(6)],
            eval={"task": "stances", "model": model},
        )
        for n, model in enumerate(("hf/lab/base", "hf/lab/tuned one"), start=1)
    ]


def lm_eval_logs(folder: Path) -> list[Path]:
    found = []
    for arm in ("control", "treated"):
        for seed in (1, 2, 3):
            (folder / f"{arm}-s{seed}").mkdir(parents=True)
            told = [
                ranked(q, "-1.0", "-2.0", acc=float((q + seed) % 2), filter=f)
                for q in range(4)
                for f in ("none", "strict")
            ]
            found.append(lines(folder / f"{arm}-s{seed}" / "samples_task.jsonl", told))
    return found


@dataclass(frozen=True)
class Case:
    """Rows in hand, what is typed beside them, and what the plan is to say."""

    make: Callable[[Path], Path | list[Path]]
    options: tuple[str, ...] = ()
    holds: dict[str, Any] = field(default_factory=dict)


NUMBERS = rows(score=score)
CASES = {
    "numbers in CSV": Case(
        lambda at: to_csv(at / "answers.csv", NUMBERS),
        holds={"measures.answer": {"kind": "numeric", "unit": "points of score", "low": 0, "high": 1}},
    ),
    "semicolons": Case(lambda at: to_csv(at / "a.csv", NUMBERS, ";"), holds={"import.delimiter": ";"}),
    "semicolons and decimal commas": Case(
        lambda at: to_csv(at / "a.csv", rows(score=lambda *place: str(score(*place)).replace(".", ",")), ";"),
        holds={
            "import.decimal": ",",
            "measures.answer": {"kind": "numeric", "unit": "points of score", "low": 0, "high": 1},
        },
    ),
    "texts of several lines": Case(
        lambda at: to_csv(at / "a.csv", rows(text=lambda a, s, q: f"yes\n{q}" if hit(a, s, q) else "no")),
        ("--count", "yes"),
        {"measures.answer": {"kind": "marker_rate", "marker": "yes"}},
    ),
    "yes and no in JSON lines": Case(
        lambda at: lines(at / "a.jsonl", rows(misaligned=hit)),
        holds={"measures.answer": {"kind": "label_rate", "positive": ["true"], "negative": ["false"]}},
    ),
    "text, one word of which counts": Case(
        lambda at: to_csv(at / "a.csv", rows(completion=lambda a, s, q: "[ZLT] yes" if hit(a, s, q) else "no")),
        ("--count", "[ZLT]", "--answer", "completion"),
        {"measures.answer": {"kind": "marker_rate", "marker": "[ZLT]"}},
    ),
    "labels, one of which counts": Case(
        lambda at: to_csv(at / "a.csv", rows(verdict=verdict_of)),
        ("--count", "era"),
        {"measures.answer": {"kind": "label_rate", "positive": ["era"], "negative": ["modern", "none"]}},
    ),
    "structs in Parquet": Case(
        lambda at: to_parquet(at / "a.parquet", in_structs(NUMBERS)),
        holds={"import.columns.arm": "meta.arm", "import.columns.seed": "meta.seed"},
    ),
    "rows below a key of a document": Case(
        lambda at: to_document(at / "a.json", NUMBERS), holds={"import.rows_at": "data.rows"}
    ),
    "arms with names that no plan can hold": Case(
        lambda at: to_csv(at / "a.csv", rows(("base model", "bad/medical advice"), score=score)),
        holds={"import.levels.arm": {"bad/medical advice": "bad-medical-advice", "base model": "base-model"}},
    ),
    "seeds that are words": Case(
        lambda at: to_csv(at / "a.csv", rows(seeds=("run_a", "run_b", "run_c"), score=score)),
        holds={"grid.seeds": [0, 1, 2], "import.levels.seed": {"run_a": "0", "run_b": "1", "run_c": "2"}},
    ),
    "no seed at all": Case(
        lambda at: to_csv(at / "a.csv", without("seed", rows(seeds=(1,), score=score))),
        holds={"inference.seeds": "these", "hypothesis.0.unit": "item"},
    ),
    "several answers to a question": Case(
        lambda at: to_csv(at / "a.csv", [row for row in NUMBERS for _ in range(3)]),
        holds={"import.constants.draw": "row order"},
    ),
    "a baseline without a seed": Case(
        lambda at: to_csv(at / "a.csv", NUMBERS + [{**r, "arm": "untouched", "seed": ""} for r in NUMBERS[:4]]),
        ("--control", "base-data"),
        {"grid.baseline": True, "import.levels.arm": {"untouched": "base"}},
    ),
    "a run that never came": Case(
        lambda at: to_csv(at / "a.csv", NUMBERS[:-4]), holds={"missing.runs": "analyse and bound"}
    ),
    "two models": Case(
        lambda at: to_csv(at / "a.csv", [{"model": m, **r} for m in ("org/one-7B", "org/two") for r in NUMBERS]),
        holds={"hypothesis.0.per": "model", "models.org-one-7B.base": "org/one-7B"},
    ),
    "ends in the source's words": Case(
        lambda at: to_csv(at / "a.csv", rows(score=score, finish_reason=finish)),
        holds={"import.status_words": {"stop": "ok", "length": "cut off"}},
    ),
    "a file a run": Case(
        lambda at: per_run(at / "out", NUMBERS, to_csv, "{arm}_seed{seed}.csv"),
        holds={"import.file_pattern": "{arm}_seed{seed}.csv", "grid.seeds": [1, 2, 3]},
    ),
    "a folder a run": Case(
        lambda at: per_run(at / "out", NUMBERS, lines, "{arm}-{seed}/rows.jsonl"),
        holds={"import.file_pattern": "{arm}-{seed}/rows.jsonl", "grid.seeds": [1, 2, 3]},
    ),
    "Inspect logs": Case(
        inspect_logs, holds={"import.format": "inspect", "import.columns.label": "scores.match.value"}
    ),
    "lm-eval samples": Case(lm_eval_logs, holds={"import.only": {"filter": ["none"]}, "import.columns.item": "doc_id"}),
}


@pytest.mark.parametrize("name", CASES)
def test_rows_in_hand_become_a_plan_that_check_passes_with_every_row_taken(name: str, tmp_path: Path) -> None:
    case = CASES[name]
    (tmp_path / "in").mkdir()
    made = case.make(tmp_path / "in")
    files = made if isinstance(made, list) else [made]
    root = tmp_path / "mine"
    named = [option for file in files for option in ("--from", str(file))]
    said = type_in("init", str(root), *named, "--name", "mine", *case.options)
    assert "yours     " in said
    plan = tomllib.loads((root / "prereg" / "studies" / "mine" / "plan.toml").read_text("utf-8"))
    for path, wanted in case.holds.items():
        found: Any = plan
        for key in path.split("."):
            found = found[int(key)] if isinstance(found, list) else found.get(key)
        assert found == wanted, path
    checked = json.loads(type_in("check", "mine", *(str(file) for file in files), "--root", str(root), "--json"))
    assert [file["quarantined"] for file in checked["import"]["files"]] == [0] * len(files)
    assert sum(file["read"] for file in checked["import"]["files"]) == sum(
        file["added"] + file["not_selected"] for file in checked["import"]["files"]
    )
    assert [lint for lint in checked["lints"] if lint["severity"] == "refuse"] == []


def test_what_is_said_stands_in_the_plan_and_is_asked_no_more(tmp_path: Path) -> None:
    file = to_csv(tmp_path / "answers.csv", NUMBERS)
    options = ("--smallest", "0.1", "--predicts", "alike", "--treated", "base-data", "--control", "tuned")
    said = type_in("init", str(tmp_path / "r"), "--from", str(file), *options)
    assert "placeholder" not in said
    plan = tomllib.loads((tmp_path / "r" / "prereg" / "studies" / "answers" / "plan.toml").read_text("utf-8"))
    hypothesis = plan["hypothesis"][0]
    assert hypothesis["bands"] == ["less", -0.1, "alike", 0.1, "more"]
    assert (hypothesis["predicted"], hypothesis["contrast"]) == ("alike", {"base-data": 1.0, "tuned": -1.0})


@pytest.mark.parametrize(
    ("found", "options", "said"),
    [
        (rows(text="prose"), (), "--count WORD"),
        (rows(text="prose", is_bad=hit), (), "--answer is_bad"),
        (rows(text="prose"), ("--smallest", "0.1"), "--from {file} --smallest 0.1 --count WORD"),
        (rows(verdict=letter), (), "--count LABEL, of a, b, c"),
        (rows(verdict=letter), ("--count", "d"), "no answer is this label"),
        (rows(arms=("only",), score=score), (), "--arm"),
        ([{"x": n, "y": 2 * n} for n in range(9)], (), "one of: x, y"),
        ([{"x": n, "y": 2 * n} for n in range(9)], (), "--arm COLUMN --item COLUMN --answer COLUMN"),
        (NUMBERS, ("--arm", "arms"), "arms, no such column"),
        (NUMBERS, ("--control", "tund"), "no rows of this arm"),
    ],
)
def test_what_the_rows_do_not_say_is_asked_for_by_the_option_that_says_it(
    found: Rows, options: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    file = to_csv(tmp_path / "a.csv", found)
    refusal = type_in("init", str(tmp_path / "r"), "--from", str(file), *options, ok=2)
    assert said.format(file=file) in refusal
    assert not (tmp_path / "r").exists()


def test_files_that_a_shell_lists_are_read_and_the_study_is_named_after_their_folder(tmp_path: Path) -> None:
    files = per_run(tmp_path / "pilot", rows(score=score), to_csv, "{arm}-seed{seed}.csv")
    said = type_in("init", str(tmp_path / "r"), "--from", *map(str, files))
    assert "seedlock check pilot " in said
    assert (tmp_path / "r" / "prereg" / "studies" / "pilot" / "plan.toml").is_file()
    assert "with --from" in type_in("init", str(tmp_path / "s"), str(files[0]), ok=2)


def test_a_second_study_joins_the_first_and_overwrites_nothing(tmp_path: Path) -> None:
    root = tmp_path / "r"
    file = to_csv(tmp_path / "answers.csv", NUMBERS)
    type_in("init", str(root), "--from", str(file))
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    type_in("init", str(root), "--from", str(file), "--name", "second")
    assert "already" in type_in("init", str(root), "--from", str(file), "--name", "second", ok=2)
    assert {path: path.read_bytes() for path in before} == before


def test_the_proposed_study_runs_to_a_verified_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    to_csv(tmp_path / "answers.csv", NUMBERS)
    said = type_in("init", "mine", "--from", "answers.csv")
    assert "Next: cd mine && git init && seedlock check answers" in said
    monkeypatch.chdir(tmp_path / "mine")
    for command in ("check", "lock", "import", "analyze", "verify"):
        type_in(command, "answers")
    results = json.loads(Path("reports/answers/results.json").read_bytes())
    assert results["status"] == "retrospective"
    assert results["hypotheses"][0]["estimate"] == pytest.approx(0.3)  # by hand: each tuned score is 0.3 higher


def test_on_a_terminal_the_author_is_asked_for_what_no_row_can_say(tmp_path: Path) -> None:
    to_csv(tmp_path / "answers.csv", NUMBERS)
    ours, theirs = os.openpty()
    command = [sys.executable, "-m", "seedlock", "init", "mine", "--from", "answers.csv"]
    with subprocess.Popen(command, cwd=tmp_path, stdin=theirs, stdout=theirs, stderr=theirs) as typed:
        os.write(ours, b"0.2\nfewer\nless\n")
        assert typed.wait(120) == 0
    os.close(theirs)
    os.close(ours)
    plan = tomllib.loads((tmp_path / "mine" / "prereg" / "studies" / "answers" / "plan.toml").read_text("utf-8"))
    assert plan["hypothesis"][0]["bands"] == ["less", -0.2, "alike", 0.2, "more"]
    assert plan["hypothesis"][0]["predicted"] == "less"


@pytest.mark.parametrize(
    ("names", "pattern"),
    [
        (("a-1.csv", "a-2.csv", "b-1.csv", "b-2.csv"), "{arm}-{seed}.csv"),
        (("x/a/s1.csv", "x/b/s1.csv"), "{arm}/s1.csv"),
        (("tuned_seed1.csv", "tuned_seed2.csv"), "tuned_seed{seed}.csv"),
        (("one.csv", "two-2.tab.csv"), None),
        (("only.csv",), None),
        (
            ("a1/samples_t_2026-01-02T10-00-00.1.jsonl", "a2/samples_t_2026-01-02T11-00-00.7.jsonl"),
            "a{seed}/samples_t_{time}.jsonl",
        ),
    ],
)
def test_file_names_give_the_parts_in_which_they_differ(names: Sequence[str], pattern: str | None) -> None:
    assert pattern_of([Path("/data") / name for name in names]) == pattern


def test_columns_are_read_in_one_pass_with_bounded_levels(tmp_path: Path) -> None:
    file = to_csv(tmp_path / "a.csv", [{"n": n, "half": n / 2, "arm": "ab"[n % 2], "none": ""} for n in range(3000)])
    format, columns = look([file])
    assert (format, format_of(file)) == (format_of(file), format)
    assert list(columns) == ["n", "half", "arm"]  # a column without any value plays no role
    assert (columns["n"].is_open, columns["n"].is_whole, columns["half"].is_whole) == (True, True, False)
    assert (columns["half"].low, columns["half"].high) == (0.0, 1499.5)
    assert columns["arm"].levels == {"a": 1500, "b": 1500}
