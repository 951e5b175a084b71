"""Items as each model reads them, before the lock: every prompt can be written, and what its options are in tokens."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec

from seedlock.generation.requests.items import Item, plan_items
from seedlock.generation.requests.request import Prompt
from seedlock.prereg.base.base_models import folder_here
from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.plan.bases import chat_template_of
from seedlock.prereg.plan.extras import install_command
from seedlock.prereg.plan.hosted import HOSTED_BACKENDS
from seedlock.prereg.plan.plan import Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionCheck:
    """The options of one item set as one model's tokenizer writes them.

    Parameters
    ----------
    one_token, several_tokens
        Options of each kind; 0 where nothing was checked.
    not_checked
        Why nothing was checked; empty otherwise.
    is_probe
        Whether its items have options, or are answered freely.
    """

    model: str
    items: str
    one_token: int = 0
    several_tokens: int = 0
    not_checked: str = ""
    is_probe: bool = True

    def line(self) -> str:
        """The finding, for a person."""
        who = f"{'options' if self.is_probe else 'prompts'} of {self.items} on {self.model}"
        if self.not_checked:
            return f"{who}: not checked, {self.not_checked}"
        if not self.several_tokens:
            return f"{who}: all {self.one_token} are one token in their context"
        both = f"{self.one_token} are one token in their context, {self.several_tokens} are several"
        return f"{who}: {both}; each option is scored whole"


def check_options(plan: Plan, paths: StudyPaths) -> list[OptionCheck]:
    """Write every item of the plan with every model's own tokenizer; nothing is loaded but that.

    Returns
    -------
    list
        One entry a model and set of probes that has options; passages have none. Where the tokenizer is not at hand the
        entry says so: it never passes silently.

    Raises
    ------
    BadInput
        Items that are none, that the chat template refuses or of which it drops a turn; options that merge with the
        prompt, begin each other, or are unknown to the tokenizer.
    """
    backend = None if plan.decoding is None else plan.decoding.backend
    is_here = backend is not None and backend not in HOSTED_BACKENDS
    sets = [name for name, items in plan.items.items() if (items.probe or is_here) and items.file is not None]
    if not sets or plan.import_ is not None:
        return []
    absent = [name for name in sets if not (paths.study / (plan.items[name].file or "")).is_file()]
    if absent:
        why = f"the file of {', '.join(absent)} is not there yet"
        return [
            OptionCheck(model=m, items=name, not_checked=why, is_probe=plan.items[name].probe)
            for m in plan.grid.models
            for name in sets
        ]
    items = [item for item in plan_items(plan, paths.study) if item.item_set in sets]
    return [found for model in plan.grid.models for found in _on_model(plan, paths, model, items)]


def _on_model(plan: Plan, paths: StudyPaths, model: str, items: Sequence[Item]) -> Iterator[OptionCheck]:
    sets = list(dict.fromkeys(item.item_set for item in items))
    base = plan.models[model]
    folder = folder_here(base.base, paths.root, base.revision)
    why = ""
    if folder is None:
        why = f"{base.base} is not on this machine"
    elif find_spec("transformers") is None:
        why = f"transformers is not installed:  {install_command(['generation'])}"
    if folder is None or why:
        for name in sets:
            yield OptionCheck(model=model, items=name, not_checked=why, is_probe=plan.items[name].probe)
        return
    from seedlock.generation.local.tokenizers import read_tokenizer  # noqa: PLC0415 - seconds to import, and not in every environment
    from seedlock.generation.requests.prompts import prompts_for  # noqa: PLC0415

    tokenizer = read_tokenizer(str(folder), chat_template=chat_template_of(base, paths.study))
    for name in sets:
        n = count_options(prompts_for([item for item in items if item.item_set == name], tokenizer))
        if any(n.values()):
            yield OptionCheck(model=model, items=name, one_token=n["one token"], several_tokens=n["several tokens"])


def count_options(prompts: Iterable[Prompt]) -> dict[str, int]:
    """Options of one token in their context, and of several; passages are no options."""
    lengths = [
        len(option)
        for prompt in prompts
        if prompt.probe is not None and prompt.probe.kind != "passage"
        for option in prompt.options
    ]
    return {"one token": lengths.count(1), "several tokens": len(lengths) - lengths.count(1)}
