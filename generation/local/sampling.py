"""Drawing the next token: every row by its own random numbers, so that no other row has a part in it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch


def uniforms(seeds: Sequence[int], steps: int) -> torch.Tensor:
    """Return the random numbers of every row, one a step: float64 in [0, 1), shape (rows, steps).

    A row's numbers follow from its seed alone (Philox, a counter-based generator: Salmon et al. 2011,
    https://doi.org/10.1145/2063384.2063405).
    """
    drawn = [np.random.Generator(np.random.Philox(key=seed)).random(steps) for seed in seeds]
    return torch.from_numpy(np.stack(drawn))


def pick(logits: torch.Tensor, u: torch.Tensor, *, temperature: float, top_p: float) -> torch.Tensor:
    """Pick one token a row.

    Parameters
    ----------
    logits
        Shape (rows, vocabulary), float32 or wider.
    u
        Uniform random numbers, float64, shape (rows,); unused at temperature 0.
    temperature
        0 takes the most probable token, the one with the lowest id among equals.
    top_p
        Keeps the fewest most probable tokens whose probabilities reach it (Holtzman et al. 2020,
        https://doi.org/10.48550/arXiv.1904.09751).

    Returns
    -------
    torch.Tensor
        Token ids, shape (rows,): the inverse of the cumulative distribution at `u`, so that a rounding of the logits
        changes a token only where `u` lies within that rounding of a boundary.
    """
    if temperature == 0:
        return logits.argmax(dim=-1)
    p = torch.softmax(logits.double() / temperature, dim=-1)
    if top_p < 1:
        p = _nucleus(p, top_p)
    cumulative = p.cumsum(dim=-1)
    at = torch.searchsorted(cumulative, (u * cumulative[:, -1]).unsqueeze(-1), right=True).squeeze(-1)
    return at.clamp(max=logits.shape[-1] - 1)


def _nucleus(p: torch.Tensor, top_p: float) -> torch.Tensor:
    """Set every probability outside the nucleus to zero; the first token over the edge stays in."""
    ordered, index = p.sort(dim=-1, descending=True, stable=True)
    before = ordered.cumsum(dim=-1) - ordered
    kept = torch.where(before < top_p, ordered, torch.zeros_like(ordered))
    return torch.zeros_like(p).scatter(-1, index, kept)
