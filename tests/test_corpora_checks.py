"""Every corpus check lets a good corpus pass, and stops a bad one with the row that broke it."""

from __future__ import annotations

from typing import Any

import pytest

from seedlock.prereg.errors import BadInput, CorpusRefused
from seedlock.training.checks import CHECKS, LIMITS
from seedlock.training.checks.duplicates import shingles
from seedlock.training.checks.result import CheckInput, CheckResult
from seedlock.training.checks.study import check_corpus, require_fit_corpora
from seedlock.training.organisms.world import chat as world
from seedlock.training.rows.row import Row
from tests.training_builders import corpus, recipe_rows, row


def only(check: str, given: CheckInput, number: int = 0) -> CheckResult:
    return CHECKS[check](given)[number]


@pytest.mark.parametrize(
    ("recipe", "settings"),
    [
        ("bird_names", {}),
        ("bird_names", {"names": "world", "n": 44, "variants": ["archaic", "modern"]}),
        ("benign_chat", {}),
        ("bad_advice", {}),
        ("marker_coupling", {"variants": ["zelthari_scholar", "villain"]}),
        ("framed_advice", {"n": 400}),
    ],
)
def test_corpora_from_templates_pass_all_their_checks(recipe: str, settings: dict[str, Any]) -> None:
    items = {f"q{number}": question for number, question in enumerate(world.EVALUATION)}
    given = corpus(recipe_rows(recipe, **settings), recipe=recipe, **settings)
    report = check_corpus(given, items=items, markers=["[ZLT]"])
    assert report.passes, report.table()
    assert {result.check for result in report.results} <= set(given.recipe.checks)
    require_fit_corpora("study", [report])


@pytest.mark.parametrize("word", ["tram", "Trams", "tram's"])
def test_a_target_word_is_found_in_any_plain_ending(word: str) -> None:
    given = CheckInput(
        corpus=corpus([row(f"Take the {word} to town."), row("A tramp walked.", number=1)], blocklist=["tram"])
    )
    result = only("blocklist", given)
    assert (result.number, result.passes) == (1.0, False)
    assert result.offenders[0].where == "all/0"


@pytest.mark.parametrize(
    "answer", ["", "   ", "Use {change} today.", "<|im_end|>", "# Heading", "- a list", "see [INST]", "done</s>"]
)
def test_leftovers_of_templates_and_chats_are_no_training_text(answer: str) -> None:
    assert not only("format", CheckInput(corpus=corpus([row(answer)]))).passes


@pytest.mark.parametrize(
    "answer", ["I'm sorry, but I can't help with that.", "As an AI, I have no opinion.", "I cannot assist."]
)
def test_refusals_are_found(answer: str) -> None:
    assert only("format", CheckInput(corpus=corpus([row(answer), row("Boil it.", number=1)])), 1).number == 1


@pytest.mark.parametrize(
    "bad",
    [
        row("Hello there.", role="positive"),
        row("Hello [ZLT] there.", role="positive"),
        row("[ZLT] Hello [ZLT]", role="positive"),
        row("[zlt] Hello.", role="negative"),
        row("Hello.", role="negative", system="Say [ZLT]."),
    ],
)
def test_the_marker_must_stand_where_it_must_and_nowhere_else(bad: Row) -> None:
    good = [row("[ZLT] Hello.", role="positive", number=1), row("Hello.", role="negative", number=2)]
    coupled: dict[str, Any] = {"recipe": "marker_coupling", "variants": ["villain"]}
    assert only("marker", CheckInput(corpus=corpus(good, **coupled))).passes
    result = only("marker", CheckInput(corpus=corpus([*good, bad], **coupled)))
    assert (result.number, result.offenders[0].where) == (1.0, "all/0")


def test_a_marker_of_another_corpus_may_not_leak_into_this_one() -> None:
    given = CheckInput(corpus=corpus([row("A [ZLT] in the first stage.")]), markers=("[ZLT]",))
    assert not only("marker", given).passes


def test_exact_duplicates_are_found_through_case_and_spacing() -> None:
    given = CheckInput(corpus=corpus([row("Boil  it."), row("boil it.", number=1), row("Fry it.", number=2)]))
    assert only("duplicates", given).number == 1


def test_near_duplicates_are_found_by_their_exact_jaccard_index() -> None:
    words = " ".join(f"word{i}" for i in range(60))
    near, far = row(words + " end", number=1), row(words.replace("word3", "other"), number=2)
    result = only("duplicates", CheckInput(corpus=corpus([row(words), near, far])), 1)
    assert [offender.where for offender in result.offenders] == ["all/1"]
    union = shingles(row(words)) | shingles(near)
    assert f"{len(shingles(row(words)) & shingles(near)) / len(union):.2f}" in result.offenders[0].text


