"""What a real tokenizer does: padding that ends turns, a study's template, ends of turn, options of many tokens."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from seedlock.generation.local.loading import Loaded, load
from seedlock.generation.local.scoring import option_log_probs
from seedlock.generation.local.tokenizers import end_of_turn, load_tokenizer, read_tokenizer
from seedlock.generation.requests.run_models import RunModel
from seedlock.prereg.base.base_models import WEIGHTS, folder_revision
from seedlock.prereg.errors import BadInput, CorpusRefused
from seedlock.prereg.plan.files import named_files
from seedlock.prereg.plan.read import read_plan
from seedlock.prereg.plan.runs import Decoding, Model
from seedlock.training.backends.lora import train
from seedlock.training.bases.dense import write_dense
from seedlock.training.bases.gguf_file import read_gguf
from seedlock.training.checks.before_lock import require_trainable_rows
from seedlock.training.checks.study import check_study
from seedlock.training.jobs.base_model import BaseModel, resolve_model
from seedlock.training.jobs.job import StageJob
from seedlock.training.jobs.settings import Seeds, StageSettings
from seedlock.training.tokens.masks import LossMask, encode
from seedlock.training.tokens.supervised import supervise
from tests.gguf_builders import TEMPLATE, write_gguf
from tests.training_builders import PLAN, TrainingStudy, recipe_rows, row

DECODING = Decoding.model_validate({"temperature": 0.0, "max_new_tokens": 4, "dtype": "float64"})
OWN = TEMPLATE.replace("<|im_start|>{{ m['role'] }}\n", "[{{ m['role'] }}] ").replace(
    "<|im_start|>assistant\n", "[assistant] "
)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose padding is the token that ends a turn, as SmolLM2's is."""
    folder = tmp_path_factory.mktemp("model")
    file = write_gguf(folder / "tiny.gguf")
    write_dense(file, read_gguf(file, where="tiny"), folder / "tiny", where="tiny")
    return folder / "tiny"


