"""Activations on disk: shards of safetensors written as they are read, each with its digest."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from seedlock.prereg.base.canonical import Sha256, sha256_file
from seedlock.prereg.errors import Finding, LockedFileChanged

SHARD_ROWS = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Activations:
    """Streams of many texts, shape (texts, layers, width), in shards; one shard is in memory at a time.

    Parameters
    ----------
    digests
        SHA-256 of every shard.
    """

    shards: tuple[Path, ...]
    digests: tuple[Sha256, ...]

    @property
    def sha256(self) -> Sha256:
        """One digest for all shards, in order."""
        return hashlib.sha256("\n".join(self.digests).encode()).hexdigest()

    def batches(self) -> Iterator[torch.Tensor]:
        """Yield each shard, shape (rows, layers, width).

        Raises
        ------
        LockedFileChanged
            A shard's bytes are not those that were written.
        """
        for path, digest in zip(self.shards, self.digests, strict=True):
            if (found := sha256_file(path)) != digest:
                fault = Finding(where=path.name, found=f"sha256 {found}", promised=f"sha256 {digest}")
                raise LockedFileChanged("activations changed between writing and reading", fault)
            with safe_open(str(path), framework="pt") as opened:
                yield opened.get_tensor("streams")

    def layer(self, number: int) -> torch.Tensor:
        """Return one layer of every text, shape (texts, width)."""
        return torch.cat([batch[:, number] for batch in self.batches()])


def write_activations(streams: Iterable[torch.Tensor], folder: Path) -> Activations:
    """Write streams as they come, at most `SHARD_ROWS` texts in memory; a file appears whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    paths: list[Path] = []
    held: list[torch.Tensor] = []
    for batch in streams:
        held.append(batch)
        if sum(map(len, held)) >= SHARD_ROWS:
            paths.append(_write(torch.cat(held), folder / f"{len(paths):05d}.safetensors"))
            held = []
    if held:
        paths.append(_write(torch.cat(held), folder / f"{len(paths):05d}.safetensors"))
    return Activations(shards=tuple(paths), digests=tuple(map(sha256_file, paths)))


def _write(streams: torch.Tensor, path: Path) -> Path:
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    save_file({"streams": streams.contiguous()}, str(draft))
    draft.replace(path)
    return path
