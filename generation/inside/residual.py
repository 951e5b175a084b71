"""The residual stream of a decoder: read after chosen layers, changed after chosen layers, left as it was found."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import nn

from seedlock.prereg.errors import BadInput, Finding

type Change = Callable[[torch.Tensor], torch.Tensor]
"""Residual in, residual out: both of shape (rows, tokens, width)."""


def decoder_layers(model: Any) -> tuple[nn.Module, ...]:
    """Return the decoder layers of a causal model, in order, however deep an adapter nests it.

    Raises
    ------
    BadInput
        No list of layers as long as the configuration says, or two of them.
    """
    n_layers = int(model.config.num_hidden_layers)
    found = [
        module
        for name, module in model.named_modules()
        if isinstance(module, nn.ModuleList) and name.split(".")[-1] in {"layers", "h"} and len(module) == n_layers
    ]
    if len(found) != 1:
        fault = Finding(where=type(model).__name__, found=f"{len(found)} lists of {n_layers} layers", promised="one")
        raise BadInput("the decoder layers of this model cannot be told", fault)
    return tuple(found[0])


def final_norm(model: Any) -> nn.Module:
    """Return the norm between the last layer and the output head."""
    found: list[nn.Module] = [
        module for name, module in model.named_modules() if name.split(".")[-1] in {"norm", "ln_f", "final_layer_norm"}
    ]
    if len(found) != 1:
        fault = Finding(where=type(model).__name__, found=f"{len(found)} final norms", promised="one")
        raise BadInput("the final norm of this model cannot be told", fault)
    return found[0]


def stream_of(output: Any) -> torch.Tensor:
    """Return the residual stream in what a decoder layer returned: a tensor, or a tuple that begins with it.

    A tensor is taken whole: its `[0]` would be the first row of the batch, silently.
    """
    stream = output if isinstance(output, torch.Tensor) else output[0]
    if not isinstance(stream, torch.Tensor) or stream.dim() != 3:
        fault = Finding(where="decoder layer", found=str(getattr(stream, "shape", type(stream))), promised="3 axes")
        raise BadInput("a decoder layer returned no residual stream", fault)
    return stream


@contextmanager
def watching(model: Any, see: Callable[[int, torch.Tensor], None]) -> Iterator[None]:
    """Hand the stream after every layer to `see(layer, stream)`; layer 0 is the first decoder layer.

    Under `generate` a layer is called once for the prompt and once for each new token, with streams of n, 1, 1 ...
    tokens: what is seen is told apart by its length, never joined.
    """
    with ExitStack() as hooks:
        for number, layer in enumerate(decoder_layers(model)):
            hooks.callback(layer.register_forward_hook(_seer(number, see)).remove)
        yield


@contextmanager
def changing(model: Any, changes: Mapping[int, Change]) -> Iterator[None]:
    """Put `changes` after the layers they are keyed by, at every position; the model is as before on leaving.

    Raises
    ------
    BadInput
        A layer that the model does not have.
    """
    layers = decoder_layers(model)
    absent = [
        Finding(where=f"layer {n}", found="no such layer", promised=f"0 to {len(layers) - 1}")
        for n in changes
        if not 0 <= n < len(layers)
    ]
    if absent:
        raise BadInput("the model has no such layer", *absent)
    with ExitStack() as hooks:
        for number, change in changes.items():
            hooks.callback(layers[number].register_forward_hook(_changer(change)).remove)
        yield


def adding(vector: torch.Tensor) -> Change:
    """Add `vector`, shape (width,), at every position."""
    return lambda stream: stream + vector.to(stream)


def projecting_out(vector: torch.Tensor) -> Change:
    """Remove the component along `vector`, shape (width,), at every position.

    Arditi et al. (2024), https://doi.org/10.48550/arXiv.2406.11717
    """
    unit = vector / vector.norm()

    def change(stream: torch.Tensor) -> torch.Tensor:
        along = unit.to(stream)
        kept: torch.Tensor = stream - (stream @ along).unsqueeze(-1) * along
        return kept

    return change


def replacing(donor: torch.Tensor, from_end: Sequence[int] | None = None) -> Change:
    """Put another run's stream of the same left-padded prompts in place: whole, or at positions counted from the end.

    Parameters
    ----------
    donor
        Shape (rows, tokens, width), read from the same rectangle of prompts.
    from_end
        1 is the last prompt token; None replaces every position.
    """

    def change(stream: torch.Tensor) -> torch.Tensor:
        if stream.shape != donor.shape:
            fault = Finding(where="stream", found=str(tuple(stream.shape)), promised=str(tuple(donor.shape)))
            raise BadInput("a stream can be replaced only by one read from the same prompts", fault)
        if from_end is None:
            return donor.to(stream)
        changed = stream.clone()
        for place in from_end:
            changed[:, -place] = donor[:, -place].to(stream)
        return changed

    return change


def _seer(number: int, see: Callable[[int, torch.Tensor], None]) -> Callable[..., None]:
    def hook(_module: nn.Module, _given: Any, output: Any) -> None:
        see(number, stream_of(output).detach())

    return hook


def _changer(change: Change) -> Callable[..., Any]:
    def hook(_module: nn.Module, _given: Any, output: Any) -> Any:
        changed = change(stream_of(output))
        return changed if isinstance(output, torch.Tensor) else (changed, *output[1:])

    return hook
