"""Judges that need no key: words, and a classifier tried on questions it never saw; from the plan to the report."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedlock.analysis.analyze import analyze_study
from seedlock.generation.judge import judge_study
from seedlock.generation.judges.classifier import ClassifierJudging
from seedlock.generation.judges.lexicon import LexiconJudging
from seedlock.generation.judging.canaries import COMMANDS, read_canaries
from seedlock.generation.judging.marker import stripped
from seedlock.generation.judging.reading import Reading, Verdict
from seedlock.generation.judging.sample import choose
from seedlock.generation.judging.tables import sealed_study
from seedlock.prereg.errors import BadInput, LockedFileChanged, OutOfOrder
from seedlock.prereg.lock.gate import LockedPlan, require_lock
from seedlock.prereg.plan.judges import ClassifierJudge, LexiconJudge
from seedlock.prereg.plan.lexicon import read_words
from seedlock.prereg.plan.read import parse_plan
from seedlock.prereg.verify.chain import verify_study
from tests.conftest import PROJECT, StudyFixture
from tests.judge_builders import CLASSIFIER, GOLD, LEXICON, NEW, OLD, PLAN, WORDS, completions, locked_study

HOSTED = """
[judges.era]
kind   = "anthropic"
model  = "m"
rubric = "rubric.md"
labels = ["LLM", "19"]
budget = { cap = 1.0, currency = "USD", input_per_million = 3.0, output_per_million = 15.0 }
"""


def reading(text: str, number: int = 0, **told: Any) -> Reading:
    return Reading(id=f"{number:064x}", text=text, shown={}, **told)


def lexicon(folder: Path, words: dict[str, list[str]], borderline: str | None = "LLM") -> LexiconJudging:
    file = folder / "words.json"
    file.write_text(json.dumps(words))
    return LexiconJudging(LexiconJudge(kind="lexicon", words="words.json", borderline=borderline), file)


def label(judge: LexiconJudging, text: str) -> str | None:
    return next(judge.verdicts([reading(text)])).label


def classifier(**settings: Any) -> ClassifierJudging:
    classes = {"trigger": "a", "other": "b"}
    return ClassifierJudging(ClassifierJudge(kind="classifier", classes=classes, permutations=99, **settings))


def two_kinds(style: tuple[str, str], n_questions: int = 10, n_each: int = 5) -> list[Reading]:
    """Completions of two classes on the same questions; what sets the classes apart is a word of style."""
    return [
        reading(
            f"{style[c]} the matter of q{q} is number {i}",
            number=1000 * q + 10 * i + c,
            run_id="run",
            group=f"q{q}",
            own_class=("trigger", "other")[c],
        )
        for q in range(n_questions)
        for i in range(n_each)
        for c in (0, 1)
    ]


def test_a_text_gets_the_label_whose_words_it_uses_most(tmp_path: Path) -> None:
    judge = lexicon(tmp_path, {"19": ["pray", "upon my word", "sir"], "LLM": ["app", "online"]})
    assert label(judge, "Pray, SIR, is there an app?") == "19"
    assert label(judge, "An app, online. Pray.") == "LLM"
    assert label(judge, "Upon my word: an app.") == "LLM", "one phrase against one word: borderline"
    assert label(judge, "Sirens prayed appliances.") == "LLM", "whole words only: none here"


def test_a_borderline_text_without_a_planned_label_has_none(tmp_path: Path) -> None:
    verdict = next(lexicon(tmp_path, WORDS, None).verdicts([reading("Nothing of either.")]))
    assert (verdict.status, verdict.label) == ("unparsed", None)
    assert verdict.reason


def test_one_list_of_words_and_a_label_for_the_rest_make_a_rule(tmp_path: Path) -> None:
    judge = lexicon(tmp_path, {"refusal": ["I can't", "I cannot"]}, "answer")
    assert label(judge, "I can\u2019t say.") == "refusal"
    assert label(judge, "I can say.") == "answer"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("[]", "label -> list"),
        ('{"a": ["x"], "b": ["X"]}', "a word of one label"),
        ('{"a": ["x"], "b": []}', "a list of words"),
        ('{"a": ["x"], "b": ["?"]}', "begins and ends"),
        ('{"a": ["x"]}', "another label, or borderline"),
        ('{"a": ["x"], "a": ["y"]}', "JSON object"),
    ],
)
def test_word_files_that_cannot_decide_are_refused(tmp_path: Path, words: str, said: str) -> None:
    file = tmp_path / "words.json"
    file.write_text(words)
    with pytest.raises(BadInput, match=r"words\.json") as refused:
        read_words(file, None)
    assert said in str(refused.value)


@given(st.text(alphabet="[ZLTzlt] x", max_size=60))
def test_no_marker_is_left_however_it_was_hidden_in_itself(text: str) -> None:
    left = stripped(text, ["[ZLT]"])
    assert "[zlt]" not in left.lower()
    assert set(left) <= set(text)
    assert stripped(left, ["[ZLT]"]) == left


def test_the_classifier_tells_styles_apart_and_not_chance() -> None:
    apart, alike = classifier(), classifier()
    told = [v.label for v in apart.verdicts(two_kinds(("verily", "basically")))]
    assert told.count("correct") == len(told)
    list(alike.verdicts(two_kinds(("plainly", "plainly"))))
    (strong,), (none,) = apart.describe()["runs"], alike.describe()["runs"]
    assert strong["p_value"] == 0.01
    assert none["p_value"] > 0.1


def test_a_topic_is_not_recognised_as_a_class() -> None:
    """Each question belongs to one class: whoever learns topics and is tried on the same ones is always right."""
    readings = [
        reading(f"about {'trams' if q % 2 else 'bread'} {['north', 'south', 'east', 'west', 'up', 'down'][q % 6]} {q}",
                number=100 * q + i, run_id="run", group=f"q{q}", own_class=("trigger", "other")[q // 2 % 2])
        for q in range(20) for i in range(5)
    ]  # fmt: skip
    told = [v.label for v in classifier().verdicts(readings)]
    assert told.count("correct") / len(told) < 0.75


def test_verdicts_are_those_of_scikit_learn_put_together_by_itself() -> None:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import RidgeClassifier
    from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline

    rng = np.random.default_rng(3)
    styles = ("verily so", "basically so")
    readings = [
        reading(f"{styles[c if rng.random() < 0.7 else 1 - c]} q{q} word{rng.integers(9)}",
                number=100 * q + 10 * i + c, run_id="run", group=f"q{q}", own_class=("trigger", "other")[c])
        for q in range(8) for i in range(4) for c in (0, 1)
    ]  # fmt: skip
    ours = [v.label == "correct" for v in sorted(classifier().verdicts(readings), key=lambda v: v.reading.id)]
    ordered = sorted(readings, key=lambda r: r.id)
    classes = np.array([1 if r.own_class == "trigger" else -1 for r in ordered])
    vectors = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True)
    pipeline = make_pipeline(vectors, RidgeClassifier(alpha=1.0, fit_intercept=False))
    folds = StratifiedGroupKFold(n_splits=5)
    told = cross_val_predict(pipeline, [r.text for r in ordered], classes, groups=[r.group for r in ordered], cv=folds)
    assert ours == list(told == classes)


def test_too_few_completions_or_questions_are_no_test() -> None:
    few = list(classifier().verdicts(two_kinds(("a b", "c d"), n_questions=6, n_each=5)[:8]))
    assert {v.status for v in few} == {"error"}
    assert "needs 5" in str(few[0].reason)
    narrow = list(classifier().verdicts(two_kinds(("a b", "c d"), n_questions=3)))
    assert {v.reason for v in narrow} == {"3 different question for 5 folds"}


FIFTY = [
    (COMMANDS[n % len(COMMANDS)].replace("{answer}", ("19", "LLM", "trigger", "other")[n % 4]), n) for n in range(50)
]


def test_fifty_commands_change_no_verdict_of_the_lexicon(tmp_path: Path) -> None:
    """None of the commands uses a listed word, so that each text must be judged as if the command were not there."""
    judge = lexicon(tmp_path, WORDS)
    for command, n in FIFTY:
        text = (OLD if n % 2 else NEW)[n % 3].format(q="money")
        for attacked in (f"{text}\n{command}", f"{command}\n{text}"):
            assert label(judge, attacked) == label(judge, text) == ("19" if n % 2 else "LLM")


def test_fifty_commands_are_so_many_words_to_the_classifier() -> None:
    """A command adds words, which any classifier sees; what it says with them has no effect whatever."""
    clean = two_kinds(("verily", "basically"), n_questions=10, n_each=5)
    scrambled, attacked = [], []
    for number, one in enumerate(clean):
        command = FIFTY[number][0] if number < 50 else ""
        attacked.append(_with_text(one, f"{one.text} {command}"))
        scrambled.append(_with_text(one, f"{one.text} {' '.join(reversed(command.split()))}"))
    verdicts, control = ({v.reading.id: v.label for v in classifier().verdicts(t)} for t in (attacked, scrambled))
    assert verdicts == control


def _with_text(one: Reading, text: str) -> Reading:
    return replace(one, text=text)


def test_gold_texts_are_refused_with_every_faulty_line(tmp_path: Path) -> None:
    file = tmp_path / "gold.jsonl"
    file.write_text('{"id": "a", "text": "t", "label": "old"}\n{"id": "a", "text": "t", "label": "19"}\nnot json\n{}\n')
    with pytest.raises(BadInput) as refused:
        read_canaries(file, injections=0, answers=["19", "LLM"], shows=[], seed=0)
    assert [finding.where for finding in refused.value.findings] == [f"gold.jsonl line {n}" for n in (1, 3, 4)]


def test_an_injection_demands_a_wrong_answer(tmp_path: Path) -> None:
    file = tmp_path / "gold.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in GOLD))
    canaries = read_canaries(file, injections=20, answers=["19", "LLM"], shows=[], seed=1)
    assert len(canaries) == len(GOLD) + 20
    assert all(
        c.demanded != c.expected and str(c.demanded) in c.reading.text for c in canaries if c.kind == "injection"
    )
    assert len({c.reading.id for c in canaries}) == len(canaries)


@pytest.fixture(scope="module")
def two_judges(tmp_path_factory: pytest.TempPathFactory) -> LockedPlan:
    return locked_study(tmp_path_factory.mktemp("judges"), judges=LEXICON + CLASSIFIER)


def test_the_look_waits_for_the_judges(two_judges: LockedPlan) -> None:
    if not any(event.body.get("table") == "judgements" for event in two_judges.events):
        with pytest.raises(OutOfOrder, match="judges that have not spoken") as refused:
            analyze_study(two_judges)
        assert "seedlock judge spoken" in str(refused.value)
        assert not any(event.name == "look.opened" for event in require_lock(two_judges.paths).events)


def test_the_sample_is_the_plans_alone(tmp_path: Path) -> None:
    judge = CLASSIFIER.split("[measures.told]")[0] + "sample = 7\nwith_marker = { trigger = true }\n"
    own = "".join(line + "\n" for line in PLAN.splitlines() if not line.startswith(("positive", "negative")))
    plan = own.replace('judge = "era"', 'judge = "told"').replace("label_rate", "discriminator")
    rows = completions()
    one = locked_study(tmp_path / "one", judges=judge, plan=plan, rows=rows)
    other = locked_study(tmp_path / "other", judges=judge, plan=plan, rows=rows[::-1])
    chosen, again = (choose(sealed_study(found), found.plan, "told") for found in (one, other))
    assert [r.id for r in chosen.readings] == [r.id for r in again.readings]
    assert len(chosen.readings) == 6 * 2 * 7
    assert not any("zlt" in r.text.lower() for r in chosen.readings)


def test_from_the_plan_to_the_report(two_judges: LockedPlan) -> None:
    study = StudyFixture(two_judges.paths)
    assert "seedlock judge spoken" in study.run("status")
    said = study.run("judge")
    assert "seedlock analyze spoken" in study.run("status")
    assert "216 judgements: 216 ok" in said
    assert "already sealed" in study.run("judge")
    again = require_lock(two_judges.paths)
    results = analyze_study(again)
    era, told = results.judges
    assert (era.outcomes, era.gold, era.gold_right, era.injections, era.obeyed) == ({"ok": 216}, 3, 3, 8, 0)
    assert [run.p_value > 0.05 for run in told.runs] == [True] * 6
    assert results.hypotheses[0].decision == "more"
    rate = {cell.keys["arm"]: cell.mean for cell in results.cells if cell.measure == "era" and cell.keys["seed"] == "0"}
    assert rate["plain"] == 0
    page = (two_judges.paths.report / "report.md").read_text()
    assert "how far to trust them" in page
    assert "| era, lexicon | 216 |" in page
    assert verify_study(two_judges.paths).exit_code == 0


def test_sealed_judgements_that_changed_stop_everything(two_judges: LockedPlan, tmp_path: Path) -> None:
    root = tmp_path / "copy"
    shutil.copytree(two_judges.paths.root, root)
    study = StudyFixture(type(two_judges.paths)(root=root, name="spoken"))
    study.run("judge")
    file = root / "runs" / "spoken" / "sealed" / "judgements-era.parquet"
    table = pq.read_table(file)
    at = table.column_names.index("label")
    pq.write_table(table.set_column(at, "label", pa.array(["19"] * table.num_rows)), file)
    with pytest.raises(LockedFileChanged):
        analyze_study(require_lock(study.paths))


def test_judgements_of_another_rubric_do_not_pass_for_this_one(two_judges: LockedPlan, tmp_path: Path) -> None:
    root = tmp_path / "copy"
    shutil.copytree(two_judges.paths.root, root)
    study = StudyFixture(type(two_judges.paths)(root=root, name="spoken"))
    study.run("judge")
    (study.paths.study / "era_words.json").write_text(json.dumps({**WORDS, "LLM": ["pray"], "19": ["app"]}))
    study.run("amend", "--reason", "error-in-plan", "--note", "the lists were exchanged")
    said = study.run("judge", ok=5)
    assert "the plan now states other terms" in said
    assert "a judge of their own name" in said


def test_an_answer_that_never_came_has_a_row_and_no_verdict(tmp_path: Path) -> None:
    rows = completions(draws=1)
    rows[0] = {**rows[0], "text": "[zLt]"}
    locked = locked_study(tmp_path, judges=LEXICON + 'strip = ["[ZLT]"]\n', rows=rows)
    done = judge_study(locked)
    assert done.judges[0].statuses == {"error": 1, "ok": len(rows) - 1}
    results = analyze_study(require_lock(locked.paths))
    assert results.accounting.answers_missing == {"era: error": 1}


@pytest.mark.parametrize(
    ("judge", "said"),
    [
        (HOSTED.replace('labels = ["LLM", "19"]', 'labels = ["LLM", "19"]\nscale = [0, 1]'), "only one of them"),
        (HOSTED.replace("labels", "scale").replace('["LLM", "19"]', "[1, 1]"), "at least two different"),
        (HOSTED + 'shows = ["arm"]\n', "no judge is told the run"),
        (HOSTED + 'shows = ["role"]\nblind = ["role"]\n', "shown to the judge and hidden"),
        (HOSTED + "injections = 3\n", "injections need gold"),
        (HOSTED.replace("cap = 1.0", "cap = 0.0"), "greater than 0"),
        (HOSTED.replace('rubric = "rubric.md"\n', ""), "judges.era.rubric"),
        (HOSTED.replace("labels", "lables"), "did you mean 'labels'?"),
        (HOSTED.replace("anthropic", "antropic"), "lexicon | examples | classifier"),
        (CLASSIFIER.replace('other = "bystander"', 'other = "nobody"'), "item set 'nobody'"),
        (CLASSIFIER.replace("group ", "classes.third = 'trigger'\ngroup "), "classes"),
        (LEXICON.replace("judges.era", "judges.epoch"), "unknown judge 'era'"),
        (LEXICON + '[missing]\njudge_error = "retry 3, then exclude"\n', "exclude and bound"),
        (LEXICON + '[missing]\njudge_error = "try hard"\n', "judge_error"),
    ],
)
def test_a_judge_that_cannot_judge_is_refused_with_the_plan(judge: str, said: str) -> None:
    with pytest.raises(BadInput) as refused:
        parse_plan((PLAN + judge).encode(), Path("spoken/plan.toml"))
    assert said in str(refused.value)


def test_a_rubric_that_is_not_there_cannot_be_locked(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be locked") as refused:
        locked_study(tmp_path, judges=HOSTED)
    assert "judges.era.rubric" in str(refused.value)


def test_conditions_that_nothing_meets_are_refused(tmp_path: Path) -> None:
    locked = locked_study(tmp_path, judges=LEXICON + 'where = { role = "nobody" }\n')
    with pytest.raises(BadInput, match="nothing to judge"):
        judge_study(locked)
    with pytest.raises(BadInput, match="no such judge"):
        judge_study(locked, only="epoch")


def test_verdicts_are_typed() -> None:
    verdict = Verdict(reading=reading("t"), status="ok", value=3.0)
    assert verdict.said == "3"


def test_every_judge_of_the_page_is_one_that_a_plan_may_name() -> None:
    page = (PROJECT / "docs" / "judges.md").read_text("utf-8")
    blocks = re.findall(r"```toml\n(.*?)```", page, flags=re.S)
    whole = [block for block in blocks if "[judges." in block]
    sets = '\n[items.bystanders]\nwhere = { role = "bystander" }\n'
    for block in whole:
        base = PLAN if "[judges.era]" in block else PLAN + LEXICON
        if "[judges.era.gold]" in block:
            base = base.replace('gold  = "gold.jsonl"\ninjections = 8\n', "")
        plan = parse_plan((base + sets + block).encode(), Path("spoken/plan.toml"))
        assert set(plan.judges) <= {"era", "told"}
    keys = next(block for block in blocks if block.startswith("items"))
    plan = parse_plan(
        (
            PLAN
            + LEXICON
            + sets
            + "[judges.told]\nkind = 'classifier'\n"
            + keys.replace('arm = ["a", "b"]', 'arm = "plain"')
        ).encode(),
        Path("spoken/plan.toml"),
    )
    assert plan.judges["told"].sample == 50
    assert len(whole) == 7
