"""What functions hand each other: codes beside words, names with their levels, one record an estimator."""

from __future__ import annotations

import ast
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedlock.analysis.estimators import ESTIMATORS
from seedlock.analysis.estimators.internals.estimator import PlannedLevel
from seedlock.analysis.inference.reason import Reason
from seedlock.prereg.errors import Finding, NoSpread
from seedlock.prereg.plan.identity import HypothesisId
from tests.conftest import PROJECT
from tests.sample_builders import level, sample


def test_a_reason_prints_its_code_and_its_words_and_is_acted_on_by_its_code() -> None:
    refusal = NoSpread("all units agree", Finding(where="H1", found="0", promised="spread"))
    reason = Reason.of(refusal)
    assert (str(reason), reason.code) == ("no-spread: all units agree (H1: 0, promised spread)", "no-spread")


@given(st.text(st.characters(blacklist_characters="["), min_size=1), st.none() | st.text(min_size=1))
def test_a_hypothesis_is_read_back_as_it_was_named(base: str, at: str | None) -> None:
    made = HypothesisId(base, at)
    read = HypothesisId.read(str(made))
    assert (read, read.base, read.level) == (made, base, at)
    assert made.is_meant_by(base)
    assert made.is_meant_by(str(made))


def test_a_level_is_not_meant_by_another() -> None:
    assert not HypothesisId("H1", "llama").is_meant_by("H1[qwen]")
    assert not HypothesisId("H1").is_meant_by("H10")


def test_no_function_takes_a_name_or_a_reason_apart_by_its_spelling() -> None:
    """`split("[")`, and `startswith` on a code that this package writes itself."""
    known = {"gate-shut", "missing-answers", "missing-unbounded", "fallback-sd", "not testable", "inconclusive"}
    for folder in ("analysis", "prereg", "generation", "training"):
        for path in (PROJECT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text("utf-8"))):
                if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args):
                    continue
                first = node.args[0]
                said = first.value if isinstance(first, ast.Constant) else None
                if path.name != "identity.py":
                    assert not (node.func.attr in {"split", "partition"} and said == "["), path
                assert not (node.func.attr == "startswith" and said in known), path


@pytest.mark.parametrize(
    ("test", "sizes", "p"),
    [
        ("permutation", {"a": (1.0, 4), "b": (-1.0, 4)}, 1 / math.comb(8, 4)),
        ("sign_flip", {"a": (1.0, 5), "b": (-1.0, 5)}, 1 / 32),
        ("rank_among", {"one": (1.0, 1), "random": (-1.0, 40)}, 1 / 41),
    ],
)
def test_the_smallest_p_of_a_test_by_counting_is_what_it_gives_at_its_most_extreme(
    test: str, sizes: dict[str, tuple[float, int]], p: float
) -> None:
    estimator = ESTIMATORS[test]
    assert estimator.smallest_p is not None
    planned = estimator.smallest_p({name: PlannedLevel(weight=w, n_units=n) for name, (w, n) in sizes.items()})
    assert planned is not None
    assert planned.p == pytest.approx(p)
    spread = [
        level(name, [(1.0 if weight > 0 else 0.0) + 0.001 * unit * (2 + weight) for unit in range(n)], weight=weight)
        for name, (weight, n) in sizes.items()
    ]
    found = estimator.run(sample(*spread), level=0.5, edges=(0.0,))
    assert found.edges[0].p_above == pytest.approx(planned.p)
