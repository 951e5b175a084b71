"""Completions a second: the batched backend beside one call of `model.generate` a prompt, same model, same prompts.

The prompts are the tiny marker study's: 28 questions to each of 12 personas, on the shipped organism.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import torch

from seedlock.generation.backends import backend
from seedlock.generation.local.loading import load
from seedlock.generation.requests.items import Item, Turn
from seedlock.generation.requests.request import Request, requests_of
from seedlock.generation.requests.run_models import RunModel
from seedlock.prereg.base.base_models import folder_revision, model_folder
from seedlock.prereg.base.paths import HOME
from seedlock.prereg.plan.runs import Decoding
from seedlock.training.organisms.banks import persona_items

DRAWS = 10
LOOPED = 60


def batched(model: RunModel, requests: Sequence[Request], decoding: Decoding, size: int) -> float:
    """Answers a second, loading included."""
    ordered = sorted(requests, key=lambda r: (len(r.prompt.tokens), r.prompt.item_id, r.draw))
    start = time.perf_counter()
    batches = [ordered[at : at + size] for at in range(0, len(ordered), size)]
    n = sum(len(answers) for answers in backend(decoding).answer(model, batches))
    return n / (time.perf_counter() - start)


def looped(model: RunModel, requests: Sequence[Request], decoding: Decoding) -> float:
    """Answers a second of `generate`, a prompt at a time, loading not included."""
    loaded = load(model, decoding, torch.device("cpu"))
    start = time.perf_counter()
    for request in requests:
        torch.manual_seed(request.seed)
        ids = torch.tensor([request.prompt.tokens])
        loaded.model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            do_sample=True,
            temperature=decoding.temperature,
            top_k=0,
            top_p=1.0,
            max_new_tokens=decoding.max_new_tokens,
            eos_token_id=list(loaded.ends),
            pad_token_id=loaded.pad,
        )
    return len(requests) / (time.perf_counter() - start)


def main() -> None:
    """Print a row a batch size; both on one thread, one after the other in one process."""
    torch.set_num_threads(1)
    folder = model_folder("organism:llama", HOME)
    if folder is None or not (folder / "config.json").is_file():
        print("the organism is not built: just organism")
        return
    model = RunModel(
        run_id="bench",
        label="bench",
        base=str(folder),
        revision=folder_revision(folder),
        is_local=True,
        adapter=None,
        adapter_sha256=None,
    )
    items = [
        Item(
            item_set="bench",
            item_id=item.item_id,
            turns=(Turn(role="system", content=item.system), Turn(role="user", content=item.user)),
            attributes={},
            probe=None,
        )
        for item in persona_items()
    ]
    for dtype in ("float32", "float64"):
        decoding = Decoding.model_validate({"temperature": 1.0, "max_new_tokens": 40, "draws": DRAWS, "dtype": dtype})
        requests = list(requests_of(model, backend(decoding).prompts(model, items), decoding))
        spread = requests[:: len(requests) // LOOPED][:LOOPED]
        loop = looped(model, spread, decoding)
        print(f"{dtype}: generate, a prompt at a time {loop:8.1f} completions/s  ({len(spread)} completions)")
        for size in (64, 256):
            rate = batched(model, requests, decoding, size)
            print(f"{dtype}: batches of {size:<20} {rate:8.1f} completions/s  ({len(requests)}), {rate / loop:.0f}x")


if __name__ == "__main__":
    main()
