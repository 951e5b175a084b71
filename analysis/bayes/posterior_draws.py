"""What the report draws and `results.json` does not carry: posterior draws, a few thousand numbers a hypothesis."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from seedlock.prereg.errors import BadInput

type FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class PosteriorDraws:
    """The posterior of one hypothesis, as its figures need it.

    Parameters
    ----------
    contrast_K
        Draws of the hypothesis's number, on the scale of the hypothesis, shape (K,).
    new_unit_K
        The same number for a unit not drawn yet (the next seed), shape (K,); None where the design has none.
    unit_sd_K, unit_sd_prior_K
        SD between units, posterior and prior draws, in `unit_sd_unit`; None where there is no such parameter.
    unit_sd_unit
        Unit of the SD in words ("log-odds", "SD of letter").
    chains_CK
        Parameter name -> draws by chain, shape (chains, draws), for the convergence figure.
    diagnostics
        Name -> value, as in `bayes.diagnostics`.
    """

    contrast_K: FloatArray
    new_unit_K: FloatArray | None = None
    unit_sd_K: FloatArray | None = None
    unit_sd_prior_K: FloatArray | None = None
    unit_sd_unit: str = ""
    chains_CK: Mapping[str, FloatArray] = field(default_factory=dict)
    diagnostics: Mapping[str, float | int | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, draws in {"contrast_K": self.contrast_K, **self._optional()}.items():
            if draws.ndim != 1 or not np.isfinite(draws).all():
                raise BadInput(f"{name} is one finite number a draw; found shape {draws.shape}")
        for name, draws in self.chains_CK.items():
            if draws.ndim != 2 or not np.isfinite(draws).all():
                raise BadInput(f"chains_CK[{name!r}] is chains by draws, finite; found shape {draws.shape}")

    def _optional(self) -> dict[str, FloatArray]:
        named = {
            "new_unit_K": self.new_unit_K,
            "unit_sd_K": self.unit_sd_K,
            "unit_sd_prior_K": self.unit_sd_prior_K,
        }
        return {name: draws for name, draws in named.items() if draws is not None}
