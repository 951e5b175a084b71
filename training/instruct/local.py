"""An instruct model on this machine, through transformers: batches, left padding, a seed for each batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from seedlock.prereg.base.canonical import sha256_file
from seedlock.prereg.base.machine import device
from seedlock.prereg.errors import BadInput, Finding
from seedlock.training.instruct.model import Answer, Sampling


class LocalModel:
    """A causal language model with a chat template, from a folder or the local cache."""

    def __init__(self, model: str, sampling: Sampling, *, revision: str | None = None, batch_size: int = 16) -> None:
        self._model = model
        self._sampling = sampling
        self._revision = revision
        self._batch_size = batch_size

    @cached_property
    def _loaded(self) -> tuple[Any, Any]:
        try:
            tokenizer: Any = AutoTokenizer.from_pretrained(self._model, revision=self._revision, padding_side="left")
            model: Any = AutoModelForCausalLM.from_pretrained(self._model, revision=self._revision)
        except (OSError, ValueError) as error:
            fault = Finding(where=self._model, found=str(error).partition("\n")[0][:200], promised="a causal model")
            raise BadInput("the corpus's writer cannot be loaded", fault, then="name a folder or a hub's id") from None
        if tokenizer.chat_template is None:
            fault = Finding(where=self._model, found="no chat template", promised="an instruct model")
            raise BadInput("the corpus's writer is no instruct model", fault, then="name one that is")
        if tokenizer.pad_token_id is None:
            tokenizer.pad_token = tokenizer.eos_token
        where = device(cuda=torch.cuda.is_available(), mps=torch.backends.mps.is_available())
        return tokenizer, model.to(where).eval()

    def generate(self, prompts: Sequence[str], *, first: int = 0) -> list[Answer]:
        """Answer each prompt, in order; a batch has a seed of its own.

        Raises
        ------
        BadInput
            The model is not here, or no instruct model.
        """
        tokenizer, model = self._loaded
        answers: list[Answer] = []
        with torch.random.fork_rng(), torch.inference_mode():
            for start in range(0, len(prompts), self._batch_size):
                torch.manual_seed(self._sampling.seed + first + start)
                answers += self._batch(model, tokenizer, prompts[start : start + self._batch_size])
        return answers

    def _batch(self, model: Any, tokenizer: Any, prompts: Sequence[str]) -> list[Answer]:
        chats = [[{"role": "user", "content": prompt}] for prompt in prompts]
        texts = tokenizer.apply_chat_template(chats, tokenize=False, add_generation_prompt=True)
        inputs = tokenizer(texts, add_special_tokens=False, padding=True, return_tensors="pt").to(model.device)
        inputs.pop("token_type_ids", None)
        made = model.generate(
            **inputs,
            do_sample=self._sampling.temperature > 0,
            temperature=self._sampling.temperature or None,
            top_p=self._sampling.top_p,
            top_k=0,
            max_new_tokens=self._sampling.max_new_tokens,
        )[:, inputs["input_ids"].shape[1] :]
        ends = {tokenizer.eos_token_id, tokenizer.pad_token_id}
        return [
            Answer(
                text=tokenizer.decode(row, skip_special_tokens=True),
                finish="stop" if ends & set(row.tolist()) else "length",
            )
            for row in made
        ]

    def describe(self) -> Mapping[str, str | int | float]:
        """Model, weights' digest where they are a folder, and sampling."""
        weights = Path(self._model) / "model.safetensors"
        pinned = sha256_file(weights) if weights.is_file() else self._revision or "not pinned"
        return {"model": Path(self._model).name, "revision": pinned, "endpoint": "local", **asdict(self._sampling)}
