"""Priors as plans write them ("half-normal(1)"), parsed once; unknown words are refused with the known ones."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from seedlock.prereg.errors import BadInput, Finding

if TYPE_CHECKING:
    import numpy as np

    from seedlock.analysis.bayes.cells import FloatArray

type Family = Literal["normal", "half-normal", "half-t", "half-cauchy", "exponential"]

WORDS: dict[Family, str] = {
    "normal": "normal(centre, sd)",
    "half-normal": "half-normal(sd)",
    "half-t": "half-t3(scale), any degrees of freedom",
    "half-cauchy": "half-cauchy(scale)",
    "exponential": "exponential(mean)",
}
POSITIVE: frozenset[Family] = frozenset({"half-normal", "half-t", "half-cauchy", "exponential"})
_SHAPE = re.compile(r"^\s*(?P<word>[a-z-]+?)(?P<df>\d+(?:\.\d+)?)?\s*\(\s*(?P<args>[^()]*)\)\s*$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prior:
    """One proper prior: a family, its centre (0 for the positive ones), scale and degrees of freedom."""

    family: Family
    scale: float
    centre: float = 0.0
    df: float | None = None

    def __str__(self) -> str:
        word = self.family if self.df is None else f"{self.family}{self.df:g}"
        return f"{word}({self.scale:g})" if self.family in POSITIVE else f"{word}({self.centre:g}, {self.scale:g})"

    def in_unit(self, unit: float, *, about: float = 0.0) -> Prior:
        """Return this prior for a measure whose unit is `unit` and whose zero is `about`."""
        centre = 0.0 if self.family in POSITIVE else about + unit * self.centre
        return replace(self, scale=unit * self.scale, centre=centre)

    def draw(self, rng: np.random.Generator, size: int | tuple[int, ...]) -> FloatArray:
        """Draw from the prior."""
        import numpy as np  # noqa: PLC0415 - a plan's words are parsed without it

        draws = self.centre + self.scale * self._standard().rvs(size=size, random_state=rng)
        return np.asarray(np.abs(draws) if self.family in POSITIVE else draws, dtype=np.float64)

    def log_density(self, at: FloatArray) -> FloatArray:
        """Log density, elementwise; minus infinity where a positive prior meets a negative number."""
        import numpy as np  # noqa: PLC0415 - a plan's words are parsed without it

        density = self._standard().logpdf((at - self.centre) / self.scale) - np.log(self.scale)
        if self.family in POSITIVE and self.family != "exponential":
            density = np.where(at >= 0, density + np.log(2.0), -np.inf)
        return np.asarray(density, dtype=np.float64)

    def _standard(self) -> Any:
        """Return the scipy distribution at centre 0 and scale 1, unfolded."""
        from scipy import stats  # noqa: PLC0415 - a plan's words are parsed without it

        match self.family:
            case "normal" | "half-normal":
                return stats.norm()
            case "half-t":
                return stats.t(self.df or 1.0)
            case "half-cauchy":
                return stats.cauchy()
            case "exponential":
                return stats.expon()

    def variable(self, name: str, **where: Any) -> Any:
        """Add this prior to the PyMC model in context; `where` is shape or dims."""
        import pymc as pm  # noqa: PLC0415 - a plan's words are parsed without it

        match self.family:
            case "normal":
                return pm.Normal(name, self.centre, self.scale, **where)
            case "half-normal":
                return pm.HalfNormal(name, self.scale, **where)
            case "half-t":
                return pm.HalfStudentT(name, nu=self.df, sigma=self.scale, **where)
            case "half-cauchy":
                return pm.HalfCauchy(name, self.scale, **where)
            case "exponential":
                return pm.Exponential(name, scale=self.scale, **where)

    def for_bambi(self) -> Any:
        """Return the same prior in bambi's words."""
        import bambi as bmb  # noqa: PLC0415 - a plan's words are parsed without it

        match self.family:
            case "normal":
                return bmb.Prior("Normal", auto_scale=False, mu=self.centre, sigma=self.scale)
            case "half-normal":
                return bmb.Prior("HalfNormal", auto_scale=False, sigma=self.scale)
            case "half-t":
                return bmb.Prior("HalfStudentT", auto_scale=False, nu=self.df, sigma=self.scale)
            case "half-cauchy":
                return bmb.Prior("HalfCauchy", auto_scale=False, beta=self.scale)
            case "exponential":
                return bmb.Prior("Exponential", auto_scale=False, lam=1.0 / self.scale)


