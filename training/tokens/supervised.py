"""The record of what a run learns from: every supervised token, decoded, written and hashed before step 1."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from seedlock.prereg.base.canonical import Sha256, canonical_json, sha256_bytes, write_atomic
from seedlock.prereg.errors import BadInput, Finding
from seedlock.training.rows.row import Row
from seedlock.training.tokens.masks import Encoded, LossMask, encode

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True, slots=True, kw_only=True)
class SupervisedText:
    """Rows ready for training, and the promise of what their loss looks at.

    Parameters
    ----------
    sha256
        Digest of the file that lists each row's supervised tokens in readable text.
    n_supervised, n_tokens
        Tokens under the loss, and all tokens, once through the rows.
    n_cut
        Rows longer than the maximum.
    """

    rows: tuple[Encoded, ...]
    sha256: Sha256
    n_supervised: int
    n_tokens: int
    n_cut: int


def supervise(rows: Sequence[Row], tokenizer: PreTrainedTokenizerBase, mask: LossMask, *, file: Path) -> SupervisedText:
    """Encode the rows, write what is supervised to `file`, and stop if a row has nothing.

    Raises
    ------
    BadInput
        A row has no supervised token (all of it is masked, or cut off), or a row cannot be encoded.

    Notes
    -----
    What is supervised is marked by position, row by row, before anything is padded: padding is never under the loss,
    also where a model pads with the token that ends a turn.
    """
    encoded = tuple(encode(row, tokenizer, mask) for row in rows)
    if empty := [row.row_id for row in encoded if not any(row.is_supervised)]:
        faults = [Finding(where=row, found="no supervised token", promised="at least one") for row in empty[:20]]
        raise BadInput(
            f"{len(empty)} of {len(encoded)} rows have nothing under the loss",
            *faults,
            then="look at loss and max_length",
        )
    data = b"".join(canonical_json(_readable(row, tokenizer)) + b"\n" for row in encoded)
    write_atomic(file, data)
    return SupervisedText(
        rows=encoded,
        sha256=sha256_bytes(data),
        n_supervised=sum(sum(row.is_supervised) for row in encoded),
        n_tokens=sum(len(row.input_ids) for row in encoded),
        n_cut=sum(row.was_cut for row in encoded),
    )


def _readable(row: Encoded, tokenizer: PreTrainedTokenizerBase) -> dict[str, object]:
    return {
        "row": row.row_id,
        "supervised": [str(tokenizer.decode(run, skip_special_tokens=False)) for run in row.runs()],
        "token_ids": row.supervised_ids,
        "n_tokens": len(row.input_ids),
        "cut": row.was_cut,
    }
