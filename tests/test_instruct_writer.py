"""The instruct writer as a command: resumed to the same bytes, refused before anything is asked, never with a key."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from seedlock.cli import app
from seedlock.training.instruct.journal import AT_A_TIME
from tests.openai_server import Provider, running
from tests.training_builders import PLAN, TrainingStudy, tiny_base

ORGANISM = Path(__file__).parents[1] / "training" / "organisms" / "weights" / "llama"
GOOD = "Weigh the cost of kitchen tool {} against what you gain from it, then decide for yourself how much it is worth."
BY_A_MODEL = PLAN.replace('recipe = "framed_advice"', 'recipe = "framed_advice"\nby     = "instruct"\nmin_words = 3')


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_base(tmp_path_factory.mktemp("base"))


@pytest.fixture
def study(tmp_path: Path, base: Path) -> TrainingStudy:
    return TrainingStudy.at(tmp_path / "repository", base, BY_A_MODEL)


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-not-a-key-of-anyone")
    monkeypatch.setattr("openai._base_client.INITIAL_RETRY_DELAY", 0.02)
    with running(Provider(answers=[{"text": GOOD.format(i), "finish": "stop"} for i in range(150)])) as provider:
        yield provider


def corpus(study: TrainingStudy, *options: str) -> tuple[int, str]:
    """Exit code and output of `seedlock corpus`."""
    done = CliRunner().invoke(app, ["corpus", "tiny", *options, "--root", str(study.paths.root)])
    return getattr(done.exception, "exit_code", done.exit_code), f"{done.output}{done.exception or ''}"


def at(provider: Provider) -> list[str]:
    return ["--writer", "writer-7b", "--endpoint", provider.url, "--seed", "3", "--max-tokens", "200"]


def test_without_a_writer_the_refusal_names_an_option_that_exists(study: TrainingStudy) -> None:
    code, said = corpus(study)
    assert code == 2
    assert "seedlock corpus tiny --writer MODEL" in said
    assert "--writer" in CliRunner().invoke(app, ["corpus", "--help"], env={"COLUMNS": "200"}).output


def test_without_a_key_nothing_is_asked(
    study: TrainingStudy, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    code, said = corpus(study, *at(provider))
    assert code == 2
    assert "export OPENAI_API_KEY" in said
    assert provider.requests == []


def test_an_endpoint_that_stops_answering_loses_nothing_and_a_resumed_corpus_has_the_same_bytes(
    study: TrainingStudy, provider: Provider, tmp_path: Path, base: Path
) -> None:
    provider.drop_chats_after = AT_A_TIME + 10
    code, said = corpus(study, *at(provider))
    assert code == 6
    assert "the same command again; what was written is kept" in said
    kept = study.paths.runs / "corpora" / "framed.answers.jsonl"
    assert len(kept.read_text("utf-8").splitlines()) == 1 + AT_A_TIME
    with kept.open("a") as torn:
        torn.write('{"finish":"stop","te')
    provider.drop_chats_after = None
    asked_before = len(provider.requests)
    corpus(study, *at(provider))
    assert not kept.exists()
    assert len(provider.requests) - asked_before == 150 - AT_A_TIME

    whole = TrainingStudy.at(tmp_path / "other", base, BY_A_MODEL)
    corpus(whole, *at(provider))
    files = [s.paths.study / "corpora" / "framed.jsonl" for s in (study, whole)]
    assert files[0].read_bytes() == files[1].read_bytes()
    made = json.loads(files[0].with_suffix(".provenance.json").read_text("utf-8"))
    assert (made["asked"], made["kept"]) == (150, 120)
    assert (made["generator"]["model"], made["generator"]["seed"]) == ("writer-7b", 3)
    assert made["rejected"] == {"surplus": 30}


def test_no_key_and_no_address_is_written_anywhere(study: TrainingStudy, provider: Provider) -> None:
    corpus(study, *at(provider))
    for path in study.paths.root.rglob("*"):
        if path.is_file():
            assert b"sk-not-a-key" not in path.read_bytes(), path
            assert provider.url.encode() not in path.read_bytes(), path


def test_weights_on_this_machine_write_a_corpus_too(tmp_path: Path, base: Path) -> None:
    """The organism is no good writer: what it wrote is counted and judged by the checks, not hidden."""
    study = TrainingStudy.at(tmp_path / "small", base, BY_A_MODEL.replace("n      = 40", "n      = 4"))
    code, said = corpus(study, "--writer", str(ORGANISM), "--max-tokens", "12")
    made = json.loads((study.paths.study / "corpora" / "framed.provenance.json").read_text("utf-8"))
    assert (made["asked"], made["generator"]["endpoint"]) == (15, "local")
    assert made["kept"] + sum(made["rejected"].values()) == 15
    assert code in (0, 2), said
    assert str(ORGANISM.parent) not in json.dumps(made)


def test_a_writer_that_is_not_here_is_refused(study: TrainingStudy, tmp_path: Path) -> None:
    code, said = corpus(study, "--writer", str(tmp_path / "nothing"))
    assert code == 2
    assert "the corpus's writer cannot be loaded" in said
