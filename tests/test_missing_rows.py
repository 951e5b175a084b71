"""Rows that hold no answer are missing answers with their reason; a file that hides rows is refused."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import scipy.stats

from seedlock.analysis.scoring.scores import named_measure
from seedlock.analysis.scoring.ties import Ties, count_ties
from seedlock.prereg.base.paths import StudyPaths
from tests.conftest import PLAN, StudyFixture, completions

SCORED = """
[study]
title    = "Do the arms differ?"
question = "How do the arms score?"

[inference]
seeds = "new"
items = "these"
alpha = 0.025

[models.tiny]
base     = "none"
revision = "none"

[arms]
plain = {}
tuned = {}

[grid]
models = ["tiny"]
seeds  = [0, 1, 2, 3]

[import]
format    = "csv"
columns   = { arm = "arm", seed = "seed", item = "q", value = "score" }
constants = { model = "tiny", draw = "0" }

[measures.points]
kind = "numeric"
low  = 0
high = 10
unit = "points"

[[hypothesis]]
id        = "H1"
claim     = "Tuned scores higher."
measure   = "points"
contrast  = { tuned = 1.0, plain = -1.0 }
test      = "pooled_t"
bands     = ["lower", -1.0, "alike", 1.0, "higher"]
predicted = "higher"

[report]
cells = [["arm"]]
"""


def results_of(study: StudyFixture) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((study.paths.report / "results.json").read_bytes())
    return found


def scores(word: str | None = None) -> str:
    """CSV: 4 seeds x 10 items; tuned 6 + seed/10, plain 2 + seed/10; every second score of tuned is the word."""
    lines = ["arm,seed,q,score"]
    for arm, base in (("plain", 2.0), ("tuned", 6.0)):
        for seed in range(4):
            for item in range(10):
                said = word if word is not None and arm == "tuned" and item % 2 else str(base + seed / 10)
                lines.append(f"{arm},{seed},q{item},{said}")
    return "\n".join(lines) + "\n"


def test_a_quote_left_open_seals_nothing(study: StudyFixture) -> None:
    study.run("lock")
    lines = completions().splitlines()
    lines[18] = lines[18].replace(",answer", ',"answer')
    refusal = study.run("import", str(study.bring_data("\n".join(lines) + "\n")), ok=2)
    assert "row 18" in refusal
    assert not list((study.paths.runs / "sealed").glob("*"))


def test_most_rows_in_contradiction_seal_nothing_and_the_column_that_parts_them_is_named(study: StudyFixture) -> None:
    plan = SCORED.replace('format    = "csv"', 'format    = "parquet"')
    study.write_plan(plan)
    study.run("lock")
    rows = [
        {"arm": arm, "seed": seed, "q": f"q{q}", "judge": judge, "note": f"{judge}-{q % 2}", "score": float(score)}
        for arm in ("plain", "tuned")
        for seed in range(4)
        for q in range(5)
        for score, judge in enumerate(("ada", "bob", "cyd"))
    ]
    file = study.paths.root / "long.parquet"
    pq.write_table(pa.Table.from_pylist(rows), file)
    refusal = study.run("import", str(file), ok=2)
    assert "120 of 120 rows" in refusal
    assert 'only = { "judge" = ["ada"] }' in refusal
    rows[:60] = [row for row in rows[:60] if row["judge"] == "ada"]
    pq.write_table(pa.Table.from_pylist(rows), file)
    refusal = study.run("import", str(file), ok=2)
    assert "60 of 80 rows" in refusal
    assert 'only = { "judge" = ["ada"] }' in refusal
    assert "--judge" in refusal
    assert not list((study.paths.runs / "sealed").glob("*"))
    study.write_plan(plan.replace("constants = {", 'only      = { judge = ["bob"] }\nconstants = {'))
    study.run("amend", "--reason", "design-change", "--note", "one judge")
    assert "sealed" in study.run("import", str(file))


def analysed(study: StudyFixture, rows: str, plan: str = SCORED) -> dict[str, Any]:
    study.write_plan(plan)
    study.run("lock")
    study.run("import", str(study.bring_data(rows)))
    study.run("analyze")
    return results_of(study)


def arm(results: dict[str, Any], name: str) -> dict[str, Any]:
    return next(entry for entry in results["accounting"]["by_arm"] if entry["arm"] == name)


def test_absent_empty_undecodable_and_refused_scores_are_one_kind_and_one_verdict(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Half of one arm's 40 scores are gone in five ways: each time 20 are missing, bounded, and decide nothing."""
    whole = scores()
    absent = "".join(
        line
        for line in whole.splitlines(keepends=True)
        if not (line.startswith("tuned") and int(line.split(",")[2].removeprefix("q") or 0) % 2)
    )
    found = {}
    for name, rows, plan in (
        ("absent", absent, SCORED),
        ("empty", scores(""), SCORED),
        ("word", scores("REFUSAL"), SCORED),
        (
            "mapped",
            scores("REFUSAL"),
            SCORED.replace("[measures", 'missing_labels = { REFUSAL = "refusal" }\n\n[measures'),
        ),
        ("NaN", scores("NaN"), SCORED),
    ):
        fixture = StudyFixture(StudyPaths(root=tmp_path_factory.mktemp(name), name="spread"))
        found[name] = analysed(fixture, rows, plan)
    reasons = {name: arm(results, "tuned")["reasons"] for name, results in found.items()}
    assert reasons == {
        "absent": {"no row": 20},
        "empty": {"no answer in the source": 20},
        "word": {"not a number: REFUSAL": 20},
        "mapped": {"refusal": 20},
        "NaN": {"not a number: NaN": 20},
    }
    for results in found.values():
        tuned, plain, h = arm(results, "tuned"), arm(results, "plain"), results["hypotheses"][0]
        assert (tuned["owed"], tuned["scored"], tuned["missing"], plain["missing"]) == (40, 20, 20, 0)
        # By hand: tuned 6.15 over seeds, plain 2.15; the missing half at 0 or 10 leaves 3.075 or 8.075.
        assert h["estimate"] == pytest.approx(4.0)
        assert [bound["estimate"] for bound in h["bounds"]] == pytest.approx([3.075 - 2.15, 8.075 - 2.15])
        assert h["verdict"] == ["alike", "higher"]
        assert h["is_bounded"] is True
        assert h["answers"][1] == {
            "level": "tuned",
            "owed": 40,
            "scored": 20,
            "missing": 20,
            "reasons": tuned["reasons"],
        }


