"""Passes that change the stream: a direction added or projected out, a run's own stream put into its base model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import batched

import torch

from seedlock.generation.inside.conditions import Condition, ablated, added, patched
from seedlock.generation.inside.direction import Sight
from seedlock.generation.inside.loaded_models import Asked, Bench
from seedlock.generation.inside.residual import adding, changing, decoder_layers, projecting_out, replacing, watching
from seedlock.generation.inside.rows import Pass, Reading, probed, probed_run
from seedlock.generation.inside.vectors import Vector
from seedlock.generation.local.loading import Loaded
from seedlock.generation.local.padding import Padded, pad_left
from seedlock.generation.requests.answer import Answer, failed, scored
from seedlock.generation.requests.request import Request
from seedlock.generation.requests.run_models import RunModel

EVERY = "all"


def steering_passes(
    bench: Bench, run: RunModel, asked: Asked, sight: Sight, doses: list[float], *, only_true: bool
) -> Iterator[Pass]:
    """Each vector added and subtracted at every dose while probes are scored."""
    for vector in sight.vectors:
        if only_true and vector.control != "true":
            continue
        for dose in doses:
            for signed in (-dose, dose):
                condition = added(vector, sight.layer, signed)
                length = signed * sight.stream_lengths[sight.layer]
                yield _steered(bench, run, asked, condition, vector.unit * length)


def _steered(bench: Bench, run: RunModel, asked: Asked, condition: Condition, push: torch.Tensor) -> Pass:
    def make() -> list[Reading]:
        loaded = bench.loaded(run)
        with changing(loaded.model, {condition.layer or 0: adding(push.to(loaded.device))}):
            return probed(run, condition, bench.score(loaded, run, asked.prompts))

    return Pass(run=run, wanted=(("probe", condition),), items=asked.ids, make=make)


def ablation_passes(bench: Bench, run: RunModel, asked: Asked, sight: Sight, *, every_layer: bool) -> Iterator[Pass]:
    """Each vector projected out while probes are scored."""
    for vector in sight.vectors:
        yield _ablated(bench, run, asked, vector, None if every_layer else sight.layer)


def _ablated(bench: Bench, run: RunModel, asked: Asked, vector: Vector, layer: int | None) -> Pass:
    condition = ablated(vector, layer)

    def make() -> list[Reading]:
        loaded = bench.loaded(run)
        layers = range(len(decoder_layers(loaded.model))) if layer is None else (layer,)
        out = projecting_out(vector.unit.to(loaded.device))
        with changing(loaded.model, dict.fromkeys(layers, out)):
            return probed(run, condition, bench.score(loaded, run, asked.prompts))

    return Pass(run=run, wanted=(("probe", condition),), items=asked.ids, make=make)


def patching_pass(bench: Bench, run: RunModel, base: RunModel, asked: Asked, *, n_layers: int, positions: int) -> Pass:
    """A run's stream put into its base model, one layer at a time, at each of the last positions and at all."""
    places: tuple[str, ...] = (*(str(p) for p in range(1, positions + 1)), EVERY)
    conditions = [patched(layer, place) for layer in range(n_layers) for place in places]

    def make() -> list[Reading]:
        donor, receiver = bench.loaded(run), bench.loaded(base)
        rows: list[Reading] = []
        for batch in batched(asked.prompts, bench.batch_size):
            rows += _patched(donor, receiver, bench.requests(run, batch), conditions)
        return rows

    return Pass(run=run, wanted=tuple(("probe", c) for c in conditions), items=asked.ids, make=make)


@torch.inference_mode()
def _patched(
    donor: Loaded, receiver: Loaded, requests: Sequence[Request], conditions: Sequence[Condition]
) -> Iterator[Reading]:
    """Read one rectangle of prompts in the donor, then in the receiver under every condition."""
    padded = pad_left([request.prompt.tokens for request in requests], receiver)
    streams: dict[int, torch.Tensor] = {}
    with watching(donor.model, streams.__setitem__):
        _next(donor, padded)
    for condition in conditions:
        layer = condition.layer or 0
        from_end = None if condition.position == EVERY else (int(condition.position or 1),)
        with changing(receiver.model, {layer: replacing(streams[layer], from_end)}):
            log_p = _next(receiver, padded)
        for request, row in zip(requests, log_p, strict=True):
            yield from probed_run(request.run_id, condition, [_answer(request, row)])


def _next(loaded: Loaded, padded: Padded) -> torch.Tensor:
    """Log-probabilities of the next token, shape (rows, vocabulary), float64."""
    out = loaded.model(
        input_ids=padded.ids,
        attention_mask=padded.mask,
        position_ids=padded.positions,
        use_cache=False,
        logits_to_keep=1,
    )
    return torch.log_softmax(out.logits[:, -1].double(), dim=-1)


def _answer(request: Request, log_p: torch.Tensor) -> Answer:
    options = request.prompt.options
    if not options or any(len(option) != 1 for option in options):
        return failed(request, "only options of one token can be scored while the prompt is patched")
    return scored(request, [float(log_p[option[0]]) for option in options])
