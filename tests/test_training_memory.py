"""Room on a device: predicted from a model's shape, and counted on real layers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, inject_adapter_in_model
from transformers import LlamaConfig, Qwen2Config
from transformers.models.llama.modeling_llama import LlamaDecoderLayer, LlamaRotaryEmbedding
from transformers.models.qwen2.modeling_qwen2 import Qwen2DecoderLayer, Qwen2RotaryEmbedding

from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.plan.model_shape import ModelShape
from seedlock.prereg.plan.read import parse_plan, read_plan
from seedlock.training.cost.memory import layer_bytes, memory_lines, memory_lints, training_memory
from seedlock.training.jobs.settings import StageSettings
from tests.conftest import PROJECT

TOKENS = 32


def shape_in(study: str, model: str) -> ModelShape:
    """As a full plan states it."""
    rates = read_plan(PROJECT / "prereg" / "studies" / study / "plan.toml").rates
    assert rates is not None
    shape = rates.of(model).shape
    assert shape is not None
    return shape


SMALL = ModelShape(layers=1, hidden=64, mlp=176, heads=4, kv_heads=2, vocabulary=32)
REAL = {"7B": ("marker_leak", "qwen"), "3B, Qwen": ("vibe_leak", "qwen"), "3B, Llama": ("vibe_leak", "llama")}


def counted(shape: ModelShape, settings: StageSettings) -> int:
    """Bytes of every different tensor that autograd keeps for one decoder layer's backward pass, weights left out."""
    kinds: tuple[Any, Any, Any] = (
        (Qwen2Config, Qwen2DecoderLayer, Qwen2RotaryEmbedding)
        if shape.qkv_bias
        else (LlamaConfig, LlamaDecoderLayer, LlamaRotaryEmbedding)
    )
    config, decoder, rotary = kinds
    told = config(
        hidden_size=shape.hidden, intermediate_size=shape.mlp, num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads, num_hidden_layers=1, vocab_size=32,
        attn_implementation=settings.attention,
    )  # fmt: skip
    with torch.device("meta"):
        layer = decoder(told, 0)
    held = torch.nn.ModuleDict({"layer": layer.to(getattr(torch, settings.dtype)).to_empty(device="cpu")})
    linear = list(settings.target_modules or shape.linear)
    config_of_lora = LoraConfig(r=settings.rank, lora_dropout=settings.dropout, target_modules=linear)
    inject_adapter_in_model(config_of_lora, held)
    for name, parameter in held.named_parameters():
        parameter.requires_grad_("lora" in name)
        parameter.data = parameter.data.float() if "lora" in name else parameter.data
    held.train()
    x = torch.zeros(1, TOKENS, shape.hidden, dtype=getattr(torch, settings.dtype), requires_grad=True)
    places = rotary(told)(x, torch.arange(TOKENS)[None])
    shared = [*held.parameters(), *places]
    known = {tensor.untyped_storage().data_ptr() for tensor in shared}
    kept: dict[int, torch.Tensor] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept.setdefault(tensor.untyped_storage().data_ptr(), tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        held["layer"](x, position_embeddings=places)
    return sum(tensor.untyped_storage().nbytes() for at, tensor in kept.items() if at not in known)


@pytest.mark.parametrize("size", REAL)
def test_one_layer_of_a_published_model_keeps_what_is_predicted(size: str) -> None:
    shape, settings = shape_in(*REAL[size]), StageSettings(rank=32, dtype="bfloat16")
    assert layer_bytes(shape, settings, tokens=TOKENS) == pytest.approx(counted(shape, settings), rel=0.10)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("dropout", [0.0, 0.05])
@pytest.mark.parametrize("modules", [None, ("q_proj", "v_proj")])
def test_types_dropout_and_adapted_layers_are_reckoned_with(
    dtype: str, dropout: float, modules: tuple[str, ...] | None
) -> None:
    settings = StageSettings(rank=8, dtype=dtype, dropout=dropout, target_modules=modules)  # type: ignore[arg-type]
    predicted = layer_bytes(SMALL, settings, tokens=TOKENS, mask_bytes=4)  # a CPU keeps masks as wide as their input
    assert predicted == pytest.approx(counted(SMALL, settings), rel=0.10)


def test_softmax_weights_of_the_plain_kernel_are_bounded() -> None:
    settings = StageSettings(rank=8, attention="eager")
    assert layer_bytes(SMALL, settings, tokens=TOKENS) >= counted(SMALL, settings)


def test_reading_layers_again_leaves_one_of_them_and_every_input() -> None:
    shape = shape_in("marker_leak", "qwen")
    kept = training_memory(shape, StageSettings(dtype="bfloat16"), tokens=4096, supervised=0)
    again = training_memory(
        shape, StageSettings(dtype="bfloat16", gradient_checkpointing=True), tokens=4096, supervised=0
    )
    one = kept.activations / shape.layers
    assert again.activations == pytest.approx(one + shape.layers * 4096 * shape.hidden * 2)
    assert again.weights == kept.weights == 2 * shape.parameters
    assert kept.activations > 10 * again.activations


def test_a_stage_that_the_card_cannot_hold_is_refused_before_the_lock() -> None:
    paths = StudyPaths(root=PROJECT, name="marker_leak")
    text = (paths.study / "plan.toml").read_text("utf-8")
    assert not list(memory_lints(paths, parse_plan(text.encode(), Path("plan.toml"))))
    without = parse_plan(text.replace("gradient_checkpointing = true\n", "").encode(), Path("plan.toml"))
    (refused,) = memory_lints(paths, without)
    assert (refused.severity, refused.where) == ("refuse", "stages.benign")
    assert "the card has 40" in refused.says
    (line,) = memory_lines(paths, without)
    assert line.amount.value is not None
    assert line.amount.value > 40e9