WITHOUT_A_RUN = "".join(line for line in scores().splitlines(keepends=True) if not line.startswith("tuned,3"))


def test_a_run_that_never_came_is_owed_and_bounded(study: StudyFixture) -> None:
    results = analysed(study, WITHOUT_A_RUN, SCORED + '\n[missing]\nruns = "analyse and bound"\n')
    assert arm(results, "tuned") | {"missing": 10} == arm(results, "tuned")
    assert arm(results, "tuned")["reasons"] == {"no row of the run": 10}
    bounds = [bound["estimate"] for bound in results["hypotheses"][0]["bounds"]]
    # By hand: seeds 0 to 2 have 6.0, 6.1, 6.2 and the lost one 0 or 10.
    assert bounds == pytest.approx([(18.3 + 0) / 4 - 2.15, (18.3 + 10) / 4 - 2.15])
    assert results["hypotheses"][0]["decision"].startswith("inconclusive")


def test_a_run_that_never_came_may_be_disclosed_and_lowers_the_confidence(study: StudyFixture) -> None:
    results = analysed(study, WITHOUT_A_RUN, SCORED + '\n[missing]\nruns = "analyse and disclose"\n')
    assert arm(results, "tuned")["reasons"] == {"no row of the run": 10}
    h = results["hypotheses"][0]
    assert h["bounds"] == []
    assert h["decision"] == "higher"
    assert h["answers"][1]["missing"] == 10
    assert "runs-missing" in {limit["code"] for limit in results["answer"]["limits"]}


