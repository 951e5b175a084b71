"""What is known of one base model before any run is read: its direction, the layer chosen, and the controls."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pyarrow as pa
import torch
from safetensors.torch import load_file, save_file

from seedlock.generation.inside.activations import write_activations
from seedlock.generation.inside.probes import LayerProbe, chosen_layer, mean_length, probe_layers
from seedlock.generation.inside.reading import Span, read_streams
from seedlock.generation.inside.residual import decoder_layers
from seedlock.generation.inside.texts import PoleText
from seedlock.generation.inside.vectors import Vector, random_vectors, shuffled_vectors, true_vectors, unit_of
from seedlock.generation.local.loading import Loaded
from seedlock.prereg.base.canonical import Sha256, canonical_json, sha256_file, sha256_json, write_atomic
from seedlock.prereg.plan.inside import Direction, Inside
from seedlock.schemas import TABLES


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """The direction of one base model.

    Parameters
    ----------
    layer
        The layer chosen, on source texts only.
    units
        The true direction of every layer at length 1, shape (layers, width).
    stream_lengths, vector_lengths
        Mean length of the stream, and length of the difference of means, a layer.
    vectors
        The true direction of the chosen layer, then every control, all of length 1.
    """

    model: str
    layer: int
    units: torch.Tensor
    stream_lengths: tuple[float, ...]
    vector_lengths: tuple[float, ...]
    probes: tuple[LayerProbe, ...]
    vectors: tuple[Vector, ...]
    n_high: int
    n_low: int
    activations_sha256: Sha256
    vectors_sha256: Sha256

    def table(self) -> pa.Table:
        """Rows of the table `directions`."""
        rows = [
            {
                "model": self.model,
                "layer": probe.layer,
                "n_high": self.n_high,
                "n_low": self.n_low,
                "accuracy": probe.accuracy,
                "log_loss": probe.log_loss,
                "vector_length": self.vector_lengths[probe.layer],
                "stream_length": self.stream_lengths[probe.layer],
                "is_chosen": int(probe.layer == self.layer),
                "activations_sha256": self.activations_sha256,
                "vectors_sha256": self.vectors_sha256,
            }
            for probe in self.probes
        ]
        return pa.Table.from_pylist(rows, schema=TABLES["directions"].arrow())


def find_sight(
    loaded: Loaded, texts: Sequence[PoleText], spans: Sequence[Span], plan: Inside, *, model: str, folder: Path
) -> Sight:
    """Find the direction of a base model, or read it back where it was found before from the same texts.

    Parameters
    ----------
    folder
        Activations, vectors and what was found are kept here; a second call gives the same vectors byte for byte.
    """
    direction = plan.direction
    if direction is None:
        raise ValueError("a sight needs [inside.direction]")
    key = sha256_json([plan.model_dump(mode="json"), [[list(span.tokens), span.start] for span in spans], model])
    record = folder / "sight.json"
    if not _is_whole(record, key):
        _make(loaded, texts, spans, plan, direction, model=model, folder=folder, key=key)
    return _read(record)


def _make(
    loaded: Loaded,
    texts: Sequence[PoleText],
    spans: Sequence[Span],
    plan: Inside,
    direction: Direction,
    *,
    model: str,
    folder: Path,
    key: Sha256,
) -> None:
    is_high = [text.is_high for text in texts]
    n_layers = len(decoder_layers(loaded.model))
    streams = write_activations(read_streams(loaded, spans), folder / "activations")
    probes = probe_layers(streams, n_layers, is_high, [text.fold for text in texts], direction)
    layer = chosen_layer(probes, direction)
    raw = true_vectors(streams, is_high)
    units = torch.stack([unit_of(raw[n], what=f"layer {n}") for n in range(n_layers)])
    named = [
        Vector(name="true", control="true", unit=units[layer]),
        *random_vectors(units[layer], plan.controls.random, plan.seed, model),
        *shuffled_vectors(streams.layer(layer), is_high, plan.controls.shuffled, plan.seed, model),
    ]
    tensors = {vector.name: vector.unit for vector in named} | {"by layer": units}
    save_file(
        {name: tensor.contiguous().clone() for name, tensor in tensors.items()}, str(folder / "vectors.safetensors")
    )
    found = {
        "key": key,
        "model": model,
        "layer": layer,
        "probes": [asdict(probe) for probe in probes],
        "stream_lengths": mean_length(streams).tolist(),
        "vector_lengths": raw.norm(dim=-1).tolist(),
        "vectors": [[vector.name, vector.control] for vector in named],
        "n_high": sum(is_high),
        "n_low": len(is_high) - sum(is_high),
        "activations_sha256": streams.sha256,
        "vectors_sha256": sha256_file(folder / "vectors.safetensors"),
    }
    write_atomic(folder / "sight.json", canonical_json(found) + b"\n")


def _is_whole(record: Path, key: Sha256) -> bool:
    vectors = record.with_name("vectors.safetensors")
    if not record.is_file() or not vectors.is_file():
        return False
    found = json.loads(record.read_bytes())
    return bool(found["key"] == key and found["vectors_sha256"] == sha256_file(vectors))


def _read(record: Path) -> Sight:
    found = json.loads(record.read_bytes())
    tensors = load_file(str(record.with_name("vectors.safetensors")))
    return Sight(
        model=found["model"],
        layer=found["layer"],
        units=tensors["by layer"],
        stream_lengths=tuple(found["stream_lengths"]),
        vector_lengths=tuple(found["vector_lengths"]),
        probes=tuple(LayerProbe(**probe) for probe in found["probes"]),
        vectors=tuple(Vector(name=name, control=control, unit=tensors[name]) for name, control in found["vectors"]),
        n_high=found["n_high"],
        n_low=found["n_low"],
        activations_sha256=found["activations_sha256"],
        vectors_sha256=found["vectors_sha256"],
    )
