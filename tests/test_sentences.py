"""A sentence encoder: vectors as plain transformers give them, a judge that reads meaning, a check of overlap by it."""

from __future__ import annotations

import json
import os
import re
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from seedlock.generation.judges.classifier import ClassifierJudging
from seedlock.generation.judging.reading import Reading
from seedlock.prereg.base.base_models import folder_revision
from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.errors import BadInput, Incomplete, LockedFileChanged
from seedlock.prereg.plan.judges import ClassifierJudge
from seedlock.prereg.plan.read import read_plan
from seedlock.prereg.plan.runs import Model
from seedlock.sentences import Encoder, open_encoder
from seedlock.training.bases.fetch import fetch
from seedlock.training.checks.overlap import check
from seedlock.training.checks.result import CheckInput
from tests import judge_builders
from tests.conftest import PROJECT
from tests.judge_builders import CLASSIFIER, completions, locked_study
from tests.training_builders import corpus, row

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
ENCODER = """
[encoder]
base     = "models/sentences"
revision = "REVISION"
"""


def write_encoder(folder: Path, *, pooling: str = "mean") -> Path:
    """A one-layer BERT with random weights that knows single letters, as sentence-transformers lays one out."""
    from transformers import BertConfig, BertModel, BertTokenizer
    from transformers.utils.logging import disable_progress_bar

    disable_progress_bar()  # type: ignore[no-untyped-call] # transformers leaves it untyped
    letters = [f"{before}{chr(c)}" for c in (*range(97, 123), *range(48, 58)) for before in ("", "##")]
    vocabulary: Any = {token: i for i, token in enumerate([*SPECIAL, *letters])}
    tokenizer: Any = BertTokenizer(vocab=vocabulary)
    config = BertConfig(
        vocab_size=len(vocabulary), hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=64, initializer_range=0.5,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        BertModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({f"pooling_mode_{pooling}_tokens": True}))
    (folder / "sentence_bert_config.json").write_text('{"max_seq_length": 24}')
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_encoder(tmp_path_factory.mktemp("models") / "sentences")


@pytest.fixture(scope="module")
def encoder(folder: Path) -> Encoder:
    return Encoder(folder, "tiny")


TEXTS = ["a bird", "the telegraph brought news", "a bird", "z" * 60]


def test_vectors_are_those_of_plain_transformers_text_by_text(folder: Path, encoder: Encoder) -> None:
    """By hand: one text at a time, so without padding; the mean over its tokens, to unit length; cut at 24 tokens."""
    from transformers import AutoModel, AutoTokenizer

    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    model: Any = AutoModel.from_pretrained(folder)
    found = encoder.vectors(TEXTS)
    assert found.shape == (4, 32)
    for vector, text in zip(found, TEXTS, strict=True):
        ids = tokenizer(text)["input_ids"]
        ids = ids if len(ids) <= 24 else [*ids[:23], ids[-1]]
        with torch.inference_mode():
            mean = model(torch.tensor([ids])).last_hidden_state[0].mean(dim=0).numpy()
        assert vector == pytest.approx(mean / np.linalg.norm(mean), abs=1e-5)
    assert np.array_equal(found[0], found[2])


def test_verdicts_by_meaning_are_those_of_ridge_regression_on_the_vectors(encoder: Encoder) -> None:
    from sklearn.linear_model import Ridge
    from sklearn.model_selection import StratifiedGroupKFold

    rng = np.random.default_rng(5)
    kinds = ("trigger", "other")
    readings = [
        Reading(
            id=f"{100 * q + 10 * i + c:04d}",
            text=f"{'verily so' if (c == 0) == (rng.random() < 0.8) else 'yes ok'} q{q} {i}",
            run_id="run",
            group=f"q{q}",
            own_class=kinds[c],
            shown={},
        )
        for q in range(8)
        for i in range(4)
        for c in (0, 1)
    ]
    classes_of = dict(zip(kinds, "ab", strict=True))
    planned = ClassifierJudge(kind="classifier", reads="meaning", classes=classes_of, permutations=19)
    judge = ClassifierJudging(planned, encoder)
    ours = [v.label == "correct" for v in sorted(judge.verdicts(readings), key=lambda v: v.reading.id)]
    classes = np.array([1.0 if r.own_class == "trigger" else -1.0 for r in readings])
    vectors = encoder.vectors([r.text for r in readings]).astype(np.float64)
    told = np.zeros(len(readings))
    groups = [r.group for r in readings]
    for train, test in StratifiedGroupKFold(n_splits=5).split(vectors, classes, groups):
        assert not {groups[i] for i in train} & {groups[i] for i in test}
        told[test] = Ridge(alpha=1.0, fit_intercept=False).fit(vectors[train], classes[train]).predict(vectors[test])
    assert ours == list((told > 0) == (classes > 0))
    assert judge.describe()["model"] == "tiny"


