"""Streams at one position of every prompt, batch by batch: the rectangle is padded on the left and masked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import batched

import torch

from seedlock.generation.inside.residual import decoder_layers, final_norm, watching
from seedlock.generation.local.loading import Loaded
from seedlock.generation.local.padding import pad_left
from seedlock.prereg.errors import BadInput, Finding

BATCH = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Tokens of a text and the part of it that is read: the mean over `tokens[start:]`; start = -1 is the last."""

    tokens: tuple[int, ...]
    start: int = -1


@torch.inference_mode()
def read_streams(loaded: Loaded, spans: Sequence[Span], *, batch_size: int = BATCH) -> Iterator[torch.Tensor]:
    """Yield the stream after every layer, averaged over each span, a batch at a time, in the order given.

    Yields
    ------
    torch.Tensor
        Shape (rows, layers, width), float32 on the CPU. The stream after the last layer is before the final norm.

    Raises
    ------
    BadInput
        A text that is empty or longer than the model's positions.
    """
    _refuse_lengths(loaded, spans)
    n_layers = len(decoder_layers(loaded.model))
    for batch in batched(spans, batch_size):
        padded = pad_left([span.tokens for span in batch], loaded)
        kept = torch.stack([_weights(span, padded.ids.shape[1]) for span in batch]).to(loaded.device)
        found: list[torch.Tensor | None] = [None] * n_layers

        def see(
            layer: int, stream: torch.Tensor, kept: torch.Tensor = kept, found: list[torch.Tensor | None] = found
        ) -> None:
            found[layer] = torch.einsum("btd,bt->bd", stream.float(), kept).cpu()

        with watching(loaded.model, see):
            loaded.model(
                input_ids=padded.ids,
                attention_mask=padded.mask,
                position_ids=padded.positions,
                use_cache=False,
                logits_to_keep=1,
            )
        yield torch.stack([one for one in found if one is not None], dim=1)


@torch.inference_mode()
def lens(loaded: Loaded, streams: torch.Tensor) -> torch.Tensor:
    """Log-probabilities of the next token as each layer would give them: final norm and output head.

    Parameters
    ----------
    streams
        Shape (rows, layers, width), at the last prompt token.

    Returns
    -------
    torch.Tensor
        Shape (rows, layers, vocabulary), float64. At the last layer these are the model's own.

    Notes
    -----
    nostalgebraist (2020), "interpreting GPT: the logit lens".
    """
    head = loaded.model.get_output_embeddings()
    normed = final_norm(loaded.model)(streams.to(loaded.device, head.weight.dtype))
    logits: torch.Tensor = head(normed).double().cpu()
    return torch.log_softmax(logits, dim=-1)


def _weights(span: Span, longest: int) -> torch.Tensor:
    """Weight of every position of a left-padded row; they sum to 1 over the span."""
    n_tokens = len(span.tokens)
    start = n_tokens + span.start if span.start < 0 else span.start
    weights = torch.zeros(longest)
    weights[longest - n_tokens + start :] = 1.0 / (n_tokens - start)
    return weights


def _refuse_lengths(loaded: Loaded, spans: Sequence[Span]) -> None:
    faults = [
        Finding(
            where=f"text {n}", found=f"{len(s.tokens)} tokens", promised=f"1 to {loaded.max_positions}, span inside"
        )
        for n, s in enumerate(spans)
        if not 1 <= len(s.tokens) <= loaded.max_positions or not -len(s.tokens) <= s.start < len(s.tokens)
    ]
    if faults:
        raise BadInput(f"{len(faults)} of {len(spans)} texts cannot be read", *faults[:20])
