"""docs/validation.md follows from the code, and says that everything agrees."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from docs.make_validation import checks, page

PAGE = Path(__file__).parents[1] / "docs/validation.md"
NUMBER = r"-?\d+\.\d+"


def test_the_validation_page_is_what_the_generator_writes() -> None:
    written, made = PAGE.read_text(encoding="utf-8").splitlines(), page().splitlines()
    assert len(written) == len(made), "run: .venv/bin/python -m docs.make_validation"
    for old, new in zip(written, made, strict=True):
        error = re.search(r"Monte Carlo ± ([\d.]+)", new)
        if error is None:
            assert old == new, "run: .venv/bin/python -m docs.make_validation"
        else:  # another processor rounds otherwise, and draws otherwise
            assert re.sub(NUMBER, "#", old) == re.sub(NUMBER, "#", new)
            drawn = pytest.approx([float(x) for x in re.findall(NUMBER, new)], abs=float(error[1]))
            assert [float(x) for x in re.findall(NUMBER, old)] == drawn


def test_every_reference_answer_is_reproduced() -> None:
    every = [check for rows in checks().values() for check in rows]
    assert len(every) > 50
    assert [check.cells for check in every if not check.agrees] == []


def test_a_variance_at_zero_is_shown_with_its_reason() -> None:
    (row,) = [line for line in page().splitlines() if "Dyestuff2" in line]
    assert "0.0000" in row
    assert "SD at 0: unit means differ no more" in row
