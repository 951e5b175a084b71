r"""What a paper needs of a study: its numbers by key, a table, the methods as prose, figures as PDF, a reference.

Every number is written as `\seedlock{KEY}`, which `numbers.tex` defines; `seedlock verify --paper` holds it to the
report. Nothing but LaTeX's own packages is needed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from seedlock.analysis.exporters.internals.exporter import Exporter, Wishes, require_report
from seedlock.analysis.exporters.internals.tex_writer import TexWriter, breakable
from seedlock.analysis.report.build import draw_figures
from seedlock.analysis.report.figures.headline import headline_figure
from seedlock.analysis.report.figures.style import also_as_pdf
from seedlock.analysis.report.kept_draws import read_draws
from seedlock.analysis.report.reading_order import in_reading_order
from seedlock.analysis.report.sections.method import Paragraph, method_paragraphs
from seedlock.analysis.results.schema import read_results
from seedlock.prereg.base.canonical import sha256_bytes, write_atomic
from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.base.reading import is_regular, read_regular
from seedlock.prereg.errors import BadInput, Finding
from seedlock.prereg.lock.gate import LockedPlan, require_lock
from seedlock.prereg.paper.keys import Bound, bound_values
from seedlock.prereg.paper.numbers import MARK, NAME, numbers_file
from seedlock.prereg.paper.tex import latex
from seedlock.prereg.verify.pages import read_pages

_EXAMPLE = "example.tex"
TEXTS = (NAME, "results-table.tex", "methods.tex", "study.bib", _EXAMPLE)


def export_latex(paths: StudyPaths, to: Path) -> Path:
    """Write the folder `to`; files of an earlier export are written over, anything else there is left alone.

    Raises
    ------
    OutOfOrder
        The study has no report yet.
    BadInput
        The study does not verify, or a file of the author's own stands where one of the export would.
    """
    require_report(paths)
    _require_ours(to, TEXTS)
    locked = require_lock(paths, only_reading=True)
    written = read_regular(paths.report / "results.json")
    files = latex_files(locked, json.loads(written), sha256_bytes(written))
    _require_ours(to, files)
    for name, content in files.items():
        write_atomic(to / name, content)
    return to


def latex_files(locked: LockedPlan, raw: Mapping[str, Any], results_sha256: str) -> dict[str, bytes]:
    """Name and content of every file of the export.

    Parameters
    ----------
    raw
        results.json as it is written: its numbers, and no defaults that a later version would add.
    """
    paths, study = locked.paths, locked.paths.name
    pages = read_pages(paths.report).values()
    values = bound_values(raw, pages)
    figures = _figures(locked)
    numbers = numbers_file(study, raw, pages, results_sha256=results_sha256) + "".join(
        f"\\seedlockfigure{{{name}}}{{{sha256_bytes(content)}}}\n" for name, content in figures.items()
    )
    mark = f"{MARK} {study} --format latex\n"
    writer = TexWriter(results=raw, keys={one.ref: key for key, one in values.items() if not key.startswith("|")})
    written = (
        numbers,
        mark + _table(raw, values),
        mark + _methods(writer, method_paragraphs(locked, raw)),
        mark + _reference(raw, locked),
        mark + _example(raw, values, study, "headline.pdf"),
    )
    texts = dict(zip(TEXTS, written, strict=True))
    return {name: text.encode() for name, text in texts.items()} | {f"figures/{n}": c for n, c in figures.items()}


def _require_ours(to: Path, files: Iterable[str]) -> None:
    """Refuse where a file that would be written is the author's own; a PDF is an export's where its numbers.tex is."""
    there = [to.resolve() / name for name in files if (to / name).exists()]
    has_export = _is_ours(to.resolve() / NAME)
    foreign = [path for path in there if not (has_export if path.suffix == ".pdf" else _is_ours(path))]
    if foreign:
        faults = [Finding(where=str(path), found="another file", promised="none, or an export's") for path in foreign]
        raise BadInput(f"{to} holds files that are no export's", *faults, then="name another folder with --to")


def _is_ours(path: Path) -> bool:
    return is_regular(path) and read_regular(path).startswith(MARK.encode())


def _figures(locked: LockedPlan) -> dict[str, bytes]:
    """Every figure of the report as PDF, drawn anew from the results and the draws kept beside them."""
    results = read_results(locked.paths)
    data = in_reading_order(results, locked.plan)
    with also_as_pdf() as pdfs:
        headline_figure(data, locked.plan)
        for _ in draw_figures(data, read_draws(locked.paths.report, data)):
            pass
    return {f"{slug}.pdf": content for slug, content in sorted(pdfs.items())}


def _table(results: Mapping[str, Any], values: Mapping[str, Bound]) -> str:
    """One row a hypothesis; rules are booktabs' where the paper loads it."""
    rows = []
    for name, h in _hypotheses(results, values):
        predicted = latex(h["predicted"])
        cells = [rf"\seedlock{{{name}.{part}}}" for part in ("n_units", "estimate", "ci", "p_value", "decision")]
        n, estimate, ci, p, decision = cells
        shown = rf"{estimate} & {ci}" if h["ci"] else rf"{estimate} &"
        rows.append(rf"\seedlockcode{{{breakable(h['id'])}}} & {n} & {shown} & {p} & {predicted} & {decision} \\")
    return "\n".join([
        r"\providecommand\toprule{\hline}\providecommand\midrule{\hline}\providecommand\bottomrule{\hline}",
        r"\begin{tabular}{p{0.2\linewidth}rrlrp{0.12\linewidth}p{0.18\linewidth}}",
        r"\toprule",
        r"Hypothesis & Units & Estimate & Interval & $p$ & Predicted & Decision \\",
        r"\midrule",
        *rows,
        r"\bottomrule",
        r"\end{tabular}",
        "",
    ])  # fmt: skip


