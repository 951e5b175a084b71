"""The page's Markdown twin: the same sections from the same pieces."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from seedlock.analysis.report.page import templates
from seedlock.analysis.report.view import View
from seedlock.analysis.report.writers import MarkdownWriter


def render_markdown(view: View, results: Mapping[str, Any]) -> str:
    """The whole report as Markdown."""
    said = {field.name: getattr(view, field.name) for field in fields(view)}
    text = templates().get_template("report.md.j2").render(**said, w=MarkdownWriter(results), fenced=fenced)
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def fenced(text: str) -> str:
    """`text` as a fenced block that it cannot end: lines that would close the fence are indented past it."""
    lines = [("    " + line if re.match(r"\s{0,3}(```|~~~)", line) else line) for line in text.split("\n")]
    return "```text\n" + "\n".join(lines) + "\n```"