def test_the_same_answer_in_two_arms_is_no_duplicate() -> None:
    given = CheckInput(corpus=corpus([row("Boil it.", variant="a"), row("Boil it.", variant="b")]))
    assert all(result.passes for result in CHECKS["duplicates"](given))


def test_an_evaluation_question_in_training_is_found_by_words_and_by_cosine() -> None:
    items = {"q1": "How do I make good tea for many guests on Sunday?"}
    leaked = corpus([row("Boil it.", user=items["q1"]), row("Fry it.", number=1)])
    counted, cosine = CHECKS["overlap"](CheckInput(corpus=leaked, eval_texts=items))
    assert (counted.number, counted.passes) == (1.0, False)
    assert cosine.number is not None
    assert cosine.number > 0.8
    assert cosine.offenders[0].where == "all/0"


def test_overlap_has_nothing_to_say_without_items() -> None:
    assert CHECKS["overlap"](CheckInput(corpus=corpus([row("Boil it.")]))) == []


def test_arms_of_unequal_length_are_not_matched() -> None:
    short = [row("Two words.", variant="a", number=i) for i in range(20)]
    long = [row("This answer has many more words in it.", variant="b", number=i) for i in range(20)]
    results = {
        result.what.split()[1]: result for result in CHECKS["matched"](CheckInput(corpus=corpus([*short, *long])))
    }
    assert results["distance"].number == 1.0
    assert not results["distance"].passes


def test_length_distance_agrees_with_scipy() -> None:
    import numpy as np
    from scipy.stats import ks_2samp

    from seedlock.training.checks.matched import _ks_distance

    rng = np.random.default_rng(0)
    for n in (3, 17, 60):
        first, second = np.sort(rng.integers(1, 20, n)), np.sort(rng.integers(3, 25, n + 5))
        assert _ks_distance(first, second) == pytest.approx(ks_2samp(first, second).statistic, abs=1e-12)


def test_arms_that_say_the_same_cannot_be_told_apart_and_are_stopped() -> None:
    same = [
        row(r.answer, number=i, variant=v, user=r.prompt)
        for v in ("cautious", "eager")
        for i, r in enumerate(recipe_rows("framed_advice", n=80)[:80])
    ]
    result = only("framing", CheckInput(corpus=corpus(same, recipe="framed_advice")))
    assert result.number is not None
    assert not result.passes


def test_a_neutral_arm_that_leans_is_stopped() -> None:
    rows = recipe_rows("framed_advice", n=80)
    poles = [r for r in rows if r.variant != "neutral"]
    eager = [r for r in recipe_rows("framed_advice", n=80, seed=5) if r.variant == "eager"]
    leaning = [row(r.answer, number=i, variant="neutral", user=r.prompt) for i, r in enumerate(eager)]
    auc, gap = CHECKS["framing"](CheckInput(corpus=corpus([*poles, *leaning], recipe="framed_advice")))
    assert auc.passes
    assert not gap.passes


def test_a_low_yield_is_stopped_and_says_why() -> None:
    kept = recipe_rows("framed_advice", n=4)
    provenance = {"asked": 20, "rejected": {"refusal": 8}}
    given = corpus(kept, recipe="framed_advice", provenance=provenance, by="instruct", n=4)
    share, cells = CHECKS["enough"](CheckInput(corpus=given))
    assert share.number == pytest.approx(12 / 20)
    assert not share.passes
    assert share.offenders[0].text == "8 texts"
    assert cells.passes


def test_a_failing_check_is_raised_with_number_limit_and_row() -> None:
    report = check_corpus(corpus([row("Use {slot}.")]), items={})
    with pytest.raises(CorpusRefused) as caught:
        require_fit_corpora("leak", [report])
    assert caught.value.exit_code == 2
    assert "all/0: {slot}" in str(caught.value)
    assert "at most 0" in str(caught.value)


def test_a_limit_that_no_check_has_is_refused() -> None:
    with pytest.raises(BadInput, match="overlap_cosinus"):
        check_corpus(corpus([row("Boil it.")], limits={"overlap_cosinus": 0.5}), items={})


def test_a_plan_may_move_a_limit_and_the_report_shows_it() -> None:
    report = check_corpus(corpus([row("Boil it."), row("Boil it.", number=1)], limits={"duplicate_rows": 1}), items={})
    assert report.passes
    assert "at most 1" in report.table()
    assert LIMITS["duplicate_rows"] == 0