def _hypotheses(results: Mapping[str, Any], values: Mapping[str, Bound]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each hypothesis with the key that its values begin with."""
    keys = {one.ref: key for key, one in values.items()}
    for i, h in enumerate(results["hypotheses"]):
        yield keys[f"/hypotheses/{i}/id"].removesuffix(".id"), h


def _methods(writer: TexWriter, paragraphs: tuple[Paragraph, ...]) -> str:
    """The report's method text, generated from the locked plan and from what ran."""
    said = [
        rf"\paragraph{{{latex(p.heading)}}} " + " ".join(writer.line(sentence) for sentence in p.sentences)
        for p in paragraphs
    ]
    return "\n\n".join(said) + "\n"


def _reference(results: Mapping[str, Any], locked: LockedPlan) -> str:
    """A BibTeX entry that names the lock; its key is the study's name."""
    fields = {
        "key": locked.paths.name,
        "title": f"{{{latex(results['title'])}}}",
        "year": locked.locks[0].created_asserted[:4],
        "note": rf"Seedlock study \texttt{{{breakable(locked.paths.name)}}}, {results['status']}, "
        rf"lock \texttt{{{breakable(results['lock_id'])}}}",
    }
    body = "".join(f"  {name} = {{{value}}},\n" for name, value in fields.items())
    return f"@misc{{{locked.paths.name},\n{body}}}\n"


def _example(results: Mapping[str, Any], values: Mapping[str, Bound], study: str, figure: str) -> str:
    """A short paper that uses all of it, to copy from."""
    said = [_sentence(name, h) for name, h in _hypotheses(results, values)]
    shown = said if len(said) <= 8 else said[:8]
    return "\n".join([
        r"\documentclass[10pt]{article}",
        r"\usepackage[margin=2.5cm]{geometry}",
        r"\usepackage{graphicx}",
        rf"\input{{{NAME.removesuffix('.tex')}}}",
        r"\title{\seedlock{title}}",
        rf"\author{{Study \seedlockcode{{{breakable(study)}}}}}",
        r"\date{}",
        r"\begin{document}",
        r"\sloppy",
        r"\maketitle",
        rf"\noindent \seedlock{{question}} The plan was locked before the analysis~\cite{{{study}}}; its status is",
        r"\seedlock{status}. Of \seedlock{accounting.runs_planned} runs that were planned,",
        r"\seedlock{accounting.runs_with_data} have data.",
        "",
        r"\section{Results}",
        *shown,
        "",
        r"\begin{figure}[ht]",
        r"\centering",
        rf"\includegraphics[width=0.8\linewidth]{{figures/{figure}}}",
        r"\caption{Units of each arm, and the estimates on their bands.}",
        r"\end{figure}",
        "",
        r"\begin{table}[ht]",
        r"\centering",
        r"\caption{Every hypothesis of the plan.}",
        r"\footnotesize\setlength{\tabcolsep}{3pt}",
        r"\input{results-table}",
        r"\end{table}",
        "",
        r"\section{Methods}",
        r"\input{methods}",
        "",
        r"\bibliographystyle{plain}",
        r"\bibliography{study}",
        r"\end{document}",
        "",
    ])  # fmt: skip


def _sentence(name: str, h: Mapping[str, Any]) -> str:
    p = rf"$p {'' if (h['p_value'] or 0) < 0.001 else '='}$ \seedlock{{{name}.p_value}}"
    interval = rf" (\seedlock{{{name}.ci_level}} interval \seedlock{{{name}.ci}}, {p})" if h["ci"] else ""
    found = rf"Estimate \seedlock{{{name}.estimate}}{interval}; decision: \seedlock{{{name}.decision}}."
    return rf"\seedlockcode{{{breakable(h['id'])}}}: ``\seedlock{{{name}.claim}}'' {found}"


def _run(paths: StudyPaths, to: Path, _wishes: Wishes) -> Path:
    return export_latex(paths, to)


EXPORTER = Exporter(
    run=_run,
    says="a folder for a paper: its numbers by key, a table, the methods, figures as PDF, a reference",
    to="{study}-latex",
    then=r"\input{{{to}/numbers}} in your paper (see {to}/example.tex), and  seedlock verify --paper PAPER.tex",
)
