"""docs/validation.md follows from the code, and says that everything agrees."""

from __future__ import annotations

from pathlib import Path

from docs.make_validation import checks, page

PAGE = Path(__file__).parents[1] / "docs/validation.md"


def test_the_validation_page_is_what_the_generator_writes() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: .venv/bin/python -m docs.make_validation"


def test_every_reference_answer_is_reproduced() -> None:
    wrong = [(check.method, check.given, check.expected, check.found) for check in checks() if not check.agrees]
    assert wrong == []
