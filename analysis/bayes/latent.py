"""A normal latent in three geometries of one density; choosing among them changes speed, never the posterior."""

from __future__ import annotations

from typing import Any, Literal

type Centring = Literal["informed", "centred", "non-centred"]


def normal_latent(
    name: str, mean: Any, sd: Any, *, estimate: Any, information: Any, centring: Centring, dims: str
) -> Any:
    """Add x ~ normal(mean, sd) to the PyMC model in context.

    Parameters
    ----------
    mean, sd
        Of the prior, which may depend on other variables.
    estimate, information
        A normal approximation of what the data alone say of x: its centre and precision.
    centring
        "informed" samples z where x = mean + sd u and u = sd J (estimate - mean) / c + z / sqrt(c), with
        J the information and c = 1 + J sd^2: z is standard normal whenever the approximation is exact, at
        any sd. It tends to "non-centred" as J goes to 0 and to "centred" as J grows.

    Notes
    -----
    The density of z is that of u times du/dz = c^(-1/2); nothing is approximated. The idea is the
    data-dependent centring of Papaspiliopoulos, Roberts & Skoeld (2007), https://doi.org/10.1214/088342307000000014
    """
    import pymc as pm

    if centring == "centred":
        return pm.Normal(name, mean, sd, dims=dims)
    if centring == "non-centred":
        return pm.Deterministic(name, mean + sd * pm.Normal(f"{name}_z", 0.0, 1.0, dims=dims), dims=dims)
    z = pm.Flat(f"{name}_z", dims=dims)
    c = 1.0 + information * sd**2
    u = sd * information * (estimate - mean) / c + z / pm.math.sqrt(c)
    pm.Potential(f"{name}_density", -0.5 * u**2 - 0.5 * pm.math.log(c))
    return pm.Deterministic(name, mean + sd * u, dims=dims)
