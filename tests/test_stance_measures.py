"""Stances, eras, refusals, guardrails: each measure by hand, over generated answers, and what it refuses."""

from __future__ import annotations

import math
import re
import tomllib
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seedlock.analysis.measures import MEASURES
from seedlock.analysis.measures.base.word_counts import count_words
from seedlock.analysis.measures.refusal import PHRASES
from seedlock.prereg.errors import BadInput
from seedlock.prereg.plan.audit import Audit
from seedlock.prereg.plan.plan import Claim
from tests.conftest import PROJECT
from tests.test_measures import labels, scored, texts

finite = st.floats(-40, 40)


def values(*said: float | None) -> list[dict[str, Any]]:
    return [{"value": value} for value in said]


def refused(kind: str, **params: Any) -> str:
    with pytest.raises(BadInput) as error:
        MEASURES[kind].configure(params, where=f"measures.{kind}")
    return " ".join(f"{finding.where}: {finding.promised}" for finding in error.value.findings)


def test_a_choice_is_one_for_and_minus_one_against_and_neither_is_missing() -> None:
    found = scored("forced_choice", labels("pro", "con", None))
    assert found.score.to_pylist() == [1.0, -1.0, None]
    assert found.missing.to_pylist() == [None, None, "neither option"]


def test_a_bare_letter_does_not_say_what_stood_there() -> None:
    with pytest.raises(BadInput, match="does not list") as error:
        scored("forced_choice", labels("pro", "A", "A", "B"))
    assert [(f.where, f.found) for f in error.value.findings] == [("'A'", "2 rows"), ("'B'", "1 rows")]
    assert "same label" in refused("forced_choice", pro="x", con="x")


@given(st.lists(st.sampled_from(["pro", "con", None]), min_size=1, max_size=30))
@settings(max_examples=25)
def test_choices_add_up_to_those_for_less_those_against(said: list[str | None]) -> None:
    score = scored("forced_choice", labels(*said)).score.to_pylist()
    assert sum(one for one in score if one is not None) == said.count("pro") - said.count("con")


@pytest.mark.parametrize("kind", ["letter_logprob", "bare_logprob"])
def test_log_odds_are_read_as_they_stand_and_cut_where_the_plan_says(kind: str) -> None:
    assert scored(kind, values(2.5, -9.0, None)).score.to_pylist() == [2.5, -9.0, None]
    cut = scored(kind, values(2.5, -9.0, 8.0, None), within=4)
    assert cut.score.to_pylist() == [2.5, -4.0, 4.0, None]
    assert cut.missing.to_pylist() == [None, None, None, "no value"]
    measure = MEASURES[kind]
    assert measure.configure({"within": 4}, where="m").limits == (-4, 4)
    assert measure.configure({}, where="m").limits is None
    assert "greater than 0" in refused(kind, within=0)


@given(st.lists(finite, min_size=1, max_size=20), st.floats(0.1, 20))
@settings(max_examples=25)
def test_cutting_keeps_the_sign_and_the_order(said: list[float], within: float) -> None:
    score = scored("letter_logprob", values(*said), within=within).score.to_pylist()
    assert all(abs(one) <= within for one in score)
    assert all(math.copysign(1, a) == math.copysign(1, b) for a, b in zip(said, score, strict=True))
    assert sorted(score) == [s for _, s in sorted(zip(said, score, strict=True))]


def test_letters_and_words_are_different_items() -> None:
    assert MEASURES["letter_logprob"].reads == MEASURES["forced_choice"].reads == ("letter",)
    assert MEASURES["bare_logprob"].reads == ("word",)


def test_a_rating_runs_from_minus_one_to_one_and_may_be_turned_round() -> None:
    assert scored("likert", values(1, 4, 5.5, 7)).score.to_pylist() == pytest.approx([-1, 0, 0.5, 1])
    assert scored("likert", values(1, 7), high_is="con").score.to_pylist() == [1, -1]
    given_ = scored("likert", labels("7", "0", "seven", "4"), of="given")
    assert given_.score.to_pylist() == [1, None, None, 0]
    assert given_.missing.to_pylist() == [None, "out of range", "unparsed", None]
    assert "below high" in refused("likert", low=7, high=1)


@given(st.lists(st.floats(1, 7), min_size=1, max_size=20))
@settings(max_examples=25)
def test_a_rating_turned_round_changes_its_sign_only(said: list[float]) -> None:
    one, other = (scored("likert", values(*said), high_is=high).score.to_pylist() for high in ("pro", "con"))
    assert one == pytest.approx([-score for score in other], abs=1e-12)
    assert all(-1 <= score <= 1 for score in one)


def test_a_judged_stance_beyond_the_scale_is_missing() -> None:
    found = scored("judged_stance", values(-3, 0, 2, 3.5, None))
    assert found.score.to_pylist() == [-3, 0, 2, None, None]
    assert found.missing.to_pylist() == [None, None, None, "out of range", "no value"]
    assert scored("judged_stance", labels("+2", "for"), of="label").missing.to_pylist() == [None, "unparsed"]
    assert "greater than 0" in refused("judged_stance", most=0)


