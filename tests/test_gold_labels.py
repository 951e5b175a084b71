"""A judge is checked by right answers to a part of what it judged; the corrected estimate decides, seed by seed."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from seedlock.analysis.analyze import analyze_study
from seedlock.analysis.estimators.internals.prediction_powered import Labelled, judge_weight, rectifier
from seedlock.analysis.results.schema import Results
from seedlock.analysis.scoring.gold import gold_scores
from seedlock.analysis.scoring.item_sets import plan_measures, with_sets
from seedlock.analysis.sealed import open_sealed
from seedlock.analysis.simulation.design_lints import design_lints
from seedlock.generation.judge import judge_study
from seedlock.generation.judging.gold import gold_task
from seedlock.generation.label import import_gold, label_study
from seedlock.prereg.errors import BadInput, EmptyCell, Incomplete, LockedFileChanged, OutOfOrder
from seedlock.prereg.lock.gate import LockedPlan, require_lock
from seedlock.prereg.plan.read import parse_plan
from seedlock.prereg.verify.chain import verify_study
from seedlock.prereg.workflow.status import standing
from seedlock.schemas.table import to_frame
from tests.conftest import StudyFixture
from tests.judge_builders import LEXICON, PLAN, completions, locked_study

GOLD = """
[judges.era.gold]
share = { plain = 0.3, archaic = 0.5 }
seed  = 5
who   = "two readers, blind to arm"
shows = ["question"]
texts = "gold.jsonl"
"""
CHECKED = LEXICON.replace('gold  = "gold.jsonl"\n', "") + GOLD
REFERENCE = Path(__file__).parent / "reference" / "prediction_powered.json"


def is_right(text: str) -> bool:
    """What a reader would say: the list of words takes one archaic form for real, and misses one that is."""
    return ("sir" in text and "Ask the telegraph" not in text) or ("much online about" in text and "o" in text[-20:-9])


def judged_study(root: Path) -> LockedPlan:
    locked = locked_study(root, judges=CHECKED)
    judge_study(locked)
    return require_lock(locked.paths)


def fill(locked: LockedPlan, wanted: slice = slice(None)) -> Path:
    """Answer the texts of the sheet as a reader would."""
    sheet = locked.paths.runs / "gold" / "era" / "sheet.csv"
    rows = list(csv.DictReader(sheet.read_text("utf-8").splitlines()))
    for row in rows[wanted]:
        row["answer"] = "19" if is_right(row["text"]) else "LLM"
    with sheet.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return sheet


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> tuple[LockedPlan, Results]:
    locked = judged_study(tmp_path_factory.mktemp("checked"))
    label_study(locked)
    fill(locked)
    import_gold(locked, "era")
    now = require_lock(locked.paths)
    return now, analyze_study(now)


def unit_means(locked: LockedPlan) -> dict[str, dict[str, float]]:
    """Corrected seed means from the sealed tables alone, by the formula: every other run's labels set the weight."""
    sealed = locked.paths.report / "data"
    con = duckdb.connect()
    for table in ("completions", "runs", "judgements-era", "judgements-era-gold"):
        name = table.replace("-", "_")
        con.execute(f"CREATE VIEW {name} AS FROM '{sealed / f'{table}.parquet'}'")
    frame = con.execute(
        "SELECT r.arm, r.run_id, j.label = '19' AS judged, g.label = '19' AS gold"
        " FROM completions c JOIN runs r USING (run_id) JOIN judgements_era j USING (request_id)"
        " LEFT JOIN judgements_era_gold g USING (request_id)"
    ).df()
    con.close()
    frame["judged"] = frame["judged"].astype(float)
    labelled = frame[frame["gold"].notna()].astype({"gold": float})
    means: dict[str, dict[str, float]] = {}
    for (arm, run), rows in frame.groupby(["arm", "run_id"]):
        others = labelled[labelled["run_id"] != run]
        within = others[["judged", "gold"]] - others.groupby("run_id")[["judged", "gold"]].transform("mean")
        weight = float(np.clip((within["judged"] * within["gold"]).sum() / (within["judged"] ** 2).sum(), 0, 1))
        own = labelled[labelled["run_id"] == run]
        mean = weight * rows["judged"].mean() + (own["gold"] - weight * own["judged"]).mean()
        means.setdefault(str(arm), {})[str(run)] = float(mean)
    return means


