"""Samples for estimator tests, and hypothesis strategies over them."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

from seedlock.analysis.estimators.internals.sample import Level, Sample


def level(
    name: str,
    values: Sequence[float],
    *,
    weight: float = 1.0,
    k: int | None = None,
    n: int | None = None,
    labels: Sequence[str] | None = None,
) -> Level:
    labels = labels or [f"{i:02d}" for i in range(len(values))]
    return Level(name=name, weight=weight, unit_means=dict(zip(labels, values, strict=True)), k=k, n=n)


def sample(*levels: Level, unit: str = "seed", is_proportion: bool = False) -> Sample:
    return Sample(levels=levels, unit=unit, is_proportion=is_proportion)


def two_arms(treated: Sequence[float], control: Sequence[float]) -> Sample:
    return sample(level("treated", treated), level("control", control, weight=-1.0))


def count(k: int, n: int) -> Sample:
    return sample(level("only", [k / n], k=k, n=n), unit="run", is_proportion=True)


# Rounded, so that two different values differ by far more than rounding error.
values = st.integers(-10_000, 10_000).map(lambda x: x / 1000)


@st.composite
def seeds_with_spread(draw: st.DrawFn, *, least: int = 2, most: int = 8) -> list[float]:
    found: list[float] = draw(st.lists(values, min_size=least, max_size=most).filter(lambda x: len(set(x)) > 1))
    return found


sesois = st.integers(1, 5_000).map(lambda x: x / 1000)
alphas = st.sampled_from([0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.4])