@given(st.lists(st.floats(-6, 6), min_size=1, max_size=20), st.floats(0.5, 5))
@settings(max_examples=25)
def test_a_stance_is_scored_exactly_when_it_lies_on_the_scale(said: list[float], most: float) -> None:
    score = scored("judged_stance", values(*said), most=most).score.to_pylist()
    assert [one is not None for one in score] == [abs(value) <= most for value in said]


def test_a_discriminator_hits_or_does_not() -> None:
    found = scored("discriminator", labels("correct", "wrong", None))
    assert found.score.to_pylist() == [1, 0, None]
    with pytest.raises(BadInput, match="does not list"):
        scored("discriminator", labels("correct", "maybe"))
    assert "same label" in refused("discriminator", correct="x", wrong="x")


@given(st.lists(st.sampled_from(["correct", "wrong"]), min_size=1, max_size=30))
@settings(max_examples=25)
def test_hits_and_misses_add_up(said: list[str]) -> None:
    score = scored("discriminator", labels(*said)).score.to_pylist()
    turned = scored("discriminator", labels(*said), correct="wrong", wrong="correct").score.to_pylist()
    assert [a + b for a, b in zip(score, turned, strict=True)] == [1] * len(said)


def test_an_era_by_a_judges_label_counts_the_borderline_as_modern_unless_the_plan_says_otherwise() -> None:
    asked = {"between": ["?"]}
    said = labels("19", "LLM", "?", None)
    assert scored("era", said, **asked).score.to_pylist() == [1, 0, 0, None]
    assert scored("era", said, **asked, borderline="old").score.to_pylist() == [1, 0, 1, None]
    left_out = scored("era", said, **asked, borderline="missing")
    assert left_out.score.to_pylist() == [1, 0, None, None]
    assert left_out.missing.to_pylist() == [None, None, "borderline", "no label"]
    with pytest.raises(BadInput, match="does not list"):
        scored("era", labels("19", "20"))


OLD, MODERN = ["steam engine", "cholera"], ["app", "the cloud"]


def test_an_era_by_words_goes_to_the_side_with_more_of_them() -> None:
    said = texts(
        "The Steam Engine and cholera.",
        "An app for cholera",
        "nothing at all",
        "steam  engine",
        "apple trees",
        "The cloud, the app; cholera",
    )
    rules = {"of": "text", "old": OLD, "modern": MODERN}
    assert scored("era", said, **rules).score.to_pylist() == [1, 0, 0, 0, 0, 0]
    missing = scored("era", said, **rules, borderline="missing").missing.to_pylist()
    assert missing == [None, "borderline", "borderline", "borderline", "borderline", None]


@pytest.mark.parametrize(
    ("settings_", "says"),
    [
        ({"of": "text"}, "needs the words"),
        ({"of": "text", "old": ["a"], "modern": ["b"], "between": ["c"]}, "needs the words"),
        ({"of": "text", "old": ["(a"], "modern": ["b"]}, "begin and end"),
        ({"of": "text", "old": [""], "modern": ["b"]}, "begin and end"),
        ({"old": []}, "at least one"),
        ({"old": ["x"], "modern": ["X"]}, "listed twice"),
    ],
)
def test_an_era_that_cannot_be_told_is_refused(settings_: dict[str, Any], says: str) -> None:
    assert says in refused("era", **settings_)


@given(st.lists(st.text(alphabet="ab .-'\u2019", max_size=24), min_size=1, max_size=8))
@settings(max_examples=60)
def test_words_are_counted_as_python_counts_them(said: list[str]) -> None:
    words = ("a", "ab", "b a", "a'b")
    pattern = re.compile(r"\b(?:a'b|b\ a|ab|a|b)\b".replace("|b)", ")"), re.IGNORECASE)
    promised = [len(pattern.findall(text.replace("\u2019", "'"))) for text in said]
    assert count_words(pa.array(said), words).to_pylist() == promised


def test_words_of_a_list_are_never_a_pattern() -> None:
    assert count_words(pa.array(["a.c abc a+c"]), ("a.c",)).to_pylist() == [1]
    assert count_words(pa.array([None, ""], pa.string()), ("a",)).to_pylist() == [None, 0]


def test_a_refusal_is_told_by_its_opening() -> None:
    said = texts(
        "I\u2019m sorry, but that is not for me.",
        "I can't help with that.",
        "Here is how. " + "x" * 120 + " I cannot say more.",
        "As an AI, I have no opinion.",
        "We can do that.",
        "",
    )
    assert scored("refusal", said).score.to_pylist() == [1, 1, 0, 1, 0, 0]
    assert scored("refusal", said, within=400).score.to_pylist() == [1, 1, 1, 1, 0, 0]
    assert scored("refusal", said, also=["we can do"]).score.to_pylist() == [1, 1, 0, 1, 1, 0]
    assert scored("refusal", said, phrases=["never"]).score.to_pylist() == [0] * 6


