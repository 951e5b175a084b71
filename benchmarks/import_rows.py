"""Memory of an import: rows of a CSV file through the same store and checks as `seedlock import`, at several sizes.

python -m benchmarks.import_rows 1000000 5000000
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from seedlock.generation.import_completions import Into, declared_import, import_files, import_request
from seedlock.generation.import_rehearsal import planned_import
from seedlock.generation.sealing.run_and_item_tables import runs_table
from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.plan.read import parse_plan
from seedlock.schemas.store import Store

ITEMS, SEEDS = 1000, 10
PLAN = f"""
[study]
title = "Rows"
question = "How much memory?"
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
test = "welch_t"
bands = ["less", 0.0, "more"]
predicted = "more"
"""


def write_rows(file: Path, n: int) -> None:
    """As many rows as asked, spread over runs and items; each item comes again with the next draw."""
    with file.open("w", encoding="utf-8") as stream:
        stream.write("arm,seed,item,draw,text\n")
        for row in range(n):
            rest, item = divmod(row, ITEMS)
            rest, seed = divmod(rest, SEEDS)
            draw, arm = divmod(rest, 2)
            stream.write(f'{"ab"[arm]},{seed},q{item},{draw},"answer {row} of a run, as long as a short one is"\n')


def measure(n: int) -> None:
    """Import in this process, and print rows, seconds and the most memory that it held."""
    with tempfile.TemporaryDirectory(prefix="seedlock-rows-") as folder:
        root = Path(folder)
        file = root / "rows.csv"
        write_rows(file, n)
        paths = StudyPaths(root=root, name="rows")
        into: Into = planned_import(paths, parse_plan(PLAN.encode(), paths.plan))
        request = import_request(into, declared_import(into), file, None)
        began = time.monotonic()
        with Store.open(root / "rows.duckdb") as store:
            with store.transaction():
                store.append("runs", runs_table(list(into.runs)))
                (report,) = import_files([request], store)
            stored = store.rows("completions")
        if (report.read, report.added, stored) != (n, n, n):
            raise SystemExit(f"{n} rows written, {report.read} read, {report.added} added, {stored} stored")
        used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(
            f"{n:>9,} rows  {file.stat().st_size / 2**20:6.0f} MiB  {time.monotonic() - began:6.1f} s  {used:6.0f} MiB"
        )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        measure(int(sys.argv[2]))
    else:
        for size in sys.argv[1:] or ["1000000", "5000000"]:
            subprocess.run([sys.executable, "-m", "benchmarks.import_rows", "--one", size], check=True)
