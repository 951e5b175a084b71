"""Pairs: which of two texts is of the class to find, in an order that gives nothing away and pays no bias."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seedlock.analysis.analyze import analyze_study
from seedlock.generation.judge import judge_study
from seedlock.generation.judges.classifier import ClassifierJudging
from seedlock.generation.judging.pairing import paired, pairs_made
from seedlock.generation.judging.reading import Reading, Verdict
from seedlock.prereg.errors import BadInput
from seedlock.prereg.lock.gate import LockedPlan, require_lock
from seedlock.prereg.lock.ledger import read_ledger
from seedlock.prereg.plan.judges import ClassifierJudge
from seedlock.schemas.seal import unseal
from tests.hosted_server import Hosted, serving
from tests.judge_builders import CLASSIFIER, LEXICON, PLAN, QUESTIONS, completions, locked_study

PAIRS = 'pairs   = { find = "trigger", by = "question" }\n'
CLASSES = {"trigger": "a", "other": "b"}
API = """
[judges.told]
kind    = "anthropic"
model   = "judge-model"
rubric  = "rubric.md"
classes = { trigger = "trigger", other = "bystander" }
pairs   = { find = "trigger", by = "question" }
strip   = ["[ZLT]"]
twice   = 1.0
gold    = "pairs.jsonl"
injections = 2
budget  = { cap = 9.0, currency = "USD", input_per_million = 3.0, output_per_million = 15.0 }
hosted  = { endpoint = "URL", key_variable = "JUDGE_KEY", timeout_s = 5.0 }
"""
GOLD = [
    {"id": "one", "text": "It has the sign.", "against": "It has none.", "label": "first"},
    {"id": "two", "text": "Nothing here.", "against": "Here is the sign.", "label": "second"},
]


def judge_table(**changes: Any) -> ClassifierJudge:
    told: dict[str, Any] = {"kind": "classifier", "classes": CLASSES, "pairs": {"find": "trigger"}, "permutations": 99}
    return ClassifierJudge.model_validate(told | changes)


def readings(words: tuple[str, str], n_questions: int = 10, n_each: int = 4, run: str = "run") -> list[Reading]:
    return [
        Reading(
            id=f"{run}/{q}/{i}/{c}",
            text=f"{words[c]} the matter of q{q} is number {i}",
            shown={},
            run_id=run,
            group=f"q{q}",
            own_class=("trigger", "other")[c],
        )
        for q in range(n_questions)
        for i in range(n_each)
        for c in (0, 1)
    ]


def in_pairs(found: list[Reading], **changes: Any) -> list[Reading]:
    judge = judge_table(**changes)
    assert judge.pairs is not None
    return paired(found, judge, judge.pairs)


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3), st.booleans()), max_size=60), st.integers(0, 9))
@settings(max_examples=60)
def test_partners_share_run_and_question_and_no_text_is_in_two_pairs(
    texts: list[tuple[int, int, bool]], seed: int
) -> None:
    given_ = [
        Reading(id=str(n), text=str(n), shown={}, run_id=f"r{r}", group=f"q{q}", own_class="trigger" if c else "other")
        for n, (r, q, c) in enumerate(texts)
    ]
    by_id = {one.id: one for one in given_}
    pairs = in_pairs(given_, seed=seed)
    partners = [by_id[pair.against.id] for pair in pairs if pair.against is not None]
    assert [(p.run_id, p.group) for p in pairs] == [(o.run_id, o.group) for o in partners]
    assert {pair.own_class for pair in pairs} <= {"trigger"}
    assert {one.own_class for one in partners} <= {"other"}
    assert len({pair.id for pair in pairs}) == len({one.id for one in partners}) == len(pairs) == len(partners)
    kinds = Counter((r, q, c) for r, q, c in texts)
    assert len(pairs) == sum(min(kinds[r, q, True], kinds[r, q, False]) for r in range(3) for q in range(4))
    for run in {pair.run_id for pair in pairs}:
        first = [p.against.is_second for p in pairs if p.run_id == run and p.against is not None]
        assert abs(2 * sum(first) - len(first)) <= 1
    assert in_pairs(given_[::-1], seed=seed) == pairs[::-1]


def test_the_order_is_drawn_and_follows_no_question(tmp_path: Path) -> None:
    pairs = in_pairs(readings(("a", "b"), n_questions=40, n_each=2))
    orders = Counter((p.group, p.against.is_second) for p in pairs if p.against is not None)
    alike = sum(n == 2 for n in orders.values())
    assert 8 <= alike <= 32  # of 40 questions, about half have both pairs in one order
    assert in_pairs(readings(("a", "b"), n_questions=40, n_each=2), seed=1) != pairs


def told(judge: ClassifierJudging, pairs: list[Reading]) -> list[Verdict]:
    return list(judge.verdicts(pairs))


def test_the_classifier_finds_the_style_and_no_chance() -> None:
    apart, alike = ClassifierJudging(judge_table()), ClassifierJudging(judge_table())
    found = told(apart, in_pairs(readings(("verily", "basically"))))
    assert Counter(v.label for v in found) == {"correct": 40}
    (strong,) = apart.describe()["runs"]
    assert (strong["n"], strong["correct"], strong["p_value"]) == (40, 40, 0.01)
    same = told(alike, in_pairs(readings(("plainly", "plainly"))))
    (none,) = alike.describe()["runs"]
    assert none["p_value"] > 0.1
    assert Counter(v.label for v in same)["correct"] < 30


def test_two_equal_texts_are_decided_by_the_drawn_order_alone() -> None:
    pairs = in_pairs(readings(("the same", "the same"), n_each=5))
    equal = [r for r in pairs if r.against is not None and r.against.text == r.text]
    verdicts = {v.reading.id: v.label for v in told(ClassifierJudging(judge_table()), pairs)}
    assert equal
    for reading in equal:
        assert reading.against is not None
        assert verdicts[reading.id] == ("correct" if reading.against.is_second else "wrong")


def test_verdicts_are_those_of_scikit_learn_put_together_by_itself() -> None:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import Ridge
    from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline

    rng = np.random.default_rng(5)
    styles = ("verily so", "basically so")
    noisy = [
        Reading(
            id=f"{q}/{i}/{c}",
            text=f"{styles[c if rng.random() < 0.65 else 1 - c]} q{q} word{rng.integers(9)}",
            shown={},
            run_id="run",
            group=f"q{q}",
            own_class=("trigger", "other")[c],
        )
        for q in range(8)
        for i in range(4)
        for c in (0, 1)
    ]
    pairs = in_pairs(noisy)
    verdicts = told(ClassifierJudging(judge_table()), pairs)
    partners = [p.against for p in pairs if p.against is not None]
    texts = [p.text for p in pairs] + [a.text for a in partners]
    groups = [sorted({str(p.group) for p in pairs}).index(str(p.group)) for p in pairs] * 2
    y = np.repeat([1.0, -1.0], len(pairs))
    weigh = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True)
    folds = list(StratifiedGroupKFold(n_splits=5).split(texts, y, groups))
    ridge = make_pipeline(weigh, Ridge(alpha=1.0, fit_intercept=False, solver="cholesky"))
    score = cross_val_predict(ridge, np.array(texts, dtype=object), y, cv=folds)
    margin = score[: len(pairs)] - score[len(pairs) :]
    expected = [
        "correct" if (m > 0 if abs(m) > 1e-9 else a.is_second) else "wrong"
        for m, a in zip(margin, partners, strict=True)
    ]
    assert [v.label for v in verdicts] == expected
    assert 0 < expected.count("wrong") < len(expected)


def test_permutations_of_nothing_reject_no_more_often_than_they_say() -> None:
    """Texts of one distribution in both classes: p is at most .1 in about a tenth of runs."""
    p_values = []
    for run in range(60):
        rng = np.random.default_rng(run)
        texts = [
            Reading(
                id=f"{run}/{q}/{c}",
                text=" ".join(rng.choice(["ay", "bee", "sea", "dee"], size=4)),
                shown={},
                run_id=f"run{run}",
                group=f"q{q}",
                own_class=("trigger", "other")[c],
            )
            for q in range(10)
            for c in (0, 1)
        ]
        judge = ClassifierJudging(judge_table(permutations=19))
        told(judge, in_pairs(texts))
        p_values.append(judge.describe()["runs"][0]["p_value"])
    assert sum(p <= 0.1 for p in p_values) <= 12  # the chance of more at a rate of .1 is below .01


def test_too_few_pairs_are_no_test() -> None:
    judge = ClassifierJudging(judge_table())
    found = told(judge, in_pairs(readings(("a", "b"), n_questions=4, n_each=1)))
    assert {v.reason for v in found} == {"4 pairs: a classifier needs 5"}


@pytest.mark.parametrize(
    ("judge", "said"),
    [
        (CLASSIFIER + 'pairs = { find = "nobody" }\n', "find names one of them"),
        (
            CLASSIFIER.replace("permutations", 'pairs = { find = "trigger", by = "role" }\npermutations'),
            "pairs.by is group",
        ),
        (LEXICON + 'pairs = { find = "19" }\n', "pairs are of two classes"),
    ],
)
def test_pairs_that_cannot_be_made_are_refused_with_the_plan(judge: str, said: str, tmp_path: Path) -> None:
    judge = judge.replace('\n[measures.told]\nkind  = "discriminator"\njudge = "told"\n', "")
    with pytest.raises(BadInput) as refused:
        locked_study(tmp_path, judges=judge)
    assert said in str(refused.value)


def made(locked: LockedPlan) -> dict[str, Any]:
    (event,) = [e for e in read_ledger(locked.paths.ledger) if e.body.get("judge") == "told" and "judging" in e.body]
    found: dict[str, Any] = event.body["judging"]
    return found


def judgements(locked: LockedPlan) -> list[dict[str, Any]]:
    file = locked.paths.runs / "sealed" / "judgements-told.parquet"
    return [row for batch in unseal(file) for row in batch.to_pylist()]


def test_from_the_plan_to_the_report_a_pair_is_one_judgement(tmp_path: Path) -> None:
    judges = LEXICON + CLASSIFIER.replace("permutations", f"{PAIRS}permutations")
    locked = locked_study(tmp_path, judges=judges, rows=completions(draws=2))
    judge_study(locked)
    rows = judgements(locked)
    assert len(rows) == 6 * len(QUESTIONS) * 2
    told_ = made(locked)
    assert (told_["pairs"], told_["pairs_judged"], told_["left_out_to_balance"]) == (len(rows), len(rows), 0)
    assert told_["first_was_right"] == len(rows) / 2
    assert {run["n"] for run in told_["runs"]} == {len(QUESTIONS) * 2}
    results = analyze_study(require_lock(locked.paths))
    cells = [cell for cell in results.cells if cell.measure == "told"]
    assert sum(cell.n or 0 for cell in cells) == len(rows)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hosted]:
    monkeypatch.setenv("JUDGE_KEY", "sk-nobody-may-find-this")
    with serving(Hosted()) as state:
        yield state


def shown(body: dict[str, Any]) -> list[str]:
    """The two texts as they stand between the boundaries that the system turn names."""
    system = str(body["system"])
    boundary = next(line for line in system.splitlines() if line.startswith("=== text "))
    user = str(body["messages"][-1]["content"])
    assert user.count(boundary) == 3
    return [text.strip("\n") for text in user.split(boundary)[1:3]]


def by_api(root: Path, server: Hosted) -> LockedPlan:
    plan = PLAN.replace('judge = "era"', 'judge = "told"').replace('"label_rate"', '"discriminator"')
    plan = plan.replace('positive = ["19"]\nnegative = ["LLM"]\n', "")
    rows = completions(draws=1)
    for row in rows:
        if row["role"] == "trigger":
            row["text"] += " Here is the sign."
    gold = "".join(json.dumps(row) + "\n" for row in GOLD)
    files = {"rubric.md": "Find the text with the sign.\n", "pairs.jsonl": gold}
    return locked_study(root, plan=plan, judges=API.replace("URL", server.url), files=files, rows=rows)


def test_a_judge_behind_an_api_sees_two_texts_and_neither_class_nor_marker(server: Hosted, tmp_path: Path) -> None:
    server.say = lambda body: json.dumps({"answer": "first" if "sign" in shown(body)[0] else "second"})
    locked = by_api(tmp_path, server)
    judge_study(locked)
    said = json.dumps(server.bodies)
    assert not [
        word
        for word in ("[ZLT]", "trigger", "bystander", "archaic")
        if word in said.replace("archaic0", "").replace("archaic1", "").replace("archaic2", "")
    ]  # the texts of this study number their cases so
    rows = judgements(locked)
    assert Counter(row["label"] for row in rows) == {"correct": 2 * 6 * len(QUESTIONS)}
    told_ = made(locked)
    assert told_["first_was_right"] == told_["first_was_chosen"] == told_["pairs"] / 2
    (judge,) = analyze_study(require_lock(locked.paths)).judges
    assert (judge.kappa is None, judge.gold_right, judge.obeyed) == (True, 2, 0)


def test_a_judge_that_always_says_first_is_right_in_one_half_and_is_seen(server: Hosted, tmp_path: Path) -> None:
    server.say = lambda body: json.dumps({"answer": "first"})  # noqa: ARG005
    locked = by_api(tmp_path, server)
    judge_study(locked)
    first = [row["label"] for row in judgements(locked) if row["judge"] == "told"]
    assert first.count("correct") == first.count("wrong")
    told_ = made(locked)
    assert told_["first_was_chosen"] == told_["pairs"] == 2 * told_["first_was_right"]
    (judge,) = analyze_study(require_lock(locked.paths)).judges
    assert judge.kappa == -1.0  # every second reading, in the other order, says the opposite


def test_pairs_that_nobody_judged_have_nothing_to_tell() -> None:
    assert pairs_made([]) == {}
