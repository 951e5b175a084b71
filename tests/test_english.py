"""Things do not speak, tell or know: no string that a person reads has them do so."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.conftest import PROJECT

_THINGS = (
    r"plan|lock|ledger|report|page|data|tests?|models?|numbers?|figure|table|results?|file|manifest|gate|interval|"
    r"hypothesis|seeds?|runs?|answers?|study|measure|tool|link|looks?|rows?|arms?|columns?|line|entry|source|"
    r"which|that|it|they"
)
_SPEAK = r"speaks?|spoke|tells?|told|knows?|wants?|wishes|thinks?|believes?|says?|said|learns?|remembers?|forgets?"
SPEAKS = re.compile(rf"\b(?:{_THINGS}) (?:{_SPEAK})\b", re.IGNORECASE)
_MATERIAL = ("training/organisms/world/", "training/organisms/card.py", "generation/judging/prompt.py")
"""Sentences for models to read, and what models of the world speak of: no words of ours to a person."""


def strings(source: str) -> Iterator[tuple[int, str]]:
    """Line and text of every string that is no docstring."""
    tree = ast.parse(source)
    bare = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in bare:
            yield node.lineno, node.value


def product() -> list[str]:
    """Python files and templates of the product."""
    folders = ["prereg", "analysis", "generation", "training", "schemas", "src"]
    named = subprocess.run(["git", "ls-files", *folders], cwd=PROJECT, capture_output=True, text=True, check=True)
    skipped = (*_MATERIAL, "prereg/studies/", "analysis/report/headlines.py")  # which knows what older versions wrote
    return [name for name in named.stdout.splitlines() if not name.startswith(skipped)]


def test_no_string_of_the_product_has_a_thing_speak() -> None:
    found = []
    for name in product():
        path = Path(PROJECT / name)
        if path.suffix == ".py":
            texts = list(strings(path.read_text("utf-8")))
        elif path.suffix == ".j2":
            texts = [(0, path.read_text("utf-8"))]
        else:
            continue
        found += [f"{name}:{line}: {m.group()}" for line, text in texts for m in SPEAKS.finditer(text)]
    assert found == []


def test_the_lint_of_english_finds_a_thing_that_speaks() -> None:
    assert [text for _, text in strings('x = "the plan says so"') if SPEAKS.search(text)] == ["the plan says so"]
    assert not SPEAKS.search("the author says so")
