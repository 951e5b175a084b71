"""A judge that learns to tell two classes of a run's completions apart, and is tried on questions it never saw."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from seedlock.generation.judging.protocol import Bench
from seedlock.generation.judging.reading import Reading, Verdict, no_verdict
from seedlock.generation.judging.similarity import Meaning, Similarity, Words
from seedlock.prereg.base.canonical import sha256_json
from seedlock.prereg.plan.judges import CORRECT, WRONG, ClassifierJudge
from seedlock.sentences import Encoder

LEAST = 5
"""Fewer completions of a class teach nothing."""
RIDGE = 1.0
FENCE = 1e-9
type IntArray = NDArray[np.int64]
type FloatArray = NDArray[np.float64]
type BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunTest:
    """How well the two classes of one run are told apart.

    Parameters
    ----------
    n, correct
        Completions judged, as many of either class, or pairs, and those that were told right; guessing gets half.
    p_value
        Share of permutations of the classes within groups (within each pair, of pairs), the run's own among them, that
        are told at least as well.
    """

    run_id: str
    n: int
    correct: int
    p_value: float


class ClassifierJudging:
    """A two-sample test by classifier, within each run.

    Characters of words (2 to 5, inside word boundaries), weighted by TF-IDF, or the vectors of a sentence encoder, into
    a ridge classifier: least squares on the classes as +1 and -1, which is linear in them, so that every permutation is
    fitted at once. A completion is judged by a classifier trained on other groups, weights included, so that no topic
    is learnt and recognised; of a pair, the text that scores higher for the class to find is chosen. Of words, their
    order is not seen; of neither is anything obeyed: a text that commands a verdict counts by what it says.

    Lopez-Paz & Oquab (2017), Revisiting classifier two-sample tests, https://doi.org/10.48550/arXiv.1610.06545;
    Phipson & Smyth (2010) for p, https://doi.org/10.2202/1544-6115.1585
    """

    def __init__(self, judge: ClassifierJudge, encoder: Encoder | None = None) -> None:
        self._judge = judge
        self._encoder = encoder
        self._tests: list[RunTest] = []

    def estimate(self, readings: Sequence[Reading]) -> None:  # noqa: ARG002 - it costs nothing, whatever it reads
        """Return None: nothing is paid for."""
        return

    def submit(self, readings: Sequence[Reading]) -> None:
        """Hand in nothing: verdicts are there at once."""

    def verdicts(self, readings: Sequence[Reading]) -> Iterator[Verdict]:
        """Yield "correct" or "wrong" for each reading of each run; a run that cannot be tested says why."""
        for run_id, of_run in groupby(sorted(readings, key=_place), key=lambda r: str(r.run_id)):
            yield from self._run(run_id, list(of_run))

    def describe(self) -> dict[str, Any]:
        """The accuracy and p value of every run, and what they were made with."""
        from importlib.metadata import version  # noqa: PLC0415 - asked for once

        return {
            "kind": "classifier",
            "reads": self._judge.reads,
            "model": None if self._encoder is None else self._encoder.name,
            "scikit_learn": version("scikit-learn"),
            "folds": self._judge.folds,
            "permutations": self._judge.permutations,
            "runs": [asdict(test) for test in self._tests],
        }

    def _run(self, run_id: str, readings: Sequence[Reading]) -> Iterator[Verdict]:
        fault = self._fault(readings)
        if fault is not None:
            yield from (no_verdict(reading, "error", fault) for reading in readings)
            return
        if self._judge.pairs is not None:
            yield from self._pairs(run_id, readings)
            return
        first = next(iter(self._judge.classes))
        classes_I = np.array([1.0 if reading.own_class == first else -1.0 for reading in readings])
        groups_I = _numbered([str(reading.group) for reading in readings])
        classes_IK = np.column_stack([classes_I, self._permuted(run_id, classes_I, groups_I)])
        texts = [reading.text for reading in readings]
        correct_IK = _classes(self._similarity(texts), classes_IK, groups_I, self._judge) == classes_IK
        yield from self._tested(run_id, readings, correct_IK)

    def _pairs(self, run_id: str, readings: Sequence[Reading]) -> Iterator[Verdict]:
        """Choose of each pair the text that scores higher for the class to find; the classes of a pair are permuted.

        On the fence to nine digits the text that is shown first is chosen: the plan's draw decides, and no rounding.
        """
        n = len(readings)
        is_first_P = np.array([r.against is not None and r.against.is_second for r in readings])
        texts = [reading.text for reading in readings] + [r.against.text for r in readings if r.against is not None]
        groups_I = np.tile(_numbered([str(reading.group) for reading in readings]), 2)
        sign_PK = np.column_stack([np.ones(n), self._signs(run_id, n)])
        score_IK = _scores(self._similarity(texts), np.vstack([sign_PK, -sign_PK]), groups_I, self._judge)
        margin_PK = score_IK[:n] - score_IK[n:]
        ahead_PK = np.where(np.abs(margin_PK) > FENCE, margin_PK > 0, is_first_P[:, None])
        correct_PK = ahead_PK == (sign_PK > 0)
        yield from self._tested(run_id, readings, correct_PK)

    def _similarity(self, texts: Sequence[str]) -> Similarity:
        """How alike the texts of a fold are, by what this judge reads of them."""
        return Words(texts) if self._encoder is None else Meaning(self._encoder.vectors(texts))

    def _signs(self, run_id: str, n: int) -> FloatArray:
        """Exchanges of the two classes of each pair, one permutation a column: -1 where they are exchanged."""
        rng = np.random.default_rng(int(sha256_json([self._judge.seed, "exchange", run_id])[:16], 16))
        return np.where(rng.random((n, self._judge.permutations)) < 0.5, -1.0, 1.0)

    def _tested(self, run_id: str, readings: Sequence[Reading], correct_IK: BoolArray) -> Iterator[Verdict]:
        """Note how the run was told apart, beside its permutations, and give each reading its verdict."""
        correct_K = correct_IK.sum(axis=0)
        p_value = float(np.mean(correct_K >= correct_K[0]))
        self._tests.append(RunTest(run_id=run_id, n=len(readings), correct=int(correct_K[0]), p_value=p_value))
        for reading, correct in zip(readings, correct_IK[:, 0], strict=True):
            yield Verdict(reading=reading, status="ok", label=CORRECT if correct else WRONG)

    def _fault(self, readings: Sequence[Reading]) -> str | None:
        is_paired = self._judge.pairs is not None
        n_class = min(sum(reading.own_class == name for reading in readings) for name in self._judge.classes)
        n_least, what = (len(readings), "pairs") if is_paired else (n_class, "completions of the rarer class")
        if n_least < LEAST:
            return f"{n_least} {what}: a classifier needs {LEAST}"
        groups = {reading.group for reading in readings}
        if len(groups) < self._judge.folds:
            return f"{len(groups)} different {self._judge.group} for {self._judge.folds} folds"
        return None

    def _permuted(self, run_id: str, classes_I: FloatArray, groups_I: IntArray) -> FloatArray:
        """Classes exchanged within groups, one permutation a column."""
        digest = sha256_json([self._judge.seed, "permute", run_id])
        rng = np.random.default_rng(int(digest[:16], 16))
        permuted_IK = np.repeat(classes_I[:, None], self._judge.permutations, axis=1)
        for group in np.unique(groups_I):
            at = np.flatnonzero(groups_I == group)
            permuted_IK[at] = rng.permuted(permuted_IK[at], axis=0)
        return permuted_IK


def open_judge(judge: ClassifierJudge, bench: Bench) -> ClassifierJudging:
    """Open the judge."""
    return ClassifierJudging(judge, bench.encoder)


def _place(reading: Reading) -> tuple[str, str]:
    return str(reading.run_id), reading.id


def _numbered(names: Sequence[str]) -> IntArray:
    place: Mapping[str, int] = {name: i for i, name in enumerate(sorted(set(names)))}
    return np.array([place[name] for name in names])


def _classes(alike: Similarity, classes_IK: FloatArray, groups_I: IntArray, judge: ClassifierJudge) -> FloatArray:
    """The class that each completion is told to be by what was learnt from other groups, for every permutation.

    What is on the fence to nine digits is told to be of the first class, so that no rounding decides.
    """
    return np.where(_scores(alike, classes_IK, groups_I, judge) > -FENCE, 1.0, -1.0)


def _scores(alike: Similarity, classes_IK: FloatArray, groups_I: IntArray, judge: ClassifierJudge) -> FloatArray:
    """What a classifier that learnt from other groups says of each completion: high for the class that counts +1.

    Whole groups in each fold, both classes as even as they get.
    """
    from sklearn.kernel_ridge import KernelRidge  # noqa: PLC0415 - only this judge needs it
    from sklearn.model_selection import StratifiedGroupKFold  # noqa: PLC0415

    score_IK = np.zeros_like(classes_IK)
    splitter = StratifiedGroupKFold(n_splits=judge.folds)
    for train_I, test_I in splitter.split(groups_I, classes_IK[:, 0], groups_I):
        kernel_II, test_II = alike.kernels(train_I, test_I)
        ridge = KernelRidge(alpha=RIDGE, kernel="precomputed")
        ridge.fit(kernel_II, classes_IK[train_I])
        score_IK[test_I] = ridge.predict(test_II)
    return score_IK
