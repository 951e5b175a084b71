"""The true direction and those that mean nothing: orthogonal random ones, and ones made from shuffled labels."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from seedlock.generation.inside.activations import Activations
from seedlock.generation.inside.probes import difference_of_means
from seedlock.prereg.errors import BadInput, Finding

type Control = Literal["true", "random", "shuffled"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Vector:
    """A named direction of length 1 at one layer, shape (width,), float32."""

    name: str
    control: Control
    unit: torch.Tensor


def unit_of(vector: torch.Tensor, *, what: str) -> torch.Tensor:
    """Return `vector` at length 1, float32.

    Raises
    ------
    BadInput
        It has no length: the poles have the same mean.
    """
    length = float(vector.double().norm())
    if not length > 0:
        fault = Finding(where=what, found=f"length {length}", promised="a direction")
        raise BadInput("two poles with the same mean have no direction between them", fault)
    return (vector.double() / length).float()


def random_vectors(true: torch.Tensor, n: int, seed: int, model: str) -> list[Vector]:
    """Draw `n` directions uniformly from those orthogonal to the true one, each by its own labelled generator."""
    if len(true) < 3:
        fault = Finding(where="width", found=str(len(true)), promised="at least 3")
        raise BadInput("too few dimensions for directions orthogonal to one", fault)
    along = true.double() / true.double().norm()
    found = []
    for number in range(n):
        name = f"random-{number:02d}"
        drawn = torch.from_numpy(generator(seed, model, name).standard_normal(len(true)))
        across = drawn - (drawn @ along) * along
        across = across - (across @ along) * along  # once more: rounding
        found.append(Vector(name=name, control="random", unit=(across / across.norm()).float()))
    return found


def shuffled_vectors(x_TD: torch.Tensor, is_high: Sequence[bool], n: int, seed: int, model: str) -> list[Vector]:
    """Make `n` directions as the true one is made, from labels dealt anew over all texts.

    Each pole's own mean is taken away first: otherwise labels dealt a little unevenly would give the true direction
    again, with either sign. Were the labels meaningless, the true direction would be one more of these.

    Parameters
    ----------
    x_TD
        Streams at the chosen layer, shape (texts, width).
    """
    labels = torch.tensor(list(is_high))
    within_TD = x_TD.double()
    for pole in (labels, ~labels):
        within_TD[pole] = within_TD[pole] - within_TD[pole].mean(dim=0)
    found = []
    for number in range(n):
        name = f"shuffled-{number:02d}"
        dealt = torch.from_numpy(generator(seed, model, name).permutation(np.asarray(is_high)))
        vector = within_TD[dealt].mean(dim=0) - within_TD[~dealt].mean(dim=0)
        found.append(Vector(name=name, control="shuffled", unit=unit_of(vector, what=name)))
    return found


def true_vectors(streams: Activations, is_high: Sequence[bool]) -> torch.Tensor:
    """Direction of every layer at its own length, shape (layers, width), float64."""
    return difference_of_means(streams, is_high)


def generator(seed: int, *labels: str) -> np.random.Generator:
    """Return a generator that follows from the plan's seed and written labels alone."""
    digest = hashlib.sha256("\x1f".join([str(seed), *labels]).encode()).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest[:16], "big")))
