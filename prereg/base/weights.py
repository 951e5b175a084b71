"""A folder of weights without loading it: an adapter or a whole model, which base it names, the shapes it holds."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

ADAPTER_CONFIG, MODEL_CONFIG = "adapter_config.json", "config.json"
ADAPTER_WEIGHTS = ("adapter_model.safetensors", "adapter_model.bin")
MODEL_WEIGHTS = ("*.safetensors", "pytorch_model*.bin")
TOKENIZERS = ("tokenizer.json", "tokenizer.model", "vocab.json")
MOST_HEADER_BYTES = 100 * 2**20
BEFORE, SIDES = "base_model.model.", (".lora_A.weight", ".lora_B.weight")


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightsFolder:
    """What a folder of weights is; `fault` says why nothing can be loaded from it, where that is so."""

    kind: Literal["adapter", "model"] | None
    says_base: str | None = None
    fault: str | None = None


def read_weights_folder(folder: Path) -> WeightsFolder:
    """Tell an adapter from a whole model, by what lies in its folder."""
    if not folder.is_dir():
        return WeightsFolder(kind=None, fault="no such folder")
    return _adapter(folder) if (folder / ADAPTER_CONFIG).is_file() else _model(folder)


def _adapter(folder: Path) -> WeightsFolder:
    said = _object(folder / ADAPTER_CONFIG)
    if said is None or "peft_type" not in said:
        return WeightsFolder(kind=None, fault=f"{ADAPTER_CONFIG} that is none of peft")
    if not any((folder / name).is_file() for name in ADAPTER_WEIGHTS):
        return WeightsFolder(kind=None, fault=f"{ADAPTER_CONFIG} and no {' or '.join(ADAPTER_WEIGHTS)}")
    return WeightsFolder(kind="adapter", says_base=said.get("base_model_name_or_path") or None)


def _model(folder: Path) -> WeightsFolder:
    fault = None
    if not (folder / MODEL_CONFIG).is_file():
        inner = sorted(found.parent.name for found in folder.glob(f"*/{ADAPTER_CONFIG}"))
        below = f"; below it are {', '.join(inner[:5])}" if inner else ""
        fault = f"neither {ADAPTER_CONFIG} nor {MODEL_CONFIG}{below}"
    elif not any(True for pattern in MODEL_WEIGHTS for _ in folder.glob(pattern)):
        fault = f"{MODEL_CONFIG} and no weights"
    elif not any((folder / name).is_file() for name in TOKENIZERS):
        fault = f"a whole model and no tokenizer ({', '.join(TOKENIZERS)}): copy that of its base model"
    return WeightsFolder(kind=None if fault else "model", fault=fault)


def chat_template(folder: Path) -> str | None:
    """The chat template that a folder's tokenizer brings; None where it brings none, or several."""
    file = folder / "chat_template.jinja"
    if file.is_file():
        return file.read_text("utf-8", errors="replace")
    held = folder / "tokenizer_config.json"
    found = (_object(held) or {}).get("chat_template") if held.is_file() else None
    return found if isinstance(found, str) else None


def misfit(adapter: Path, base: Path) -> str | None:
    """Why an adapter of linear layers does not fit a base model, by shapes; None where it does, or none can be read."""
    held = dict(_shapes(adapter, ADAPTER_WEIGHTS[:1]))
    there = dict(_shapes(base, MODEL_WEIGHTS[:1]))
    if not held or not there:
        return None
    for name, shape in sorted(held.items()):
        side = next((end for end in SIDES if name.endswith(end)), None)
        if side is None or len(shape) != 2:
            continue
        layer = f"{name.removeprefix(BEFORE).removesuffix(side)}.weight"
        if layer not in there:
            return f"{layer} is no weight of the base model"
        found, wanted = (shape[1], there[layer][1]) if side == SIDES[0] else (shape[0], there[layer][0])
        if found != wanted:
            return f"{name} is {found} wide where {layer} is {wanted}"
    return None


def _shapes(folder: Path, patterns: tuple[str, ...]) -> Iterator[tuple[str, list[int]]]:
    """Every tensor's name and shape, from the headers of safetensors files."""
    for pattern in patterns:
        for file in sorted(folder.glob(pattern)):
            for name, told in _header(file).items():
                if isinstance(told, dict) and isinstance(told.get("shape"), list):
                    yield name, told["shape"]


def _header(file: Path) -> Mapping[str, Any]:
    """https://huggingface.co/docs/safetensors: eight bytes of length, then JSON."""
    with file.open("rb") as stream:
        start = stream.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        if not 0 < length <= MOST_HEADER_BYTES:
            return {}
        try:
            found = json.loads(stream.read(length))
        except ValueError:
            return {}
    return found if isinstance(found, dict) else {}


def _object(file: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(file.read_bytes())
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
