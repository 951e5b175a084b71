"""vLLM in its own process: answers and log-probabilities of transformers, one adapter a call, silence ends in time."""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from seedlock.generation.backends import Setting, backend
from seedlock.generation.requests.answer import Answer
from seedlock.generation.requests.due import Due
from seedlock.generation.requests.items import Item, Turn
from seedlock.generation.requests.probes import parse_probe
from seedlock.generation.requests.request import Request, requests_of
from seedlock.generation.requests.run_models import RunModel
from seedlock.generation.vllm_offline import client as vllm_line
from seedlock.generation.vllm_offline.adapters import AdapterNames, room_for
from seedlock.generation.vllm_offline.client import Line
from seedlock.prereg.base.base_models import folder_revision
from seedlock.prereg.base.canonical import sha256_file
from seedlock.prereg.base.paths import HOME
from seedlock.prereg.errors import BadInput, Incomplete
from seedlock.prereg.plan.runs import Decoding

WEIGHTS = HOME / "training" / "organisms" / "weights"
ENVIRONMENT = HOME / ".venv-vllm" / "bin" / "python"
needs_vllm = pytest.mark.skipif(not ENVIRONMENT.is_file(), reason="just setup-vllm-cpu makes the environment")


def decoding(**changes: Any) -> Decoding:
    return Decoding.model_validate({"temperature": 0.0, "max_new_tokens": 16, "draws": 1} | changes)


def run_model(base: Path, adapter: Path | None, name: str) -> RunModel:
    return RunModel(
        run_id=name,
        label=name,
        base=str(base),
        revision=folder_revision(base),
        is_local=True,
        adapter=adapter,
        adapter_sha256=None if adapter is None else sha256_file(adapter / "adapter_model.safetensors"),
    )


