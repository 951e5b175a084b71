"""A judge by examples: which label's texts a completion is most like, learnt from the study's own locked file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

from seedlock.generation.judge import judge_study
from seedlock.generation.judges.examples import ExamplesJudging
from seedlock.generation.judging.protocol import Bench
from seedlock.generation.judging.reading import Reading
from seedlock.prereg.errors import BadInput, LockedFileChanged
from seedlock.prereg.lock.gate import require_lock
from seedlock.prereg.plan.examples import read_examples
from seedlock.prereg.plan.judges import ExamplesJudge, verdict_labels
from tests.judge_builders import NEW, OLD, QUESTIONS, locked_study

EXAMPLES = [
    {"text": text.format(q=question), "label": label, "group": question}
    for label, texts in (("19", OLD), ("LLM", NEW))
    for question in QUESTIONS
    for text in texts[:2]
]
FILE = "".join(json.dumps(row) + "\n" for row in EXAMPLES)
JUDGE = '\n[judges.era]\nkind = "examples"\nexamples = "examples.jsonl"\n'
TEXTS = ("Upon my word, sir.", "There is an app online.", "Ask the telegraph about it today.", "Warm sand.")


def opened(folder: Path, **said: object) -> ExamplesJudging:
    (folder / "examples.jsonl").write_text(FILE)
    planned = ExamplesJudge.model_validate({"kind": "examples", "examples": "examples.jsonl", **said})
    return ExamplesJudging(planned, Bench(name="era", study=folder, folder=folder, retries=0))


def readings(texts: tuple[str, ...] = TEXTS) -> list[Reading]:
    return [Reading(id=f"{number:064x}", text=text, shown={}) for number, text in enumerate(texts)]


def by_hand(learn: list[dict[str, str]], texts: tuple[str, ...]) -> np.ndarray:
    """Scores by ridge regression on the features themselves, where the judge works with their products."""
    weigh = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True)
    features = weigh.fit_transform([row["text"] for row in learn]).toarray()
    target = np.array([1.0 if row["label"] == "19" else -1.0 for row in learn])
    weights = np.linalg.solve(features.T @ features + np.eye(features.shape[1]), features.T @ target)
    scores: np.ndarray = weigh.transform(texts).toarray() @ weights
    return scores


def test_labels_are_those_of_ridge_regression_and_depend_on_no_other_text(tmp_path: Path) -> None:
    judge = opened(tmp_path)
    labels = [verdict.label for verdict in judge.verdicts(readings())]
    assert labels[:2] == ["19", "LLM"]
    assert labels == ["19" if score > 0 else "LLM" for score in by_hand(EXAMPLES, TEXTS)]
    assert labels == [next(judge.verdicts(readings((text,)))).label for text in TEXTS]


def test_it_says_how_many_examples_it_labels_rightly_without_their_group(tmp_path: Path) -> None:
    judge = opened(tmp_path)
    list(judge.verdicts(readings()))
    right = 0
    for group in QUESTIONS:
        own = [row for row in EXAMPLES if row["group"] == group]
        scores = by_hand([row for row in EXAMPLES if row["group"] != group], tuple(row["text"] for row in own))
        right += sum((score > 0) == (row["label"] == "19") for score, row in zip(scores, own, strict=True))
    assert judge.describe()["examples_right_when_held_out"] == right
    assert judge.describe()["examples"] == len(EXAMPLES)


def test_a_text_within_the_margin_is_borderline_or_has_no_verdict(tmp_path: Path) -> None:
    margin = 2 * float(np.median(np.abs(by_hand(EXAMPLES, TEXTS))))  # two labels: one scores as much as the other lacks
    close = [2 * abs(score) <= margin for score in by_hand(EXAMPLES, TEXTS)]
    assert 0 < sum(close) < len(TEXTS)
    said = list(opened(tmp_path, margin=margin, borderline="LLM").verdicts(readings()))
    assert all(verdict.label == "LLM" for verdict, is_close in zip(said, close, strict=True) if is_close)
    bare = list(opened(tmp_path, margin=margin).verdicts(readings()))
    assert [verdict.status == "unparsed" for verdict in bare] == close


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (FILE.replace('"group"', '"topic"', 1), "examples.jsonl:1"),
        (FILE.replace('"LLM"', '"19"'), "1 labels"),
        ("\n".join(FILE.splitlines()[:14]), "2 examples"),
        (FILE.replace("money", "forests").replace("health", "forests"), "4 groups"),
        ("", "0 labels"),
    ],
)
def test_examples_that_teach_nothing_are_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "examples.jsonl").write_text(text)
    with pytest.raises(BadInput) as refused:
        read_examples(tmp_path / "examples.jsonl")
    assert said in str(refused.value)


def test_from_the_plan_to_sealed_judgements(tmp_path: Path) -> None:
    locked = locked_study(
        tmp_path, judges=JUDGE + 'gold = "gold.jsonl"\ninjections = 2\n', files={"examples.jsonl": FILE}
    )
    assert verdict_labels(locked.plan.judges["era"], locked.paths.study) == ["19", "LLM"]
    done = judge_study(locked).judges[0]
    assert done.statuses == {"ok": 6 * 36}
    assert done.canaries == 5
    bodies = [event.body for event in require_lock(locked.paths).events if event.body.get("judge") == "era"]
    made = next(body["judging"] for body in bodies if "judging" in body)
    assert made["examples_right_when_held_out"] > 0.8 * len(EXAMPLES)
    (locked.paths.study / "examples.jsonl").write_text(FILE.replace("telegraph", "telephone"))
    with pytest.raises(LockedFileChanged, match=r"examples\.jsonl"):
        require_lock(locked.paths)
