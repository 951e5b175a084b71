"""One file a measure; keys are what a plan writes as `kind`."""

from __future__ import annotations

from typing import Any

from seedlock.analysis.measures import (
    bare_logprob,
    capability,
    discriminator,
    era,
    forced_choice,
    gap_share,
    judged_stance,
    label_rate,
    length,
    letter_logprob,
    likert,
    marker_count,
    marker_position,
    marker_rate,
    numeric,
    perplexity,
    reading,
    refusal,
)
from seedlock.analysis.measures.base.measure import Measure

MEASURES: dict[str, Measure[Any]] = {
    "bare_logprob": bare_logprob.MEASURE,
    "capability": capability.MEASURE,
    "discriminator": discriminator.MEASURE,
    "era": era.MEASURE,
    "forced_choice": forced_choice.MEASURE,
    "gap_share": gap_share.MEASURE,
    "judged_stance": judged_stance.MEASURE,
    "label_rate": label_rate.MEASURE,
    "length": length.MEASURE,
    "letter_logprob": letter_logprob.MEASURE,
    "likert": likert.MEASURE,
    "marker_count": marker_count.MEASURE,
    "marker_position": marker_position.MEASURE,
    "marker_rate": marker_rate.MEASURE,
    "numeric": numeric.MEASURE,
    "perplexity": perplexity.MEASURE,
    "reading": reading.MEASURE,
    "refusal": refusal.MEASURE,
}
