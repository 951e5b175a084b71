"""Read a folder that Hugging Face `datasets` wrote: `save_to_disk` (Arrow), or a folder of Parquet shards."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from seedlock.generation.importers.parquet import raw_batch
from seedlock.generation.intake.nested import nested_batches, paths_into
from seedlock.generation.intake.raw import BATCH_ROWS, RawBatch, require_columns
from seedlock.prereg.errors import BadInput, Finding

STATE = "state.json"
SPLITS = "dataset_dict.json"
SHARD = re.compile(r"(?P<split>.+)-(?P<part>\d{5})-of-(?P<of>\d{5})")


def read(path: Path, columns: Sequence[str]) -> Iterator[RawBatch]:
    """Yield the wanted columns of every row, shard by shard; rows are numbered through all shards.

    Raises
    ------
    BadInput
        Not such a folder; a folder of splits (name one of them); a shard that is absent or damaged; a wanted
        column that is absent, doubled or nested; no row.
    """
    shards = _shards(path)
    schema = _schema(shards[0])
    if paths_into(schema, columns):
        yield from nested_batches(path, columns, schema, functools.partial(_rows, shards))
        return
    row = 1
    for shard in shards:
        with _whole(shard, path):
            for batch in _batches(shard, BATCH_ROWS, columns):
                yield raw_batch(batch, columns, row, shard)
                row += batch.num_rows
    if row == 1:
        raise BadInput(f"{path.name} has no rows")


@contextmanager
def _whole(shard: Path, path: Path) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowInvalid, OSError) as error:
        found = Finding(where=shard.name, found=str(error).splitlines()[0], promised="a whole shard")
        raise BadInput(f"{path.name} cannot be read as a dataset", found) from error


def _rows(shards: Sequence[Path], n_rows: int, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    for shard in shards:
        with _whole(shard, shard.parent):
            yield from _batches(shard, n_rows, columns)


def _schema(shard: Path) -> pa.Schema:
    with _whole(shard, shard.parent):
        if shard.suffix == ".parquet":
            return pq.read_schema(shard)
        with pa.memory_map(str(shard)) as source, pa.ipc.open_stream(source) as stream:
            return stream.schema


def _shards(path: Path) -> list[Path]:
    """The data files in the dataset's own order."""
    if not path.is_dir():
        raise BadInput(f"{path.name} is no dataset", Finding(where=path.name, found="a file", promised="a folder"))
    if (path / SPLITS).is_file():
        splits = sorted(inner.parent.name for inner in path.glob(f"*/{STATE}"))
        found = Finding(where=path.name, found=f"splits {', '.join(splits)}", promised="one of them")
        raise BadInput(f"{path.name} holds several splits", found, then=f"name the folder of one split of {path.name}")
    if (path / STATE).is_file():
        return _saved_shards(path)
    shards = sorted(path.glob("*.parquet"))
    if not shards:
        inner = sorted({file.parent.name for file in path.glob("*/*.parquet")})
        said = f"neither, but folders with Parquet files: {', '.join(inner)}" if inner else "neither"
        promised = f"{STATE} of save_to_disk, or Parquet files"
        raise BadInput(f"{path.name} is no dataset", Finding(where=path.name, found=said, promised=promised))
    _refuse_parted(path, shards)
    return shards


def _refuse_parted(path: Path, shards: Sequence[Path]) -> None:
    """Refuse shards of several splits, and a split of which parts are missing (`train-00000-of-00002.parquet`)."""
    parts: dict[str, set[tuple[int, int]]] = {}
    for shard in shards:
        if named := SHARD.fullmatch(shard.stem):
            parts.setdefault(named["split"], set()).add((int(named["part"]), int(named["of"])))
    others = [shard.name for shard in shards if not SHARD.fullmatch(shard.stem)] if parts else []
    if len(parts) + bool(others) > 1:
        found = Finding(where=path.name, found=f"splits {', '.join([*parts, *others])}", promised="one of them")
        then = "put the files of one split into a folder of their own"
        raise BadInput(f"{path.name} holds several splits", found, then=then)
    for split, there in parts.items():
        promised = max(of for _, of in there)
        absent = [f"{split}-{part:05}-of-{promised:05}" for part in range(promised) if (part, promised) not in there]
        if absent or len(there) != promised:
            said = f"{len(there)} of {promised} parts, without {', '.join(absent[:5])}"
            fault = Finding(where=split, found=said, promised=f"{promised} parts")
            raise BadInput(f"{path.name} lacks shards", fault, then="copy the whole folder")


def _saved_shards(path: Path) -> list[Path]:
    """The Arrow files that `state.json` lists, all of them plain names in the folder and there."""
    try:
        listed = json.loads((path / STATE).read_bytes())["_data_files"]
        names = [str(one["filename"]) for one in listed]
    except (ValueError, KeyError, TypeError) as error:
        found = Finding(where=STATE, found=type(error).__name__, promised="the list _data_files")
        raise BadInput(f"{path.name} is no dataset of save_to_disk", found) from error
    faults = [
        Finding(where=name, found="nothing", promised="a shard in the folder")
        for name in names
        if Path(name).name != name or not (path / name).is_file()
    ]
    if faults:
        raise BadInput(f"{path.name} lacks shards", *faults, then="copy the whole folder")
    return [path / name for name in names]


def _batches(shard: Path, n_rows: int, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Yield bounded batches of one shard, its columns checked first."""
    if shard.suffix == ".parquet":
        with pq.ParquetFile(shard) as parquet:
            require_columns(parquet.schema_arrow.names, columns, shard)
            yield from parquet.iter_batches(n_rows, columns=list(columns))
        return
    with pa.memory_map(str(shard)) as source, pa.ipc.open_stream(source) as stream:
        require_columns(stream.schema.names, columns, shard)
        for batch in stream:
            for start in range(0, batch.num_rows, n_rows):
                yield batch.select(list(columns)).slice(start, n_rows)