def test_one_lost_pair_leaves_the_others_and_bounds(study: StudyFixture) -> None:
    plan = SCORED.replace("seeds  = [0, 1, 2, 3]", "seeds  = [0]").replace(
        'seeds = "new"\nitems = "these"', 'seeds = "these"\nitems = "new"'
    )
    plan = plan.replace('test      = "pooled_t"', 'unit = "item"\ntest      = "paired_t"')
    values: dict[str, list[int | None]] = {"plain": [1, 2, 3, 2, 1, 2], "tuned": [4, 6, 5, None, 5, 4]}
    rows = "arm,seed,q,score\n" + "".join(
        f"{name},0,q{i},{'' if value is None else value}\n"
        for name, own in values.items()
        for i, value in enumerate(own)
    )
    results = analysed(study, rows, plan)
    h = results["hypotheses"][0]
    pairs = [t - p for t, p in zip(values["tuned"], values["plain"], strict=True) if t is not None and p is not None]
    whole = scipy.stats.ttest_1samp(pairs, 0.0).confidence_interval(0.95)
    assert (h["n_units"], h["pairs_lost"]) == (5, ["q3"])
    assert h["estimate"] == pytest.approx(sum(pairs) / 5)
    assert h["ci"] == pytest.approx([whole.low, whole.high])
    assert [bound["estimate"] for bound in h["bounds"]] == pytest.approx([(sum(pairs) - 2) / 6, (sum(pairs) + 8) / 6])


def test_counts_short_of_the_planned_draws_are_missing(study: StudyFixture) -> None:
    plan = (
        SCORED.replace('item = "q", value = "score"', 'item = "q", k = "k", n = "n"')
        .replace('draw = "0"', 'measure = "points"')
        .replace('kind = "numeric"\nlow  = 0\nhigh = 10\nunit = "points"', 'kind = "marker_rate"\nmarker = "x"')
        .replace('-1.0, "alike", 1.0', '-0.1, "alike", 0.1')
        .replace("[measures", "[decoding]\ntemperature = 1.0\nmax_new_tokens = 8\ndraws = 10\n\n[measures")
    )
    rows = "arm,seed,q,k,n\n" + "".join(
        f"{name},{seed},q{q},{k + seed % 2},{n}\n"
        for name, k, n in (("plain", 1, 10), ("tuned", 4, 6))
        for seed in range(4)
        for q in range(5)
        if (name, seed, q) != ("plain", 0, 4)
    )
    results = analysed(study, rows, plan)
    assert arm(results, "tuned")["reasons"] == {"fewer answers than planned": 80}
    assert arm(results, "plain")["reasons"] == {"no row": 10}
    assert [arm(results, name)["owed"] for name in ("plain", "tuned")] == [200, 200]


def test_refused_rows_are_missing_with_why_they_were_refused(study: StudyFixture) -> None:
    lines = scores().splitlines(keepends=True)
    twice = [line.replace(",6.", ",7.") for line in lines if line.startswith("tuned,0,q1,")]
    results = analysed(study, "".join([*lines, *twice]))
    why = "quarantined: contradicts another row of the same run, item and draw"
    assert arm(results, "tuned")["reasons"] == {why: 1}
    assert arm(results, "tuned")["owed"] == 40
    page = (study.paths.report / "report.html").read_text("utf-8")
    assert "Answers missing" in page.split('id="found"')[0]
    assert "Answers missing" in study.run("show")


def test_refused_rows_that_name_no_item_are_missing_of_their_run_and_those_without_a_run_may_be_any(
    study: StudyFixture,
) -> None:
    rows = scores().replace("\ntuned,0,q1,", "\ntuned,0,,").replace("\nplain,2,q3,", "\nplian,2,q3,")
    results = analysed(study, rows)
    (why,) = arm(results, "tuned")["reasons"]
    assert why.startswith("quarantined: ")
    assert arm(results, "tuned")["reasons"] == {why: 1}
    assert arm(results, "plain")["reasons"] == {"no row, or quarantined without its run": 1}


def test_each_arm_may_be_asked_items_of_its_own_where_the_plan_says_so(study: StudyFixture) -> None:
    rows = scores().replace("tuned,0,q", "tuned,0,r").replace("tuned,1,q", "tuned,1,r")
    rows = rows.replace("tuned,2,q", "tuned,2,r").replace("tuned,3,q", "tuned,3,r")
    results = analysed(study, rows, SCORED.replace("[measures", 'items_by  = ["arm"]\n\n[measures'))
    assert [entry["missing"] for entry in results["accounting"]["by_arm"]] == [0, 0]
    assert "any run of the same arm" in results["accounting"]["owed_basis"][0]


def test_a_misspelt_arm_seals_nothing_while_its_runs_are_absent(study: StudyFixture) -> None:
    file = study.bring_data(completions().replace("\ncoupled,", "\ncouplde,"))
    said = study.run("check", str(file), ok=2)
    study.run("lock")
    assert "'couplde', in 64 rows; did you mean 'coupled'?" in study.run("import", str(file), ok=2)
    assert "4 planned runs without a row" in said
    assert "completions.csv, row " in said
    assert not list((study.paths.runs / "sealed").glob("*"))
    assert "data.sealed" not in study.paths.ledger.read_text()


