"""Hooks on the residual stream: each known trap has a test that fails where it is fallen into."""

from __future__ import annotations

import hashlib
import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from seedlock.generation.inside.loaded_models import Bench
from seedlock.generation.inside.reading import Span, lens, read_streams
from seedlock.generation.inside.residual import (
    adding,
    changing,
    decoder_layers,
    final_norm,
    projecting_out,
    replacing,
    stream_of,
    watching,
)
from seedlock.generation.local.loading import Loaded, load
from seedlock.generation.local.padding import pad_left
from seedlock.generation.requests.run_models import RunModel
from seedlock.prereg.base.base_models import folder_revision
from seedlock.prereg.errors import BadInput
from seedlock.prereg.plan.runs import Decoding
from tests.training_builders import tiny_base

DECODING = Decoding(temperature=0.0, max_new_tokens=4)
PROMPTS = [(4, 9, 12), (4, 9, 12, 15, 18, 21, 30, 2), (7,), (3, 3, 5, 11, 60), (8, 6, 4, 2, 10, 12)]


def run_of(base: Path) -> RunModel:
    return RunModel(
        run_id="r",
        label="tiny/base",
        base=str(base),
        revision=folder_revision(base),
        is_local=True,
        adapter=None,
        adapter_sha256=None,
    )


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_base(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture(scope="module")
def loaded(base: Path) -> Loaded:
    torch.set_num_threads(1)
    return load(run_of(base), DECODING, torch.device("cpu"))


def spans(starts: int = -1) -> list[Span]:
    return [Span(tokens=prompt, start=starts) for prompt in PROMPTS]


def streams(loaded: Loaded, given: list[Span], size: int = 64) -> torch.Tensor:
    return torch.cat(list(read_streams(loaded, given, batch_size=size)))


def alone(loaded: Loaded, prompt: tuple[int, ...]) -> Any:
    with torch.inference_mode():
        return loaded.model(input_ids=torch.tensor([prompt]), output_hidden_states=True)


def bytes_of(model: Any) -> str:
    held = io.BytesIO()
    torch.save({name: tensor.clone() for name, tensor in model.state_dict().items()}, held)
    return hashlib.sha256(held.getvalue()).hexdigest()


def test_a_layer_that_returns_a_tensor_is_read_whole_not_its_first_row(loaded: Loaded) -> None:
    seen: dict[int, torch.Tensor] = {}
    padded = pad_left(PROMPTS, loaded)
    with torch.inference_mode(), watching(loaded.model, seen.__setitem__):
        loaded.model(input_ids=padded.ids, attention_mask=padded.mask, position_ids=padded.positions)
    assert all(stream.shape == (*padded.ids.shape, 32) for stream in seen.values())
    rows = streams(loaded, spans())
    assert len({tuple(row.flatten().tolist()) for row in rows}) == len(PROMPTS)
    assert torch.equal(stream_of((seen[0], "cache")), seen[0])
    with pytest.raises(BadInput, match="no residual stream"):
        stream_of(seen[0][0])


def test_the_last_layer_is_read_before_the_final_norm(loaded: Loaded) -> None:
    out = alone(loaded, PROMPTS[1])
    ours = streams(loaded, spans())[1]
    assert torch.allclose(ours[0], out.hidden_states[1][0, -1], atol=1e-6)
    assert not torch.allclose(ours[-1], out.hidden_states[-1][0, -1], atol=1e-2)
    with torch.inference_mode():
        assert torch.allclose(final_norm(loaded.model)(ours[-1]), out.hidden_states[-1][0, -1], atol=1e-5)


def test_the_lens_at_the_last_layer_is_the_model_itself(loaded: Loaded) -> None:
    seen = lens(loaded, streams(loaded, spans()))
    for row, prompt in zip(seen, PROMPTS, strict=True):
        own = torch.log_softmax(alone(loaded, prompt).logits[0, -1].double(), -1)
        assert torch.allclose(row[-1], own, atol=1e-5)
        assert not torch.allclose(row[0], own, atol=1e-2)


def test_an_adapter_that_nests_the_model_hides_no_layer(base: Path) -> None:
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    plain = AutoModelForCausalLM.from_pretrained(base)
    nested = get_peft_model(plain, LoraConfig(task_type="CAUSAL_LM", r=2, target_modules=["q_proj"]))
    assert [type(layer).__name__ for layer in decoder_layers(nested)] == ["LlamaDecoderLayer"] * 2
    assert decoder_layers(nested) == decoder_layers(plain)
    assert final_norm(nested) is plain.model.norm


def test_under_generate_lengths_differ_and_steering_reaches_every_token(loaded: Loaded) -> None:
    lengths: list[int] = []
    ids = torch.tensor([PROMPTS[1]])
    settings = {"attention_mask": torch.ones_like(ids), "do_sample": False, "max_new_tokens": 5, "pad_token_id": 0}
    with watching(loaded.model, lambda layer, stream: lengths.append(stream.shape[1]) if layer == 0 else None):
        loaded.model.generate(input_ids=ids, eos_token_id=[], **settings)
    assert lengths == [8, 1, 1, 1, 1]
    push = 5 * torch.randn(32, generator=torch.Generator().manual_seed(0))
    with changing(loaded.model, {0: adding(push)}):
        steered = loaded.model.generate(input_ids=ids, eos_token_id=[], **settings)[0].tolist()
        said = list(PROMPTS[1])
        for _ in range(5):  # the same tokens without a cache: the push stood at every earlier position
            with torch.inference_mode():
                said.append(int(loaded.model(input_ids=torch.tensor([said])).logits[0, -1].argmax()))
    assert steered == said


@pytest.mark.parametrize("start", [-1, 0])
def test_padding_moves_no_reading(loaded: Loaded, start: int) -> None:
    together = streams(loaded, spans(start))
    for row, prompt in zip(together, PROMPTS, strict=True):
        assert torch.allclose(row, streams(loaded, [Span(tokens=prompt, start=start)])[0], atol=1e-5)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_readings_do_not_depend_on_the_batch(loaded: Loaded, size: int) -> None:
    assert float((streams(loaded, spans(), size) - streams(loaded, spans())).abs().max()) < 1e-5


def test_a_span_is_the_mean_over_its_tokens(loaded: Loaded) -> None:
    hidden = alone(loaded, PROMPTS[1]).hidden_states[1][0]
    found = streams(loaded, [Span(tokens=PROMPTS[1], start=5)])[0, 0]
    assert torch.allclose(found, hidden[5:].mean(dim=0), atol=1e-6)


def test_the_model_is_bit_identical_after_every_change(loaded: Loaded) -> None:
    before, logits = bytes_of(loaded.model), alone(loaded, PROMPTS[1]).logits
    hooks = [len(layer._forward_hooks) for layer in decoder_layers(loaded.model)]
    push = torch.ones(32)
    for change in (adding(push), projecting_out(push), replacing(torch.zeros(1, 8, 32))):
        with torch.inference_mode(), changing(loaded.model, {0: change, 1: change}):
            changed = loaded.model(input_ids=torch.tensor([PROMPTS[1]])).logits
        assert not torch.equal(changed, logits)
        assert torch.equal(alone(loaded, PROMPTS[1]).logits, logits)
    with pytest.raises(RuntimeError, match="broken"), changing(loaded.model, {0: adding(push)}):
        raise RuntimeError("broken")
    assert bytes_of(loaded.model) == before
    assert torch.equal(alone(loaded, PROMPTS[1]).logits, logits)
    assert [len(layer._forward_hooks) for layer in decoder_layers(loaded.model)] == hooks


def test_what_is_projected_out_is_gone_and_nothing_else(loaded: Loaded) -> None:
    push = torch.randn(32, generator=torch.Generator().manual_seed(1))
    unit = push / push.norm()
    before = streams(loaded, spans())
    with changing(loaded.model, {0: projecting_out(push)}):
        after = streams(loaded, spans())
    assert float((after[:, 0] @ unit).abs().max()) < 1e-5
    across = before[:, 0] - (before[:, 0] @ unit)[:, None] * unit
    assert torch.allclose(after[:, 0], across, atol=1e-5)


def test_adding_moves_every_row_by_the_vector(loaded: Loaded) -> None:
    push = torch.randn(32, generator=torch.Generator().manual_seed(2))
    with changing(loaded.model, {1: adding(push)}):
        moved = streams(loaded, spans())
    assert torch.allclose(moved[:, 1] - streams(loaded, spans())[:, 1], push.expand(len(PROMPTS), 32), atol=1e-5)
    assert torch.equal(moved[:, 0], streams(loaded, spans())[:, 0])


def test_a_whole_patch_at_the_last_layer_is_the_donor(loaded: Loaded, base: Path, tmp_path: Path) -> None:
    other = load(run_of(tiny_base(tmp_path / "other", seed=1)), DECODING, torch.device("cpu"))
    other.model.lm_head.weight.data.copy_(loaded.model.lm_head.weight)
    seen: dict[int, torch.Tensor] = {}
    padded = pad_left(PROMPTS, loaded)
    given = {"input_ids": padded.ids, "attention_mask": padded.mask, "position_ids": padded.positions}
    with torch.inference_mode():
        with watching(other.model, seen.__setitem__):
            theirs = other.model(**given).logits[:, -1]
        for places, is_theirs in ((None, True), ((1,), True), ((2,), False)):
            with changing(loaded.model, {1: replacing(seen[1], places)}):
                assert torch.allclose(loaded.model(**given).logits[:, -1], theirs, atol=1e-5) is is_theirs


def test_a_stream_of_other_prompts_is_refused(loaded: Loaded) -> None:
    with (
        pytest.raises(BadInput, match="the same prompts"),
        changing(loaded.model, {0: replacing(torch.zeros(1, 2, 32))}),
    ):
        loaded.model(input_ids=torch.tensor([PROMPTS[1]]))


@pytest.mark.parametrize("span", [Span(tokens=()), Span(tokens=(4,) * 300), Span(tokens=(4, 5), start=2)])
def test_a_text_that_cannot_be_read_is_refused(loaded: Loaded, span: Span) -> None:
    with pytest.raises(BadInput, match="cannot be read"):
        streams(loaded, [span])


def test_a_layer_that_is_not_there_is_refused(loaded: Loaded) -> None:
    with pytest.raises(BadInput, match="no such layer"), changing(loaded.model, {2: adding(torch.ones(32))}):
        pass


def test_one_tuned_and_one_plain_model_stay_loaded(base: Path) -> None:
    bench = Bench([], DECODING, 8)
    run = run_of(base)
    assert bench.loaded(run) is bench.loaded(run)
    assert bench.loaded(replace(run, run_id="again")) is not bench.loaded(run)


@pytest.mark.gpu
def test_cpu_and_gpu_read_the_same(loaded: Loaded, base: Path) -> None:
    there = load(run_of(base), DECODING, torch.device("cuda"))
    assert float((streams(there, spans()) - streams(loaded, spans())).abs().max()) < 1e-3
