"""Canonical JSON is RFC 8785's, whichever way it was spelled; what that refuses is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st

from seedlock.prereg.base.canonical import canonical_json

LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.floats()
    | st.floats().map(lambda x: round(x, 2))
    | st.text(st.characters())
    | st.text(st.sampled_from('a"\\\n\u001f\u007f\u2028\ue000\U0001f600e+-0123456789.:,[]{}'))
)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner), max_leaves=12
)


def outcome(spell: Any, value: Any) -> Any:
    """Bytes, or the fact of a refusal."""
    try:
        return spell(value)
    except (ValueError, rfc8785.CanonicalizationError):
        return "refused"


@example({"\ue000": 1, "\U0001f600": 2})
@example([1.0, -0.0, 1e-7, 1e16, 1e21, 0.1, 123456789012345.6, 5e-324])
@example(2**53)
@example([-(2**53)])
@example("\ud800")
@example(float("nan"))
@given(VALUES)
def test_every_value_is_spelled_or_refused_as_rfc_8785_has_it(value: Any) -> None:
    assert outcome(canonical_json, value) == outcome(rfc8785.dumps, value)


@pytest.mark.parametrize("value", [{1: "a"}, {None: 1}, {True: 1}, [{2.5: 1}], {"a": {"b": {3: []}}}])
def test_a_key_that_is_no_text_is_refused(value: Any) -> None:
    with pytest.raises(rfc8785.CanonicalizationError):
        canonical_json(value)


def test_a_lock_is_spelled_by_the_quick_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Digests with long runs of digits, times and rates such as 0.05 need no second spelling."""
    monkeypatch.setattr(rfc8785, "dumps", lambda _: pytest.fail("the slow way"))
    value = {"sha256": "1" * 64, "at": "2026-01-01T00:00:00+00:00", "alpha": 0.05, "n": 12, "runs": [None, True]}
    assert json.loads(canonical_json(value)) == value
