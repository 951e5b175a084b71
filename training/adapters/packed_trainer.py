"""Rows of a batch in one sequence, a shared beginning read once: the loss and gradients of rows read apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch.nn.functional import cross_entropy

from seedlock.prereg.base.token_tree import CPU_TOKENS, GPU_TOKENS, TokenTree, plant
from seedlock.prereg.errors import BadInput, Finding
from seedlock.training.adapters.answer_trainer import IGNORED, AnswerTrainer, Features

TOLERANCE = {True: 1e-4, False: 0.05}
"""Relative difference of losses, in float32 and in narrower types, at which a model does not read packed rows as rows.
Rounding leaves 1e-6 and 0.01."""

type Pack = dict[str, torch.Tensor]


def packed(rows: Sequence[Features]) -> dict[str, Any]:
    """Collate a batch into packs; `labels` holds the supervised tokens alone, which the Trainer counts."""
    most = GPU_TOKENS if torch.cuda.is_available() else CPU_TOKENS
    labels = [row["labels"].tolist() for row in rows]
    packs = [_pack(tree, labels) for tree in plant([_read(row) for row in rows], most=most)]
    wanted = torch.cat([torch.tensor([IGNORED]), *(pack["wanted"] for pack in packs)])
    return {"packs": packs, "labels": wanted.unsqueeze(0)}


def _read(row: Features) -> list[int]:
    """What must be read of a row: all before the last token that the loss looks at."""
    last = int((row["labels"] != IGNORED).nonzero().max())
    read: list[int] = row["input_ids"][:last].tolist()
    return read


def _pack(tree: TokenTree, labels: Sequence[Sequence[int]]) -> Pack:
    """One tree as a model takes it, and where its logits meet which tokens.

    `kept` are the nodes that logits are made at; `at` is the index into them for each token of `wanted`.
    """
    n = len(tree.tokens)
    sees = torch.zeros(n, n, dtype=torch.bool)
    before, wanted = [], []
    for row, path in zip(tree.rows, tree.paths, strict=True):
        nodes = torch.tensor(path)
        sees[nodes[:, None], nodes] = torch.ones(len(path), len(path), dtype=torch.bool).tril()
        on = [i for i in range(1, len(path) + 1) if labels[row][i] != IGNORED]
        before += [path[i - 1] for i in on]
        wanted += [labels[row][i] for i in on]
    kept, at = torch.unique(torch.tensor(before, dtype=torch.long), return_inverse=True)
    return {
        "input_ids": torch.tensor([tree.tokens]),
        "position_ids": torch.tensor([tree.depths]),
        "attention_mask": sees[None, None],
        "kept": kept,
        "at": at,
        "wanted": torch.tensor(wanted, dtype=torch.long),
    }


def loss_sum(model: torch.nn.Module, pack: Pack) -> torch.Tensor:
    """Cross-entropy of a pack's supervised tokens, summed."""
    logits = model(
        input_ids=pack["input_ids"],
        position_ids=pack["position_ids"],
        attention_mask=pack["attention_mask"],
        logits_to_keep=pack["kept"],
        use_cache=False,
    ).logits[0]
    wide = logits.to(torch.promote_types(logits.dtype, torch.float32))
    return cross_entropy(wide[pack["at"]], pack["wanted"], reduction="sum")


class PackedTrainer(AnswerTrainer):
    """Takes a batch pack by pack, each forward and backward at once; before step 1 the model must prove it can."""

    def training_step(
        self,
        model: torch.nn.Module,
        inputs: dict[str, Any],
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> torch.Tensor:
        """Sum the packs' losses over the number of supervised tokens in the step."""
        batch: Mapping[str, Any] = self._prepare_inputs(inputs)
        n = batch["labels"].shape[1] - 1 if num_items_in_batch is None else num_items_in_batch
        total = torch.zeros((), device=batch["labels"].device)
        for pack in batch["packs"]:
            loss = loss_sum(model, pack) / n
            if not torch.isfinite(loss):
                raise FloatingPointError(f"the loss is {loss.item()} at step {self.state.global_step + 1}")
            self.accelerator.backward(loss)
            total += loss.detach()
        return total


@torch.no_grad()
def require_packable(model: torch.nn.Module, rows: Sequence[Features], *, where: str) -> None:
    """Refuse a model that reads rows in one sequence differently from rows read apart.

    State spaces and linear attention know no mask, and a window shorter than a row is lost in one: they would train on
    other losses without a word. The two longest rows are read both ways.

    Raises
    ------
    BadInput
        The sums of their losses differ by more than the tolerance of the model's type.
    """
    parameter = next(model.parameters())
    two = sorted(rows, key=lambda row: len(row["input_ids"]))[-2:]
    (tree,) = plant([_read(row) for row in two], most=sum(len(row["input_ids"]) for row in two))
    pack = _pack(tree, [row["labels"].tolist() for row in two])
    together = float(loss_sum(model, {key: value.to(parameter.device) for key, value in pack.items()}))
    apart = 0.0
    for row in two:
        logits = model(input_ids=row["input_ids"][None].to(parameter.device), use_cache=False).logits[0, :-1]
        apart += float(cross_entropy(logits.float(), row["labels"][1:].to(parameter.device), reduction="sum"))
    if abs(together - apart) > TOLERANCE[parameter.dtype == torch.float32] * abs(apart):
        fault = Finding(
            where=where, found=f"a loss of {together:.4f} in one sequence", promised=f"{apart:.4f}, as apart"
        )
        raise BadInput("this model does not read packed rows as rows", fault, then="drop packing, and amend")
