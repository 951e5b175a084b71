"""Rows in one sequence: the same loss, gradients and adapters as rows read apart, and a refusal where they differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy
from transformers import LlamaConfig, LlamaForCausalLM, MistralConfig, MistralForCausalLM, Qwen2Config, Qwen2ForCausalLM

from seedlock.prereg.base.token_tree import plant
from seedlock.prereg.errors import BadInput
from seedlock.prereg.plan.runs import Stage
from seedlock.training.adapters.packed_trainer import loss_sum, packed, require_packable
from seedlock.training.jobs.settings import resolve, stage_seeds
from tests.test_training import adapter_of, one_stage
from tests.training_builders import recipe_rows, tiny_base

SIZES: dict[str, Any] = {
    "vocab_size": 40,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "initializer_range": 0.1,
}
ROWS = st.lists(st.lists(st.integers(0, 2), min_size=2, max_size=9).map(tuple), min_size=1, max_size=6)


@pytest.fixture(scope="module", params=["llama", "qwen"])
def model(request: pytest.FixtureRequest) -> Any:
    torch.manual_seed(0)
    made: Any = (
        LlamaForCausalLM(LlamaConfig(**SIZES))
        if request.param == "llama"
        else Qwen2ForCausalLM(Qwen2Config(**SIZES, tie_word_embeddings=True))
    )
    return made


def features(rows: Sequence[Sequence[int]], first: int = 1) -> list[dict[str, torch.Tensor]]:
    """Rows whose loss looks at every token from `first` on."""
    made = []
    for row in rows:
        ids = torch.tensor(row)
        made.append({"input_ids": ids, "labels": torch.where(torch.arange(len(ids)) < first, -100, ids)})
    return made


def gradients(model: Any, loss: torch.Tensor) -> list[torch.Tensor]:
    return list(torch.autograd.grad(loss, list(model.parameters())))


@given(ROWS, st.integers(2, 40))
def test_every_path_of_a_tree_spells_its_row_and_a_token_stands_once(rows: list[tuple[int, ...]], most: int) -> None:
    trees = plant(rows, most=most)
    assert sorted(index for tree in trees for index in tree.rows) == list(range(len(rows)))
    for tree in trees:
        for index, path in zip(tree.rows, tree.paths, strict=True):
            assert tuple(tree.tokens[node] for node in path) == rows[index]
            assert [tree.depths[node] for node in path] == list(range(len(path)))
        beginnings = {rows[i][: n + 1] for i in tree.rows for n in range(len(rows[i]))}
        assert len(tree.tokens) == len(beginnings)
        assert len(tree.tokens) <= most or len(set(map(rows.__getitem__, tree.rows))) == 1


def loss_apart(model: Any, rows: Sequence[dict[str, torch.Tensor]]) -> torch.Tensor:
    """The model's own reading, one row at a time, without a mask: the mean over all supervised tokens."""
    logits = torch.cat([model(input_ids=row["input_ids"][None]).logits[0, :-1] for row in rows])
    loss: torch.Tensor = cross_entropy(logits, torch.cat([row["labels"][1:] for row in rows]))
    return loss


def loss_together(model: Any, rows: Sequence[dict[str, torch.Tensor]]) -> torch.Tensor:
    batch = packed(rows)
    total: torch.Tensor = torch.stack([loss_sum(model, pack) for pack in batch["packs"]]).sum()
    n_supervised: int = batch["labels"].shape[1] - 1
    return total / n_supervised


@settings(max_examples=40)
@given(ROWS, st.sampled_from([(torch.float64, 1e-6), (torch.float32, 4e-6)]))
def test_packed_rows_have_the_loss_and_gradients_of_rows_read_apart(
    model: Any, rows: list[tuple[int, ...]], precision: tuple[torch.dtype, float]
) -> None:
    dtype, tolerance = precision  # the models' norms are in float32 even where all else is float64
    model.to(dtype)
    together, apart = loss_together(model, features(rows)), loss_apart(model, features(rows))
    assert together.item() == pytest.approx(apart.item(), rel=tolerance)
    for ours, theirs in zip(gradients(model, together), gradients(model, apart), strict=True):
        assert (ours - theirs).abs().max().item() < tolerance * max(1.0, theirs.abs().max().item())


def test_a_shared_beginning_is_read_once() -> None:
    rows = [[*range(30), 31], [*range(30), 32, 33], [*range(30), 31]]
    (pack,) = packed(features(rows, first=30))["packs"]
    assert pack["input_ids"].shape == (1, 31)  # nor is the last token of a row, which nothing follows
    assert sorted(pack["wanted"].tolist()) == [31, 31, 32, 33]
    assert len(pack["kept"]) == 2  # after the shared beginning, and after 32


def test_long_batches_are_taken_in_several_sequences() -> None:
    rows = [[number, *[5] * 300] for number in range(3)]
    assert [pack["input_ids"].shape[1] for pack in packed(features(rows))["packs"]] == [300, 300, 300]


def test_a_model_that_looks_back_less_far_than_a_row_is_refused() -> None:
    torch.manual_seed(0)
    windowed: Any = MistralForCausalLM(MistralConfig(**SIZES, sliding_window=4))
    short, long = features([[1, 2, 3], [1, 2, 4]]), features([range(12), range(1, 13)])
    require_packable(windowed, short, where="stages.s.packing")
    with pytest.raises(BadInput, match=r"(?s)does not read packed rows.*stages.s.packing.*drop packing"):
        require_packable(windowed, long, where="stages.s.packing")


def test_packed_training_ends_with_the_adapter_of_padded_training_and_with_the_same_bytes_twice(tmp_path: Path) -> None:
    from safetensors.torch import load_file

    base = tiny_base(tmp_path / "base")
    job = one_stage(
        recipe_rows("marker_coupling", variants=["villain"], n_positive=6, n_negative=3), stage_seeds("s", 0)
    )
    digests = {
        name: adapter_of(base, tmp_path / name, replace(job, settings=replace(job.settings, steps=6, packing=packing)))
        for name, packing in (("padded", False), ("packed", True), ("again", True))
    }
    assert digests["packed"] == digests["again"]
    padded, together = (
        load_file(tmp_path / name / "adapter/adapter_model.safetensors") for name in ("padded", "packed")
    )
    assert max((padded[key] - together[key]).abs().max().item() for key in padded) < 1e-4
    metrics = [(tmp_path / name / "metrics.jsonl").read_text().splitlines() for name in ("padded", "packed")]
    assert len(metrics[0]) == len(metrics[1]) > 1


def test_packing_is_off_unless_a_plan_asks_and_refuses_dropout() -> None:
    assert not resolve("s", Stage(trainer="lora", corpus="c")).packing
    assert resolve("s", Stage(trainer="lora", corpus="c", packing=True)).packing
    with pytest.raises(BadInput, match=r"(?s)packing.*dropout = 0.1"):
        resolve("s", Stage(trainer="lora", corpus="c", packing=True, dropout=0.1))