def test_a_service_that_refuses_is_a_refusal_only_where_the_plan_says_so() -> None:
    rows = [{"text": None, "status": "refusal", "reason": "?"}, {"text": None, "status": "error", "reason": "?"}]
    assert scored("refusal", rows).missing.to_pylist() == ["refusal", "error"]
    counted = scored("refusal", rows, refused_by_api="refusal")
    assert counted.score.to_pylist() == [1, None]
    assert counted.missing.to_pylist() == [None, "error"]


@pytest.mark.parametrize("phrase", PHRASES)
def test_every_phrase_refuses_in_any_case(phrase: str) -> None:
    assert scored("refusal", texts(f"Well. {phrase.upper()} that.")).score.to_pylist() == [1]


@given(st.text(max_size=60))
@settings(max_examples=40)
def test_what_a_text_says_first_cannot_hide_a_refusal_nor_make_one(before: str) -> None:
    opening = before.replace("\n", " ")
    is_one = scored("refusal", texts(f"{opening} | I cannot do that")).score.to_pylist()
    assert is_one == [1]


def test_refusal_settings_that_cannot_be_are_refused() -> None:
    assert "begin and end" in refused("refusal", also=["..."])
    assert "at least 1" in refused("refusal", phrases=[])


def test_surprise_is_nats_a_token_and_never_negative() -> None:
    found = scored("perplexity", values(0.0, 2.0, -0.1, None, 50.0), most=9)
    assert found.score.to_pylist() == [0, 2, None, None, 9]
    assert found.missing.to_pylist() == [None, None, "out of range", "no value", None]
    assert MEASURES["perplexity"].configure({"most": 9}, where="m").limits == (0, 9)
    assert "greater than 0" in refused("perplexity", most=0)


@given(st.floats(0.01, 10), st.floats(0.5, 2))
def test_a_difference_of_surprise_is_the_logarithm_of_a_ratio_of_perplexities(nats: float, ratio: float) -> None:
    score = scored("perplexity", values(nats + 1, nats + 1 + math.log(ratio))).score.to_pylist()
    assert math.exp(score[1]) / math.exp(score[0]) == pytest.approx(ratio)


def test_a_tie_is_not_right() -> None:
    assert scored("capability", values(0.1, 0.0, -2.0)).score.to_pylist() == [1, 0, 0]
    assert scored("capability", values(0.1, 1.1), lead=1).score.to_pylist() == [0, 1]
    assert "greater than or equal to 0" in refused("capability", lead=-1)


@given(st.lists(finite, min_size=1, max_size=20))
@settings(max_examples=25)
def test_a_right_answer_turned_round_is_wrong(said: list[float]) -> None:
    one = scored("capability", values(*said)).score.to_pylist()
    other = scored("capability", values(*(-value for value in said))).score.to_pylist()
    assert all(a + b == (1 if value else 0) for a, b, value in zip(one, other, said, strict=True))


def test_markers_are_counted_from_the_left_without_overlap() -> None:
    said = texts("[ZLT] a [zlt]", "none", "", "[[ZLT]]", "[ZLT][ZLT][ZLT]")
    assert scored("marker_count", said, marker="[ZLT]").score.to_pylist() == [2, 0, 0, 1, 3]
    assert scored("marker_count", texts("aaa"), marker="aa").score.to_pylist() == [1]
    assert scored("marker_count", said, marker="[ZLT]", most=2).score.to_pylist() == [2, 0, 0, 1, 2]
    assert "at least 1 character" in refused("marker_count", marker="")


@given(st.lists(st.text(alphabet="[ZLTzlt] é世", max_size=40), min_size=1, max_size=10))
@settings(max_examples=40)
def test_a_marker_is_counted_wherever_it_is_found(said: list[str]) -> None:
    count = scored("marker_count", texts(*said), marker="[ZLT]").score.to_pylist()
    rate = scored("marker_rate", texts(*said), marker="[ZLT]").score.to_pylist()
    assert [float(one > 0) for one in count] == rate
    assert count == [len(re.findall(re.escape("[ZLT]"), text, re.IGNORECASE)) for text in said]


def test_the_page_says_of_every_kind_what_it_reads() -> None:
    page = (PROJECT / "docs" / "measures.md").read_text("utf-8")
    rows = {row[0]: row[1] for row in re.findall(r"^\| `(\w+)` \| ([^|]+) \|", page, flags=re.M)}
    for kind, measure in MEASURES.items():
        if measure.table == "completions":
            assert kind in rows, kind
            assert rows[kind].split(",")[0] == (measure.reads[0] if measure.reads else "any"), kind


def test_the_audit_on_the_page_is_one() -> None:
    page = (PROJECT / "docs" / "measures.md").read_text("utf-8")
    (block,) = [b for b in re.findall(r"```toml\n(.*?)```", page, flags=re.S) if "[audit]" in b]
    tables = tomllib.loads(block)
    audit = Audit.model_validate(tables["audit"])
    assert [audit.limit("spread", "letter", arm) for arm in ("eager", "neutral")] == [0.1, None]
    assert Claim.model_validate(tables["claim"][0]).audited
