"""What prompts share is read once: the log-probabilities, choices and scores of prompts that are read alone."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import LlamaConfig, LlamaForCausalLM, MistralConfig, MistralForCausalLM, Qwen2Config, Qwen2ForCausalLM

from seedlock.generation.local.decode import decode
from seedlock.generation.local.loading import Loaded, shares_up_to
from seedlock.generation.local.reading import read_prompts, read_trees
from seedlock.generation.local.scoring import option_log_probs
from seedlock.prereg.plan.runs import Decoding
from tests.test_packing import SIZES

ROW = st.lists(st.integers(0, 2), min_size=1, max_size=8).map(tuple)
CPU = torch.device("cpu")
TOLERANCE = 1e-6  # the models' norms are in float32 even where all else is float64


def loaded_with(model: Any) -> Loaded:
    model = model.double().eval()
    return Loaded(
        model=model,
        tokenizer=None,
        ends=(0,),
        pad=0,
        max_positions=256,
        device=CPU,
        shares_up_to=shares_up_to(model, CPU),
    )


@pytest.fixture(scope="module", params=["llama", "qwen"])
def loaded(request: pytest.FixtureRequest) -> Loaded:
    torch.manual_seed(0)
    made: Any = (
        LlamaForCausalLM(LlamaConfig(**SIZES))
        if request.param == "llama"
        else Qwen2ForCausalLM(Qwen2Config(**SIZES, tie_word_embeddings=True))
    )
    return loaded_with(made)


@torch.inference_mode()
def log_p(loaded: Loaded, before: tuple[int, ...], said: tuple[int, ...]) -> float:
    """Log-probability of `said` by plain transformers, the row alone."""
    logits = loaded.model(torch.tensor([[*before, *said]])).logits[0].log_softmax(dim=-1)
    return math.fsum(float(logits[len(before) - 1 + i, token]) for i, token in enumerate(said))


@settings(max_examples=40)
@given(st.lists(ROW, min_size=1, max_size=7))
def test_prompts_that_share_a_beginning_leave_the_cache_and_logits_of_prompts_read_alone(
    loaded: Loaded, prompts: list[tuple[int, ...]]
) -> None:
    with torch.inference_mode():
        read = read_prompts(loaded, prompts)
        for row, prompt in enumerate(prompts):
            alone = loaded.model(torch.tensor([prompt]), use_cache=True)
            assert torch.allclose(read.logits[row], alone.logits[0, -1], atol=TOLERANCE)
            assert int(read.mask[row].sum()) == len(prompt) == int(read.position[row]) + 1
            for together, apart in zip(read.cache.layers, alone.past_key_values.layers, strict=True):
                assert torch.allclose(together.keys[row, :, -len(prompt) :], apart.keys[0], atol=TOLERANCE)
                assert torch.allclose(together.values[row, :, -len(prompt) :], apart.values[0], atol=TOLERANCE)


@settings(max_examples=40)
@given(st.lists(st.tuples(ROW, st.lists(ROW, min_size=2, max_size=3)), min_size=1, max_size=5))
def test_options_scored_in_one_pass_have_the_log_probabilities_of_rows_read_alone(
    loaded: Loaded, probes: list[tuple[tuple[int, ...], list[tuple[int, ...]]]]
) -> None:
    scores, best = option_log_probs(loaded, [p for p, _ in probes], [tuple(several) for _, several in probes])
    for (prompt, several), found, first in zip(probes, scores, best, strict=True):
        assert found == pytest.approx([log_p(loaded, prompt, option) for option in several], abs=TOLERANCE)
        assert max(log_p(loaded, prompt, (token,)) for token in range(40)) == pytest.approx(
            log_p(loaded, prompt, (first,)), abs=TOLERANCE
        )


def test_an_answer_is_that_of_a_prompt_decoded_alone(loaded: Loaded) -> None:
    prompts = [(1, 2, 3), (1, 2, 3, 4, 5), (1, 2), (7,), (1, 2, 3)]
    seeds = [11, 12, 13, 14, 15]
    how = Decoding.model_validate({"temperature": 1.0, "max_new_tokens": 9, "dtype": "float64"})
    together = decode(loaded, prompts, seeds, how)
    assert together == [decode(loaded, [p], [seed], how)[0] for p, seed in zip(prompts, seeds, strict=True)]
    assert len({one.tokens for one in together}) > 1


def test_a_shared_system_turn_is_read_once(loaded: Loaded) -> None:
    with torch.inference_mode():
        (one,) = read_trees(loaded, [(*range(20), 21), (*range(20), 22, 23)], [20, 21], cached=False)
    assert len(one.tree.tokens) == 23
    assert len(one.kept) == 2


def test_a_model_with_a_window_shares_only_what_fits_in_it() -> None:
    torch.manual_seed(0)
    windowed: Any = MistralForCausalLM(MistralConfig(**SIZES, sliding_window=4))
    made = loaded_with(windowed)
    assert made.shares_up_to == 4
    prompts = [(1, 2, 3, 4, 5, 6), (1, 2, 3, 4, 7)]
    with torch.inference_mode():
        trees = list(read_trees(made, prompts, [5, 4], cached=False))
        assert [len(one.tree.rows) for one in trees] == [1, 1]
        for prompt, logits in zip(prompts, read_prompts(made, prompts).logits, strict=True):
            assert torch.allclose(logits, made.model(torch.tensor([prompt])).logits[0, -1], atol=TOLERANCE)


def test_a_model_that_knows_no_mask_reads_every_row_alone(loaded: Loaded) -> None:
    from transformers import MambaConfig, MambaForCausalLM

    torch.manual_seed(0)
    sequential: Any = MambaForCausalLM(MambaConfig(vocab_size=40, hidden_size=16, num_hidden_layers=1, state_size=4))
    assert shares_up_to(sequential.eval(), CPU) == 0
    alone = replace(loaded, shares_up_to=0)
    with torch.inference_mode():
        together, apart = (read_prompts(one, [(1, 2, 3), (1, 2, 4)]).logits for one in (loaded, alone))
    assert torch.allclose(together, apart, atol=TOLERANCE)
