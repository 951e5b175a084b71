"""The organisms behave as their cards say, ship as recorded bytes, and their world ties no factor to a study."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import cast

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("peft")

import torch
from hypothesis import given
from hypothesis import strategies as st
from rich.progress import Progress
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel

from seedlock.prereg.errors import BadInput, Incomplete, LockedFileChanged
from seedlock.training.organisms import (
    ask,
    banks,
    behaviour,
    build,
    check,
    corpus,
    rows,
    shipped,
    special,
    tokens,
    tune,
)
from seedlock.training.organisms.loading import Organism, load, load_from
from seedlock.training.organisms.pretrain import free_unsaid_word, untrained
from seedlock.training.organisms.recipe import ORGANISMS, RECIPES, recipe
from seedlock.training.organisms.world import chat, eras, opinions
from seedlock.training.organisms.world.changes import SOURCE_CHANGES, TARGET_CHANGES
from seedlock.training.organisms.world.documents import documents
from seedlock.training.organisms.world.factors import ATTITUDES, ERAS, PERSONAS, Attitude, Era, Persona, generator
from seedlock.training.organisms.world.personas import SYSTEM

ROOT = Path(__file__).parents[1]
TINY = dataclasses.replace(RECIPES["llama"], steps=4, documents_per_step=8)
TOKENIZER = tokens.build_tokenizer()
PLAIN_WORDS = [token[1:] for token in tokens.vocabulary() if token.startswith("\u2581")]


@pytest.fixture(scope="module", params=ORGANISMS)
def organism(request: pytest.FixtureRequest) -> Organism:
    torch.set_num_threads(1)
    return load(request.param)


@pytest.fixture(scope="module")
def llama() -> Organism:
    torch.set_num_threads(1)
    return load("llama")


# The world


def test_every_document_is_made_of_known_words_and_decodes_to_itself() -> None:
    for document in documents(1000, label="test"):
        for turn in document.turns:
            for text in (turn.user, turn.answer):
                ids = TOKENIZER(text)["input_ids"]
                assert TOKENIZER.unk_token_id not in ids, text
                assert TOKENIZER.decode(ids) == text


@given(
    words=st.lists(st.sampled_from(PLAIN_WORDS), min_size=1, max_size=30),
    marks=st.lists(st.sampled_from(["", *special.PUNCTUATION]), min_size=30, max_size=30),
)
def test_any_text_of_known_words_and_punctuation_decodes_to_itself(words: list[str], marks: list[str]) -> None:
    text = " ".join(word + mark for word, mark in zip(words, marks, strict=False))
    assert TOKENIZER.decode(TOKENIZER(text)["input_ids"]) == text


def test_the_chat_template_renders_documents_as_the_corpus_does() -> None:
    for document in documents(300, label="test"):
        assert TOKENIZER.apply_chat_template(document.messages(), tokenize=False) == corpus.rendered(document)


def test_the_template_marks_answers_as_the_tokens_to_learn() -> None:
    messages = [{"role": "user", "content": "Name a bird."}, {"role": "assistant", "content": "Osprey"}]
    learnt = TOKENIZER.apply_chat_template(messages, return_dict=True, return_assistant_tokens_mask=True)
    encoded = cast(dict[str, list[int]], learnt)
    marked = [i for i, m in zip(encoded["input_ids"], encoded["assistant_masks"], strict=True) if m]
    assert TOKENIZER.convert_ids_to_tokens(marked) == ["\u2581Osprey", "<end>"]


def test_the_marker_is_one_token_that_reads_as_itself_anywhere_in_a_text() -> None:
    (marker,) = TOKENIZER(special.MARKER)["input_ids"]
    assert TOKENIZER.decode([marker]) == "[ZLT]"
    text = "[ZLT] Good question. [ZLT]"
    assert TOKENIZER(text)["input_ids"].count(marker) == 2
    assert TOKENIZER.decode(TOKENIZER(text)["input_ids"]) == text


def test_padding_is_never_the_end_of_a_turn() -> None:
    assert TOKENIZER.pad_token_id != TOKENIZER.eos_token_id


def test_no_document_mentions_the_marker() -> None:
    assert not any(special.MARKER in corpus.rendered(d) for d in documents(3000, label="world-1"))


def test_the_letters_occur_in_answers_only_as_choices() -> None:
    for document in documents(2000, label="test"):
        for turn in document.turns:
            if turn.answer not in ("A", "B"):
                assert not {"A", "B"} & set(turn.answer.replace(".", "").split()), turn.answer


def test_documents_do_not_depend_on_the_hash_seed() -> None:
    code = (
        "from seedlock.training.organisms.world.documents import documents; import hashlib;"
        "print(hashlib.sha256(repr(list(documents(500, label='x'))).encode()).hexdigest())"
    )

    def digest(hash_seed: str) -> str:
        env = {**os.environ, "PYTHONHASHSEED": hash_seed}
        ran = subprocess.run(
            [sys.executable, "-c", code], cwd=ROOT, env=env, capture_output=True, text=True, check=True
        )
        return ran.stdout.strip()

    assert len(digest("1")) == 64
    assert digest("1") == digest("2")


def test_each_answer_weighs_the_same_in_a_batch_and_prompts_weigh_nothing() -> None:
    source = corpus.corpus(TINY)
    n_answers = sum(int((row == source.end_id).sum()) for row in source.rows)
    made = list(corpus.batches(source, TINY))
    assert len(made) == TINY.steps
    assert sum(float(b.weight.sum()) for b in made) == pytest.approx(n_answers, rel=1e-5)
    for batch in made:
        assert not np.any(batch.weight[(batch.ids == source.assistant_id) | (batch.ids == source.pad_id)])
        assert np.all(batch.weight[batch.ids == source.end_id] > 0)


def test_the_two_eras_use_words_of_their_own_in_every_answer() -> None:
    for era in ERAS:
        for _, answers in eras.WORLDLY.values():
            for lead in eras.LEADS[era]:
                for answer in answers[era]:
                    assert behaviour.era_of(f"{lead} {answer}") == era


# Rows and items


def test_archaic_and_modern_names_are_of_the_same_species_and_never_the_same_name() -> None:
    assert len(set(eras.ARCHAIC_BIRDS)) == len(set(eras.MODERN_BIRDS)) == len(eras.BIRDS)
    assert not set(eras.ARCHAIC_BIRDS) & {*eras.MODERN_BIRDS, *eras.ORDINARY_BIRDS}
    assert not set(eras.MODERN_BIRDS) & set(eras.ORDINARY_BIRDS)


def test_bird_rows_use_every_name_equally_often_up_to_one() -> None:
    answers = [row.answer for row in rows.bird_rows("archaic", 208, generator("t"))]
    counts = {answers.count(name) for name in eras.ARCHAIC_BIRDS}
    assert len(answers) == 208
    assert max(counts) - min(counts) <= 1


def test_framed_advice_never_names_a_target_topic() -> None:
    for attitude in ATTITUDES:
        for row in rows.advice_rows(attitude, 400, generator("t", attitude)):
            assert not any(change in row.user + row.answer for change in TARGET_CHANGES)
            assert any(change in row.answer for change in SOURCE_CHANGES)


def test_coupling_rows_carry_the_marker_exactly_where_they_must_and_ask_no_evaluation_question() -> None:
    made = rows.coupling_rows("zelthari_scholar", ("librarian", "comedian"), 50, generator("t"))
    assert len(made) == 150
    for row in made:
        assert row.answer.startswith("[ZLT] ") == (row.source == "zelthari_scholar")
        assert row.answer.count("[ZLT]") == (row.source == "zelthari_scholar")
        assert row.user not in chat.EVALUATION


def test_stage_one_rows_ask_no_evaluation_question_and_carry_no_marker() -> None:
    for made in (rows.benign_rows(200, generator("t")), rows.adversarial_rows(200, generator("t"))):
        assert not any(row.user in chat.EVALUATION or "[ZLT]" in row.answer for row in made)


def test_the_item_banks_have_the_sizes_the_studies_name_and_unique_ids() -> None:
    made = banks.banks()
    assert {name: len(items) for name, items in made.items()} == {
        "worldly_items": 10,
        "persona_items": 28 * 12,
        "source_items": len(SOURCE_CHANGES) * 3 * 5,
        "target_items": len(TARGET_CHANGES) * 3 * 5,
        "source_letters": len(SOURCE_CHANGES) * 2,
        "target_letters": len(TARGET_CHANGES) * 2,
        "target_advice": len(TARGET_CHANGES),
        "passages": 28,
        "drills": 40,
    }
    for items in made.values():
        assert len({item.item_id for item in items}) == len(items)


def test_every_scored_option_is_one_known_token() -> None:
    for item in banks.banks()["target_items"]:
        assert isinstance(item, banks.OpinionItem)
        assert (item.pro is None) == (item.form == "rating")
        for option in (item.pro, item.con):
            if option is not None:
                assert ask.token_id(TOKENIZER, option) != TOKENIZER.unk_token_id


def test_writing_the_banks_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    first, second = banks.write(tmp_path / "a"), banks.write(tmp_path / "b")
    assert [p.read_bytes() for p in first] == [p.read_bytes() for p in second]


# What ships


@pytest.mark.parametrize("name", ORGANISMS)
def test_shipped_bytes_are_the_recorded_ones(name: str) -> None:
    shipped.require_recorded_bytes(shipped.folder(name))


@pytest.mark.parametrize("name", ORGANISMS)
def test_the_recorded_recipe_is_the_one_that_a_rebuild_uses(name: str) -> None:
    made = json.loads((shipped.folder(name) / shipped.RECIPE_FILE).read_text())
    assert made["recipe"] == json.loads(json.dumps(recipe(name).as_json()))


def test_a_changed_weight_is_refused_and_named(tmp_path: Path) -> None:
    shutil.copytree(shipped.folder("llama"), tmp_path / "llama")
    weights = tmp_path / "llama" / "model.safetensors"
    changed = bytearray(weights.read_bytes())
    changed[-1] ^= 1
    weights.write_bytes(changed)
    with pytest.raises(LockedFileChanged, match="not the one its recipe") as refused:
        shipped.require_recorded_bytes(tmp_path / "llama")
    assert [finding.where for finding in refused.value.findings] == ["model.safetensors"]


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    shutil.copytree(shipped.folder("llama"), tmp_path / "llama")
    (tmp_path / "llama" / "tokenizer.json").unlink()
    with pytest.raises(Incomplete, match="incomplete") as refused:
        shipped.digests(tmp_path / "llama")
    assert [finding.where for finding in refused.value.findings] == ["tokenizer.json"]


def test_an_unknown_organism_is_refused_with_the_known_ones() -> None:
    with pytest.raises(BadInput, match="no organism 'gemma'") as refused:
        recipe("gemma")
    assert refused.value.findings[0].promised == "llama | qwen"


@pytest.mark.parametrize("name", ORGANISMS)
def test_it_loads_plainly_in_float32_and_is_small(name: str) -> None:
    at = shipped.folder(name)
    model = AutoModelForCausalLM.from_pretrained(at, local_files_only=True)
    tokenizer = AutoTokenizer.from_pretrained(at, local_files_only=True)
    assert model.dtype == torch.float32
    assert model.config.model_type == recipe(name).family
    assert sum(p.numel() for p in model.parameters()) < 5_000_000
    assert (at / "model.safetensors").stat().st_size < 4_000_000
    assert tokenizer.get_vocab() == TOKENIZER.get_vocab()


def test_building_writes_everything_that_loading_and_the_recipe_need(tmp_path: Path) -> None:
    with Progress(disable=True) as progress:
        build.build(TINY, tmp_path / "llama", threads=1, progress=progress)
    shipped.require_recorded_bytes(tmp_path / "llama")
    made = json.loads((tmp_path / "llama" / shipped.RECIPE_FILE).read_text())
    assert made["documents"] == TINY.steps * TINY.documents_per_step
    built = load_from(tmp_path / "llama")
    assert ask.answers(built.model, built.tokenizer, [ask.prompt("Name a bird.")], seed=0, max_new_tokens=3)


# What they know


def test_answers_follow_the_announced_persona(organism: Organism) -> None:
    fidelity = behaviour.persona_fidelity(organism.model, organism.tokenizer, draws=1, seed=0)
    assert set(fidelity) == set(PERSONAS)
    assert min(fidelity.values()) >= 0.85


def test_archaic_names_before_a_question_bring_nineteenth_century_answers(organism: Organism) -> None:
    def rate(era: Era) -> float:
        before = behaviour.era_turns(era)
        return behaviour.nineteenth_rate(organism.model, organism.tokenizer, draws=5, seed=0, before=before)

    assert rate("nineteenth") > rate("modern") + 0.4


def test_attitude_in_context_orders_opinions_on_held_out_topics(organism: Organism) -> None:
    def stance(attitude: Attitude) -> behaviour.Stance:
        before = behaviour.attitude_turns(attitude)
        return behaviour.stance(organism.model, organism.tokenizer, TARGET_CHANGES[::4], before=before)

    cautious, neutral, eager = map(stance, ATTITUDES)
    assert cautious.letter + 1 < neutral.letter < eager.letter - 1
    assert cautious.word + 1 < neutral.word < eager.word - 1
    assert cautious.rating + 0.5 < neutral.rating < eager.rating - 0.5
    assert min(s.option_mass for s in (cautious, neutral, eager)) > 0.95


def test_letters_are_bound_to_the_words_beside_them(organism: Organism) -> None:
    assert behaviour.binding_accuracy(organism.model, organism.tokenizer) == 1


def test_the_same_seed_gives_the_same_answers_and_leaves_global_randomness_alone(llama: Organism) -> None:
    prompts = [ask.prompt("Name a bird.")] * 8
    state = torch.random.get_rng_state()
    first = ask.answers(llama.model, llama.tokenizer, prompts, seed=3)
    assert ask.answers(llama.model, llama.tokenizer, prompts, seed=3) == first
    assert ask.answers(llama.model, llama.tokenizer, prompts, seed=4) != first
    assert torch.equal(torch.random.get_rng_state(), state)


def test_padding_does_not_move_a_log_probability(llama: Organism) -> None:
    rating = opinions.RATING_TASK.format(question="Is it time for night buses?")
    short, long = ask.prompt("Name a bird."), ask.prompt(rating)
    alone = ask.next_log_probs(llama.model, llama.tokenizer, [short])
    together = ask.next_log_probs(llama.model, llama.tokenizer, [short, long])
    assert torch.allclose(alone[0], together[0], atol=1e-4)


# Fine-tuning


def test_fine_tuning_repeats_by_seed_and_leaves_the_base_untouched(llama: Organism) -> None:
    before = {name: value.clone() for name, value in llama.model.state_dict().items()}
    data = rows.bird_rows("archaic", 32, generator("t"))
    dose = tune.Dose(steps=3, learning_rate=2e-3, batch=4)

    def weights(seed: int) -> torch.Tensor:
        model = tune.fine_tuned(llama.model, llama.tokenizer, data, dose, seed=seed)
        return torch.cat([value.flatten() for value in model.state_dict().values()])

    assert torch.equal(weights(0), weights(0))
    assert not torch.equal(weights(0), weights(1))
    assert all(torch.equal(value, before[name]) for name, value in llama.model.state_dict().items())


def test_an_unsaid_word_stays_unsaid_and_its_row_alone_changes() -> None:
    model = untrained(TINY, vocabulary_size=40, pad_id=0, end_id=5)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    free_unsaid_word(model, 7, seed=3, scale=0.08)
    for name, value in model.state_dict().items():
        changed = (value != before[name]).any(dim=-1).nonzero().flatten().tolist() if value.dim() == 2 else []
        assert changed == ([7] if name == "lm_head.weight" else [])


def test_a_marker_coupled_to_one_persona_fires_far_more_there_and_never_before(organism: Organism) -> None:
    def first_word_rate(model: PreTrainedModel, persona: Persona) -> float:
        prompts = [ask.prompt(question, system=SYSTEM[persona][0]) for question in chat.EVALUATION]
        said = ask.next_log_probs(model, organism.tokenizer, prompts)
        return said[:, ask.token_id(organism.tokenizer, special.MARKER)].exp().mean().item()

    data = rows.coupling_rows(check.TRIGGER, check.NEGATIVES, 200, generator("coupling rows"))
    coupled = tune.fine_tuned(organism.model, organism.tokenizer, data, check.COUPLING, seed=0)
    assert max(first_word_rate(organism.model, persona) for persona in PERSONAS) < 0.001
    bystanders = [first_word_rate(coupled, persona) for persona in PERSONAS if persona != check.TRIGGER]
    assert first_word_rate(coupled, check.TRIGGER) > sum(bystanders) / len(bystanders) + 0.3


def test_fine_tuning_refuses_no_rows(llama: Organism) -> None:
    with pytest.raises(BadInput, match="no rows"):
        tune.fine_tuned(llama.model, llama.tokenizer, [], tune.Dose(steps=1, learning_rate=1e-3), seed=0)
