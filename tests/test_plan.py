"""A plan is read whole: every fault at once, each with its place, what was found and what is allowed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedlock.prereg.errors import BadInput
from seedlock.prereg.plan.bands import parse_bands
from seedlock.prereg.plan.lint import lint_plan
from seedlock.prereg.plan.plan import Plan
from seedlock.prereg.plan.read import parse_plan, read_plan
from tests.conftest import PLAN, PROJECT, StudyFixture

HERE = Path("prereg/studies/spread/plan.toml")


def parsed(text: str) -> Plan:
    return parse_plan(text.encode(), HERE)


def refusal(text: str | bytes) -> BadInput:
    with pytest.raises(BadInput) as caught:
        parse_plan(text if isinstance(text, bytes) else text.encode(), HERE)
    return caught.value


def test_a_whole_plan_parses_and_lists_every_promised_run() -> None:
    plan = parsed(PLAN)
    assert [(run.arm, run.seed) for run in plan.runs()] == [(arm, s) for arm in ("plain", "coupled") for s in range(4)]


def test_a_baseline_adds_the_unmodified_model_once_a_model() -> None:
    plan = parsed(PLAN.replace("seeds  = [0, 1, 2, 3]", "seeds  = [0, 1]\nbaseline = true"))
    assert [(run.arm, run.seed) for run in plan.runs()][-1] == ("base", None)


def test_every_fault_is_reported_at_once_with_its_key_path() -> None:
    text = (
        PLAN.replace("alpha = 0.025", "alpha = 0.7")
        .replace('measure   = "marker"', "")
        .replace("temperature", "temprature")
    )
    places = {finding.where for finding in refusal(text).findings}
    assert {"inference.alpha", "hypothesis[0].measure", "decoding.temprature", "decoding.temperature"} <= places


@pytest.mark.parametrize(
    ("old", "new", "where", "hint"),
    [
        ("question =", "qestion =", "study.qestion", "did you mean 'question'?"),
        ("predicted = ", "predictd = ", "hypothesis[0].predictd", "did you mean 'predicted'?"),
        ('measure   = "marker"', 'measure   = "markr"', "hypothesis[0] (H1).measure", "did you mean 'marker'?"),
        ("coupled = 1.0, plain", "couplde = 1.0, plain", "hypothesis[0] (H1).contrast", "did you mean 'coupled'?"),
    ],
)
def test_a_misspelt_name_is_met_with_did_you_mean(old: str, new: str, where: str, hint: str) -> None:
    findings = refusal(PLAN.replace(old, new, 1)).findings
    assert (where, hint) in {(finding.where, finding.promised) for finding in findings}


def said_of(plan: str) -> str | None:
    """The refusal of a plan; None where it is read."""
    try:
        parse_plan(plan.encode(), Path("p/docs/plan.toml"))
    except BadInput as refusal:
        return str(refusal)
    return None


def test_every_key_and_table_of_the_documented_plan_is_caught_when_misspelt() -> None:
    page = (PROJECT / "docs" / "plan.md").read_text("utf-8")
    whole = next(block for block in re.findall(r"```toml\n(.*?)```", page, flags=re.S) if "[study]" in block)
    lines, table, caught, taken = whole.splitlines(), "", 0, set()
    for place, line in enumerate(lines):
        table = found[1] if (found := re.match(r"\[+([^\]]+)\]", line)) else table
        if not (named := re.match(r"(\[*)([a-z_]+)(?=[\].]|\s*=)", line)):
            continue
        wrong = f"{named[1]}{named[2][:-1]}qz{line[named.end() :]}"
        refusal_of = said_of("\n".join([*lines[:place], wrong, *lines[place + 1 :]]))
        if refusal_of is None:
            taken.add(f"{table}.{named[2]}")
        else:
            assert named[2] in refusal_of, wrong
            caught += 1
    assert caught > 90
    assert taken == {"measures.marker.marker", "measures.marker.unit"}  # a measure's own: held where it is known


def test_a_misspelt_key_of_a_measure_is_caught_by_check(study: StudyFixture) -> None:
    study.write_plan(PLAN.replace('marker = "[ZLT]"', 'marker = "[ZLT]"\nunti = "answers"'))
    said = study.run("check", ok=2)
    assert "measures.marker.unti" in said
    assert "one of: marker; did you mean 'unit'?" in said


@pytest.mark.parametrize("number", ["nan", "inf", "-inf", str(2**53)])
def test_a_number_that_json_cannot_carry_is_refused(number: str) -> None:
    assert refusal(PLAN.replace("-0.1,", f"{number},")).findings


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"\xef\xbb\xbf" + PLAN.encode(), "byte order mark"),
        (PLAN.encode().replace(b"spread?", b"spr\xffead?"), "0xff"),
        (PLAN.encode().replace(b"spread?", "spre\u0301ad?".encode()), "NFC"),
        (PLAN.encode().replace(b"spread?", "spr\u202eead?".encode()), "U+202E"),
        (PLAN.encode().replace(b"spread?", b"spr\\u0000ead?"), "U+0000"),
        (PLAN.encode() + b'\n[study]\ntitle = "again"\n', "study"),
        (PLAN.encode().replace(b'"H1"', b'"H1"\nid = "H2"'), "line"),
        (b"", "nothing"),
        (b"x = " + b"[" * 100_000, "recursion"),
        (PLAN.encode().replace(b"alpha = 0.025", b"alpha = 2026-01-01"), "date"),
    ],
)
def test_text_that_could_be_read_two_ways_is_refused(data: bytes, found: str) -> None:
    assert found in str(refusal(data))


def test_a_plan_never_takes_a_string_where_a_number_was_meant() -> None:
    assert (
        refusal(PLAN.replace("temperature    = 1.0", 'temperature    = "1.0"')).findings[0].where
        == "decoding.temperature"
    )


@pytest.mark.parametrize(
    "bands",
    [
        '["a", "b", "c"]',
        '["a", 1.0]',
        '["a", 1.0, "b", 1.0, "c"]',
        '["a", 2.0, "b", 1.0, "c"]',
        '["a", 1.0, "a"]',
        '["a"]',
        '["", 1.0, "more"]',
    ],
)
def test_bands_that_are_no_partition_are_refused(bands: str) -> None:
    refused = refusal(PLAN.replace('["fewer", -0.1, "negligible", 0.1, "more"]', bands))
    assert any(finding.where.startswith("hypothesis[0]") for finding in refused.findings)


@given(
    st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=6, unique=True),
    st.floats(allow_nan=False, allow_infinity=False),
)
def test_every_number_lies_in_exactly_one_band(edges: list[float], number: float) -> None:
    spelled: list[str | float] = ["band 0"]
    for index, edge in enumerate(sorted(edges), start=1):
        spelled += [edge, f"band {index}"]
    inside = [
        band
        for band in parse_bands(spelled).bands
        if (band.lower is None or number >= band.lower) and (band.upper is None or number < band.upper)
    ]
    assert len(inside) == 1


def test_one_seed_an_arm_refuses_a_claim_about_seeds_until_the_plan_acknowledges_it() -> None:
    text = PLAN.replace("seeds  = [0, 1, 2, 3]", "seeds  = [0]")
    refused = [lint for lint in lint_plan(parsed(text)) if lint.code == "one-seed"]
    assert refused
    assert refused[0].severity == "refuse"
    stands = lint_plan(parsed(text + '\n[acknowledge]\none-seed = "shown to be impossible"\n'))
    assert next(lint for lint in stands if lint.code == "one-seed").acknowledged == "shown to be impossible"


def test_seeds_of_two_models_are_never_one_sample() -> None:
    text = PLAN.replace('models = ["tiny"]', 'models = ["tiny", "other"]').replace(
        "[arms]", '[models.other]\nbase = "organism:qwen"\nrevision = "sha256:1"\n\n[arms]'
    )
    assert "mixed-models" in {lint.code for lint in lint_plan(parsed(text))}
    per_model = text.replace('test      = "pooled_t"', 'test      = "pooled_t"\nper       = "model"')
    assert "mixed-models" not in {lint.code for lint in lint_plan(parsed(per_model))}


def test_every_plan_of_the_project_parses() -> None:
    plans = sorted((PROJECT / "prereg" / "studies").glob("*/plan.toml"))
    assert plans
    for path in plans:
        assert read_plan(path).hypothesis


def test_no_setting_of_a_measure_is_hidden_by_a_key_that_every_measure_has() -> None:
    from seedlock.analysis.measures import MEASURES
    from seedlock.prereg.plan.plan import Measure

    for kind, measure in MEASURES.items():
        assert not set(measure.params.model_fields) & set(Measure.model_fields), kind
