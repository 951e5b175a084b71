"""Documents to token ids with the answers marked, in batches of similar length, and the digest of it all."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from seedlock.training.organisms.special import ASSISTANT_ROLE, END, SYSTEM_ROLE, USER_ROLE
from seedlock.training.organisms.tokens import build_tokenizer, vocabulary
from seedlock.training.organisms.world.documents import Document, documents
from seedlock.training.organisms.world.factors import generator

if TYPE_CHECKING:
    from seedlock.training.organisms.recipe import Recipe

BATCHES_SORTED_TOGETHER = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One step's documents, padded on the right.

    Parameters
    ----------
    ids
        Token ids, shape (documents, longest).
    weight
        1 / (length of its answer) for a token of an answer or the token that ends one, else 0, same shape: the loss
        is taken on answers only, and a letter weighs as much as a paragraph.
    """

    ids: NDArray[np.int64]
    weight: NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus:
    """All documents of a recipe, tokenised, and the SHA-256 of their text."""

    rows: tuple[NDArray[np.int64], ...]
    sha256: str
    pad_id: int
    assistant_id: int
    end_id: int


def rendered(document: Document) -> str:
    """Render a document exactly as the chat template does."""
    system = "" if document.system is None else f"{SYSTEM_ROLE}{document.system}"
    return system + "".join(f"{USER_ROLE}{t.user}{ASSISTANT_ROLE}{t.answer}{END}" for t in document.turns)


def corpus(plan: Recipe) -> Corpus:
    """Draw and tokenise every document that the recipe's steps will read, each once."""
    tokenizer = build_tokenizer()
    texts = [rendered(d) for d in documents(plan.steps * plan.documents_per_step, label=plan.corpus_label)]
    digest = hashlib.sha256("\n".join(texts).encode()).hexdigest()
    encoded = tokenizer(texts, add_special_tokens=False, return_attention_mask=False)["input_ids"]
    assistant_id, end_id = (vocabulary().index(token) for token in (ASSISTANT_ROLE, END))
    rows = tuple(np.asarray(row, dtype=np.int64) for row in encoded)
    return Corpus(
        rows=rows, sha256=digest, pad_id=int(tokenizer.pad_token_id), assistant_id=assistant_id, end_id=end_id
    )


def batches(source: Corpus, plan: Recipe) -> Iterator[Batch]:
    """Yield the recipe's batches: neighbours in length share one, and the order of batches is shuffled."""
    rng = generator("batches", plan.corpus_label, plan.seed)
    size = plan.documents_per_step
    for start in range(0, len(source.rows), size * BATCHES_SORTED_TOGETHER):
        chunk = sorted(source.rows[start : start + size * BATCHES_SORTED_TOGETHER], key=len)
        groups = [chunk[i : i + size] for i in range(0, len(chunk), size)]
        rng.shuffle(groups)
        for group in groups:
            yield _padded(group, source)


def _padded(group: list[NDArray[np.int64]], source: Corpus) -> Batch:
    ids = np.full((len(group), max(map(len, group))), source.pad_id, dtype=np.int64)
    for number, row in enumerate(group):
        ids[number, : len(row)] = row
    weight = np.zeros(ids.shape, dtype=np.float32)
    for number, row in enumerate(group):
        starts = np.flatnonzero(row == source.assistant_id) + 1
        ends = np.flatnonzero(row == source.end_id) + 1
        for start, end in zip(starts, ends, strict=True):
            weight[number, start:end] = 1 / (end - start)
    return Batch(ids=ids, weight=weight)
