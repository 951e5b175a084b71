"""Agreement of judges: published examples, scikit-learn and scipy, and refusals."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score

from seedlock.analysis.findings.agreement import Metric, cohen_kappa, icc, krippendorff_alpha
from seedlock.analysis.findings.judge_agreement import judge_agreements
from seedlock.prereg.errors import NoSpread, NotFinite, NotPaired, TooFewUnits

# Krippendorff (2011), Computing Krippendorff's alpha-reliability, section C: four observers, twelve units.
OBSERVERS = {
    "A": "1 2 3 3 2 1 4 1 2 . . .",
    "B": "1 2 3 3 2 2 4 1 2 5 . 3",
    "C": ". 3 3 3 2 3 4 2 2 5 1 .",
    "D": "1 2 3 3 2 4 4 1 2 5 1 .",
}


def rated(text: str) -> dict[str, float]:
    return {f"u{i:02d}": float(code) for i, code in enumerate(text.split()) if code != "."}


def as_items(codes: list[int]) -> dict[str, float]:
    return {f"u{i:03d}": float(code) for i, code in enumerate(codes)}


@pytest.mark.parametrize(("metric", "alpha"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)])
def test_alpha_matches_krippendorffs_worked_example(metric: Metric, alpha: float) -> None:
    found = krippendorff_alpha({judge: rated(text) for judge, text in OBSERVERS.items()}, metric=metric)
    assert found.value == pytest.approx(alpha, abs=5.1e-4)
    assert found.n == 11


def test_alpha_by_hand() -> None:
    # Two judges, units (0,0), (0,1): coincidences 2, 1, 1; observed 1/2, expected 2*3*1 / (4*3): alpha 0.
    found = krippendorff_alpha({"a": {"1": 0, "2": 0}, "b": {"1": 0, "2": 1}}, metric="nominal")
    assert found.value == pytest.approx(0)


def test_kappa_by_hand() -> None:
    # 20 and 15 agree of 50; chance .3 + .2: Cohen's classic table, kappa .4.
    first = [1] * 25 + [0] * 25
    second = [1] * 20 + [0] * 5 + [1] * 10 + [0] * 15
    found = cohen_kappa(as_items(first), as_items(second))
    assert found.value == pytest.approx(0.4)
    assert found.ci_low is not None
    assert found.ci_high is not None
    assert found.ci_low < 0.4 < found.ci_high


codes = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=4, max_size=40)


@example([(1, 0), (1, 0), (1, 0), (1, 1), (1, 1), (2, 1)], "linear")
@given(codes, st.sampled_from(["none", "linear", "quadratic"]))
def test_kappa_agrees_with_scikit_learn(pairs: list[tuple[int, int]], weights: str) -> None:
    first, second = [p[0] for p in pairs], [p[1] for p in pairs]
    if len(set(first)) == 1 or len(set(second)) == 1:
        return
    # Distances are between ranks of the codes in use.
    rank = {code: i for i, code in enumerate(sorted({*first, *second}))}
    expected = cohen_kappa_score(
        [rank[c] for c in first], [rank[c] for c in second], weights=None if weights == "none" else weights
    )
    found = cohen_kappa(as_items(first), as_items(second), weights=weights)  # type: ignore[arg-type]
    assert found.value == pytest.approx(expected, abs=1e-12)


@given(codes)
def test_two_judges_who_always_agree_have_alpha_one(pairs: list[tuple[int, int]]) -> None:
    first = [p[0] for p in pairs]
    if len(set(first)) == 1:
        return
    for metric in ("nominal", "ordinal", "interval"):
        found = krippendorff_alpha({"a": as_items(first), "b": as_items(first)}, metric=metric)
        assert found.value == pytest.approx(1)
    assert cohen_kappa(as_items(first), as_items(first)).value == pytest.approx(1)


@given(codes)
def test_nominal_alpha_of_two_judges_is_scotts_pi_corrected_for_size(pairs: list[tuple[int, int]]) -> None:
    first, second = as_items([p[0] for p in pairs]), as_items([p[1] for p in pairs])
    every = [*first.values(), *second.values()]
    if len(set(every)) == 1:
        return
    n = len(every)
    share = [every.count(c) / n for c in set(every)]
    agree = sum(a == b for a, b in pairs) / len(pairs)
    pi = (agree - sum(s * s for s in share)) / (1 - sum(s * s for s in share))
    found = krippendorff_alpha({"a": first, "b": second}, metric="nominal")
    assert found.value == pytest.approx(1 - (1 - pi) * (n - 1) / n)


def test_the_intraclass_correlation_by_its_mean_squares() -> None:
    """By hand: two-way mean squares of numpy, McGraw and Wong's ICC(A,1), against pingouin's."""
    rng = np.random.default_rng(4)
    truth = rng.normal(size=20)
    y = np.stack([truth + rng.normal(0, 0.4, 20), truth + 0.5 + rng.normal(0, 0.4, 20)], axis=1)
    rows, columns, whole = y.mean(axis=1), y.mean(axis=0), y.mean()
    ms_rows, ms_columns = 2 * ((rows - whole) ** 2).sum() / 19, 20 * ((columns - whole) ** 2).sum()
    ms_error = ((y - rows[:, None] - columns + whole) ** 2).sum() / 19
    expected = (ms_rows - ms_error) / (ms_rows + ms_error + 2 / 20 * (ms_columns - ms_error))
    found = icc({"a": as_items(y[:, 0].tolist()), "b": as_items(y[:, 1].tolist())})
    assert found.value == pytest.approx(expected, rel=1e-6)
    assert (found.n, found.ci_level) == (20, 0.95)
    assert found.ci_low is not None
    assert found.ci_high is not None
    assert found.ci_low < found.value < found.ci_high


def test_where_pingouin_gives_no_number_the_icc_is_refused_or_has_no_interval() -> None:
    same = as_items([3, 3, 3, 3, 3])
    with pytest.raises(NoSpread):
        icc({"a": same, "b": same})
    with pytest.raises(TooFewUnits):
        icc({"a": as_items([1, 2, 3]), "b": as_items([1, 2, 3])})
    twice = as_items([1, 2, 3, 4, 5])
    found = icc({"a": twice, "b": twice})
    assert (found.value, found.ci_low) == (1.0, None)
    assert "no width" in found.reason


def verdicts(judge: str, told: dict[str, str | float | None], status: str = "ok") -> list[dict[str, Any]]:
    return [
        {
            "judge": judge,
            "request_id": text,
            "status": "error" if said is None else status,
            "label": said if isinstance(said, str) else None,
            "value": float(said) if isinstance(said, float | int) else None,
        }
        for text, said in told.items()
    ]


def test_judges_are_set_beside_those_who_answer_alike() -> None:
    """Two label judges on eight shared texts, one with labels of its own, two on a scale, second readings left out."""
    texts = [f"t{i}" for i in range(10)]
    first = dict(zip(texts, "xxxxxyyyyy", strict=True))
    second = {**dict(zip(texts[:8], "xxxxyyyy", strict=True)), "t8": None}
    alone = dict(zip(texts, "pqpqpqpqpq", strict=True))
    scale = {text: float(i % 5) for i, text in enumerate(texts)}
    shifted = {text: value + 1 for text, value in scale.items()}
    table = pa.Table.from_pylist(
        [
            *verdicts("a", dict(first)), *verdicts("a/2", dict(alone)), *verdicts("b", dict(second)),
            *verdicts("c", dict(alone)), *verdicts("s", dict(scale)), *verdicts("z", dict(shifted)),
        ]
    )  # fmt: skip
    labels, scales = judge_agreements(table, level=0.95)
    assert (labels.judges, labels.kind, labels.n) == (["a", "b"], "Cohen's kappa", 8)
    # By hand: 7 of 8 alike; by chance (5 x 4 + 3 x 4) / 64 = .5, so kappa = (.875 - .5) / .5.
    assert labels.value == pytest.approx(0.75)
    assert (scales.judges, scales.kind, scales.n) == (["s", "z"], "ICC(A,1)", 10)
    assert scales.value is not None
    assert 0.5 < scales.value < 1.0
    assert judge_agreements(None, level=0.95) == []


def test_agreement_that_cannot_be_told_from_chance_is_refused() -> None:
    same = as_items([1, 1, 1, 1])
    with pytest.raises(NoSpread):
        krippendorff_alpha({"a": same, "b": same}, metric="nominal")
    with pytest.raises(NoSpread):
        cohen_kappa(same, same)


def test_unpaired_few_or_infinite_ratings_are_refused() -> None:
    with pytest.raises(NotPaired):
        cohen_kappa(as_items([1, 2]), as_items([1, 2, 3]))
    with pytest.raises(TooFewUnits):
        krippendorff_alpha({"a": {"x": 1}, "b": {"y": 1}}, metric="nominal")
    with pytest.raises(TooFewUnits):
        krippendorff_alpha({}, metric="nominal")
    with pytest.raises(NotFinite):
        icc({"a": as_items([1, 2, 3, 4, 5]), "b": {**as_items([1, 2, 3, 4]), "u004": math.nan}})


@pytest.mark.parametrize("metric", ["nominal", "ordinal", "interval"])
def test_the_interval_of_alpha_is_the_plain_bootstrap_over_items(metric: Metric) -> None:
    """By brute force: items drawn with replacement, renamed, and alpha computed anew."""
    rng = np.random.default_rng(1)
    first = {f"i{i:02}": float(rng.integers(1, 5)) for i in range(30)}
    second = {item: rating if rng.random() < 0.7 else float(rng.integers(1, 5)) for item, rating in first.items()}
    found = krippendorff_alpha({"a": first, "b": second}, metric=metric, rng=np.random.default_rng(2))
    assert found.ci_low is not None
    assert found.ci_high is not None
    again = krippendorff_alpha({"a": first, "b": second}, metric=metric, rng=np.random.default_rng(2))
    assert again == found
    plain = []
    for _ in range(400):
        drawn = rng.choice(sorted(first), size=30)
        plain.append(
            krippendorff_alpha(
                {
                    "a": {f"{n}": first[i] for n, i in enumerate(drawn)},
                    "b": {f"{n}": second[i] for n, i in enumerate(drawn)},
                },
                metric=metric,
            ).value
        )
    low, high = np.quantile(plain, [0.025, 0.975])
    assert (found.ci_low, found.ci_high) == pytest.approx((low, high), abs=0.06)
    assert found.ci_low < found.value < found.ci_high


def test_the_interval_of_alpha_covers() -> None:
    """Two judges who agree on 80% of two codes, else guess: alpha is .8, whatever items are drawn."""
    rng = np.random.default_rng(3)
    held = 0
    for _ in range(120):
        truth = rng.integers(0, 2, 60)
        heard = np.where(rng.random(60) < 0.8, truth, rng.integers(0, 2, 60))
        pair = [{f"{i}": float(code) for i, code in enumerate(codes)} for codes in (truth, heard)]
        found = krippendorff_alpha({"a": pair[0], "b": pair[1]}, metric="nominal", rng=rng)
        held += found.ci_low is not None and found.ci_high is not None and found.ci_low <= 0.8 <= found.ci_high
    assert held / 120 > 0.88


def test_too_few_items_give_alpha_without_an_interval_and_the_reason() -> None:
    pair = {"a": {"x": 1.0, "y": 2.0, "z": 1.0}, "b": {"x": 1.0, "y": 2.0, "z": 2.0}}
    found = krippendorff_alpha(pair, metric="nominal", rng=np.random.default_rng(1))
    assert (found.ci_low, found.ci_high, found.ci_level) == (None, None, None)
    assert "needs 10" in found.reason