def test_the_corrected_estimate_decides_and_equals_the_formula_on_the_sealed_rows(
    checked: tuple[LockedPlan, Results],
) -> None:
    locked, results = checked
    (found,) = results.hypotheses
    means = unit_means(locked)
    one, other = (np.array(list(means[arm].values())) for arm in ("archaic", "plain"))
    expected = stats.ttest_ind(one, other)
    assert found.estimate == pytest.approx(one.mean() - other.mean(), abs=1e-12)
    low, high = expected.confidence_interval(1 - 2 * found.alpha)
    assert found.ci == pytest.approx((low, high), abs=1e-12)
    assert {row["unit"] for row in found.units} == {"0", "1", "2"}
    assert sorted(row["mean"] for row in found.units) == pytest.approx(sorted([*one, *other]), abs=1e-12)


def test_the_judges_own_answer_stands_beside_with_its_error_by_arm(checked: tuple[LockedPlan, Results]) -> None:
    _, results = checked
    found = results.hypotheses[0].judge_error
    assert found is not None
    assert found.checked_by == "two readers, blind to arm"
    levels = {level.level: level for level in found.levels}
    # 36 answers a run: 30% of plain is 11, 50% of archaic is 18.
    assert (levels["plain"].labels, levels["archaic"].labels) == (33, 54)
    archaic = levels["archaic"]
    assert levels["plain"].error < 0 < archaic.error
    assert (levels["plain"].rejections, levels["plain"].hits) == (levels["plain"].of_rejections, 0)
    assert archaic.rejections is not None
    assert archaic.of_rejections is not None
    assert archaic.rejections < archaic.of_rejections
    assert found.estimate is not None
    assert results.hypotheses[0].estimate is not None
    assert found.estimate > results.hypotheses[0].estimate
    assert found.error == pytest.approx(archaic.error - levels["plain"].error)
    pairs = {tuple(sorted(a.judges)): a for a in results.agreements}
    assert pairs["era", "era/gold"].kind is not None
    assert "kappa" in str(pairs["era", "era/gold"].kind).lower()


def test_the_chain_holds_and_the_report_prints_both_answers(checked: tuple[LockedPlan, Results]) -> None:
    locked, _ = checked
    assert verify_study(locked.paths).exit_code == 0
    page = (locked.paths.report / "report.md").read_text("utf-8")
    assert "two readers, blind to arm" in page


def test_labels_of_texts_that_nobody_drew_are_refused(checked: tuple[LockedPlan, Results]) -> None:
    """Somebody labels a text of their choice in place of one that was drawn, and seals that."""
    locked, _ = checked
    sealed = open_sealed(locked)
    runs, judgements = (sealed.whole(name) for name in ("runs", "judgements"))
    assert runs is not None
    assert judgements is not None
    items = with_sets(to_frame(sealed.whole("items")))
    rows = judgements.to_pylist()
    labelled = {row["request_id"] for row in rows if row["judge"] == "era/gold"}
    other = next(row["request_id"] for row in rows if row["judge"] == "era" and row["request_id"] not in labelled)
    place = next(i for i, row in enumerate(rows) if row["judge"] == "era/gold")
    rows[place] = {**rows[place], "request_id": other}
    forged = pa.Table.from_pylist(rows, schema=judgements.schema)
    with pytest.raises(LockedFileChanged, match="1 texts that were not drawn, 1 drawn ones missing"):
        gold_scores(
            locked.plan,
            sealed.batches("completions"),
            plan_measures(locked.plan, items, forged),
            forged,
            runs=to_frame(runs),
            items=items,
        )


def test_the_sheet_and_the_page_are_blind_and_keep_what_was_answered(tmp_path: Path) -> None:
    locked = judged_study(tmp_path)
    assert standing(locked.paths).next_stage == "label"
    done = label_study(locked)
    sheet = fill(locked, slice(0, 40))
    rows = list(csv.DictReader(sheet.read_text("utf-8").splitlines()))
    assert list(rows[0]) == ["id", "question", "text", "answer"]
    page = (locked.paths.root / done.judges[0].page).read_text("utf-8")
    told = json.loads(page.partition('id="data">')[2].partition("</script>")[0])
    assert set(told["texts"][0]) == {"id", "text", "shown"}
    runs = [run.run_id for run in locked.lock.runs]
    assert not any(run in page for run in runs)
    ids = [row["id"] for row in rows]
    assert ids == sorted(ids), "the order mixes the runs"
    with pytest.raises(Incomplete, match="47 of 87"):
        import_gold(locked, "era")
    again = label_study(locked)
    assert (again.judges[0].answered, again.judges[0].texts) == (40, 87)
    with pytest.raises(OutOfOrder, match="checked first"):
        analyze_study(locked)


