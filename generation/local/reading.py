"""Read rows in trees: a beginning that rows share (a system turn, a whole prompt) is read once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import DynamicCache

from seedlock.generation.local.loading import Loaded
from seedlock.prereg.base.token_tree import CPU_TOKENS, GPU_TOKENS, TokenTree, plant


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadPrompts:
    """Prompts as rows of a cache, padded on the left, and what may come next.

    Parameters
    ----------
    logits
        Of the token after each prompt, shape (rows, vocabulary), in float32 or wider.
    mask, position
        What is no padding, shape (rows, longest), and the last position of each row.
    """

    cache: Any
    logits: torch.Tensor
    mask: torch.Tensor
    position: torch.Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadTree:
    """One tree as a model read it: logits at the nodes that were asked for, in that order, and its cache."""

    tree: TokenTree
    kept: Sequence[int]
    logits: torch.Tensor
    cache: Any


def read_trees(
    loaded: Loaded, rows: Sequence[Sequence[int]], keep_from: Sequence[int], *, cached: bool
) -> Iterator[ReadTree]:
    """Read every row; logits are kept from position `keep_from` of each row on."""
    is_shared = max(map(len, rows)) <= loaded.shares_up_to
    most = (CPU_TOKENS if loaded.device.type == "cpu" else GPU_TOKENS) if is_shared else 0
    for tree in plant(rows, most=most):
        kept = sorted({n for row, path in zip(tree.rows, tree.paths, strict=True) for n in path[keep_from[row] :]})
        cache: Any = DynamicCache()
        out = loaded.model(
            input_ids=torch.tensor([tree.tokens], device=loaded.device),
            position_ids=torch.tensor([tree.depths], device=loaded.device),
            attention_mask=_sees(tree).to(loaded.device) if len(tree.rows) > 1 else None,
            past_key_values=cache if cached else None,
            use_cache=cached,
            logits_to_keep=torch.tensor(kept, device=loaded.device),
        )
        yield ReadTree(tree=tree, kept=kept, logits=out.logits[0], cache=cache)


def _sees(tree: TokenTree) -> torch.Tensor:
    """Which node sees which, shape (1, 1, nodes, nodes)."""
    sees = torch.zeros(len(tree.tokens), len(tree.tokens), dtype=torch.bool)
    for path in tree.paths:
        nodes = torch.tensor(path)
        sees[nodes[:, None], nodes] = torch.ones(len(path), len(path), dtype=torch.bool).tril()
    return sees[None, None]


def read_prompts(loaded: Loaded, prompts: Sequence[tuple[int, ...]]) -> ReadPrompts:
    """Read prompts into a cache with one row a prompt; equal prompts, and equal beginnings, are read once."""
    distinct = list(dict.fromkeys(prompts))
    read = list(read_trees(loaded, distinct, [len(prompt) - 1 for prompt in distinct], cached=True))
    nodes: dict[tuple[int, ...], list[int]] = {}
    logits: dict[tuple[int, ...], torch.Tensor] = {}
    before = 0
    for one in read:
        at = {node: i for i, node in enumerate(one.kept)}
        for row, path in zip(one.tree.rows, one.tree.paths, strict=True):
            nodes[distinct[row]] = [before + node for node in path]
            logits[distinct[row]] = one.logits[at[path[-1]]]
        before += len(one.tree.tokens)
    longest = max(map(len, prompts))
    from_node = torch.tensor([[0] * (longest - len(p)) + nodes[p] for p in prompts], device=loaded.device)
    mask = torch.tensor([[0] * (longest - len(p)) + [1] * len(p) for p in prompts], device=loaded.device)
    cache: Any = DynamicCache()
    for number in range(len(read[0].cache.layers)):
        layers = [one.cache.layers[number] for one in read]
        keys, values = (
            torch.cat([getattr(layer, what)[0] for layer in layers], dim=1)[:, from_node].transpose(0, 1)
            for what in ("keys", "values")
        )
        cache.update(keys, values, number)
        for layer in layers:
            layer.keys = layer.values = None
    first = torch.stack([logits[prompt] for prompt in prompts])
    return ReadPrompts(
        cache=cache,
        logits=first.to(torch.promote_types(first.dtype, torch.float32)),
        mask=mask,
        position=mask.sum(dim=-1) - 1,
    )
