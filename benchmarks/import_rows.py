"""Millions of rows from a CSV file to a verified report: seconds (wall, processor) and memory of each command.

Beside them stands what DuckDB alone takes to turn the same file into Parquet.

python -m benchmarks.import_rows 1000000 10000000
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ITEMS, SEEDS = 1000, 10
SIZES = (500_000, 2_000_000)
PLAN = f"""
[study]
title = "Rows"
question = "How long, and how much memory?"
exposure = "none"
[inference]
seeds = "new"
items = "these"
alpha = 0.025
[models.m]
base = "none"
revision = "none"
[arms]
a = {{}}
b = {{}}
[grid]
models = ["m"]
seeds = {list(range(SEEDS))}
[import]
format = "csv"
columns = {{ arm = "arm", seed = "seed", item = "item", draw = "draw", text = "text" }}
constants = {{ model = "m" }}
[measures.x]
kind = "marker_rate"
marker = "x"
[[hypothesis]]
id = "H1"
claim = "More."
measure = "x"
contrast = {{ b = 1.0, a = -1.0 }}
unit = "seed"
test = "welch_t"
bands = ["less", 0.0, "more"]
predicted = "more"
"""
BY_DUCKDB = """
import duckdb, sys
con = duckdb.connect(config={"memory_limit": "1GB"})
rows = f"FROM read_csv('{sys.argv[1]}', all_varchar = true)"
con.execute(f"COPY ({rows}) TO '{sys.argv[2]}' (FORMAT parquet, COMPRESSION zstd)")
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Took:
    """What one process took."""

    wall_s: float
    processor_s: float
    memory_mib: float

    def __str__(self) -> str:
        return f"{self.wall_s:7.1f} s {self.processor_s:7.1f} s {self.memory_mib:6.0f} MiB"


def write_rows(file: Path, n: int) -> None:
    """As many rows as asked, spread over runs and items; each item comes again with the next draw."""
    with file.open("w", encoding="utf-8") as stream:
        stream.write("arm,seed,item,draw,text\n")
        for row in range(n):
            rest, item = divmod(row, ITEMS)
            rest, seed = divmod(rest, SEEDS)
            draw, arm = divmod(rest, 2)
            sign = "x" if (row * 2654435761 >> 7) % 10 < 4 + arm else "-"
            stream.write(
                f'{"ab"[arm]},{seed},q{item},{draw},"answer {row} of a run {sign}, as long as a short one is, of one'
                ' line and about 90 bytes"\n'
            )


def process(*command: str) -> Took:
    """Run one command to its end."""
    began = time.monotonic()
    child = subprocess.Popen([sys.executable, *command], stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(child.pid, 0)
    if status:
        raise SystemExit(f"{command} ended with {status}")
    return Took(
        wall_s=time.monotonic() - began, processor_s=used.ru_utime + used.ru_stime, memory_mib=used.ru_maxrss / 1024
    )


def main(sizes: tuple[int, ...] = SIZES) -> None:
    """Print a line a size and command."""
    for n in sizes:
        with tempfile.TemporaryDirectory(prefix="seedlock-rows-") as folder:
            root = Path(folder)
            file, plan = root / "rows.csv", root / "prereg" / "studies" / "rows" / "plan.toml"
            plan.parent.mkdir(parents=True)
            plan.write_text(PLAN)
            process("-m", "seedlock", "lock", "rows", "--root", folder)
            write_rows(file, n)
            print(f"{n:,} rows, {file.stat().st_size / 2**20:.0f} MiB")
            print(f"  {'DuckDB, CSV to Parquet':24}{process('-c', BY_DUCKDB, str(file), str(root / 'rows.parquet'))}")
            for step, *more in (("import", str(file)), ("analyze",), ("verify",)):
                print(f"  {step:24}{process('-m', 'seedlock', step, 'rows', *more, '--root', folder)}", flush=True)


if __name__ == "__main__":
    main(tuple(int(size) for size in sys.argv[1:]) or SIZES)
