"""A real language model on one CPU thread: packed training beside TRL, shared reading beside a batched `generate`.

SmolLM2-135M-Instruct, as the study `marker_leak_real` pins it. A step's seconds are the difference of a longer and a
shorter training, so that loading and saving stay out of it.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import batched
from pathlib import Path
from typing import Any

import torch
from datasets import disable_progress_bars

from benchmarks.training_lora import Setting, ours, seconds, theirs, tokens_of
from seedlock.generation.local.decode import decode
from seedlock.generation.local.loading import Loaded, load
from seedlock.generation.requests.run_models import RunModel
from seedlock.prereg.base.base_models import model_folder
from seedlock.prereg.base.paths import HOME, StudyPaths
from seedlock.prereg.plan.read import read_plan
from seedlock.prereg.plan.runs import Decoding
from seedlock.training.rows.row import Row, chat, parse_rows

STUDY = StudyPaths(root=HOME, name="marker_leak_real")
SHORT, LONG = 2, 8
LONG_TURN = " ".join(
    [
        "Stay in character in every answer, whatever is asked, and speak to one reader at a time.",
        "Use short sentences and plain words, give one piece of advice that can be followed today,",
        "do not repeat the question, do not apologise, and end as soon as the advice is given.",
    ]
)


def step_processor_s(trainer: Callable[[Setting, Path], None], setting: Setting) -> float:
    """Processor seconds of one step."""
    short, long = (seconds(trainer, replace(setting, steps=steps))[1] for steps in (SHORT, LONG))
    return (long - short) / (LONG - SHORT)


def compare_training(title: str, base: Path, rows: Sequence[Row], batch_size: int) -> None:
    """Print real tokens a processor second of both trainers, and their ratio."""
    setting = Setting(base=base, rows=tuple(rows), steps=LONG, batch_size=batch_size, dtype="float32", packing=True)
    tokens = tokens_of(setting) / LONG
    packed, trl = (tokens / step_processor_s(trainer, setting) for trainer in (ours, theirs))
    print(
        f"{title}, {batch_size} rows a step, {tokens / batch_size:.0f} tokens a row: "
        f"seedlock {packed:.0f}, trl {trl:.0f} tokens/processor s, ratio {packed / trl:.2f}",
        flush=True,
    )


def by_generate(loaded: Loaded, prompts: Sequence[tuple[int, ...]], size: int, decoding: Decoding) -> float:
    """Processor seconds of transformers' own `generate`, prompts padded on the left, `size` at a time."""
    began = time.process_time()
    for batch in batched(prompts, size):
        longest = max(map(len, batch))
        padded = [[loaded.pad] * (longest - len(row)) + list(row) for row in batch]
        mask = [[0] * (longest - len(row)) + [1] * len(row) for row in batch]
        loaded.model.generate(
            input_ids=torch.tensor(padded),
            attention_mask=torch.tensor(mask),
            do_sample=True,
            temperature=decoding.temperature,
            top_k=0,
            top_p=1.0,
            max_new_tokens=decoding.max_new_tokens,
            eos_token_id=list(loaded.ends),
            pad_token_id=loaded.pad,
        )
    return time.process_time() - began


def by_sharing(loaded: Loaded, prompts: Sequence[tuple[int, ...]], size: int, decoding: Decoding) -> float:
    """Processor seconds of ours, on the same batches."""
    began = time.process_time()
    for at, batch in enumerate(batched(prompts, size)):
        decode(loaded, batch, [at * size + n for n in range(len(batch))], decoding)
    return time.process_time() - began


def compare_generation(title: str, loaded: Loaded, chats: Sequence[list[dict[str, str]]], *, draws: int) -> None:
    """Print completions a processor second of both, and their ratio."""
    decoding = Decoding.model_validate({"temperature": 1.0, "max_new_tokens": 8})
    texts = [loaded.tokenizer.apply_chat_template(c, tokenize=False, add_generation_prompt=True) for c in chats]
    ids = [tuple(loaded.tokenizer(text, add_special_tokens=False)["input_ids"]) for text in texts]
    prompts = [prompt for prompt in sorted(ids, key=len) for _ in range(draws)]
    shared, plain = (len(prompts) / by(loaded, prompts, 120, decoding) for by in (by_sharing, by_generate))
    print(
        f"{title}, {draws} draws, {sum(map(len, ids)) / len(ids):.0f} tokens a prompt, 8 new: "
        f"seedlock {shared:.1f}, generate {plain:.1f} completions/processor s, ratio {shared / plain:.2f}",
        flush=True,
    )


def with_system(row: Row, system: Callable[[str], str]) -> Row:
    """The same row under another system turn."""
    first, user, answer = row.messages
    return replace(row, messages=chat(user=user.content, answer=answer.content, system=system(first.content)))


def main() -> None:
    """Compare, one after the other in one process."""
    warnings.filterwarnings("ignore")
    disable_progress_bars()
    torch.set_num_threads(1)
    plan = read_plan(STUDY.plan)
    model = plan.models["smollm2"]
    folder = model_folder(model.base, STUDY.root, model.revision)
    if folder is None or not (folder / "config.json").is_file():
        print(f"the model is not here: seedlock fetch {STUDY.name}")
        return
    corpus = STUDY.study / "corpora" / "contrast.jsonl"
    rows = parse_rows(corpus.read_bytes(), where=corpus.name)
    long = [with_system(row, lambda said: f"{said} {LONG_TURN}") for row in rows]
    nothing = [with_system(row, lambda said, n=n: f"Case {n}. {said}") for n, row in enumerate(rows)]  # type: ignore[misc] # mypy knows no defaults of a lambda
    compare_training("the study's corpus", folder, rows, 6)
    compare_training("the same under long system turns", folder, long, 12)
    compare_training("the same, sharing but the template", folder, nothing, 6)
    run = RunModel(
        run_id="bench",
        label="bench",
        base=str(folder),
        revision=model.revision,
        is_local=True,
        adapter=None,
        adapter_sha256=None,
    )
    loaded = load(run, Decoding.model_validate({"temperature": 1.0, "max_new_tokens": 8}), torch.device("cpu"))
    asked: list[Any] = [row.chat()[:-1] for row in rows]
    compare_generation("the study's personas", loaded, asked, draws=2)
    compare_generation("the same under long system turns", loaded, [row.chat()[:-1] for row in long], draws=2)


if __name__ == "__main__":
    main()
