"""Draw docs/replication.png: two studies of one question, as the report draws an original and its replication.

Run from the root of the checkout:  .venv/bin/python -m docs.make_replication
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from seedlock.analysis.inference.replication import predict_replication
from seedlock.analysis.report.figures.replication import replication_figures

FIGURE = Path(__file__).parent / "replication.png"
STUDIES = ("marker_leak_tiny", "marker_leak_tiny_2")
SHOWN = ("leak",)


def main() -> None:
    """Write the figure."""
    first, second = (_hypotheses(study) for study in STUDIES)
    shown = [second[name] for name in SHOWN]
    found = {"hypotheses": shown, "replication": {"hypotheses": [_beside(first[h["id"]], h) for h in shown]}}
    figures = list(replication_figures(found))
    FIGURE.write_bytes(figures[0].png)
    print(f"wrote {FIGURE.name}")


def _hypotheses(study: str) -> dict[str, Any]:
    text = (Path(__file__).parents[1] / "reports" / study / "results.json").read_text("utf-8")
    return {h["id"]: h for h in json.loads(text)["hypotheses"]}


def _beside(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Any]:
    ratio = before["n_units"] / after["n_units"]
    low, high = predict_replication(before["estimate"], before["se"], before["df"], ratio=ratio, level=0.95)
    return {
        "id": after["id"],
        "original_estimate": before["estimate"],
        "original_ci": before["ci"],
        "promise": [low, high],
        "is_consistent": low <= after["estimate"] <= high,
    }


if __name__ == "__main__":
    main()
