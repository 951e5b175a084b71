"""The size of a decoder-only model and of a LoRA adapter on it, from a dozen whole numbers and no weights."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from seedlock.prereg.base.base_models import folder_here
from seedlock.prereg.plan.runs import Model, Table

if TYPE_CHECKING:
    from seedlock.prereg.plan.plan import Plan

FAMILIES = frozenset({"llama", "mistral", "qwen2"})
"""Values of `model_type` in a config.json that `ModelShape` describes."""


class ModelShape(Table):
    """`[rates.models.NAME.shape]`: the shape of a Llama, Mistral or Qwen2 model, as its config.json names it.

    `qkv_bias`: Qwen2 adds a bias to queries, keys and values. `tied`: one matrix is read at both ends.
    """

    layers: int = Field(gt=0)
    hidden: int = Field(gt=0)
    mlp: int = Field(gt=0)
    heads: int = Field(gt=0)
    kv_heads: int = Field(gt=0)
    vocabulary: int = Field(gt=0)
    head_dim: int | None = Field(default=None, gt=0)
    tied: bool = False
    qkv_bias: bool = False

    @property
    def linear(self) -> dict[str, tuple[int, int]]:
        """Width in and out of every linear module of a layer, by its name."""
        size = self.head_dim or self.hidden // self.heads
        queries, keys = self.heads * size, self.kv_heads * size
        return {
            "q_proj": (self.hidden, queries),
            "k_proj": (self.hidden, keys),
            "v_proj": (self.hidden, keys),
            "o_proj": (queries, self.hidden),
            "gate_proj": (self.hidden, self.mlp),
            "up_proj": (self.hidden, self.mlp),
            "down_proj": (self.mlp, self.hidden),
        }

    @property
    def parameters(self) -> int:
        """Parameters of the whole model."""
        layer = sum(wide * out for wide, out in self.linear.values()) + 2 * self.hidden
        if self.qkv_bias:
            layer += sum(self.linear[name][1] for name in ("q_proj", "k_proj", "v_proj"))
        return self.layers * layer + self.vocabulary * self.hidden * (1 if self.tied else 2) + self.hidden

    def adapter_parameters(self, rank: int, modules: Collection[str] | None) -> int:
        """Parameters of a LoRA adapter on the named linear modules of every layer; on all of them for None."""
        chosen = [sizes for name, sizes in self.linear.items() if modules is None or name in modules]
        return self.layers * rank * sum(wide + out for wide, out in chosen)


def shape_of(plan: Plan, model: str, root: Path) -> ModelShape | None:
    """The shape of a model of the plan: as it lies here, else as [rates] states it."""
    stated = None if plan.rates is None else plan.rates.of(model).shape
    return local_shape(plan.models[model], root) or stated


def no_shape(model: str) -> str:
    """Why nothing can be said that follows from a model's shape."""
    return f"the model is not here: state rates.models.{model}.shape"


def local_shape(model: Model, root: Path) -> ModelShape | None:
    """The shape of a model that lies here, by its config.json; None elsewhere, and of another family."""
    folder = folder_here(model.base, root, model.revision)
    file = None if folder is None else folder / "config.json"
    if file is None or not file.is_file():
        return None
    config = json.loads(file.read_bytes())
    if config.get("model_type") not in FAMILIES:
        return None
    return ModelShape(
        layers=config["num_hidden_layers"],
        hidden=config["hidden_size"],
        mlp=config["intermediate_size"],
        heads=config["num_attention_heads"],
        kv_heads=config.get("num_key_value_heads") or config["num_attention_heads"],
        vocabulary=config["vocab_size"],
        head_dim=config.get("head_dim"),
        tied=bool(config.get("tie_word_embeddings", False)),
        qkv_bias=config["model_type"] == "qwen2",
    )
