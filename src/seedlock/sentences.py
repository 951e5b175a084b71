"""Sentences as vectors of what they mean: the encoder that a plan names, for judges and corpus checks alike."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seedlock.prereg.base.base_models import folder_here, found_revision
from seedlock.prereg.errors import BadInput, Finding, Incomplete, LockedFileChanged
from seedlock.prereg.plan.runs import Model

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    type Vectors = NDArray[np.float32]

BATCH = 64
POOLING = "1_Pooling/config.json"
LENGTH = "sentence_bert_config.json"


class Encoder:
    """A sentence encoder in the way of sentence-transformers, read with plain transformers.

    `name` says which it is. A text's vector is the mean over its tokens' last hidden states, of unit length: the
    product of two is their cosine.
    Reimers & Gurevych (2019), Sentence-BERT, https://doi.org/10.48550/arXiv.1908.10084
    """

    def __init__(self, folder: Path, name: str) -> None:
        import torch
        from transformers import AutoModel, AutoTokenizer
        from transformers.utils.logging import disable_progress_bar

        disable_progress_bar()  # type: ignore[no-untyped-call] # transformers leaves it untyped
        torch.set_num_threads(1)  # sums over threads come out in another order
        self.name = name
        self._tokenizer: Any = AutoTokenizer.from_pretrained(folder)
        self._model: Any = AutoModel.from_pretrained(folder, dtype=torch.float32)
        self._longest = int(json.loads((folder / LENGTH).read_bytes())["max_seq_length"])

    def vectors(self, texts: Sequence[str]) -> Vectors:
        """Encode texts; what lies beyond the encoder's length is not read.

        Returns
        -------
        Vectors
            Shape (texts, width), float32, rows of unit length. A text's vector depends on no other beyond rounding.
        """
        import numpy as np
        import torch

        distinct = sorted(set(texts), key=lambda text: (len(text), text))
        found: dict[str, Any] = {}
        for start in range(0, len(distinct), BATCH):
            some = distinct[start : start + BATCH]
            read = self._tokenizer(some, padding=True, truncation=True, max_length=self._longest, return_tensors="pt")
            with torch.inference_mode():
                hidden = self._model(**read).last_hidden_state
            seen = read["attention_mask"].unsqueeze(-1)
            mean = (hidden * seen).sum(dim=1) / seen.sum(dim=1)
            found |= dict(zip(some, torch.nn.functional.normalize(mean).numpy(), strict=True))
        return np.stack([found[text] for text in texts])


def open_encoder(model: Model, root: Path, study: str) -> Encoder:
    """Open the encoder of a plan, each byte as it is pinned.

    Raises
    ------
    Incomplete
        It is not on this machine.
    LockedFileChanged
        Its files are not the pinned ones.
    BadInput
        It is no sentence encoder, or pools otherwise than by the mean.
    """
    folder = folder_here(model.base, root, model.revision)
    if folder is None:
        fault = Finding(where="encoder.base", found="not on this machine", promised=model.base)
        raise Incomplete("the sentence encoder is not here", fault, then=f"seedlock fetch {study}")
    if (found := found_revision(model.base, root, folder)) != model.revision:
        fault = Finding(where="encoder.revision", found=found, promised=model.revision)
        raise LockedFileChanged("the sentence encoder is not the pinned one", fault, then=f"seedlock fetch {study}")
    pooling = folder / POOLING
    said = json.loads(pooling.read_bytes()) if pooling.is_file() and (folder / LENGTH).is_file() else {}
    if not said.get("pooling_mode_mean_tokens"):
        fault = Finding(
            where="encoder.base",
            found=f"{POOLING}: {sorted(k for k, on in said.items() if on is True)}",
            promised="a sentence encoder that takes the mean over tokens",
        )
        raise BadInput("the model is no sentence encoder of the kind that is read here", fault)
    return Encoder(folder, f"{model.base} @ {model.revision}")