def parse_prior(words: str) -> Prior:
    """Read a prior as a plan writes it.

    Raises
    ------
    BadInput
        A family that is not in the table, or numbers that do not fit it.
    """
    shape = _SHAPE.match(words)
    family = next((known for known in WORDS if shape and known == shape["word"]), None)
    if shape is None or family is None:
        raise _unknown(words)
    try:
        numbers = [float(text) for text in shape["args"].split(",")]
    except ValueError:
        raise _unknown(words) from None
    df = None if shape["df"] is None else float(shape["df"])
    wanted = 1 if family in POSITIVE else 2
    has_df = family == "half-t"
    if len(numbers) != wanted or not 0 < numbers[-1] < float("inf") or has_df != (df is not None and df > 0):
        raise _unknown(words)
    return Prior(family=family, scale=numbers[-1], centre=numbers[0] if wanted == 2 else 0.0, df=df)


@dataclass(frozen=True, slots=True, kw_only=True)
class HierarchyPriors:
    """Priors of the seed hierarchy: logits for counts, outcome SDs about the outcome's centre for means.

    Parameters
    ----------
    run_sd
        SD between units of a level; for paired units, of a unit's own departure at a level.
    level_mean
        Mean of a level over units.
    item_sd
        SD between items within a level.
    shared_sd
        Paired units only: SD of what a unit carries through every level.
    residual_sd
        Means only: SD of answers within a unit.
    overdispersion
        Beta-binomial only: omega, where a cell's rate scatters as beta with concentration 1 / omega^2.
    cutpoint
        Ratings only: logits at which one score ends and the next begins, in order.
    outcome_sd, outcome_centre
        Means only: the unit and zero of the other priors, in the measure's unit. None takes the SD and
        mean of the unit means at hand, and the fit says so.

    Notes
    -----
    half-normal(1) for the run SD keeps 95% intervals at .97/.955/.95 for true SDs of .25/.5/1 with
    three seeds; half-normal(.25) drops to .76. A flat prior with three groups has no finite mean:
    Gelman (2006), https://doi.org/10.1214/06-BA117A
    """

    run_sd: Prior = field(default_factory=lambda: parse_prior("half-normal(1)"))
    level_mean: Prior = field(default_factory=lambda: parse_prior("normal(0, 2.5)"))
    item_sd: Prior = field(default_factory=lambda: parse_prior("half-normal(1.5)"))
    shared_sd: Prior = field(default_factory=lambda: parse_prior("half-normal(1.5)"))
    residual_sd: Prior = field(default_factory=lambda: parse_prior("half-normal(2.5)"))
    overdispersion: Prior = field(default_factory=lambda: parse_prior("half-normal(0.5)"))
    cutpoint: Prior = field(default_factory=lambda: parse_prior("normal(0, 5)"))
    outcome_sd: float | None = None
    outcome_centre: float | None = None

    def __post_init__(self) -> None:
        spreads = {
            name: getattr(self, name) for name in ("run_sd", "item_sd", "shared_sd", "residual_sd", "overdispersion")
        }
        for name, prior in spreads.items():
            if prior.family not in POSITIVE:
                raise BadInput(
                    "a standard deviation needs a positive prior",
                    Finding(where=f"bayes.{name}_prior", found=str(prior), promised=", ".join(sorted(POSITIVE))),
                )

        for name, prior in (("level means", self.level_mean), ("cutpoints", self.cutpoint)):
            if prior.family != "normal":
                raise BadInput(
                    f"the prior of {name} is normal",
                    Finding(where=f"bayes, {name}", found=str(prior), promised=WORDS["normal"]),
                )

    def in_unit(self, unit: float, centre: float) -> HierarchyPriors:
        """Return the same priors in the measure's own unit."""
        return replace(
            self,
            run_sd=self.run_sd.in_unit(unit),
            level_mean=self.level_mean.in_unit(unit, about=centre),
            item_sd=self.item_sd.in_unit(unit),
            shared_sd=self.shared_sd.in_unit(unit),
            residual_sd=self.residual_sd.in_unit(unit),
            outcome_sd=unit,
            outcome_centre=centre,
        )


def _unknown(words: str) -> BadInput:
    known = "; ".join(WORDS.values())
    return BadInput(
        "a prior that is not known", Finding(where="bayes prior", found=repr(words), promised=f"one of: {known}")
    )
