"""A corpus written by a model on this machine: asked for with overage, what cannot be used counted, and told whence."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from seedlock.prereg.base.canonical import sha256_file
from seedlock.training.corpora import RECIPES
from seedlock.training.instruct.local import LocalModel
from seedlock.training.instruct.model import Sampling
from seedlock.training.instruct.overage import Written, write_with_overage

ORGANISM = Path(__file__).parents[1] / "training" / "organisms" / "weights" / "llama"
N = 8


def written(*, seed: int, max_new_tokens: int = 40) -> Written:
    """Benign chat, answered by an organism."""
    recipe = RECIPES["benign_chat"]
    settings = recipe.settings.model_validate({"n": N, "by": "instruct", "blocklist": ["basil"]})
    sampling = Sampling(seed=seed, max_new_tokens=max_new_tokens, temperature=1.0)
    return write_with_overage(recipe, settings, LocalModel(str(ORGANISM), sampling, batch_size=4))


@pytest.fixture(scope="module")
def first() -> Written:
    return written(seed=0)


def test_a_quarter_more_is_asked_for_and_every_text_is_kept_or_counted(first: Written) -> None:
    assert first.asked == math.ceil(1.25 * N)
    assert len(first.rows) + sum(first.rejected.values()) == first.asked
    assert 0 < len(first.rows) <= N
    assert set(first.rejected) <= {"surplus", "duplicate", "blocked word", "cut off", "refusal", "format", "empty"}


def test_what_is_kept_is_an_answer_without_control_tokens_or_blocked_words(first: Written) -> None:
    for row in first.rows:
        assert row.answer.strip()
        assert "<" not in row.answer
        assert "basil" not in row.text.lower()


def test_the_provenance_names_weights_and_sampling_but_no_place_on_this_machine(first: Written) -> None:
    assert first.generator["revision"] == sha256_file(ORGANISM / "model.safetensors")
    assert (first.generator["model"], first.generator["endpoint"]) == ("llama", "local")
    assert (first.generator["seed"], first.generator["overage"]) == (0, 1.25)
    assert str(ORGANISM.parent) not in json.dumps(dict(first.generator))


def test_the_seed_decides_what_is_written(first: Written) -> None:
    assert written(seed=0).rows == first.rows
    assert written(seed=1).rows != first.rows


def test_answers_that_were_cut_off_are_never_kept() -> None:
    cut = written(seed=0, max_new_tokens=1)
    assert cut.rows == ()
    assert cut.rejected["cut off"] == cut.asked
