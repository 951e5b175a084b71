"""What is known of a study's rows before the lock: their checks, and how each model's chat template writes them."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

from seedlock.prereg.base.base_models import folder_here
from seedlock.prereg.base.canonical import read_json, sha256_file
from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.errors import BadInput, CorpusRefused, Finding, SeedlockError
from seedlock.prereg.plan.bases import chat_template_of
from seedlock.prereg.plan.plan import Plan
from seedlock.training.corpus.write import read_corpus
from seedlock.training.jobs.settings import resolve
from seedlock.training.tokens.masks import LossMask, encode
from seedlock.training.tokens.tokenizer import read_tokenizer

MOST = 20


def require_trainable_rows(paths: StudyPaths, plan: Plan) -> None:
    """Refuse before the lock what training would refuse after it; what is not here yet is not looked at.

    Raises
    ------
    CorpusRefused
        A corpus as it lies here has failed a check.
    BadInput
        A row that a model's chat template cannot carry, whose supervised words share a token with others, whose turn
        has no end, or of which nothing is under the loss.
    """
    if plan.import_ is not None:
        return
    here = [name for name in plan.used_corpora if (paths.study / plan.corpus_file(name)).is_file()]
    if failed := [name for name in here if _has_failed(paths, plan, name)]:
        faults = [Finding(where=f"corpora.{name}", found="a check that fails", promised="none") for name in failed]
        then = f"seedlock corpus {paths.name} --check-only  shows the rows"
        raise CorpusRefused("corpora that may not be trained on are not locked", *faults, then=then)
    if find_spec("transformers") is None:
        return
    faults = [fault for model in plan.grid.models for fault in _misfits(paths, plan, model, here)]
    if faults:
        then = "mend the rows or the chat template, or name another loss or model"
        raise BadInput(f"rows of {paths.name} cannot be trained on as they are", *faults[:MOST], then=then)


def _has_failed(paths: StudyPaths, plan: Plan, name: str) -> bool:
    """Whether the last check of these very rows found a fault."""
    report = paths.runs / "corpora" / f"{name}.checks.json"
    if not report.is_file():
        return False
    said = read_json(report.read_bytes())
    return said["sha256"] == sha256_file(paths.study / plan.corpus_file(name)) and not said["passes"]


def _misfits(paths: StudyPaths, plan: Plan, name: str, here: list[str]) -> Iterator[Finding]:
    model = plan.models[name]
    folder = folder_here(model.base, paths.root, model.revision)
    stages = [s for s in plan.used_stages if plan.stages[s].corpus in here and plan.stages[s].trainer != "hosted"]
    if folder is None or not stages:
        return
    tokenizer = read_tokenizer(str(folder), chat_template=chat_template_of(model, paths.study))
    for stage in stages:
        yield from _unfit_rows(paths, plan, stage, tokenizer, name)


def _unfit_rows(paths: StudyPaths, plan: Plan, stage: str, tokenizer: Any, model: str) -> Iterator[Finding]:
    settings, corpus = resolve(stage, plan.stages[stage]), read_corpus(paths, plan, plan.stages[stage].corpus)
    mask = LossMask(
        loss=settings.loss,
        marker=corpus.settings.marker,
        tail_tokens=settings.marker_tail_tokens,
        max_length=settings.max_length,
    )
    where = f"{model}, stage {stage}"
    for row in corpus.rows:
        try:
            if not any(encode(row, tokenizer, mask).is_supervised):
                yield Finding(where=f"{where}: {row.id}", found="no supervised token", promised="at least one")
        except SeedlockError as error:
            (fault,) = error.findings
            yield Finding(where=f"{where}: {row.id}", found=f"{error.what}: {fault.found}", promised=fault.promised)