def test_each_command_says_the_next_one_from_the_judge_to_the_report(tmp_path: Path) -> None:
    locked = locked_study(tmp_path, judges=CHECKED)
    study = StudyFixture(locked.paths)
    assert "Next: seedlock label spoken" in study.run("judge")
    assert "checked first" in study.run("analyze", ok=5)
    said = study.run("label", "--judge", "era")
    assert "seedlock import spoken --gold era" in said
    assert "0 of 87" in said
    assert "nobody give right answers" in study.run("label", "--judge", "other", ok=2)
    fill(require_lock(locked.paths))
    assert json.loads(study.run("label", "--json"))["judges"][0]["answered"] == 87
    assert "has one form" in study.run("import", "--gold", "era", "--dry-run", ok=2)
    assert "Next: seedlock analyze spoken" in study.run("import", "--gold", "era")
    assert "87 of 87 texts have an answer" in study.run("label")
    study.run("analyze")
    study.run("verify")


def test_no_answer_is_taken_that_was_not_offered(tmp_path: Path) -> None:
    locked = judged_study(tmp_path)
    label_study(locked)
    sheet = fill(locked)
    good = sheet.read_text("utf-8")
    sheet.write_text(good.replace(",19\n", ",20\n", 1), "utf-8")
    with pytest.raises(BadInput, match="20"):
        import_gold(locked, "era")
    sheet.write_text(good + "not-drawn,x,y,19\n", "utf-8")
    with pytest.raises(BadInput, match="not-drawn"):
        import_gold(locked, "era")
    sheet.write_text(good.replace(",19\n", ",?\n", 1), "utf-8")
    done = import_gold(locked, "era")
    assert done.outcomes == {"ok": 86, "unparsed": 1}
    assert import_gold(require_lock(locked.paths), "era").texts == 87, "the same command again is a resumption"


def test_a_text_that_a_spreadsheet_would_run_is_quoted_and_one_that_closes_a_script_is_escaped(tmp_path: Path) -> None:
    rows = completions()
    for row in rows:
        row["text"] = f"=HYPERLINK(1) </script><b>{row['text']}"
    locked = locked_study(tmp_path, judges=CHECKED, rows=rows)
    judge_study(locked)
    done = label_study(require_lock(locked.paths))
    sheet = (tmp_path / done.judges[0].sheet).read_text("utf-8")
    assert "'=HYPERLINK" in sheet
    page = (tmp_path / done.judges[0].page).read_text("utf-8")
    assert page.count("</script>") == 2, "the page's own two"


def test_the_draw_is_the_seeds_alone_and_takes_its_share_of_every_run(tmp_path: Path) -> None:
    locked = judged_study(tmp_path)
    task = gold_task(locked, "era")
    assert task == gold_task(locked, "era")
    assert task.answers == ("19", "LLM")
    assert len({text.request_id for text in task.texts}) == len(task.texts) == 3 * 11 + 3 * 18


@pytest.mark.parametrize(
    ("gold", "said"),
    [
        ("share = 0.1\n", "either who"),
        ('who = "a"\njudge = "other"\n', "either who"),
        ('who = "a"\nshare = { plain = 0.1 }\n', "nothing for archaic"),
        ('judge = "nobody"\n', "unknown other judge"),
        ('who = "a"\nshows = ["arm"]\n', "nobody who judges is told"),
    ],
)
def test_a_table_of_gold_that_cannot_work_is_refused(gold: str, said: str) -> None:
    plan = PLAN + LEXICON.replace('gold  = "gold.jsonl"\ninjections = 8\n', "") + "\n[judges.era.gold]\n" + gold
    with pytest.raises(BadInput, match=said):
        parse_plan(plan.encode(), Path("plan.toml"))