def test_a_misspelt_arm_is_quarantined_where_absent_runs_are_bounded_or_none_is_absent(study: StudyFixture) -> None:
    rows = completions().replace("\ncoupled,3,", "\ncouplde,3,")
    study.write_plan(PLAN + '\n[missing]\nruns = "analyse and bound"\n')
    assert "No fault found" in study.run("check", str(study.bring_data(rows)))
    study.write_plan(PLAN)
    assert "No fault found" in study.run("check", str(study.bring_data(f"{completions()}other,0,q1,0,a note\n")))


def test_check_finds_no_fault_only_where_import_and_analyze_would_run(study: StudyFixture) -> None:
    kept = [line for line in completions().splitlines(keepends=True) if not line.startswith("coupled,3,")]
    said = study.run("check", str(study.bring_data("".join(kept))), ok=6)
    assert "No fault found" not in said
    assert "1 planned run without a row" in said
    assert 'missing.runs = "analyse and bound"' in said


def test_check_rehearses_an_import_and_keeps_nothing(study: StudyFixture) -> None:
    study.write_plan(SCORED)
    rows = "".join(line for line in scores("REFUSAL").splitlines(keepends=True) if not line.startswith("plain,2,q3"))
    file = study.bring_data(rows)
    said = study.run("check", str(file))
    assert "arm       plain: 39 answers, 39 rows of 40 owed, 4 runs" in said
    assert "arm       tuned: 20 answers, 40 rows of 40 owed, 4 runs" in said
    assert "columns   arm = arm, seed = seed, item = q, value = score" in said
    assert not study.paths.runs.exists()
    study.run("lock")
    told = json.loads(study.run("import", str(file), "--dry-run", "--json"))
    assert [run["answers"] for run in told["coverage"]["runs"]] == [10, 10, 9, 10, 5, 5, 5, 5]
    assert told["kept"] is False
    assert not (study.paths.runs / "sealed").exists()


@pytest.mark.parametrize(
    ("change", "where", "guess"),
    [
        (('measure   = "points"', 'measure   = "points"\nwhere     = { q = ["q1", "q2", "w3"] }'), "H1.where", "q3"),
        (('cells = [["arm"]]', 'cells = [["arm"]]\ncluster = "quest"'), "report.cluster", "promised"),
        (("constants =", 'only      = { arm = ["plain", "tuned", "tunes"] }\nconstants ='), "import.only.arm", "tuned"),
    ],
)
def test_a_name_that_no_row_meets_is_refused_before_anything_is_sealed(
    change: tuple[str, str], where: str, guess: str, study: StudyFixture
) -> None:
    study.write_plan(SCORED.replace(*change))
    file = study.bring_data(scores())
    refusal = study.run("check", str(file), ok=2)
    assert where in refusal
    assert guess in refusal
    study.run("lock")
    assert where in study.run("import", str(file), ok=2)
    assert not (study.paths.runs / "sealed").exists()


def test_ties_stand_apart_with_the_rate_without_them() -> None:
    """By hand: of 10 answers 3 are positive, 5 are negative and 2 say neither: 30%, and 3 of 8 without the ties."""
    labels = ["yes"] * 3 + ["no"] * 5 + ["tie"] * 2
    n = len(labels)
    rows = pa.table(
        {
            "request_id": [f"{i:064x}" for i in range(n)],
            "run_id": ["r"] * n,
            "item_id": [f"q{i}" for i in range(n)],
            "draw": [0] * n,
            "text": pa.nulls(n, pa.string()),
            "label": labels,
            "value": pa.nulls(n, pa.float64()),
            "status": ["ok"] * n,
            "reason": pa.nulls(n, pa.string()),
        }
    )
    settings: dict[str, Any] = {"positive": ["yes"], "negative": ["no"], "neither": ["tie"]}
    ties = count_ties([rows.slice(0, 4), rows.slice(4)], [named_measure("old", "label_rate", settings)])
    assert ties == {("old", "r"): Ties(n=2, ones=0)}
    settings = {"old": ["yes"], "modern": ["no"], "between": ["tie"], "borderline": "old"}
    assert count_ties([rows], [named_measure("old", "era", settings)]) == {("old", "r"): Ties(n=2, ones=2)}


