"""The canary: a few answers of every run are scored again by transformers before any of vLLM's is kept."""

from __future__ import annotations

from collections.abc import Sequence

from seedlock.generation.local.loading import Loaded
from seedlock.generation.local.scoring import passage_log_probs
from seedlock.prereg.errors import Finding, Incomplete

ROWS = 3
TOKENS = 8
TOLERANCE = {"float32": 1e-3, "float16": 0.05, "bfloat16": 0.25}
"""How far one token's log-probability may differ, in nats, by the type that both compute in."""


def compare(
    loaded: Loaded, rows: Sequence[tuple[tuple[int, ...], Sequence[int], Sequence[float]]], *, label: str, dtype: str
) -> float:
    """Return the largest difference of a token's log-probability between vLLM and transformers.

    Parameters
    ----------
    rows
        Prompt, the tokens that vLLM answered, and their log-probabilities by vLLM.

    Raises
    ------
    Incomplete
        They do not agree: vLLM holds another model or adapter than this run's.
    """
    worst = 0.0
    for prompt, tokens, log_p in rows:
        if tokens:
            ours = passage_log_probs(loaded, prompt, tuple(tokens))
            worst = max(worst, *(abs(a - b) for a, b in zip(ours, log_p, strict=True)))
    if not worst <= TOLERANCE[dtype]:
        fault = Finding(
            where=label, found=f"log-probabilities {worst:.3g} apart", promised=f"within {TOLERANCE[dtype]}"
        )
        then = 'nothing of this run was kept; generate with backend = "transformers": amend the plan'
        raise Incomplete("vLLM and transformers disagree about a run", fault, then=then)
    return worst
