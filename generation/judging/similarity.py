"""How alike two texts are, to a judge that learns from some and is tried on others: by words, or by meaning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

NGRAMS = (2, 5)
type IntArray = NDArray[np.int64]
type FloatArray = NDArray[np.float64]


class Similarity(Protocol):
    """A kernel over texts."""

    def kernels(self, train_I: IntArray, test_I: IntArray) -> tuple[FloatArray, FloatArray]:
        """Cosines among the texts to learn from, and of those to try with each of them; only the former are weighed."""
        ...


@dataclass(frozen=True, slots=True)
class Words:
    """Characters of words, 2 to 5 inside word boundaries, weighted by TF-IDF over the texts to learn from."""

    texts: Sequence[str]

    def kernels(self, train_I: IntArray, test_I: IntArray) -> tuple[FloatArray, FloatArray]:
        """Cosines of sparse vectors."""
        from sklearn.feature_extraction.text import TfidfVectorizer  # noqa: PLC0415 - only this judge needs it

        weigh = TfidfVectorizer(analyzer="char_wb", ngram_range=NGRAMS, sublinear_tf=True)
        train_IF = weigh.fit_transform([self.texts[i] for i in train_I])
        test_IF = weigh.transform([self.texts[i] for i in test_I])
        return (train_IF @ train_IF.T).toarray(), (test_IF @ train_IF.T).toarray()


@dataclass(frozen=True, slots=True)
class Meaning:
    """Vectors of a sentence encoder, shape (texts, width), rows of unit length; nothing of them is learnt here."""

    vectors_IF: Any

    def kernels(self, train_I: IntArray, test_I: IntArray) -> tuple[FloatArray, FloatArray]:
        """Cosines of dense vectors, in double precision."""
        wide_IF = np.asarray(self.vectors_IF, dtype=np.float64)
        return wide_IF[train_I] @ wide_IF[train_I].T, wide_IF[test_I] @ wide_IF[train_I].T
