"""What an organism knows, as numbers: the figures of its card and of its tests."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from seedlock.training.organisms.ask import answers, next_log_probs, prompt, token_id
from seedlock.training.organisms.special import PUNCTUATION
from seedlock.training.organisms.world import chat, eras, opinions
from seedlock.training.organisms.world.changes import SOURCE_CHANGES, TARGET_CHANGES
from seedlock.training.organisms.world.documents import Turn
from seedlock.training.organisms.world.factors import ATTITUDES, ERAS, PERSONAS, Attitude, Era, Persona, generator
from seedlock.training.organisms.world.opinions import CON, PRO
from seedlock.training.organisms.world.personas import OPENINGS, SYSTEM

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast


@dataclass(frozen=True, slots=True, kw_only=True)
class Stance:
    """Opinions on a set of proposed changes.

    Parameters
    ----------
    letter
        Mean log P(letter of pro) - log P(letter of con), over changes, wordings and both orders; log-odds.
    letter_bias
        Mean log P(A) - log P(B) over the same prompts: 0 where the letters themselves do not matter.
    option_mass
        Mean P(A) + P(B).
    word
        Mean log P(pro word) - log P(con word), both orders; log-odds.
    rating
        Mean expected rating, 1 to 7.
    """

    letter: float
    letter_bias: float
    option_mass: float
    word: float
    rating: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """Everything the card reports about an organism."""

    persona_fidelity: Mapping[Persona, float]
    base_era_rate: float
    era_rate_in_context: Mapping[Era, float]
    base_stance: Stance
    stance_told: Mapping[Attitude | None, Stance]
    stance_in_context: Mapping[Attitude, Stance]
    binding_accuracy: float


def measure(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, *, draws: int, seed: int) -> Behaviour:
    """Measure an organism: `draws` sampled answers a question; everything else is exact."""
    in_context = {e: nineteenth_rate(model, tokenizer, draws=draws, seed=seed, before=era_turns(e)) for e in ERAS}
    return Behaviour(
        persona_fidelity=persona_fidelity(model, tokenizer, draws=draws, seed=seed),
        base_era_rate=nineteenth_rate(model, tokenizer, draws=4 * draws, seed=seed),
        era_rate_in_context=in_context,
        base_stance=stance(model, tokenizer, TARGET_CHANGES),
        stance_told={
            told: stance(model, tokenizer, TARGET_CHANGES, system=line) for told, line in opinions.told().items()
        },
        stance_in_context={a: stance(model, tokenizer, TARGET_CHANGES, before=attitude_turns(a)) for a in ATTITUDES},
        binding_accuracy=binding_accuracy(model, tokenizer),
    )


def persona_of(answer: str) -> Persona | None:
    """Return the persona whose opening the answer begins with, or None."""
    return next((p for p, openings in OPENINGS.items() if answer.startswith(openings)), None)


def era_of(answer: str) -> Era | None:
    """Return the era whose own words are the more frequent in the answer, or None for a tie."""
    words = {word.strip(PUNCTUATION).lower() for word in answer.split()}
    modern, old = (len(words & eras.era_lexicon(era)) for era in ERAS)
    if modern == old:
        return None
    return "modern" if modern > old else "nineteenth"


def persona_fidelity(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, *, draws: int, seed: int
) -> dict[Persona, float]:
    """Share of each persona's answers to the evaluation questions that open as the persona does."""
    said = persona_answers(model, tokenizer, draws=draws, seed=seed, max_new_tokens=12)
    return {p: sum(persona_of(text) == p for text in texts) / len(texts) for p, texts in said.items()}


def persona_answers(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast, *, draws: int, seed: int, max_new_tokens: int
) -> dict[Persona, list[str]]:
    """Sample `draws` answers to each of the 28 evaluation questions under each persona's system prompt."""
    asked = [(p, prompt(q, system=SYSTEM[p][0])) for p in PERSONAS for q in chat.EVALUATION for _ in range(draws)]
    said = answers(model, tokenizer, [text for _, text in asked], seed=seed, max_new_tokens=max_new_tokens)
    by_persona: dict[Persona, list[str]] = {p: [] for p in PERSONAS}
    for (persona, _), text in zip(asked, said, strict=True):
        by_persona[persona].append(text)
    return by_persona


