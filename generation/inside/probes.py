"""Linear probes by layer, right or wrong on texts held out by topic, and the layer that the plan's rule chooses."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from seedlock.generation.inside.activations import Activations
from seedlock.prereg.errors import BadInput, Finding
from seedlock.prereg.plan.inside import Direction


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerProbe:
    """How well one layer tells the poles apart on texts it was not fitted to.

    Parameters
    ----------
    accuracy
        Share of held-out texts on the right side, each text once.
    log_loss
        Mean negative log-likelihood of the held-out labels, in nats.
    """

    layer: int
    accuracy: float
    log_loss: float


def probe_layer(
    x_TD: NDArray[np.float64], is_high_T: NDArray[np.bool_], fold_T: Sequence[str], *, layer: int, folds: int
) -> LayerProbe:
    """Fit a logistic probe on some topics and judge it on the others, until every text was held out once.

    Parameters
    ----------
    x_TD
        Streams, shape (texts, width).
    is_high_T, fold_T
        Pole and topic of each text.

    Notes
    -----
    Ridge penalty of strength 1 on standardised streams; scaling is fitted inside each fold. Alain & Bengio (2016),
    https://doi.org/10.48550/arXiv.1610.01644
    """
    p_high_T = np.full(len(is_high_T), np.nan)
    for fitted, held_out in GroupKFold(n_splits=folds).split(x_TD, is_high_T, fold_T):
        if len(set(is_high_T[fitted])) < 2:
            fault = Finding(where=f"layer {layer}", found="one pole in the texts of some folds", promised="both")
            raise BadInput("topics and poles cannot be told apart", fault, then="name another fold in the plan")
        probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
        probe.fit(x_TD[fitted], is_high_T[fitted])
        p_high_T[held_out] = probe.predict_proba(x_TD[held_out])[:, 1]
    return LayerProbe(
        layer=layer,
        accuracy=float(np.mean((p_high_T > 0.5) == is_high_T)),
        log_loss=float(log_loss(is_high_T, p_high_T, labels=[False, True])),
    )


def probe_layers(
    streams: Activations, n_layers: int, is_high: Sequence[bool], folds: Sequence[str], direction: Direction
) -> list[LayerProbe]:
    """Probe every layer, one layer in memory at a time."""
    is_high_T = np.asarray(is_high)
    found = []
    for layer in range(n_layers):
        x_TD = streams.layer(layer).double().numpy()
        found.append(probe_layer(x_TD, is_high_T, folds, layer=layer, folds=direction.folds))
    return found


def chosen_layer(probes: Sequence[LayerProbe], direction: Direction) -> int:
    """Return the layer of the plan's rule: fixed, or most accurate, then of lower log loss, then the earlier.

    Raises
    ------
    BadInput
        The plan fixes a layer that the model does not have.
    """
    if direction.layer == "probe accuracy":
        return min(probes, key=lambda p: (-p.accuracy, round(p.log_loss, 9), p.layer)).layer
    if direction.layer >= len(probes):
        fault = Finding(where="inside.direction.layer", found=str(direction.layer), promised=f"below {len(probes)}")
        raise BadInput("the plan fixes a layer that this model does not have", fault, then="edit the plan, and amend")
    return direction.layer


def difference_of_means(streams: Activations, is_high: Sequence[bool]) -> torch.Tensor:
    """Mean of the high texts less mean of the low ones, by layer: shape (layers, width), float64."""
    sums: dict[bool, torch.Tensor] = {}
    counts = {True: 0, False: 0}
    labels = torch.tensor(list(is_high))
    done = 0
    for batch in streams.batches():
        here = labels[done : done + len(batch)]
        done += len(batch)
        for pole in (True, False):
            part = batch[here == pole].double().sum(dim=0)
            sums[pole] = part + sums[pole] if pole in sums else part
            counts[pole] += int((here == pole).sum())
    return sums[True] / counts[True] - sums[False] / counts[False]


def mean_length(streams: Activations) -> torch.Tensor:
    """Mean Euclidean length of the streams by layer, shape (layers,)."""
    total, n = torch.zeros(0), 0
    for batch in streams.batches():
        part = batch.double().norm(dim=-1).sum(dim=0)
        total = part if n == 0 else total + part
        n += len(batch)
    if not math.isfinite(float(total.sum())):
        fault = Finding(where="streams", found="not finite", promised="finite numbers")
        raise BadInput("the model gave no finite number", fault)
    return total / n
