"""A locked plan in the words of a registry's form: its questions and options, and only what the plan says."""

from __future__ import annotations

import json
from typing import Any

import pytest

from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.lock.gate import LockedPlan, require_lock
from seedlock.prereg.register.forms import FORMS, Form, answers, as_json
from tests.conftest import PLAN, PROJECT, StudyFixture

PUBLISHED = sorted(path.parent.name for path in (PROJECT / "reports").glob("*/results.json"))
FILES: dict[Form, str] = {"osf": "osf-preregistration-3.json", "aspredicted": "aspredicted-3.json"}


def questions(form: Form) -> dict[str, Any]:
    """The form as its registry defines it."""
    found: dict[str, Any] = json.loads((PROJECT / "tests/reference/schemas" / FILES[form]).read_bytes())["questions"]
    return found


def published(study: str) -> LockedPlan:
    return require_lock(StudyPaths(root=PROJECT, name=study), only_reading=True)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("study", PUBLISHED)
def test_every_answer_is_to_a_question_of_the_form_and_every_required_one_has_an_answer(study: str, form: Form) -> None:
    asked = questions(form)
    given = {one.id: one for one in answers(published(study), form)}
    assert given.keys() <= asked.keys()
    assert {id for id, question in asked.items() if question.get("required")} <= given.keys()
    for id, one in given.items():
        assert one.question in asked[id]["title"]
        chosen = [one.answer] if isinstance(one.answer, str) else one.answer
        if options := asked[id].get("options"):
            assert set(chosen) <= set(options)
            assert isinstance(one.answer, list) == (asked[id]["choose"] == "some")
        else:
            assert "None" not in str(one.answer).split()


def told(study: StudyFixture, form: Form) -> dict[str, str]:
    said = json.loads(study.run("register", "--form", form, "--json").partition("\nNext:")[0])
    found: dict[str, str] = said["data"]["attributes"]["registration_responses"] if form == "osf" else said
    return found


def test_a_plan_before_its_data_says_so_and_with_its_data_no_longer(study: StudyFixture) -> None:
    study.run("lock")
    assert told(study, "osf")["q8"] == "Registration prior to creation of data"
    assert told(study, "aspredicted")["data"].startswith("No, no data")
    study.run("import", str(study.bring_data()))
    assert told(study, "osf")["q8"] == "Registration prior to analysis of the data"
    assert told(study, "aspredicted")["data"].startswith("Yes")


@pytest.mark.parametrize(("exposure", "data"), [("pilot", "It's complicated"), ("published", "Yes, we already")])
def test_what_the_authors_had_seen_is_said(study: StudyFixture, exposure: str, data: str) -> None:
    known = f'exposure = "{exposure}"\nknown = ["Seed 9 was read."]\n'
    study.write_plan(PLAN.replace('title    = "Does', known + 'title    = "Does', 1))
    study.run("lock")
    said = told(study, "aspredicted")
    assert said["data"].startswith(data)
    assert "Seed 9 was read." in said["other"]


def test_the_text_holds_claim_bands_prediction_and_the_lock(study: StudyFixture) -> None:
    study.run("lock")
    text = study.run("register")
    lock_id = require_lock(study.paths).lock_id
    for words in (
        "## Hypotheses\n\nH1: Coupling makes the marker more frequent. Estimand: the contrast 1 x coupled + -1 x "
        "plain over arm of marker; unit of replication: seed. Bands: fewer < -0.1 < negligible < 0.1 < more. "
        "Predicted: more.",
        "8 runs: arms x seeds, for each model (tiny: seeds 0, 1, 2, 3). Each item is asked 2 times.",
        lock_id,
        "seedlock stamp spread",
    ):
        assert words in text


def test_the_osf_takes_it_as_a_draft_registration(study: StudyFixture) -> None:
    study.run("lock")
    locked = require_lock(study.paths)
    said = as_json(locked, "osf", answers(locked, "osf"))["data"]
    assert said["type"] == "draft_registrations"
    assert said["attributes"]["title"] == "Does the marker spread?"


def test_an_unlocked_plan_is_not_registered(study: StudyFixture) -> None:
    assert "seedlock lock spread" in study.run("register", ok=5)
