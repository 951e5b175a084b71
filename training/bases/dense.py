"""A GGUF file as a folder that every loader reads: dense float32 weights, tokenizer, chat template."""

from __future__ import annotations

import io
from contextlib import redirect_stderr
from pathlib import Path
from typing import Any

from seedlock.prereg.errors import BadInput, Finding
from seedlock.training.bases.gguf_file import GgufFile

LEFT_OUT = "rope_"
"""Tensors that scale positions: transformers' reader drops them, and far positions would be read otherwise."""


def write_dense(source: Path, head: GgufFile, to: Path, *, where: str) -> None:
    """Write a GGUF file as a folder, without loss: each weight becomes the number that it stands for.

    Raises
    ------
    BadInput
        transformers does not know the architecture or the tokenizer, or leaves out a tensor of the file or the model.
    """
    import torch  # noqa: PLC0415 - seconds to import
    from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: PLC0415
    from transformers.utils.logging import disable_progress_bar  # noqa: PLC0415

    disable_progress_bar()  # type: ignore[no-untyped-call] # transformers leaves it untyped
    named: dict[str, Any] = {"gguf_file": source.name, "local_files_only": True}
    try:
        with redirect_stderr(io.StringIO()):  # it draws a bar of its own, wherever it runs
            tokenizer: Any = AutoTokenizer.from_pretrained(source.parent, **named)
            loaded: Any = AutoModelForCausalLM.from_pretrained(
                source.parent, dtype=torch.float32, output_loading_info=True, **named
            )
    except Exception as error:  # its reader raises what it likes
        found = f"architecture {head.architecture!r}: {type(error).__name__}: {str(error)[:160]}"
        raise _refused(where, found, "an architecture and a tokenizer that transformers reads from GGUF") from None
    model, told = loaded
    _require_all(head, told, where)
    del model.config.quantization_config
    model.hf_quantizer, model.is_quantized = None, False
    model.config._name_or_path = ""
    model.save_pretrained(to)
    tokenizer.save_pretrained(to)


def _require_all(head: GgufFile, told: dict[str, Any], where: str) -> None:
    """Every weight of the model is from the file, and no tensor that changes its numbers is left out."""
    if absent := sorted(told.get("missing_keys") or ()):
        raise _refused(where, f"no {', '.join(absent[:5])}", "every weight of the model")
    if left_out := [name for name in head.tensors if name.startswith(LEFT_OUT)]:
        raise _refused(where, f"{', '.join(left_out)}, which transformers leaves out", "tensors that it reads")


def _refused(where: str, found: str, promised: str) -> BadInput:
    return BadInput(
        "the GGUF file cannot be read as a model",
        Finding(where=where, found=found, promised=promised),
        then="name a file of another architecture, or the model's folder of safetensors",
    )
