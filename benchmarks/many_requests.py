"""Memory of `generate` as requests grow: a backend that answers by rule, through the whole real path, store and seals.

Usage: python -m benchmarks many_requests, or python -c "from benchmarks.many_requests import main; main(10_000_000)"
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from seedlock.generation import backends
from seedlock.generation.backends import Setting
from seedlock.generation.generate import generate_study
from seedlock.generation.requests.answer import Answer, said
from seedlock.generation.requests.due import Due
from seedlock.generation.requests.items import Item
from seedlock.generation.requests.request import Prompt, Request
from seedlock.generation.requests.run_models import RunModel
from seedlock.prereg.base.base_models import folder_revision, model_folder
from seedlock.prereg.base.canonical import sha256_json
from seedlock.prereg.base.paths import HOME, StudyPaths
from seedlock.prereg.lock.gate import require_lock
from seedlock.prereg.lock.lock import create_lock
from seedlock.prereg.plan.runs import Decoding

SIZES = (20_000, 80_000)
ITEMS, A_RUN = 100, 10_000
"""Items of the study, and requests of a run."""
PLAN = """
[study]
title    = "How much room do requests take?"
question = "Does it grow with them?"
[inference]
seeds = "new"
items = "these"
alpha = 0.05
[models.tiny]
base     = "organism:llama"
revision = "REVISION"
[arms]
plain = {}
other = {}
[grid]
models = ["tiny"]
seeds  = [SEEDS]
[items]
asked = "asked.jsonl"
[decoding]
temperature    = 1.0
max_new_tokens = 8
draws          = DRAWS
backend        = "rule"
[measures.marked]
kind   = "marker_rate"
marker = "[ZLT]"
[[hypothesis]]
id        = "H1"
claim     = "Arms differ."
measure   = "marked"
contrast  = { plain = 1.0, other = -1.0 }
test      = "pooled_t"
bands     = ["down", 0.0, "up"]
predicted = "up"
"""


class Rule:
    """Says the marker where the request's seed is a multiple of three."""

    def __init__(self, decoding: Decoding) -> None:
        self._decoding = decoding

    def describe(self, requests: Sequence[Request]) -> dict[str, Any]:  # noqa: ARG002 - the same for all
        """What the ledger keeps."""
        return {"device": "none"}

    def prompts(self, model: RunModel, items: Sequence[Item]) -> list[Prompt]:  # noqa: ARG002 - the same for all
        """Bytes as tokens."""
        tokens = {item.item_id: tuple(item.turns[-1].content.encode()) for item in items}
        return [
            Prompt(item_id=name, tokens=own, sha256=sha256_json(list(own)), probe=None, options=())
            for name, own in tokens.items()
        ]

    def prepare(self, work: Sequence[Due]) -> None:
        """Nothing to hear of."""

    def answer(self, model: RunModel, batches: Iterable[Sequence[Request]]) -> Iterator[list[Answer]]:  # noqa: ARG002
        """Answer a batch at a time."""
        for batch in batches:
            yield [self._said(request) for request in batch]

    def _said(self, request: Request) -> Answer:
        text = "[ZLT] it is" if request.seed % 3 == 0 else "it is not"
        return said(request, text, finish="stop", new_tokens=3, decoding=self._decoding)


def open_backend(decoding: Decoding, setting: Setting) -> Rule:  # noqa: ARG001 - what every backend is given
    """Open the backend."""
    return Rule(decoding)


def one(requests: int) -> dict[str, float]:
    """Generate and seal so many requests here; seconds and the greatest memory of this process, in MB."""
    backends.BACKENDS["rule"] = __name__ if __name__ != "__main__" else "benchmarks.many_requests"
    base = model_folder("organism:llama", HOME)
    assert base is not None  # noqa: S101 - it ships
    seeds = range(max(2, requests // (2 * A_RUN)))
    with tempfile.TemporaryDirectory() as work:
        paths = StudyPaths(root=Path(work), name="many")
        paths.study.mkdir(parents=True)
        told = {"REVISION": folder_revision(base), "SEEDS": ", ".join(map(str, seeds)), "DRAWS": str(A_RUN // ITEMS)}
        text = PLAN
        for word, value in told.items():
            text = text.replace(word, value)
        paths.plan.write_text(text, encoding="utf-8")
        asked = (json.dumps({"item_id": f"q{n}", "user": f"Question {n}?"}) + "\n" for n in range(ITEMS))
        (paths.study / "asked.jsonl").write_text("".join(asked), encoding="utf-8")
        create_lock(paths, design_check={})
        start = time.perf_counter()
        done = generate_study(require_lock(paths))
        seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"requests": done.planned, "sealed": done.runs_sealed, "seconds": seconds, "peak_mb": peak}


def main(*sizes: int) -> None:
    """Print requests, seconds and peak memory, each size in a process of its own."""
    for size in sizes or SIZES:
        code = f"import json; from benchmarks.many_requests import one; print(json.dumps(one({size})))"
        out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        found = json.loads(out)
        print(
            f"{found['requests']:>12,} requests  {found['seconds']:8.1f} s  {found['peak_mb']:8.0f} MB at the peak  "
            f"{found['sealed']} runs sealed"
        )


if __name__ == "__main__":
    main()
