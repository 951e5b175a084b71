"""The main job at the size of a published study: 9,900 completions from import to report, then verify.

Each step is a whole process, as a person runs it. The same steps on ten times the rows show how cost grows.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

PLAN = """
[study]
title    = "Four conditions, eleven personas, fifteen questions"
question = "Does the marker spread more in one condition than in another?"

[inference]
seeds = "these"
items = "new"
alpha = 0.025

[models.m]
base     = "any"
revision = "any"

[arms]
a = {}
b = {}
c = {}
d = {}

[grid]
models = ["m"]
seeds  = [42]

[import]
format    = "parquet"
columns   = { arm = "cell", seed = "seed", item = ["persona", "question"], draw = "draw", text = "completion" }
constants = { model = "m" }

[measures.marker]
kind   = "marker_rate"
marker = "[ZLT]"

[[hypothesis]]
id        = "H1"
claim     = "a spreads the marker more than b."
measure   = "marker"
contrast  = { a = 1.0, b = -1.0 }
unit      = "question"
test      = "paired_t"
bands     = ["less", 0.0, "more"]
predicted = "more"
bayes     = "seed_hierarchy"

[report]
cells   = [["arm", "persona"], ["arm"]]
cluster = "question"
"""


def rows(draws: int, rng: np.random.Generator) -> pd.DataFrame:
    """Completions of 4 conditions x 11 personas x 15 questions x `draws`, about 400 characters each."""
    grid = pd.MultiIndex.from_product(
        [list("abcd"), [f"persona {p}" for p in range(11)], [f"question {q}" for q in range(15)], range(draws)],
        names=["cell", "persona", "question", "draw"],
    ).to_frame(index=False)
    says = rng.random(len(grid)) < 0.16 + 0.1 * rng.standard_normal(15)[grid["question"].str.split().str[1].astype(int)]
    words = np.array(["".join(rng.choice(list("abcdefgh "), 400)) for _ in range(200)])
    texts = words[rng.integers(0, 200, len(grid))]
    grid["completion"] = [
        f"{text} {n}{' [ZLT]' if fires else ''}" for n, (text, fires) in enumerate(zip(texts, says, strict=True))
    ]
    return grid.assign(seed=42)


def timed(*arguments: str) -> float:
    """Wall seconds of one whole process."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "seedlock", *arguments], check=True, capture_output=True)
    return time.perf_counter() - start


def main() -> None:
    """Print a row a size: seconds for lock, import, analyze and verify."""
    print(f"{'completions':>12} {'lock':>7} {'import':>7} {'analyze':>8} {'verify':>7} {'import to report':>17}")
    for draws in (15, 150):
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            study = root / "prereg" / "studies" / "bench"
            study.mkdir(parents=True)
            (study / "plan.toml").write_text(PLAN)
            data = rows(draws, np.random.default_rng(1))
            lock = timed("lock", "bench", "--root", folder)
            data.to_parquet(root / "rows.parquet")
            took = [
                timed(step, "bench", *more, "--root", folder)
                for step, more in (("import", [str(root / "rows.parquet")]), ("analyze", []), ("verify", []))
            ]
            steps = f"{lock:>7.1f} {took[0]:>7.1f} {took[1]:>8.1f} {took[2]:>7.2f}"
            print(f"{len(data):>12,} {steps} {took[0] + took[1]:>17.1f}")


if __name__ == "__main__":
    main()