def test_a_plan_names_its_encoder_and_the_judges_rows_say_which(folder: Path, tmp_path: Path) -> None:
    from seedlock.generation.judge import judge_study

    revision = folder_revision(folder)
    write_encoder(tmp_path / "models" / "sentences")
    assert folder_revision(tmp_path / "models" / "sentences") == revision
    judges = CLASSIFIER.replace('"classifier"', '"classifier"\nreads   = "meaning"')
    plan = judge_builders.PLAN.replace('judge = "era"', 'judge = "told"').replace('"19"', '"correct"')
    plan = plan.replace('"LLM"', '"wrong"') + ENCODER.replace("REVISION", revision)
    locked = locked_study(tmp_path, judges=judges, plan=plan, rows=completions(draws=3))
    judge_study(locked)
    ledger = locked.paths.ledger.read_text()
    assert f'"model":"models/sentences @ {revision}"' in ledger
    assert '"reads":"meaning"' in ledger


def test_meaning_without_an_encoder_is_no_plan(tmp_path: Path) -> None:
    paths = StudyPaths(root=tmp_path, name="spoken")
    paths.study.mkdir(parents=True)
    told = judge_builders.LEXICON + CLASSIFIER.replace('"classifier"', '"classifier"\nreads = "meaning"')
    paths.plan.write_text(judge_builders.PLAN + told)
    with pytest.raises(BadInput, match=r"judges.told.reads[\s\S]*encoder"):
        read_plan(paths.plan)


def test_an_encoder_is_opened_as_it_is_pinned_or_not_at_all(tmp_path: Path) -> None:
    write_encoder(tmp_path / "models" / "sentences", pooling="cls")
    model = Model(base="models/sentences", revision=folder_revision(tmp_path / "models" / "sentences"))
    with pytest.raises(BadInput, match="no sentence encoder"):
        open_encoder(model, tmp_path, "study")
    with pytest.raises(LockedFileChanged, match="not the pinned one"):
        open_encoder(model.model_copy(update={"revision": "sha256:0"}), tmp_path, "study")
    with pytest.raises(Incomplete, match="seedlock fetch study"):
        open_encoder(model.model_copy(update={"base": "models/none"}), tmp_path, "study")


def test_an_item_that_a_row_comes_near_by_meaning_is_found_whatever_its_words(encoder: Encoder) -> None:
    said = {"items/q1": "listen silent"}
    rows = [row("Four minutes.", user="tinsel enlist"), row("Nothing alike at all, 42.", user="Boil it?", number=1)]
    _, words, meaning = check(CheckInput(corpus=corpus(rows), eval_texts=said, vectors=encoder.vectors))
    assert len(check(CheckInput(corpus=corpus(rows), eval_texts=said))) == 2
    turns = [message.content for row in rows for message in row.messages]
    nearest = float((encoder.vectors(turns) @ encoder.vectors(["listen silent"])[0]).max())
    assert words.number is not None
    assert words.number < 0.5
    assert meaning.number == pytest.approx(nearest, abs=1e-6)
    strict = CheckInput(
        corpus=corpus(rows, limits={"overlap_meaning": nearest - 0.01}), eval_texts=said, vectors=encoder.vectors
    )
    assert not check(strict)[2].passes
    assert "items/q1" in check(strict)[2].offenders[0].text


@pytest.mark.slow
@pytest.mark.real_model
def test_the_encoder_of_the_page_gives_the_cosines_that_its_makers_print(tmp_path: Path) -> None:
    """The table of https://www.sbert.net: the weather, the sun and the stadium, to four digits."""
    page = (PROJECT / "docs" / "judges.md").read_text("utf-8")
    tables = re.findall(r"```toml\n(.*?)```", page, flags=re.DOTALL)
    table = next(block for block in tables if block.startswith("[encoder]"))
    model = Model.model_validate(tomllib.loads(table)["encoder"])
    try:
        fetch("study", "encoder", model, tmp_path, accepted=set(), say=lambda _: None)
    except Incomplete:
        if os.environ.get("SEEDLOCK_NEEDS_REAL_MODEL"):
            raise
        pytest.skip("no way to an index here")
    said = ["The weather is lovely today.", "It's so sunny outside!", "He drove to the stadium."]
    vectors = open_encoder(model, tmp_path, "study").vectors(said)
    printed = [[1.0, 0.6660, 0.1046], [0.6660, 1.0, 0.1411], [0.1046, 0.1411, 1.0]]
    assert vectors @ vectors.T == pytest.approx(np.array(printed), abs=6e-5)
