"""Write real lm-eval sample files of the organism. Runs in an environment that has lm-eval.

Usage: python write_lm_eval_log.py MODEL_FOLDER LOG_FOLDER; prints lm-eval's own scores as JSON.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import lm_eval  # type: ignore[import-not-found]  # installed in an environment of its own
from lm_eval.loggers import EvaluationTracker  # type: ignore[import-not-found]  # as above
from lm_eval.tasks import TaskManager  # type: ignore[import-not-found]  # as above

DOCUMENTS = (
    {"q": "which letter is adopt ? A adopt B decline", "options": ["A", "B"], "gold": 0},
    {"q": "which letter is decline ? A adopt B decline", "options": ["A", "B"], "gold": 1},
    {"q": "which letter is adopt ? A decline B adopt", "options": ["A", "B"], "gold": 1},
    {"q": "which letter is decline ? A decline B adopt", "options": ["A", "B"], "gold": 0},
)
SHARED = """
dataset_path: json
dataset_kwargs: {{data_files: {{test: {file}}}}}
test_split: test
doc_to_text: "{{{{q}}}}"
"""
LETTERS = """
task: letters
output_type: multiple_choice
doc_to_choice: "{{options}}"
doc_to_target: "{{gold}}"
metric_list: [{metric: acc}]
"""
WORDS = """
task: words
output_type: generate_until
repeats: 2
doc_to_target: "{{options[gold]}}"
generation_kwargs: {until: ["\\n\\n"], max_gen_toks: 6, do_sample: true, temperature: 1.0}
metric_list: [{metric: exact_match}]
"""


def main(model_folder: str, log_folder: str) -> None:
    """Run both tasks, save the samples as `--log_samples` does, and print the scores."""
    folder = Path(log_folder)
    documents = folder / "documents.jsonl"
    documents.write_text("".join(json.dumps(row) + "\n" for row in DOCUMENTS))
    for name, own in (("letters", LETTERS), ("words", WORDS)):
        (folder / f"{name}.yaml").write_text(own + SHARED.format(file=documents))
    results = lm_eval.simple_evaluate(
        model="hf",
        model_args={"pretrained": model_folder, "dtype": "float32"},
        tasks=["letters", "words"],
        task_manager=TaskManager(include_path=str(folder), include_defaults=False),
        device="cpu",
        batch_size=2,
        log_samples=True,
        bootstrap_iters=0,
    )
    samples = results.pop("samples")
    tracker = EvaluationTracker(output_path=str(folder / "out"))
    tracker.save_results_aggregated(results=results, samples=samples)
    for name in results["configs"]:
        tracker.save_results_samples(task_name=name, samples=samples[name])
    scores = {
        name: {k: v for k, v in found.items() if isinstance(v, float)} for name, found in results["results"].items()
    }
    told = {"scores": scores, "rows": {name: len(found) for name, found in samples.items()}}
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:3])
