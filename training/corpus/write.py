"""A study's corpora: written from their recipes before the lock, read back behind it with their digests."""

from __future__ import annotations

import inspect
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seedlock.prereg.base.canonical import Sha256, canonical_json, read_json, sha256_bytes, sha256_json, write_atomic
from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.errors import BadInput, Finding, OutOfOrder
from seedlock.prereg.lock.document import lock_paths
from seedlock.prereg.plan.plan import Plan
from seedlock.training.corpora import RECIPES
from seedlock.training.instruct.journal import Journalled, Say
from seedlock.training.instruct.model import TextModel
from seedlock.training.instruct.overage import Written, write_with_overage
from seedlock.training.instruct.writer import Writer
from seedlock.training.rows.recipe import Recipe, RecipeSettings, parse_settings
from seedlock.training.rows.row import ONLY_VARIANT, Row, parse_rows, rows_jsonl


@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus:
    """A corpus as it lies in the study folder.

    Parameters
    ----------
    file
        Relative to the repository, as locks write it.
    sha256
        Digest of the file's bytes.
    provenance
        The JSON beside it: recipe, settings, generator, rows asked for, kept and rejected; empty where absent.
    folder
        The study's, where its data files lie.
    """

    name: str
    recipe: Recipe
    settings: RecipeSettings
    limits: Mapping[str, float]
    file: str
    rows: tuple[Row, ...]
    sha256: Sha256
    provenance: Mapping[str, Any]
    folder: Path = Path()

    @property
    def variants(self) -> list[str]:
        """Variants in the order of their first row."""
        return list(dict.fromkeys(row.variant for row in self.rows))

    @property
    def has_one_variant(self) -> bool:
        """Whether a stage need not name a variant."""
        return self.variants == [ONLY_VARIANT]

    def of_variant(self, variant: str) -> tuple[Row, ...]:
        """Rows of one variant, in file order."""
        return tuple(row for row in self.rows if row.variant == variant)


def recipe_of(plan: Plan, name: str) -> tuple[Recipe, RecipeSettings]:
    """The recipe and checked settings of a corpus.

    Raises
    ------
    BadInput
        The plan does not describe the corpus, no recipe has that name, or a setting is wrong.
    """
    if name not in plan.corpora:
        fault = Finding(where=f"corpora.{name}", found="nothing", promised=f"[corpora.{name}] with a recipe")
        raise BadInput(f"the plan names a corpus {name!r} without saying what it is", fault, then="edit the plan")
    wanted = plan.corpora[name].recipe
    if wanted not in RECIPES:
        fault = Finding(where=f"corpora.{name}.recipe", found=wanted, promised=" | ".join(sorted(RECIPES)))
        raise BadInput(f"there is no corpus recipe {wanted!r}", fault, then="edit the plan")
    recipe = RECIPES[wanted]
    return recipe, parse_settings(recipe, plan.corpora[name].params, where=f"corpora.{name}")


def read_corpus(paths: StudyPaths, plan: Plan, name: str) -> Corpus:
    """Read one corpus of the study.

    Raises
    ------
    BadInput
        It was never written, or a line is not a row.
    """
    recipe, settings = recipe_of(plan, name)
    path = paths.study / plan.corpus_file(name)
    if not path.is_file():
        fault = Finding(where=paths.relative(path), found="no such file", promised=f"the rows of corpora.{name}")
        raise BadInput(f"corpus {name} is not written yet", fault, then=f"seedlock corpus {paths.name}")
    data = path.read_bytes()
    beside = path.with_suffix(".provenance.json")
    return Corpus(
        name=name,
        recipe=recipe,
        settings=settings,
        limits=plan.corpora[name].gates,
        file=paths.relative(path),
        rows=parse_rows(data, where=paths.relative(path)),
        sha256=sha256_bytes(data),
        provenance=read_json(beside.read_bytes()) if beside.is_file() else {},
        folder=paths.study,
    )


