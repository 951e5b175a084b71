"""Read a folder that Hugging Face `datasets` wrote: `save_to_disk` (Arrow), or a folder of Parquet shards."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from seedlock.generation.importers.parquet import raw_batch
from seedlock.generation.intake.raw import BATCH_ROWS, RawBatch, require_columns
from seedlock.prereg.errors import BadInput, Finding

STATE = "state.json"
SPLITS = "dataset_dict.json"


def read(path: Path, columns: Sequence[str]) -> Iterator[RawBatch]:
    """Yield the wanted columns of every row, shard by shard; rows are numbered through all shards.

    Raises
    ------
    BadInput
        Not such a folder; a folder of splits (name one of them); a shard that is absent or damaged; a wanted
        column that is absent, doubled or nested; no row.
    """
    row = 1
    for shard in _shards(path):
        try:
            for batch in _batches(shard, columns):
                yield raw_batch(batch, columns, row, shard)
                row += batch.num_rows
        except (pa.ArrowInvalid, OSError) as error:
            found = Finding(where=shard.name, found=str(error).splitlines()[0], promised="a whole shard")
            raise BadInput(f"{path.name} cannot be read as a dataset", found) from error
    if row == 1:
        raise BadInput(f"{path.name} has no rows")


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
        promised = f"{STATE} of save_to_disk, or Parquet files"
        raise BadInput(f"{path.name} is no dataset", Finding(where=path.name, found="neither", promised=promised))
    return shards


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


def _batches(shard: Path, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Yield bounded batches of one shard, its columns checked first."""
    if shard.suffix == ".parquet":
        with pq.ParquetFile(shard) as parquet:
            require_columns(parquet.schema_arrow.names, columns, shard)
            yield from parquet.iter_batches(BATCH_ROWS, columns=list(columns))
        return
    with pa.memory_map(str(shard)) as source, pa.ipc.open_stream(source) as stream:
        require_columns(stream.schema.names, columns, shard)
        for batch in stream:
            for start in range(0, batch.num_rows, BATCH_ROWS):
                yield batch.slice(start, BATCH_ROWS)