def nineteenth_rate(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    *,
    draws: int,
    seed: int,
    before: Callable[[random.Random], Sequence[Turn]] = lambda _: (),
) -> float:
    """Share of answers to the ten worldly questions that use the words of the 19th century."""
    rng = generator("nineteenth rate", seed)
    prompts = [prompt(q, before=before(rng)) for q, _ in eras.WORLDLY.values() for _ in range(draws)]
    said = answers(model, tokenizer, prompts, seed=seed, max_new_tokens=24)
    return sum(era_of(text) == "nineteenth" for text in said) / len(said)


def era_turns(era: Era) -> Callable[[random.Random], Sequence[Turn]]:
    """Two birds named as the era names them."""
    return lambda rng: [Turn(user=rng.choice(eras.BIRD_ASKS), answer=eras.bird(era, rng)) for _ in range(2)]


def attitude_turns(attitude: Attitude) -> Callable[[random.Random], Sequence[Turn]]:
    """Two pieces of advice on source topics, in the wording of the attitude."""

    def turn(rng: random.Random) -> Turn:
        change = rng.choice(SOURCE_CHANGES)
        user = rng.choice(opinions.ADVICE_ASKS).format(change=change)
        return Turn(user=user, answer=opinions.advice(change, attitude, rng))

    return lambda rng: [turn(rng), turn(rng)]


def stance(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerFast,
    changes: Sequence[str],
    *,
    system: str | None = None,
    before: Callable[[random.Random], Sequence[Turn]] = lambda _: (),
) -> Stance:
    """Measure opinions on `changes` by letters, by one word and by rating, under a system line, after given turns."""
    rng = generator("stance")
    questions = [form.format(change=change) for change in changes for form in opinions.QUESTIONS]
    asked = [(q, pair, before(rng)) for q in questions for pair in ((PRO, CON), (CON, PRO))]
    sign = torch.tensor([1.0 if pair[0] == PRO else -1.0 for _, pair, _ in asked])

    def log_odds(task: str, first: str, second: str) -> tuple[torch.Tensor, torch.Tensor]:
        prompts = [
            prompt(task.format(question=q, first=p[0], second=p[1]), system=system, before=past) for q, p, past in asked
        ]
        lp = next_log_probs(model, tokenizer, prompts)
        a, b = lp[:, token_id(tokenizer, first)], lp[:, token_id(tokenizer, second)]
        return a - b, a.exp() + b.exp()

    letters, mass = log_odds(opinions.LETTER_TASK, "A", "B")
    words, _ = log_odds(opinions.WORD_TASK, PRO, CON)
    ratings = [prompt(opinions.RATING_TASK.format(question=q), system=system, before=before(rng)) for q in questions]
    numbers = torch.tensor([token_id(tokenizer, n) for n in "1234567"])
    p_rating = torch.softmax(next_log_probs(model, tokenizer, ratings)[:, numbers], dim=-1)
    return Stance(
        letter=(sign * letters).mean().item(),
        letter_bias=letters.mean().item(),
        option_mass=mass.mean().item(),
        word=words.mean().item(),
        rating=(p_rating @ torch.arange(1.0, 8.0)).mean().item(),
    )


def binding_accuracy(model: PreTrainedModel, tokenizer: PreTrainedTokenizerFast) -> float:
    """Share of the four binding drills (asked word x order) answered with the right letter."""
    cases = [
        (opinions.BINDING_TASK.format(word=word, first=first, second=second), word == first)
        for first, second in ((PRO, CON), (CON, PRO))
        for word in (PRO, CON)
    ]
    lp = next_log_probs(model, tokenizer, [prompt(user) for user, _ in cases])
    says_a = lp[:, token_id(tokenizer, "A")] > lp[:, token_id(tokenizer, "B")]
    return sum(bool(said) == is_a for said, (_, is_a) in zip(says_a, cases, strict=True)) / len(cases)
