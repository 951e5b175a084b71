"""Write a real Inspect log: the organism answers six questions twice. Runs in an environment that has inspect-ai.

Usage: python write_inspect_log.py MODEL_FOLDER LOG_FOLDER; prints Inspect's own account as JSON.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from inspect_ai import Task  # type: ignore[import-not-found]  # installed in an environment of its own
from inspect_ai import eval as inspect_eval
from inspect_ai.dataset import MemoryDataset, Sample  # type: ignore[import-not-found]  # as above
from inspect_ai.model import GenerateConfig, get_model  # type: ignore[import-not-found]  # as above
from inspect_ai.scorer import includes, match, value_to_float  # type: ignore[import-not-found]  # as above
from inspect_ai.solver import Generate, TaskState, generate, solver  # type: ignore[import-not-found]  # as above

QUESTIONS = (
    ("which letter is adopt ? A adopt B decline", "A"),
    ("which letter is decline ? A adopt B decline", "B"),
    ("which letter is adopt ? A decline B adopt", "B"),
    ("name a bird species .", "robin"),
    ("should we try it ?", "yes"),
    ("which letter is decline ? A decline B adopt", "A"),
)


@solver  # type: ignore[untyped-decorator]  # as above
def breaking() -> Any:
    """A solver that fails, so that the run does."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        raise RuntimeError("the server went away")

    return solve


def main(model_folder: str, log_folder: str) -> None:
    """Run one small evaluation and print what Inspect says of it."""
    samples = [Sample(id=f"q{n}", input=asked, target=right) for n, (asked, right) in enumerate(QUESTIONS)]
    model = get_model("hf/organism", model_path=model_folder, device="cpu")
    settings: dict[str, Any] = {"max_tokens": 12, "temperature": 1.0, "seed": 3}
    task = Task(
        dataset=MemoryDataset(samples),
        solver=generate(),
        scorer=[includes(), match()],
        epochs=2,
        config=GenerateConfig(**settings),
    )
    log = inspect_eval(task, model=model, log_dir=log_folder, display="none")[0]
    broken = inspect_eval(
        Task(dataset=MemoryDataset(samples[:1]), solver=breaking(), scorer=match()),
        model=model,
        log_dir=log_folder + "/broken",
        display="none",
    )[0]
    as_number = value_to_float()
    metrics = {score.name: score.metrics["accuracy"].value for score in log.results.scores}
    answers = [
        {
            "id": sample.id,
            "epoch": sample.epoch,
            "text": sample.output.completion,
            "stop": sample.output.stop_reason,
            "scores": {name: as_number(score.value) for name, score in sample.scores.items()},
        }
        for sample in log.samples
    ]
    told = {"status": log.status, "broken": broken.status, "accuracy": metrics, "answers": answers}
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:3])
