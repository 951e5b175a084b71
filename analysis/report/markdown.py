"""The page's Markdown twin: the same sections from the same pieces."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from seedlock.analysis.report.page import templates, view_fields
from seedlock.analysis.report.view import View
from seedlock.analysis.report.writers import MarkdownWriter


def render_markdown(view: View, results: Mapping[str, Any]) -> str:
    """The whole report as Markdown."""
    return render_twin("report.md.j2", view, results)


def render_twin(template: str, view: Any, results: Mapping[str, Any]) -> str:
    """Fill a template of Markdown with a view's fields."""
    text = templates().get_template(template).render(**view_fields(view), w=MarkdownWriter(results), fenced=fenced)
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def fenced(text: str) -> str:
    """`text` as a fenced block that it cannot end: lines that would close the fence are indented past it."""
    lines = [("    " + line if re.match(r"\s{0,3}(```|~~~)", line) else line) for line in text.split("\n")]
    return "```text\n" + "\n".join(lines) + "\n```"
