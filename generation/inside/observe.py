"""Passes that change nothing: projections, the logit lens, probes as they are, centroids."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch

from seedlock.generation.inside.conditions import AS_IT_IS, Condition, at_layer
from seedlock.generation.inside.direction import Sight
from seedlock.generation.inside.loaded_models import Asked, Bench
from seedlock.generation.inside.reading import Span, lens, read_streams
from seedlock.generation.inside.rows import Kind, Pass, Reading, failure, numbers, probed
from seedlock.generation.local.loading import Loaded
from seedlock.generation.requests.request import Prompt
from seedlock.generation.requests.run_models import RunModel

SEVERAL_TOKENS = "an option of several tokens cannot be read off one layer"


def projection_pass(
    bench: Bench, run: RunModel, asked: Asked, sight: Sight, *, with_lens: bool, checkpoint: float | None = None
) -> Pass:
    """Every prompt's last token along the direction of each layer; with the lens, its options too."""
    layers = range(len(sight.units))
    kinds: tuple[Kind, ...] = ("projection", "lens") if with_lens else ("projection",)
    wanted = tuple((kind, at_layer(layer, checkpoint)) for kind in kinds for layer in layers)

    def make() -> list[Reading]:
        loaded = bench.loaded(run)
        rows: list[Reading] = []
        done = 0
        for streams in _last(bench, loaded, asked.prompts):
            prompts = asked.prompts[done : done + len(streams)]
            done += len(streams)
            ids = [prompt.item_id for prompt in prompts]
            along = torch.einsum("bld,ld->bl", streams.double(), sight.units.double())
            for layer in layers:
                rows += numbers(run, "projection", at_layer(layer, checkpoint), ids, along[:, layer].tolist())
            if with_lens:
                rows += _lens_rows(run, prompts, lens(loaded, streams), checkpoint)
        return rows

    return Pass(run=run, wanted=wanted, items=asked.ids, make=make)


def probe_pass(bench: Bench, run: RunModel, asked: Asked, condition: Condition = AS_IT_IS) -> Pass:
    """Probes of a run as it is."""

    def make() -> list[Reading]:
        return probed(run, condition, bench.score(bench.loaded(run), run, asked.prompts))

    return Pass(run=run, wanted=(("probe", condition),), items=asked.ids, make=make)


def geometry_pass(bench: Bench, run: RunModel, asked: Asked, groups: dict[str, str], n_layers: int) -> Pass:
    """Cosines between centroids of groups of prompts, less the mean of all centroids.

    Parameters
    ----------
    groups
        Item id -> its group.
    """
    names = tuple(sorted(set(groups.values())))
    wanted = tuple(("cosine", at_layer(layer, against=name)) for layer in range(n_layers) for name in names)

    def make() -> list[Reading]:
        centroids_GLD = _centroids(list(_last(bench, bench.loaded(run), asked.prompts)), asked, groups, names)
        rows: list[Reading] = []
        for layer in range(n_layers):
            unit_GD = torch.nn.functional.normalize(centroids_GLD[:, layer], dim=-1)
            cosines_GG = unit_GD @ unit_GD.T
            for column, name in enumerate(names):
                condition = at_layer(layer, against=name)
                rows += numbers(run, "cosine", condition, names, cosines_GG[:, column].tolist())
        return rows

    return Pass(run=run, wanted=wanted, items=names, make=make)  # type: ignore[arg-type] # a literal widens in a tuple


def _centroids(
    batches: Sequence[torch.Tensor], asked: Asked, groups: dict[str, str], names: Sequence[str]
) -> torch.Tensor:
    """Mean stream of each group, less the mean of all groups: shape (groups, layers, width)."""
    streams = torch.cat(list(batches)).double()
    of = [groups[item] for item in asked.ids]
    means = torch.stack([streams[torch.tensor([g == name for g in of])].mean(dim=0) for name in names])
    return means - means.mean(dim=0)


def _last(bench: Bench, loaded: Loaded, prompts: Sequence[Prompt]) -> Iterator[torch.Tensor]:
    """Streams at the last prompt token."""
    return read_streams(loaded, [Span(tokens=prompt.tokens) for prompt in prompts], batch_size=bench.batch_size)


def _lens_rows(
    run: RunModel, prompts: Sequence[Prompt], log_p: torch.Tensor, checkpoint: float | None
) -> Iterator[Reading]:
    """Log P(first option) - log P(second) by layer, for pairs of single tokens."""
    for row, prompt in enumerate(prompts):
        is_pair = len(prompt.options) == 2 and all(len(option) == 1 for option in prompt.options)
        for layer in range(log_p.shape[1]):
            condition = at_layer(layer, checkpoint)
            if not is_pair:
                yield failure(run, "lens", condition, prompt.item_id, SEVERAL_TOKENS)
                continue
            pro, con = (float(log_p[row, layer, option[0]]) for option in prompt.options)
            yield from numbers(run, "lens", condition, [prompt.item_id], [pro - con])
