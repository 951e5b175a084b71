"""What a design check refuses: tests that could not succeed, and labels that a judge and a measure do not share."""

from __future__ import annotations

from pathlib import Path

import pytest

from seedlock.analysis.simulation.design_lints import design_lints
from seedlock.prereg.errors import BadInput
from seedlock.prereg.plan.lint import Lint
from seedlock.prereg.plan.read import parse_plan
from tests.conftest import PROJECT

FOLDER = PROJECT / "prereg" / "studies" / "vibe_leak_tiny_2"
PLAN = (FOLDER / "plan.toml").read_text("utf-8")
RANK = """test      = "rank_among"
bands     = ["not more", 0.0, "more"]
predicted = "more"
"""


def refused(code: str, *changes: tuple[str, str]) -> list[Lint]:
    text = PLAN
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    found = design_lints(parse_plan(text.encode(), FOLDER / "plan.toml"), FOLDER)
    return [lint for lint in found if lint.code == code and lint.severity == "refuse"]


def test_a_rank_among_so_few_controls_that_no_rank_could_reach_alpha_is_refused() -> None:
    assert not refused("unattainable-p")
    few = refused("unattainable-p", ("random   = 40 ", "random   = 38 "))
    assert [lint.where for lint in few] == ["H3-chance[llama]", "H3-chance[qwen]"]
    assert few[0].says == "one among 38 controls: the smallest attainable one-sided p is 0.0256"


@pytest.mark.parametrize(("controls", "is_enough"), [(40, False), (78, False), (79, True)])
def test_a_family_takes_its_share_of_the_smallest_rank(controls: int, is_enough: bool) -> None:
    in_family = [(RANK, f'{RANK}family    = "inside"\n'), ("random   = 40 ", f"random   = {controls} ")]
    found = refused("unattainable-p", *in_family)
    assert [lint.where for lint in found] == ([] if is_enough else ["H3-chance[llama]", "H3-chance[qwen]"])


@pytest.mark.parametrize(("alpha", "is_enough"), [(0.03, True), (0.02, False)])
def test_a_member_of_a_family_is_held_to_its_own_alpha(alpha: float, is_enough: bool) -> None:
    """Two ranks in a family: 2 / 71 is above the plan's 0.025 and 2 / 80 is just that; the analysis asks neither."""
    own = (RANK, f'{RANK}family    = "inside"\nalpha     = {alpha}\n')
    found = refused("unattainable-p", own, ("random   = 40 ", f"random   = {70 if is_enough else 79} "))
    assert [lint.where for lint in found] == ([] if is_enough else ["H3-chance[llama]", "H3-chance[qwen]"])


def test_every_label_of_a_judge_is_listed_and_no_other() -> None:
    assert not refused("labels")
    unlisted = refused("labels", ('negative = ["neutral", "eager"]', 'negative = ["eager"]'))
    assert ["may say neutral" in lint.says for lint in unlisted] == [True]
    assert not refused("labels", ('negative = ["neutral", "eager"]', 'negative = ["eager"]\nunknown = "missing"'))
    misspelt = refused("labels", ('positive = ["cautious"]', 'positive = ["cautius"]'))
    assert ["never says cautius" in lint.says for lint in misspelt] == [False, True]


def test_a_lexicon_that_names_no_words_is_refused_before_the_lock(tmp_path: Path) -> None:
    (tmp_path / "attitude_lexicon.json").write_text('{"cautious": []}')
    with pytest.raises(BadInput, match="does not name words by label"):
        design_lints(parse_plan(PLAN.encode(), FOLDER / "plan.toml"), tmp_path)


def test_a_scale_that_the_items_contradict_is_refused_and_words_of_the_plan_are_warned_of() -> None:
    """The items ask for a rating from 1 to 7; a claim of this plan speaks of ratings from 1 to 5."""
    assert not refused("two-scales")
    found = design_lints(parse_plan(PLAN.encode(), FOLDER / "plan.toml"), FOLDER)
    told = [(lint.where, lint.severity) for lint in found if lint.code == "two-scales"]
    assert told == [("measures.rating", "warn")]
    shorter = refused("two-scales", ("[measures.rating]\n", "[measures.rating]\nhigh = 5\n"))
    assert "the measure's scale is 1 to 5, and its items ask for 1 to 7" in shorter[0].says