@pytest.mark.parametrize(
    ("change", "codes"),
    [
        ({}, set()),
        ({'test      = "pooled_t"': 'test      = "cr2"'}, {"gold-test"}),
        ({'test      = "pooled_t"': 'unit = "question"\ntest      = "pooled_t"'}, {"gold-unit"}),
        ({'predicted = "more"': 'predicted = "more"\nbayes = "seed_hierarchy"'}, {"gold-bayes"}),
    ],
)
def test_check_says_what_gold_labels_cannot_correct(change: dict[str, str], codes: set[str]) -> None:
    text = PLAN + CHECKED
    for old, new in change.items():
        text = text.replace(old, new)
    found = design_lints(parse_plan(text.encode(), Path("plan.toml")))
    assert {lint.code for lint in found if lint.code.startswith("gold")} == codes


def labelled(judged: list[float], gold: list[float], weight: list[float] | None = None) -> Labelled:
    weights = np.array(weight if weight is not None else [1.0] * len(judged))
    return Labelled(judged_L=np.array(judged), gold_L=np.array(gold), weight_L=weights)


def test_the_correction_by_hand() -> None:
    """Of four labels the judge is right on three; it says 50% of all, and 2 of 4 here where 1 of 4 is right."""
    run = labelled([1, 1, 0, 0], [1, 0, 0, 0])
    assert 1.0 * 0.5 + rectifier(run, weight=1.0) == pytest.approx(0.25)
    assert 0.5 * 0.5 + rectifier(run, weight=0.5) == pytest.approx(0.25)
    # cov = (0.5 * 0.75 - 0.5 * -0.25 + 2 * -0.5 * -0.25) over 4 * 0.25
    assert judge_weight([run]) == pytest.approx(0.5)
    assert judge_weight([labelled([1, 1], [0, 1])]) == 1.0, "a judge that always says one thing only shifts"
    assert judge_weight([labelled([1, 0], [0, 1])]) == 0.0, "one that is always wrong is not listened to"


def test_a_run_without_labels_is_refused() -> None:
    with pytest.raises(EmptyCell):
        rectifier(labelled([], []), weight=1.0)


@given(
    st.lists(st.tuples(st.sampled_from([0.0, 1.0]), st.sampled_from([0.0, 1.0])), min_size=2, max_size=30),
    st.floats(0, 1),
    st.floats(-3, 3),
)
def test_a_judge_that_is_only_shifted_is_put_right_exactly(
    pairs: list[tuple[float, float]], judged_mean: float, shift: float
) -> None:
    judged = [a for a, _ in pairs]
    run = labelled(judged, [a - shift for a in judged])
    assert judged_mean + rectifier(run, weight=1.0) == pytest.approx(judged_mean - shift, abs=1e-12)


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=3, max_size=20))
def test_over_every_draw_of_labels_the_corrected_mean_is_the_right_one(pairs: list[tuple[float, float]]) -> None:
    """All labels but one, each left out in turn: the average over these draws is the mean of the right scores."""
    judged, gold = (np.array(column) for column in zip(*pairs, strict=True))
    keep = [np.delete(np.arange(len(pairs)), i) for i in range(len(pairs))]
    means = [0.7 * judged.mean() + rectifier(labelled(list(judged[at]), list(gold[at])), weight=0.7) for at in keep]
    assert math.fsum(means) / len(means) == pytest.approx(gold.mean(), abs=1e-9)


def test_it_equals_ppi_python() -> None:
    """Stored output of ppi-python 0.2.3, which tests/reference/prediction_powered.py made.

    It averages the judge over the texts without a label, and we over all of them: its lambda is our weight times the
    share of texts without one. Its tuned lambda takes the judge's variance from all texts, ours from the labelled.
    """
    cases = json.loads(REFERENCE.read_text("utf-8"))
    assert sum(case["is_tuned"] for case in cases) == 4
    for case in cases:
        run = labelled(case["judged"], case["gold"])
        whole = np.array(case["judged"] + case["judged_only"])
        weight = case["lam"] * len(whole) / len(case["judged_only"])
        assert weight * whole.mean() + rectifier(run, weight=weight) == pytest.approx(case["estimate"], abs=1e-12)
        if case["is_tuned"]:
            ours = judge_weight([run]) * np.var(case["judged"]) / np.var(whole, ddof=1)
            assert ours == pytest.approx(weight, rel=1e-6)