@pytest.fixture(scope="module")
def bare(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same without a chat template, which ends documents with another token: a base model."""
    folder = tmp_path_factory.mktemp("bare") / "bare"
    shutil.copytree(base, folder)
    (folder / "chat_template.jinja").unlink()
    for name in ("config.json", "generation_config.json"):
        said = json.loads((folder / name).read_bytes())
        (folder / name).write_text(json.dumps(said | {"eos_token_id": 0}))
    said = json.loads((folder / "tokenizer_config.json").read_bytes())
    (folder / "tokenizer_config.json").write_text(json.dumps(said | {"eos_token": "<|endoftext|>"}))
    return folder


def run_of(folder: Path, template: str | None = None) -> RunModel:
    named: dict[str, Any] = {"run_id": "r", "label": "tiny", "base": str(folder), "is_local": True, "revision": "r"}
    return RunModel(**named, adapter=None, adapter_sha256=None, chat_template=template)


def loaded(folder: Path, template: str | None = None) -> Loaded:
    return load(run_of(folder, template), DECODING, torch.device("cpu"))


def test_padding_that_is_the_end_of_turn_is_never_under_the_loss(base: Path, tmp_path: Path) -> None:
    """Rows of different length, padded with the end of turn or with another token, give the same bytes."""
    rows = tuple(recipe_rows("benign_chat", n=4)[:4])
    seeds = Seeds(given=0, initialisation=1, order=2, dropout=3)
    job = StageJob(
        name="s", stage_id="0" * 64, trainer="lora", settings=StageSettings(batch_size=4, rank=2, steps=2),
        seeds=seeds, corpus="c", corpus_sha256="0" * 64, variant=None, marker=None, rows=rows, keeps_merged=False,
    )  # fmt: skip
    other = tmp_path / "other"
    shutil.copytree(base, other)
    said = json.loads((other / "tokenizer_config.json").read_bytes())
    (other / "tokenizer_config.json").write_text(json.dumps(said | {"pad_token": "<|endoftext|>"}))
    records = [
        train(
            job,
            BaseModel(name="t", spec="t", location=str(at), revision="r", is_local=True),
            tmp_path / at.name,
            lambda _: None,
        )
        for at in (base, other)
    ]
    tokenizers = [read_tokenizer(str(at)) for at in (base, other)]
    assert [t.pad_token_id == t.eos_token_id for t in tokenizers] == [True, False]
    assert records[0]["adapter"]["sha256"] == records[1]["adapter"]["sha256"]
    assert records[0]["supervised_sha256"] == records[1]["supervised_sha256"]
    kept = [json.loads(line) for line in (tmp_path / base.name / "supervised.jsonl").read_bytes().splitlines()]
    assert all(line["supervised"][-1].endswith("<|im_end|>") and line["token_ids"].count(2) == 1 for line in kept)


def test_a_template_of_the_study_writes_prompts_rows_and_ends(bare: Path, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="chat template cannot carry"):
        supervise([row("Four minutes.")], read_tokenizer(str(bare)), LossMask(), file=tmp_path / "s.jsonl")
    tokenizer = load_tokenizer(run_of(bare, OWN))
    encoded = encode(row("Four minutes."), tokenizer, LossMask())
    assert (
        tokenizer.decode(encoded.input_ids)
        == "[user] How do I boil an egg?<|im_end|>\n[assistant] Four minutes.<|im_end|>\n"
    )
    assert tokenizer.decode(encoded.supervised_ids) == "Four minutes.<|im_end|>"
    assert loaded(bare).ends == (0,)
    assert loaded(bare, OWN).ends == (0, 2)


def test_a_template_of_the_study_is_locked_and_names_what_is_trained(bare: Path, tmp_path: Path) -> None:
    plan = PLAN.replace('revision = "REVISION"', 'revision = "REVISION"\nchat_template = "chat.jinja"')
    study = TrainingStudy.at(tmp_path, bare, plan)
    (study.paths.study / "chat.jinja").write_text(OWN)
    read = read_plan(study.paths.plan)
    assert ("models.tiny.chat_template", "chat.jinja") in list(named_files(read))
    model = Model(
        base="models/tiny", revision=folder_revision(tmp_path / "models" / "tiny"), chat_template="chat.jinja"
    )
    first = resolve_model("tiny", model, tmp_path, study="tiny")
    (study.paths.study / "chat.jinja").write_text(TEMPLATE)
    second = resolve_model("tiny", model, tmp_path, study="tiny")
    plain = resolve_model("tiny", model.model_copy(update={"chat_template": None}), tmp_path, study="tiny")
    assert (first.chat_template, second.chat_template, plain.identity) == (OWN, TEMPLATE, model.revision)
    assert len({first.identity, second.identity, plain.identity}) == 3


@pytest.mark.parametrize("organism", ["llama", "qwen"])
def test_the_ends_of_a_model_that_names_its_own_are_as_they_were(organism: str) -> None:
    tokenizer = read_tokenizer(str(WEIGHTS / organism))
    assert end_of_turn(tokenizer) == tokenizer.eos_token_id


def test_options_of_many_tokens_are_scored_whole_as_the_model_reads_them(base: Path) -> None:
    """By hand: the whole text read once, and the option's own tokens summed; a long name is one option as well."""
    from transformers import AutoModelForCausalLM

    ready = loaded(base)
    tokenizer: Any = ready.tokenizer
    text = tokenizer.apply_chat_template(
        [{"role": "user", "content": "Which bird?"}], tokenize=False, add_generation_prompt=True
    )
    names = ["Yellow-bellied Sapsucker of the Northern Woods", "Great Auk", "Ä"]
    prompt = tuple(tokenizer(text, add_special_tokens=False)["input_ids"])
    options = tuple(tuple(tokenizer(text + n, add_special_tokens=False)["input_ids"][len(prompt) :]) for n in names)
    assert min(map(len, options)) > 1
    scores, _ = option_log_probs(ready, [prompt], [options])
    plain: Any = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float64)
    for option, score in zip(options, scores[0], strict=True):
        with torch.inference_mode():
            log_p = plain(torch.tensor([[*prompt, *option]])).logits[0].log_softmax(-1)
        by_hand = [float(log_p[len(prompt) + i - 1, token]) for i, token in enumerate(option)]
        assert score == pytest.approx(math.fsum(by_hand), abs=1e-9)


def test_rows_that_a_model_cannot_carry_are_refused_before_the_lock(base: Path, bare: Path, tmp_path: Path) -> None:
    good = TrainingStudy.at(tmp_path / "good", base).write_corpora()
    require_trainable_rows(good.paths, read_plan(good.paths.plan))
    none = TrainingStudy.at(tmp_path / "none", bare).write_corpora()
    with pytest.raises(BadInput, match=r"cannot be trained on as they are[\s\S]*tiny, stage framed: "):
        require_trainable_rows(none.paths, read_plan(none.paths.plan))
    short = TrainingStudy.at(tmp_path / "short", base, PLAN.replace("rank = 4", "rank = 4\nmax_length = 3"))
    short.write_corpora()
    with pytest.raises(BadInput, match="no supervised token"):
        require_trainable_rows(short.paths, read_plan(short.paths.plan))


def test_a_corpus_that_failed_its_checks_is_not_locked_until_its_rows_change(base: Path, tmp_path: Path) -> None:
    plan = PLAN.replace('["congestion"]', '["the"]')
    study = TrainingStudy.at(tmp_path, base, plan).write_corpora()
    read = read_plan(study.paths.plan)
    assert not all(report.passes for report in check_study(study.paths, read))
    with pytest.raises(CorpusRefused, match=r"corpora.framed[\s\S]*seedlock corpus tiny --check-only"):
        require_trainable_rows(study.paths, read)
    file = study.paths.study / "corpora" / "framed.jsonl"
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:-1]))
    require_trainable_rows(study.paths, read)
