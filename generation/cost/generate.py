"""What generation takes, counted from the plan and its item files: requests, tokens, readings, and room on disk."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec

from seedlock.generation.cost.inside import inside_lines
from seedlock.generation.cost.judge import judge_lines
from seedlock.generation.cost.token_counts import new_tokens, said_bytes
from seedlock.generation.requests.items import Item, plan_items
from seedlock.generation.requests.request import draws_of
from seedlock.prereg.base.base_models import folder_here
from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.cost.amounts import BY_BYTES, BYTES_A_TOKEN, Amount, Line, about, exact, total
from seedlock.prereg.plan.bases import chat_template_of
from seedlock.prereg.plan.hosted import HOSTED_BACKENDS
from seedlock.prereg.plan.plan import Plan

SEALED_ROW_BYTES, STORE_ROW_BYTES = 90.0, 150.0
SEALED_TOKEN_BYTES, STORE_TOKEN_BYTES = 2.0, 5.0
"""Bytes of a row without its text, and of a token of text: sealed as Parquet, and in the store. Measured on the two
published studies of embedded models; a test holds a fresh study to them."""
STORED_NOTE = "what a row and a token took in published studies"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What one run on a model is asked.

    Parameters
    ----------
    answers, probes
        Requests that are answered freely, and those that are scored.
    prompt_tokens
        Tokens read for all of them.
    """

    answers: int
    probes: int
    prompt_tokens: Amount


def generation_lines(paths: StudyPaths, plan: Plan) -> list[Line]:
    """Count what `seedlock generate`, `judge` and `inside` will do; nothing is loaded but tokenizers that lie here.

    Raises
    ------
    BadInput
        An item file cannot be used.
    """
    if plan.import_ is not None or plan.decoding is None:
        return []
    items = plan_items(plan, paths.study)
    lines: list[Line] = []
    for model in plan.grid.models:
        runs = sum(run.model == model for run in plan.runs())
        asked = asked_of_a_run(paths, plan, model, items)
        lines += _model_lines(plan, model, runs, asked)
    return [*lines, *judge_lines(paths, plan, items), *inside_lines(paths, plan, items)]


def asked_of_a_run(paths: StudyPaths, plan: Plan, model: str, items: Sequence[Item]) -> Asked:
    """What every run on one model is asked; an item that stands in several sets once, as `generate` asks it."""
    assert plan.decoding is not None  # noqa: S101 - the caller looked
    once = {item.item_id: item for item in items}
    n_draws = {name: draws_of(item.probe, plan.decoding) for name, item in once.items()}
    is_probe = {name: item.probe is not None for name, item in once.items()}
    return Asked(
        answers=sum(n for name, n in n_draws.items() if not is_probe[name]),
        probes=sum(n for name, n in n_draws.items() if is_probe[name]),
        prompt_tokens=_prompt_tokens(paths, plan, model, list(once.values()), n_draws),
    )


def _prompt_tokens(paths: StudyPaths, plan: Plan, model: str, items: Sequence[Item], n_draws: dict[str, int]) -> Amount:
    """Prompt and options of every request: by the model's tokenizer where it lies here, by a rule otherwise."""
    base = plan.models[model]
    folder = folder_here(base.base, paths.root, base.revision)
    is_served = plan.decoding is not None and plan.decoding.backend in HOSTED_BACKENDS
    if folder is None or is_served or find_spec("transformers") is None:
        said = sum(n_draws[item.item_id] * said_bytes(item) for item in items)
        return about(said / BYTES_A_TOKEN, BY_BYTES)
    from seedlock.generation.local.tokenizers import read_tokenizer  # noqa: PLC0415 - seconds to import
    from seedlock.generation.requests.prompts import prompts_for  # noqa: PLC0415

    prompts = prompts_for(items, read_tokenizer(str(folder), chat_template=chat_template_of(base, paths.study)))
    return exact(sum(n_draws[p.item_id] * (len(p.tokens) + sum(map(len, p.options))) for p in prompts))


def _model_lines(plan: Plan, model: str, runs: int, asked: Asked) -> Iterator[Line]:
    spoken = new_tokens(plan, runs * asked.answers)
    yield Line(part="generate", of=model, what="runs", amount=exact(runs))
    yield Line(part="generate", of=model, what="answers", amount=exact(runs * asked.answers))
    if asked.probes:
        yield Line(part="generate", of=model, what="probes", amount=exact(runs * asked.probes))
    read = asked.prompt_tokens.times(runs)
    yield Line(part="generate", of=model, what="prompt tokens", unit="tokens", amount=read)
    yield Line(part="generate", of=model, what="new tokens", unit="tokens", amount=spoken)
    rows = runs * (asked.answers + asked.probes)
    for what, row, token in (
        ("sealed answers", SEALED_ROW_BYTES, SEALED_TOKEN_BYTES),
        ("store", STORE_ROW_BYTES, STORE_TOKEN_BYTES),
    ):
        size = total([about(rows * row, STORED_NOTE), spoken.times(token, certainty="about")])
        yield Line(part="disk", of=model, what=what, unit="bytes", amount=size)