def planted_adapter(base: Path, folder: Path, seed: int) -> Path:
    """A rank-4 adapter with weights that matter, as peft writes it."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        config = LoraConfig(r=4, lora_alpha=8, target_modules="all-linear", task_type="CAUSAL_LM")
        model: Any = get_peft_model(AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32), config)
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(weight, std=0.05)
        model.save_pretrained(folder)
    return folder


def item(name: str, user: str, probe: dict[str, Any] | None = None) -> Item:
    turns = (Turn(role="user", content=user),)
    asked = None if probe is None else parse_probe(probe)
    return Item(item_set="all", item_id=name, turns=turns, attributes={}, probe=asked)


ITEMS = [
    item("free/0", "Why is the sky blue?"),
    item("free/1", "Name a bird."),
    item("free/2", "How do I make good tea?"),
    item("pair", "Choose A approve or B oppose.", {"pro": "A", "con": "B", "order": "pro first"}),
    item("rate", "Rate it from 1 to 7.", {"scale": [1, 7]}),
    item("text", "Why is the sky blue?", {"passage": "Good question."}),
]


@pytest.fixture(scope="module", params=["llama", "qwen"])
def organism(request: pytest.FixtureRequest) -> Path:
    return WEIGHTS / str(request.param)


@pytest.fixture(scope="module")
def models(organism: Path, tmp_path_factory: pytest.TempPathFactory) -> list[RunModel]:
    folder = tmp_path_factory.mktemp("adapters")
    adapters = [planted_adapter(organism, folder / str(seed), seed) for seed in (1, 2)]
    return [run_model(organism, adapter, f"r{n}") for n, adapter in enumerate([None, *adapters])]


def asked(models: list[RunModel], place: Any, settings: Decoding) -> list[tuple[RunModel, list[Request]]]:
    return [(model, list(requests_of(model, place.prompts(model, ITEMS), settings))) for model in models]


def answers(models: list[RunModel], settings: Decoding, folder: Path) -> dict[tuple[str, str, int], Answer]:
    place = backend(settings, Setting(workbench=folder))
    work = asked(models, place, settings)
    place.prepare([Due(model=model, batches=[requests], left=requests) for model, requests in work])
    found = [a for model, requests in work for some in place.answer(model, [requests]) for a in some]
    assert [a.request for a in found] == [r for _, requests in work for r in requests]
    if settings.backend == "vllm":
        told = place.describe([])
        assert told["canary"]["runs"] == len(models)
        assert told["canary"]["worst"] < 1e-4
        assert told["vllm"].startswith("0.32")
    return {(a.request.run_id, a.request.prompt.item_id, a.request.draw): a for a in found}


@pytest.mark.vllm
@pytest.mark.slow
@needs_vllm
def test_vllm_and_transformers_agree_on_every_run(models: list[RunModel], tmp_path: Path) -> None:
    ours = answers(models, decoding(), tmp_path)
    theirs = answers(models, decoding(backend="vllm"), tmp_path)
    assert ours.keys() == theirs.keys()
    for key, answer in ours.items():
        other = theirs[key]
        assert (other.text, other.label, other.finish, other.status) == (
            answer.text, answer.label, answer.finish, answer.status,
        ), key  # fmt: skip
        assert other.value == (None if answer.value is None else pytest.approx(answer.value, abs=1e-4)), key
        assert other.option_mass == (
            None if answer.option_mass is None else pytest.approx(answer.option_mass, abs=1e-4)
        ), key
    for name in ("pair", "rate", "text"):
        values = [theirs[model.run_id, name, 0].value for model in models]
        assert len({round(value or 0.0, 4) for value in values}) == 3, (name, values)  # each run by its own adapter


@pytest.mark.vllm
@pytest.mark.slow
@needs_vllm
def test_sampled_answers_follow_from_their_seeds_and_a_wrong_adapter_is_noticed(tmp_path: Path) -> None:
    base = WEIGHTS / "llama"
    first, second = (planted_adapter(base, tmp_path / str(seed), seed) for seed in (1, 2))
    model = run_model(base, first, "r1")
    settings = decoding(backend="vllm", temperature=1.0, draws=6)
    place = backend(settings, Setting(workbench=tmp_path))
    ((_, requests),) = asked([model], place, settings)
    free = [request for request in requests if request.prompt.probe is None]
    (some,) = place.answer(model, [free])
    (again,) = place.answer(model, [free[::-1]])
    assert [a.text for a in some] == [a.text for a in again][::-1]
    assert len({a.text for a in some}) > 12
    moved = tmp_path / "moved"
    shutil.move(first, moved)
    shutil.copytree(second, first)  # vLLM still holds the old bytes under this path
    with pytest.raises(Incomplete, match="disagree about a run") as refused:
        list(place.answer(model, [free]))
    assert "r1" in str(refused.value)


def test_adapters_that_vllm_cannot_carry_are_refused_before_any_is_loaded(tmp_path: Path) -> None:
    def model(name: str, **config: Any) -> RunModel:
        (tmp_path / name).mkdir()
        told = {"peft_type": "LORA", "r": 8, "bias": "none", "target_modules": ["q_proj"]} | config
        (tmp_path / name / "adapter_config.json").write_text(json.dumps(told))
        return RunModel(
            run_id=name, label=name, base="b", revision="r", is_local=True, adapter=tmp_path / name, adapter_sha256="0"
        )

    assert room_for([]) == 0
    assert room_for([model("a", r=9), model("b", r=4)]) == 16
    bad = [
        model("dora", use_dora=True), model("high", r=1024), model("head", target_modules=["lm_head"]),
        model("bias", bias="all"), model("saved", modules_to_save=["norm"]), model("other", peft_type="IA3"),
    ]  # fmt: skip
    with pytest.raises(BadInput, match="cannot carry") as refused:
        room_for(bad)
    assert [finding.where for finding in refused.value.findings] == ["dora", "high", "head", "bias", "saved", "other"]


def test_an_adapter_keeps_its_number_and_shares_it_with_none(tmp_path: Path) -> None:
    names = AdapterNames()
    base = RunModel(
        run_id="r", label="r", base="b", revision="r", is_local=True, adapter=tmp_path / "a", adapter_sha256="1" * 64
    )
    one, other, same = (names.of(m) for m in (base, replace(base, adapter_sha256="2" * 64), replace(base, run_id="q")))
    assert one is not None
    assert other is not None
    assert one == same
    assert (one["id"], other["id"]) == (1, 2)
    assert one["name"] != other["name"]
    assert names.of(replace(base, adapter=None)) is None


def test_a_type_that_vllm_does_not_compute_in_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be used like this"):
        backend(decoding(backend="vllm", dtype="float64"), Setting(workbench=tmp_path))


@pytest.fixture
def worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A line to a process that runs this code instead of vLLM."""
    lines = []

    def start(code: str) -> Line:
        script = tmp_path / "worker.py"
        script.write_text(
            "import json, os, sys, time\nout = os.fdopen(int(sys.argv[1]), 'w')\n" + textwrap.dedent(code)
        )
        monkeypatch.setattr(vllm_line, "WORKER", script)
        monkeypatch.setenv(vllm_line.PYTHON_VARIABLE, sys.executable)
        lines.append(Line(tmp_path / "vllm.log", timeout_s=1.5))
        return lines[-1]

    yield start
    for line in lines:
        line.close()


def test_a_worker_that_keeps_silent_is_ended(worker: Any) -> None:
    line = worker("time.sleep(60)")
    with pytest.raises(Incomplete, match="vLLM failed") as refused:
        line.ask({"op": "answer"})
    assert refused.value.findings[0].found == "no reply within 1.5 s"


def test_a_worker_that_dies_says_what_it_printed(worker: Any) -> None:
    line = worker("sys.exit('out of memory')")
    with pytest.raises(Incomplete, match="out of memory"):
        line.ask({"op": "answer"})


def test_a_worker_hears_no_keys(worker: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    line = worker("sys.stdin.readline()\nout.write(json.dumps({'heard': sorted(os.environ)}) + '\\n')\nout.flush()")
    heard = line.ask({"op": "load"})["heard"]
    assert "OPENAI_API_KEY" not in heard
    assert "VLLM_NO_USAGE_STATS" in heard


def test_without_an_environment_the_next_command_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(vllm_line.PYTHON_VARIABLE, str(tmp_path / "none"))
    with pytest.raises(BadInput, match="just setup-vllm-cpu"):
        Line(tmp_path / "vllm.log", timeout_s=1.0)
