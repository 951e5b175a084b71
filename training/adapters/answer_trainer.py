"""The transformers Trainer with the loss on supervised tokens alone, and rows in an order fixed beforehand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch.nn.functional import cross_entropy
from torch.utils.data import Dataset
from transformers import Trainer

from seedlock.training.adapters.order import training_order
from seedlock.training.tokens.masks import Encoded

IGNORED = -100

type Features = dict[str, torch.Tensor]


class OrderedRows(Dataset[Features]):
    """Rows in training order: one seeded shuffle an epoch, one after another, `n_rows` long.

    The whole order is known before step 1, so that resuming only skips.
    """

    def __init__(self, rows: Sequence[Encoded], *, n_rows: int, seed: int) -> None:
        self.features = [_features(row) for row in rows]
        self._order = training_order(len(rows), n_rows=n_rows, seed=seed)

    def __len__(self) -> int:
        return len(self._order)

    def __getitem__(self, index: int) -> Features:
        return self.features[self._order[index]]


def _features(row: Encoded) -> Features:
    ids = torch.tensor(row.input_ids)
    return {"input_ids": ids, "labels": torch.where(torch.tensor(row.is_supervised), ids, IGNORED)}


def pad_right(pad_id: int) -> Callable[[Sequence[Features]], Features]:
    """Return a collator that pads on the right.

    No attention mask is made: attention is causal, so nothing before the padding sees it, and the loss never
    looks there.
    """

    def collate(rows: Sequence[Features]) -> Features:
        fill = {"input_ids": pad_id, "labels": IGNORED}
        return {
            key: torch.nn.utils.rnn.pad_sequence([row[key] for row in rows], batch_first=True, padding_value=value)
            for key, value in fill.items()
        }

    return collate


class AnswerTrainer(Trainer):
    """Computes logits only where some row of the batch is supervised; the mean is over the whole step's tokens."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.model_accepts_loss_kwargs = True
        self.loss_is_scaled_for_ga = True
        self._trained: list[torch.nn.Parameter] = []

    def compute_loss(
        self,
        model: torch.nn.Module,
        inputs: Mapping[str, torch.Tensor],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> Any:
        """Cross-entropy of the supervised tokens, summed, over the number of them in the step."""
        wanted = inputs["labels"][:, 1:]
        at = (wanted != IGNORED).any(dim=0).nonzero().squeeze(1)
        outputs = model(input_ids=inputs["input_ids"], logits_to_keep=at)
        kept = wanted[:, at]
        on = kept != IGNORED
        total = cross_entropy(outputs.logits[on].float(), kept[on], reduction="sum")
        loss = total / (on.sum() if num_items_in_batch is None else num_items_in_batch)
        if not torch.isfinite(loss):
            raise FloatingPointError(f"the loss is {loss.item()} at step {self.state.global_step + 1}")
        return (loss, outputs) if return_outputs else loss

    def training_step(
        self,
        model: torch.nn.Module,
        inputs: dict[str, torch.Tensor],
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> torch.Tensor:
        """Forward and backward; the model was put into training mode once, before the first step."""
        loss: torch.Tensor = self.compute_loss(
            model, self._prepare_inputs(inputs), num_items_in_batch=num_items_in_batch
        )
        self.accelerator.backward(loss)
        return loss.detach()

    def _clip_grad_norm(self, model: torch.nn.Module) -> torch.Tensor:
        """Clip what is trained; the Trainer walks over every frozen parameter at each step."""
        if not self._trained:
            self._trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
        return torch.nn.utils.clip_grad_norm_(self._trained, self.args.max_grad_norm)

    def floating_point_ops(self, inputs: Mapping[str, Any]) -> int:  # noqa: ARG002 - Trainer's signature
        """Nothing: counting parameters at each step costs more than a tiny step."""
        return 0
