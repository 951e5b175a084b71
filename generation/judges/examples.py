"""A judge that learns labels from the study's own examples: a completion gets the label of those it is most like."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seedlock.generation.judging.protocol import Bench
from seedlock.generation.judging.reading import Reading, Verdict, no_verdict
from seedlock.generation.judging.similarity import Meaning, Similarity, Words
from seedlock.prereg.base.canonical import sha256_file
from seedlock.prereg.plan.examples import read_examples
from seedlock.prereg.plan.judges import ExamplesJudge
from seedlock.prereg.plan.lexicon import labels_of
from seedlock.sentences import Encoder

RIDGE = 1.0
FENCE = 1e-9
type IntArray = NDArray[np.int64]
type FloatArray = NDArray[np.float64]


class ExamplesJudging:
    """Ridge regression on the examples, one label against the rest, in the kernel of what it reads.

    It learns from the locked examples alone, never from a completion; a text's verdict depends on no other text. The
    ledger keeps how many examples it labels rightly when their own group was not learnt from.
    """

    def __init__(self, judge: ExamplesJudge, bench: Bench) -> None:
        self._judge = judge
        self._encoder: Encoder | None = bench.encoder
        self._sha256 = sha256_file(bench.study / judge.examples)
        self._examples = read_examples(bench.study / judge.examples)
        self._known = sorted({one.label for one in self._examples})
        self._target_EL = np.array(
            [[1.0 if one.label == label else -1.0 for label in self._known] for one in self._examples]
        )
        self._right: int | None = None

    @property
    def labels(self) -> list[str]:
        """Every label it may give."""
        return labels_of(self._known, self._judge.borderline)

    def estimate(self, readings: Sequence[Reading]) -> None:  # noqa: ARG002 - it costs nothing, whatever it reads
        """Return None: nothing is paid for."""
        return

    def submit(self, readings: Sequence[Reading]) -> None:
        """Hand in nothing: verdicts are there at once."""

    def verdicts(self, readings: Sequence[Reading]) -> Iterator[Verdict]:
        """Yield the label of the examples that each text is most like, and try the judge on its own examples."""
        n = len(self._examples)
        alike = self._similarity([*(one.text for one in self._examples), *(reading.text for reading in readings)])
        self._right = self._tried(alike)
        score_IL = self._scores(alike, np.arange(n), np.arange(n, n + len(readings)))
        for reading, score_L in zip(readings, score_IL, strict=True):
            label = self._label(score_L)
            if label is None:
                yield no_verdict(reading, "unparsed", "as like the examples of one label as of another")
            else:
                yield Verdict(reading=reading, status="ok", label=label)

    def describe(self) -> dict[str, Any]:
        """Which examples, what reads them, and how many it gets right of those whose group it had not learnt from."""
        return {
            "kind": "examples",
            "examples_sha256": self._sha256,
            "reads": self._judge.reads,
            "model": None if self._encoder is None else self._encoder.name,
            "scikit_learn": version("scikit-learn"),
            "examples": len(self._examples),
            "examples_right_when_held_out": self._right,
        }

    def _similarity(self, texts: Sequence[str]) -> Similarity:
        return Words(texts) if self._encoder is None else Meaning(self._encoder.vectors(texts))

    def _scores(self, alike: Similarity, learn_I: IntArray, judge_I: IntArray) -> FloatArray:
        """Score of every label for every text to judge, shape (texts, labels); about +1 for its own."""
        from sklearn.kernel_ridge import KernelRidge  # noqa: PLC0415 - only judges that learn need it

        kernel_EE, judged_IE = alike.kernels(learn_I, judge_I)
        ridge = KernelRidge(alpha=RIDGE, kernel="precomputed").fit(kernel_EE, self._target_EL[learn_I])
        scores: FloatArray = ridge.predict(judged_IE)
        return scores

    def _label(self, score_L: FloatArray) -> str | None:
        """The best label; the borderline one where the next is within the margin, or within rounding."""
        second, best = np.sort(score_L)[-2:]
        is_clear = best - second > max(self._judge.margin, FENCE)
        return self._known[int(score_L.argmax())] if is_clear else self._judge.borderline

    def _tried(self, alike: Similarity) -> int:
        """Examples that get their own label when their whole group is left out."""
        groups = np.array([one.group for one in self._examples])
        right = 0
        for group in np.unique(groups):
            own_I = np.flatnonzero(groups == group)
            score_IL = self._scores(alike, np.flatnonzero(groups != group), own_I)
            said = [self._label(score_L) for score_L in score_IL]
            right += sum(label == self._examples[i].label for label, i in zip(said, own_I, strict=True))
        return right


def open_judge(judge: ExamplesJudge, bench: Bench) -> ExamplesJudging:
    """Open the judge.

    Raises
    ------
    BadInput
        Its file holds no examples to judge by.
    """
    return ExamplesJudging(judge, bench)
