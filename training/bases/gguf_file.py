"""What a GGUF file says of itself: architecture, licence, and how its tensors are quantised."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from seedlock.prereg.errors import BadInput, Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class GgufFile:
    """The head of a GGUF file.

    Parameters
    ----------
    quantisation
        The type that most of the quantised weights have, and every other: "Q4_1 with Q8_0 (1 tensor)".
    tensors
        Names of all of them, as the file has them.
    """

    architecture: str
    name: str | None
    licence: str | None
    quantisation: str
    tensors: tuple[str, ...]


def read_gguf(path: Path, *, where: str) -> GgufFile:
    """Read the head of a GGUF file and see that every tensor it lists lies in it.

    Raises
    ------
    BadInput
        It is no GGUF file, or is cut short.
    """
    from gguf import GGUFReader  # noqa: PLC0415 - in the models' environment alone

    try:
        reader = GGUFReader(str(path))
        ends = [int(tensor.data_offset) + int(tensor.n_bytes) for tensor in reader.tensors]
        architecture = _text(reader, "general.architecture")
        if not ends or max(ends) > path.stat().st_size or architecture is None:
            raise ValueError("no tensors, or no architecture")
    except (ValueError, IndexError, KeyError, OSError, OverflowError, MemoryError, TypeError, UnicodeError) as error:
        found = f"{path.stat().st_size} bytes that do not read as one ({type(error).__name__}: {str(error)[:120]})"
        raise BadInput(
            "the model's file is no GGUF file, or is cut short",
            Finding(where=where, found=found, promised="a whole GGUF file"),
            then="bring the file anew",
        ) from None
    return GgufFile(
        architecture=architecture,
        name=_text(reader, "general.name"),
        licence=_text(reader, "general.license"),
        quantisation=_quantisation([(tensor.tensor_type.name, int(tensor.n_elements)) for tensor in reader.tensors]),
        tensors=tuple(str(tensor.name) for tensor in reader.tensors),
    )


def _text(reader: object, key: str) -> str | None:
    field = reader.fields.get(key)  # type: ignore[attr-defined] # gguf ships no types
    return None if field is None else str(field.contents())


def _quantisation(tensors: Sequence[tuple[str, int]]) -> str:
    """Name the types of tensors, each with its weights: norms and biases, whole in every file, only where all are.

    The type of most weights comes first: an embedding alone may outweigh all layers.
    """
    counted = [(kind, n) for kind, n in tensors if kind != "F32"] or list(tensors)
    weights, pieces = Counter[str](), Counter(kind for kind, _ in counted)
    for kind, n in counted:
        weights[kind] += n
    most, *others = (kind for kind, _ in weights.most_common())
    also = ", ".join(f"{kind} ({pieces[kind]} tensor{'s' if pieces[kind] > 1 else ''})" for kind in others)
    return f"{most} with {also}" if also else most