def write_corpus(paths: StudyPaths, plan: Plan, name: str, *, model: TextModel | None = None) -> Corpus:
    """Make a corpus from its recipe and write it with its provenance into the study folder.

    Parameters
    ----------
    model
        The instruct model, where the plan says `by = "instruct"`.

    Raises
    ------
    OutOfOrder
        The study is locked and the rows would change.
    BadInput
        The recipe cannot make what the plan asks for.
    """
    recipe, settings = recipe_of(plan, name)
    written = _written(recipe, settings, paths, name, model)
    path = paths.study / plan.corpus_file(name)
    data = rows_jsonl(written.rows)
    if lock_paths(paths) and path.is_file() and path.read_bytes() != data:
        fault = Finding(where=paths.relative(path), found="other rows", promised="the locked ones")
        raise OutOfOrder(
            f"{paths.name} is locked: its corpus {name} is not written again",
            fault,
            then=f"delete {paths.relative(path)} first if you mean to amend, then  seedlock amend {paths.name} ...",
        )
    write_atomic(path, data)
    provenance = _provenance(plan, name, recipe, written, data)
    write_atomic(path.with_suffix(".provenance.json"), canonical_json(provenance) + b"\n")
    return read_corpus(paths, plan, name)


def write_corpora(paths: StudyPaths, plan: Plan, writer: Writer | None, say: Say) -> None:
    """Write every corpus that the plan uses; texts of an instruct model are kept as they come.

    Parameters
    ----------
    writer
        Who writes the corpora with `by = "instruct"`.
    say
        Told how many texts are written, of how many.

    Raises
    ------
    OutOfOrder, BadInput, Incomplete
        As `write_corpus`; a writer that cannot be asked or does not answer.
    """
    model: TextModel | None = None
    for name in plan.used_corpora:
        kept = paths.runs / "corpora" / f"{name}.answers.jsonl"
        if writer is not None and recipe_of(plan, name)[1].by == "instruct":
            model = model or writer.open()
            write_corpus(paths, plan, name, model=Journalled(model, kept, say))
            kept.unlink(missing_ok=True)
        else:
            write_corpus(paths, plan, name)


def _written(
    recipe: Recipe, settings: RecipeSettings, paths: StudyPaths, name: str, model: TextModel | None
) -> Written:
    if settings.by == "instruct":
        if recipe.asks is None:
            fault = Finding(where=f"corpora.{name}.by", found="instruct", promised="template: this recipe is facts")
            raise BadInput(f"corpus {name} cannot be written by a model", fault, then="edit the plan")
        if model is None:
            fault = Finding(where=f"corpora.{name}.by", found="no writer given", promised="an instruct model")
            then = f"seedlock corpus {paths.name} --writer MODEL  (a folder, a hub's id, or a name at --endpoint URL)"
            raise BadInput(f"corpus {name} is to be written by an instruct model", fault, then=then)
        return write_with_overage(recipe, settings, model, paths.study)
    rows = recipe.template_rows(settings, paths.study)
    return Written(rows=rows, asked=len(rows), rejected={}, generator={"kind": settings.by})


def _provenance(plan: Plan, name: str, recipe: Recipe, written: Written, data: bytes) -> dict[str, Any]:
    return {
        "corpus": name,
        "recipe": plan.corpora[name].recipe,
        "settings": plan.corpora[name].params,
        "recipe_sha256": sha256_bytes(
            inspect.getsource(inspect.getmodule(recipe.settings) or recipe.settings).encode()
        ),
        "generator": dict(written.generator),
        "asked": written.asked,
        "kept": len(written.rows),
        "rejected": dict(written.rejected),
        "rows_by_variant": dict(Counter(row.variant for row in written.rows)),
        "rows_sha256": sha256_bytes(data),
        "templates_sha256": sha256_json(sorted({row.template for row in written.rows})),
    }


def rows_for(corpus: Corpus, *, variant: str | None, where: str) -> tuple[Row, ...]:
    """The rows a stage trains on.

    Raises
    ------
    BadInput
        The corpus has variants and none was named, or it has not the one that was.
    """
    if variant is None and corpus.has_one_variant:
        return corpus.rows
    if variant is None or variant not in corpus.variants:
        raise no_such_rows(corpus.name, corpus.variants, variant, where)
    return corpus.of_variant(variant)


def no_such_rows(corpus: str, variants: Iterable[str], variant: str | None, where: str) -> BadInput:
    """A stage that does not say which rows it means, or means rows that are not there."""
    found = "no variant and no framing" if variant is None else f"{variant!r}"
    fault = Finding(where=where, found=found, promised=" | ".join(variants))
    return BadInput(f"which rows of corpus {corpus}?", fault, then="edit the plan")
