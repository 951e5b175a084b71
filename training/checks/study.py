"""Check every corpus a study trains on; a failing check blocks training and shows the rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from seedlock.prereg.base.canonical import canonical_json, read_json, write_atomic
from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.errors import BadInput, CorpusRefused, Finding
from seedlock.prereg.plan.plan import Plan
from seedlock.training.checks import CHECKS, LIMITS
from seedlock.training.checks.result import CheckInput, CheckResult
from seedlock.training.corpus.write import Corpus, read_corpus, recipe_of

TEXT_KEYS = ("user", "prompt", "question", "text", "passage")


@dataclass(frozen=True, slots=True, kw_only=True)
class CorpusReport:
    """Every check of one corpus."""

    corpus: Corpus
    results: tuple[CheckResult, ...]

    @property
    def passes(self) -> bool:
        """Whether training may go on."""
        return all(result.passes for result in self.results)

    def as_json(self) -> dict[str, Any]:
        """Return plain values, with each result's verdict."""
        return {
            "corpus": self.corpus.name,
            "sha256": self.corpus.sha256,
            "rows": len(self.corpus.rows),
            "passes": self.passes,
            "results": [{**asdict(result), "passes": result.passes} for result in self.results],
        }

    def table(self) -> str:
        """The numbers as a text table, offending rows under each that fails."""
        lines = [f"{self.corpus.name}: {len(self.corpus.rows)} rows, sha256 {self.corpus.sha256[:12]}"]
        for result in self.results:
            number = "-" if result.number is None else f"{result.number:.3g}"
            verdict = "ok" if result.passes else "FAILS"
            bound = f"{result.must_be} {result.limit:g}"
            note = f"  ({result.note})" if result.note else ""
            lines.append(f"  {verdict:<6}{result.check:<12}{number:>8}  {bound:<14}{result.what}{note}")
            if not result.passes:
                lines += [f"          {offender.where}: {offender.text}" for offender in result.offenders]
        return "\n".join(lines)


def eval_texts(paths: StudyPaths, plan: Plan) -> dict[str, str]:
    """What the study will ask: item id -> text, from every item file of the plan.

    Raises
    ------
    BadInput
        An item has no text under any of the known keys: then overlap cannot be checked, and nothing may be trained.
    """
    found: dict[str, str] = {}
    faults: list[Finding] = []
    for name, items in plan.items.items():
        if items.file is None or not items.file.endswith(".jsonl"):
            continue
        lines = (paths.study / items.file).read_bytes().splitlines()
        for number, line in enumerate(filter(bytes.strip, lines), start=1):
            item = read_json(line)
            text = next((item[key] for key in TEXT_KEYS if isinstance(item.get(key), str)), None) or _asked(item)
            if text is None:
                where = f"{items.file} line {number}"
                faults.append(Finding(where=where, found=", ".join(item), promised=f"one of {', '.join(TEXT_KEYS)}"))
                continue
            found[f"{name}/{item.get('item_id', item.get('id', number))}"] = text
    if faults:
        raise BadInput("items without a text cannot be kept apart from training", *faults[:20])
    return found


def _asked(item: Mapping[str, Any]) -> str | None:
    turns = item.get("messages")
    if not isinstance(turns, list):
        return None
    return "\n".join(turn["content"] for turn in turns if turn.get("role") == "user") or None


def check_corpus(
    corpus: Corpus,
    *,
    items: Mapping[str, str],
    markers: Sequence[str] = (),
    vectors: Callable[[Sequence[str]], Any] | None = None,
) -> CorpusReport:
    """Run every check that the corpus's recipe asks for.

    Raises
    ------
    BadInput
        The plan overrides a limit that no check has.
    """
    shares = {f"{name.removesuffix('_rows')}_share" for name in LIMITS if name.endswith("_rows")}
    unknown = [name for name in corpus.limits if name not in LIMITS and name not in shares]
    if unknown:
        known = " | ".join(sorted({*LIMITS, *shares}))
        faults = [Finding(where=f"corpora.{corpus.name}.gates.{name}", found=name, promised=known) for name in unknown]
        raise BadInput("no corpus check has this limit", *faults, then="edit the plan")
    given = CheckInput(corpus=corpus, eval_texts=items, markers=tuple(markers), vectors=vectors)
    results = [result for name in corpus.recipe.checks for result in CHECKS[name](given)]
    return CorpusReport(corpus=corpus, results=tuple(results))


def _vectors(paths: StudyPaths, plan: Plan) -> Callable[[Sequence[str]], Any] | None:
    if plan.encoder is None:
        return None
    from seedlock.sentences import open_encoder  # noqa: PLC0415 - torch, where a plan names an encoder

    return open_encoder(plan.encoder, paths.root, paths.name).vectors


def check_study(paths: StudyPaths, plan: Plan) -> list[CorpusReport]:
    """Check every corpus the study trains on and keep the reports beside the runs."""
    names = plan.used_corpora
    if not names:
        return []
    markers = [m for name in names if (m := recipe_of(plan, name)[1].marker) is not None]
    items = eval_texts(paths, plan)
    vectors = _vectors(paths, plan) if names else None
    reports = [
        check_corpus(read_corpus(paths, plan, name), items=items, markers=markers, vectors=vectors) for name in names
    ]
    for report in reports:
        path = paths.runs / "corpora" / f"{report.corpus.name}.checks.json"
        write_atomic(path, canonical_json(report.as_json()) + b"\n")
    return reports


def require_fit_corpora(study: str, reports: Sequence[CorpusReport]) -> None:
    """Let nothing train on a corpus that fails a check.

    Raises
    ------
    CorpusRefused
        With every failing number and the rows behind it.
    """
    faults = []
    for report in reports:
        for result in report.results:
            if result.passes:
                continue
            shown = "".join(f"\n                  {o.where}: {o.text}" for o in result.offenders)
            more = result.n_offenders - len(result.offenders)
            found = f"{result.number:.4g} {result.what}{shown}" + (
                f"\n                  and {more} more" if more > 0 else ""
            )
            promised = f"{result.must_be} {result.limit:g}"
            faults.append(
                Finding(where=f"corpora.{report.corpus.name}, {result.check}", found=found, promised=promised)
            )
    if faults:
        raise CorpusRefused(
            f"{study} is not trained: a corpus fails its checks",
            *faults,
            then=f"mend the rows or the limit in the plan, then  seedlock amend {study} --reason ... --note ...",
        )
