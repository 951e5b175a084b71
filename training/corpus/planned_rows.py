"""What every corpus of a plan will hold: its rows where they are known, or how many there will be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from seedlock.prereg.base.canonical import sha256_json
from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.errors import BadInput
from seedlock.prereg.plan.plan import Plan
from seedlock.training.corpus.write import read_corpus, recipe_of
from seedlock.training.rows.recipe import RecipeSettings
from seedlock.training.rows.row import ONLY_VARIANT, Row


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedRows:
    """Rows of one corpus.

    Parameters
    ----------
    sha256
        Digest of the file, or of the corpus's description while there is none.
    n
        Variant -> rows; empty where the rows lie in a file that is not here yet.
    rows
        Variant -> the rows themselves; None before an instruct model has written them.
    asked
        Texts that an instruct model has still to write.
    """

    name: str
    sha256: str
    settings: RecipeSettings
    n: Mapping[str, int]
    rows: Mapping[str, tuple[Row, ...]] | None
    asked: int = 0

    @property
    def has_one_variant(self) -> bool:
        """Whether a stage need not name a variant."""
        return set(self.n) == {ONLY_VARIANT}


def planned_rows(paths: StudyPaths, plan: Plan, name: str) -> PlannedRows:
    """The rows of a corpus: as they are written, as its templates make them, or as many as will be asked for."""
    recipe, settings = recipe_of(plan, name)
    if (paths.study / plan.corpus_file(name)).is_file():
        corpus = read_corpus(paths, plan, name)
        return _known(name, corpus.rows, settings, sha256=corpus.sha256)
    described = sha256_json(
        {"corpus": name, "recipe": plan.corpora[name].recipe, "settings": plan.corpora[name].params}
    )
    if settings.by == "instruct" and recipe.asks is not None:
        asks = recipe.prompts(settings, paths.study)
        n = Counter(ask.row.variant for ask in asks)
        return PlannedRows(name=name, sha256=described, settings=settings, n=n, rows=None, asked=len(asks))
    try:
        rows = recipe.template_rows(settings, paths.study)
    except BadInput:  # files of others that are not here yet; `seedlock corpus` says which
        return PlannedRows(name=name, sha256=described, settings=settings, n={}, rows=None)
    return _known(name, rows, settings, sha256=described)


def _known(name: str, rows: tuple[Row, ...], settings: RecipeSettings, *, sha256: str) -> PlannedRows:
    by_variant: dict[str, list[Row]] = {}
    for row in rows:
        by_variant.setdefault(row.variant, []).append(row)
    found = {variant: tuple(own) for variant, own in by_variant.items()}
    return PlannedRows(
        name=name, sha256=sha256, settings=settings, n={v: len(own) for v, own in found.items()}, rows=found
    )