def test_answers_beyond_the_planned_draws_are_refused_and_the_first_ones_kept(study: StudyFixture) -> None:
    """The plan draws 2 answers a question; the file has a third one of two runs."""
    study.run("lock")
    more = "plain,0,q0,2,a third answer of this run\ncoupled,1,q3,7,a third answer of that run\n"
    said = study.run("import", str(study.bring_data(completions() + more)))
    assert "2  one answer more than the plan draws" in said
    assert "accepted  128" in said


def test_a_label_that_is_spelled_another_way_in_the_rows_is_refused(study: StudyFixture) -> None:
    plan = SCORED.replace('value = "score"', 'label = "score"').replace(
        'kind = "numeric"\nlow  = 0\nhigh = 10\nunit = "points"',
        'kind = "label_rate"\npositive = ["Yes"]\nnegative = ["no"]\nunknown = "missing"',
    )
    study.write_plan(plan.replace('-1.0, "alike", 1.0', '-0.1, "alike", 0.1'))
    rows = "arm,seed,q,score\n" + "".join(
        f"{name},{seed},q{q},{'yes' if (name == 'tuned') == bool(q) else 'no'}\n"
        for name in ("plain", "tuned")
        for seed in range(4)
        for q in range(3)
    )
    refusal = study.run("check", str(study.bring_data(rows)), ok=2)
    assert "measures.points.positive" in refusal
    assert "'Yes', which no row has, while rows have 'yes'" in refusal


JUDGED = (
    SCORED.replace('value = "score"', 'text = "score"')
    .replace(
        'kind = "numeric"\nlow  = 0\nhigh = 10\nunit = "points"',
        'kind = "label_rate"\njudge = "ada"\npositive = ["yes"]\nnegative = ["no"]\nneither = ["tie"]',
    )
    .replace('-1.0, "alike", 1.0', '-0.1, "alike", 0.1')
    + '\n[judgements.ada]\nformat = "csv"\nconstants = { model = "tiny", draw = "0" }\n'
    + 'columns = { arm = "arm", seed = "seed", item = "q", label = "said" }\n'
)


def test_an_answer_that_its_judge_never_saw_is_missing_and_ties_stand_apart(study: StudyFixture) -> None:
    """Of 40 tuned answers 4 are not judged, 8 are ties and 12 of the other 28 are positive."""
    study.write_plan(JUDGED)
    study.run("lock")
    study.run("import", str(study.bring_data(scores())))
    verdicts = ["yes", "no", "tie", "yes", "no", "yes", "no", "yes", "no", "tie"]
    rows = "arm,seed,q,said\n" + "".join(
        f"{name},{seed},q{q},{verdicts[q] if name == 'tuned' else 'no'}\n"
        for name in ("plain", "tuned")
        for seed in range(4)
        for q in range(10)
        if (name, q) != ("tuned", 0)
    )
    file = study.paths.root / "ada.csv"
    file.write_text(rows, "utf-8")
    said = study.run("import", str(file), "--judge", "ada", "--dry-run")
    assert "76 of 80 answers have a verdict, 4 have none" in said
    assert not list((study.paths.runs / "sealed").glob("judgements*"))
    study.run("import", str(file), "--judge", "ada")
    study.run("analyze")
    tuned = arm(results_of(study), "tuned")
    assert (tuned["owed"], tuned["reasons"]) == (40, {"not judged": 4})
    assert (tuned["ties"], tuned["share_of_scored"], tuned["share_without_ties"]) == (8, 12 / 36, 12 / 28)
    page = (study.paths.report / "report.html").read_text("utf-8")
    assert "share without ties" in page


def test_missing_answers_that_no_end_of_a_scale_bounds_are_said_and_limit_the_answer(study: StudyFixture) -> None:
    plan = SCORED.replace("low  = 0\nhigh = 10\n", "")
    results = analysed(study, scores("REFUSAL"), plan)
    h = results["hypotheses"][0]
    assert (h["is_bounded"], h["bounds"], h["verdict"]) == (False, [], ["higher"])
    assert "missing-unbounded: the measure declares no range for bounds" in h["reasons"]
    limit = next(limit for limit in results["answer"]["limits"] if limit["code"] == "missing-unbounded")
    assert (limit["value"], limit["hypotheses"]) == (20, ["H1"])
