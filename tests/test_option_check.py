"""Options are checked in their exact context before the lock, and nothing unchecked passes for checked."""

from __future__ import annotations

import builtins
import importlib.util
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from seedlock.generation.local.option_check import OptionCheck, check_options
from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.errors import BadInput
from seedlock.prereg.plan.read import read_plan
from tests.conftest import StudyFixture
from tests.generation_builders import PLAN, SCORED, write_study
from tests.training_builders import tiny_base


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_base(tmp_path_factory.mktemp("model") / "tiny")


def study(tmp_path: Path, base: Path, scored: Sequence[Mapping[str, Any]] = SCORED, plan: str = PLAN) -> StudyPaths:
    return write_study(tmp_path / "r", base, scored=scored, plan=plan)


def test_letters_are_one_token_in_their_context(tmp_path: Path, base: Path) -> None:
    paths = study(tmp_path, base)
    found = options_of(paths)
    assert (found.items, found.one_token, found.several_tokens) == ("scored", 11, 0)
    assert found.line() == "options of scored on tiny: all 11 are one token in their context"


def test_an_option_of_several_tokens_is_said_to_be_scored_whole(tmp_path: Path, base: Path) -> None:
    words = [
        {"item_id": f"w/{o[:3]}", "order": o, "pro": "Good question", "con": "approve", "user": "Why?"}
        for o in ("pro first", "con first")
    ]
    paths = study(tmp_path, base, words)
    found = options_of(paths)
    assert (found.one_token, found.several_tokens) == (2, 2)
    assert "each option is scored whole" in found.line()


def options_of(paths: StudyPaths) -> OptionCheck:
    """What is said of the one set of probes."""
    (found,) = (one for one in check_options(read_plan(paths.plan), paths) if one.is_probe)
    return found


def test_an_option_that_the_tokenizer_does_not_know_is_refused_before_the_lock(tmp_path: Path, base: Path) -> None:
    paths = study(tmp_path, base, [row | {"pro": "zyxwv"} for row in SCORED[:2]])
    with pytest.raises(BadInput, match="unknown to the tokenizer"):
        check_options(read_plan(paths.plan), paths)


def test_a_model_that_is_elsewhere_is_not_checked_and_says_so(tmp_path: Path, base: Path) -> None:
    paths = study(tmp_path, base, plan=PLAN.replace("models/tiny", "somebody/tiny"))
    found = options_of(paths)
    assert found.line() == "options of scored on tiny: not checked, somebody/tiny is not on this machine"
    assert found.one_token == 0


def test_without_transformers_nothing_is_checked_and_nothing_passes_silently(
    tmp_path: Path, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = study(tmp_path, base)
    real = importlib.util.find_spec
    monkeypatch.setattr(
        "seedlock.generation.local.option_check.find_spec", lambda name: None if name == "transformers" else real(name)
    )
    importing = builtins.__import__

    def refuses(name: str, *rest: Any) -> Any:
        if name.split(".", maxsplit=1)[0] == "transformers":
            raise ImportError(name)
        return importing(name, *rest)

    monkeypatch.setattr(builtins, "__import__", refuses)
    found = options_of(paths)
    assert "not checked, transformers is not installed" in found.line()


def test_items_that_are_not_written_yet_are_not_checked(tmp_path: Path, base: Path) -> None:
    paths = study(tmp_path, base)
    (paths.study / "scored.jsonl").unlink()
    found = options_of(paths)
    assert "the file of scored is not there yet" in found.line()


def test_check_shows_what_was_checked(tmp_path: Path, base: Path) -> None:
    paths = study(tmp_path, base, plan=PLAN.replace("[measures.stance]", '[measures.stance]\nunit = "log-odds"'))
    fixture = StudyFixture(paths)
    assert "options of scored on tiny: all 11 are one token in their context" in fixture.run("check")
    told = json.loads(fixture.run("check", "--json"))
    assert told["options"][0]["one_token"] == 11


def test_an_item_that_is_answered_freely_and_cannot_be_asked_is_refused_before_the_lock(
    tmp_path: Path, base: Path
) -> None:
    paths = study(tmp_path, base)
    free = next(items.file for items in read_plan(paths.plan).items.values() if not items.probe)
    (paths.study / str(free)).write_text('{"item_id": "q1", "text": "Why?"}\n', "utf-8")
    assert "neither messages, user nor question" in StudyFixture(paths).run("check", ok=2)
