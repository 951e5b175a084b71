"""The first figure of the README: every run of the real marker study, drawn anew from its results.json.

`python -m docs.make_first_figure`
"""

from __future__ import annotations

import json
from pathlib import Path

from seedlock.analysis.report.figures.headline import headline_figure
from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.lock.gate import require_lock

STUDY = "marker_leak_real"
FIGURE = Path("docs/first-figure.png")


def main() -> None:
    """Draw it from the repository's own results."""
    paths = StudyPaths(root=Path.cwd(), name=STUDY)
    results = json.loads((paths.report / "results.json").read_bytes())
    FIGURE.write_bytes(headline_figure(results, require_lock(paths, only_reading=True).plan).png)


if __name__ == "__main__":
    main()
