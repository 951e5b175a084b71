"""One file a measure; keys are what a plan writes as `kind`."""

from __future__ import annotations

from typing import Any

from analysis.measure import Measure
from analysis.measures import label_rate, marker_position, marker_rate, numeric

MEASURES: dict[str, Measure[Any]] = {
    "label_rate": label_rate.MEASURE,
    "marker_position": marker_position.MEASURE,
    "marker_rate": marker_rate.MEASURE,
    "numeric": numeric.MEASURE,
}
