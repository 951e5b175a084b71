"""Forms that a study can leave in: one file each, one line here."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from seedlock.analysis.exporters.internals.exporter import Exporter

EXPORTERS: dict[str, str] = {
    "ro-crate": "seedlock.analysis.exporters.ro_crate",
    "latex": "seedlock.analysis.exporters.latex",
    "prml": "seedlock.analysis.exporters.prml",
    "every-eval-ever": "seedlock.analysis.exporters.every_eval_ever",
}
"""Format -> module, imported when it is asked for."""


def exporter(format: str) -> Exporter:
    """The exporter of a format in `EXPORTERS`."""
    found: Exporter = import_module(EXPORTERS[format]).EXPORTER
    return found
