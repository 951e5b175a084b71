"""A paper's numbers are the report's: exported by key, compiled by LaTeX, and held to results.json in its text."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seedlock.analysis.exporters.latex import export_latex
from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.errors import BadInput, OutOfOrder
from seedlock.prereg.paper.check import paper_checks, read_paper
from seedlock.prereg.paper.keys import Bound, bound_values
from seedlock.prereg.paper.numbers import MACROS
from seedlock.prereg.paper.source import loose_numbers
from seedlock.prereg.paper.tex import latex
from seedlock.prereg.paper.typed import is_so
from seedlock.prereg.verify.checks import Check
from seedlock.prereg.verify.pages import read_pages
from tests.conftest import PROJECT, StudyFixture

ENGINES = [engine for engine in ("pdflatex", "xelatex", "lualatex") if shutil.which(engine)]
needs_latex = pytest.mark.skipif(not shutil.which("pdflatex"), reason="needs pdflatex: Debian's texlive-latex-base")

PAPER = r"""
\documentclass{article}
\input{out/numbers}
\begin{document}
\section{The marker spreads by \seedlock{H1.estimate}} % 99.9\% is no result: a comment
Coupled models say it more often (\seedlock[48.4 points]{H1.estimate}, interval \seedlock{H1.ci},
$n = \seedlock{H1.n_units}$), in 2026, as in Section 3.2 and by \cite{a12}; others found \seedlockfree{12.5\%}.
\end{document}
"""


@pytest.fixture(scope="module")
def exported(reported: StudyFixture, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the export of a reported study under out/; tests must not change it (copy it first)."""
    folder = tmp_path_factory.mktemp("exported")
    export_latex(reported.paths, folder / "out")
    return folder


@pytest.fixture
def folder(exported: Path, tmp_path: Path) -> Path:
    """A copy that a test may change, with a paper beside the export."""
    shutil.copytree(exported, tmp_path / "paper")
    (tmp_path / "paper" / "main.tex").write_text(PAPER, "utf-8")
    return tmp_path / "paper"


def checks(main: Path, reported: StudyFixture) -> tuple[Check, Check]:
    bound, loose = paper_checks(read_paper(main), reported.paths, is_first=True)
    return bound, loose


def changed(file: Path, old: str, new: str) -> None:
    text = file.read_text("utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), "utf-8")


def compiled(file: Path, engine: str) -> str:
    """Compile twice, as for references, and read the pages back."""
    for _ in range(2):
        command = [engine, "-interaction=nonstopmode", "-halt-on-error", file.name]
        done = subprocess.run(command, cwd=file.parent, capture_output=True, check=False)
        assert done.returncode == 0, done.stdout.decode("latin-1")[-2000:]
    if not shutil.which("pdftotext"):
        pytest.skip("needs pdftotext: Debian's poppler-utils")
    shown = subprocess.run(["pdftotext", "-layout", file.with_suffix(".pdf"), "-"], capture_output=True, check=True)
    return shown.stdout.decode()


@needs_latex
@pytest.mark.parametrize("engine", ENGINES)
def test_the_example_paper_compiles_to_pages_that_print_the_reports_numbers(
    engine: str, folder: Path, reported: StudyFixture
) -> None:
    text = " ".join(compiled(folder / "out" / "example.tex", engine).split())
    pages = read_pages(reported.paths.report).values()
    results = json.loads((reported.paths.report / "results.json").read_bytes())
    for key in ("H1.estimate", "H1.ci", "H1.decision", "title", "accounting.runs_planned"):
        assert bound_values(results, pages)[key].text.replace("−", "-") in text.replace("−", "-")
    assert text.count("\f") == 0
    assert re.search(
        r"Output written on example.pdf \([23] pages", (folder / "out" / "example.log").read_text("latin-1")
    )
    assert [check.state for check in checks(folder / "out" / "example.tex", reported)] == ["pass", "pass"]


def test_a_paper_whose_numbers_are_the_reports_passes(folder: Path, reported: StudyFixture) -> None:
    bound, loose = checks(folder / "main.tex", reported)
    assert (bound.state, loose.state) == ("pass", "pass"), (bound.findings, loose.findings)
    assert "(4 of spread)" in bound.what


def test_a_wrong_number_is_named_with_its_line_and_what_the_results_say(folder: Path, reported: StudyFixture) -> None:
    changed(folder / "main.tex", "48.4 points", "49.4 points")
    pages = read_pages(reported.paths.report).values()
    results = json.loads((reported.paths.report / "results.json").read_bytes())
    promised = bound_values(results, pages)["H1.estimate"].text
    bound, _ = checks(folder / "main.tex", reported)
    [fault] = bound.findings
    assert (bound.state, bound.exit_code) == ("fail", 7)
    assert (fault.where, fault.found) == ("main.tex line 6 H1.estimate", "49.4 points")
    assert fault.promised == f"{promised}, as results.json has it at /hypotheses/0/estimate"


def test_a_key_that_is_none_is_named_with_the_nearest(folder: Path, reported: StudyFixture) -> None:
    changed(folder / "main.tex", r"\seedlock{H1.n_units}", r"\seedlock{H1.n_unit}")
    [fault] = checks(folder / "main.tex", reported)[0].findings
    assert fault.promised == "a key of numbers.tex, such as H1.n_units"


@pytest.mark.parametrize(
    ("old", "new", "promised"),
    [
        (r"\seedlocknumber{H1.n_units}{8}", r"\seedlocknumber{H1.n_units}{80}", "8"),
        (r"\providecommand\seedlockfree", r"\renewcommand\seedlockfree", "those that the export writes"),
        (r"\seedlocknumber{H1.n_units}{8}" + "\n", "", "seedlock export spread --format latex"),
    ],
)
def test_an_export_that_was_edited_fails(
    folder: Path, reported: StudyFixture, old: str, new: str, promised: str
) -> None:
    changed(folder / "out" / "numbers.tex", old, new)
    bound, _ = checks(folder / "main.tex", reported)
    assert [fault.promised for fault in bound.findings] == [promised]


def test_another_picture_under_a_figures_name_fails(folder: Path, reported: StudyFixture) -> None:
    (folder / "out" / "figures" / "headline.pdf").write_bytes(b"%PDF-1.4 mine")
    [fault] = checks(folder / "main.tex", reported)[0].findings
    assert "headline.pdf" in fault.where


def test_numbers_exported_before_the_results_changed_are_outdated(folder: Path, reported: StudyFixture) -> None:
    text = (folder / "out" / "numbers.tex").read_text("utf-8")
    digest = re.findall(r"\\seedlockstudy\{spread\}\{(\w{64})\}", text)[0]
    changed(folder / "out" / "numbers.tex", digest, "0" * 64)
    [fault] = checks(folder / "main.tex", reported)[0].findings
    assert fault.promised.startswith(digest)


def test_numbers_that_nothing_binds_are_listed_with_the_key_that_would(folder: Path, reported: StudyFixture) -> None:
    changed(folder / "main.tex", r"\end{document}", "All 8 runs; 77.7\\% elsewhere.\n\\end{document}")
    _, loose = checks(folder / "main.tex", reported)
    assert (loose.state, loose.exit_code) == ("warn", 0)
    runs, elsewhere = loose.findings
    assert runs.found.startswith("8  in: ")
    assert r"\seedlock{H1.n_units}" in runs.promised
    assert "no value of the study is printed so" in elsewhere.promised


def test_the_command_line_finds_the_studies_that_a_paper_inputs(folder: Path, reported: StudyFixture) -> None:
    from typer.testing import CliRunner

    from seedlock.cli import app

    changed(folder / "main.tex", "48.4 points", "49.4 points")
    typed = ["verify", "--paper", str(folder / "main.tex"), "--root", str(reported.paths.root)]
    done = CliRunner().invoke(app, typed)
    assert done.exit_code == 7
    assert "FAIL  N1" in done.output
    assert "49.4 points" in done.output
    (folder / "main.tex").write_text("\\documentclass{article}\n", "utf-8")
    refused = CliRunner().invoke(app, typed)
    assert isinstance(refused.exception, BadInput)
    assert "inputs no numbers of spread" in reported.run("verify", "--paper", str(folder / "main.tex"))


def test_a_paper_of_two_studies_names_the_second_and_each_is_held_to_its_own_report(
    folder: Path, reported: StudyFixture
) -> None:
    other = StudyPaths(root=PROJECT, name="published_bird_seeds")
    export_latex(other, folder / "second")
    changed(folder / "main.tex", r"\input{out/numbers}", r"\input{out/numbers}\input{second/numbers}")
    key = "published_bird_seeds/shift[mini].estimate"
    both = rf"\seedlock{{{key}}} \seedlock[72\%]{{{key}}} \seedlock[73\%]{{{key}}}\end{{document}}"
    changed(folder / "main.tex", r"\end{document}", both)
    paper = read_paper(folder / "main.tex")
    assert list(paper.exports) == ["spread", "published_bird_seeds"]
    [first, _] = paper_checks(paper, reported.paths, is_first=True)
    [second] = paper_checks(paper, other, is_first=False)
    assert (first.state, [fault.found for fault in second.findings]) == ("pass", [r"73\%"])


def test_an_export_writes_over_an_export_and_never_over_an_authors_file(folder: Path, reported: StudyFixture) -> None:
    before = (folder / "out" / "numbers.tex").read_bytes()
    export_latex(reported.paths, folder / "out")
    assert (folder / "out" / "numbers.tex").read_bytes() == before
    (folder / "out" / "methods.tex").write_text("my own words", "utf-8")
    with pytest.raises(BadInput, match="no export's"):
        export_latex(reported.paths, folder / "out")
    assert (folder / "out" / "methods.tex").read_text("utf-8") == "my own words"


def test_a_study_without_a_report_has_no_numbers(study: StudyFixture, tmp_path: Path) -> None:
    study.run("lock")
    with pytest.raises(OutOfOrder, match="no report"):
        export_latex(study.paths, tmp_path / "out")
    assert "seedlock analyze" in study.run("export", "--format", "latex", ok=5)
    assert "--license" in study.run("export", "--format", "latex", "--license", "https://example.org", ok=2)


def value(number: float | tuple[float, float] | str, spec: str, text: str) -> Bound:
    return Bound(key="k", ref="/k", value=number, spec=spec, text=text)


@pytest.mark.parametrize(
    ("shown", "bound", "so"),
    [
        (r"38.3\%", value(0.38345, "percent1", "38.3%"), True),
        (r"38\%", value(0.38345, "percent1", "38.3%"), True),
        (r"39\%", value(0.38345, "percent1", "38.3%"), False),
        ("0.38", value(0.38345, "percent1", "38.3%"), True),
        (r"0.38\%", value(0.38345, "percent1", "38.3%"), False),
        (r"$-$38.3~pp", value(-0.38345, "pp1", "−38.3 pp"), True),
        ("38.3~pp", value(-0.38345, "pp1", "−38.3 pp"), False),
        ("$p < 0.01$", value(0.004, "p", "0.004"), True),
        ("$p < 0.001$", value(0.004, "p", "0.004"), False),
        ("1{,}200 answers", value(1200, "integer", "1,200"), True),
        ("1.20", value(1.196, "number3", "1.196"), True),
        ("from 25.0 to 51.7 points", value((0.25, 0.517), "pp1", "[25.0 pp, 51.7 pp]"), True),
        ("from 25.0 to 51.8 points", value((0.25, 0.517), "pp1", "[25.0 pp, 51.7 pp]"), False),
        ("25.0", value((0.25, 0.517), "pp1", "[25.0 pp, 51.7 pp]"), False),
        ("twelve", value(12, "integer", "12"), False),
        ("supported", value("supported", "text", "supported"), True),
        ("refuted", value("supported", "text", "supported"), False),
    ],
)
def test_what_is_typed_for_a_value_is_that_value_rounded(shown: str, bound: Bound, so: bool) -> None:
    assert is_so(shown, bound) is so


@given(st.floats(-1, 1), st.integers(0, 4))
def test_any_rounding_of_a_rate_holds_and_the_next_one_does_not(rate: float, decimals: int) -> None:
    bound = value(rate, "percent1", "")
    assert is_so(rf"{100 * rate:.{decimals}f}\%", bound)
    assert not is_so(rf"{100 * rate + 2 * 10.0**-decimals:.{decimals}f}\%", bound)


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        (r"It rose to 11.7\% in 8 seeds ($n = 5$).", ["11.7", "8", "5"]),
        (r"Since 2019, Table 2, Section 3.1 and Figure~4 show it; two of 3 hold.", []),
        (r"We trained 1{,}200 models, 40 times.", ["1{,}200", "40"]),
        (r"\includegraphics[width=0.5\linewidth]{a12.pdf}\vspace{1.5em} \cite{x2021} \ref{t:10} \url{http://a/12}", []),
        ("\\begin{verbatim}\n12.5\n\\end{verbatim} \\verb|12.5| \\texttt{seed = 12.5}", []),
        (r"GPT-4.1 and Qwen2.5 under Python 3.12.1, v0.1.0", []),
        (r"Others had \seedlockfree{12.5\%, or {13}} and we \seedlock[38.3]{H1.estimate}.", []),
    ],
)
def test_numbers_that_look_like_results_are_told_from_the_rest(text: str, numbers: list[str]) -> None:
    found = [one.number for one in loose_numbers(Path("a.tex"), text)]
    assert found == [number.replace("{,}", "") for number in numbers]


@pytest.mark.parametrize(
    "piece", ["x 12.5\\% and $n = 5$\n", "\\cite[", "\\seedlockfree{", "\\seedlock[{a}{a}", "\\verb|", "%"]
)
def test_a_hostile_text_costs_no_more_than_its_length(piece: str) -> None:
    def seconds(n: int) -> float:
        start = time.perf_counter()
        list(loose_numbers(Path("a.tex"), piece * n))
        return time.perf_counter() - start

    few, many = seconds(500), seconds(8000)
    assert many < max(64 * few, 1.0)  # sixteen times the text: 16 in proportion, 256 where the time grows by the square


def test_a_negative_number_stands_without_its_sign_under_a_key_that_ends_when_the_sign_turns() -> None:
    results = {"hypotheses": [{"id": "H1", "estimate": -0.25, "ci": [-0.5, 0.125]}], "samples": [{"text": "9"}]}
    values = bound_values(results, [])
    shown = {key: one.text for key, one in values.items()}
    assert shown == {
        "H1.id": "H1",
        "H1.estimate": "−0.250",
        "|H1.estimate|": "0.250",
        "H1.ci": "[−0.500, 0.125]",
        "H1.ci.low": "−0.500",
        "|H1.ci.low|": "0.500",
        "H1.ci.high": "0.125",
    }


def test_two_names_that_are_spelt_alike_in_a_key_keep_apart() -> None:
    values = bound_values({"contrast": {"a b": 1, "a/b": 2, "a-b": 3}}, [])
    assert {key: one.value for key, one in values.items()} == {
        "contrast.a-b": 1,
        "contrast.a-b-2": 2,
        "contrast.a-b-3": 3,
    }


HOSTILE = [
    r"\input{/etc/passwd} \write18{x} $x_1^2$ #1 & 50% {braces} ~ ^^M \\",
    "quotes \"double\" 'single' `back` -- --- <tag> |bar| a_b",
    "naïve café Łódź Ørsted straße Čapek σ ≤ α × 3 ± 1 → … “q” ‘q’ – — ° 中文 😀 \u202e\u0000 \n\n par",
]


@needs_latex
@pytest.mark.parametrize("engine", ENGINES)
def test_any_text_compiles_as_nothing_but_itself(engine: str, tmp_path: Path) -> None:
    body = "\n\n".join(f"\\noindent {latex(text)}" for text in HOSTILE)
    file = tmp_path / "hostile.tex"
    file.write_text(
        f"\\documentclass{{article}}\n{MACROS}\\begin{{document}}\n\\section{{{latex(HOSTILE[0])}}}\n{body}\n\\end{{document}}\n",
        "utf-8",
    )
    shown = unicodedata.normalize("NFKC", " ".join(compiled(file, engine).split()))
    for words in (
        r"\input{/etc/passwd} \write18{x}",
        "50% {braces}",
        "<tag> |bar| a",
        "straße",
        "café",
        "[U+4E2D]",
        "[U+202E]",
    ):
        assert words in shown


@given(st.text(max_size=30))
def test_escaped_text_holds_no_command_of_its_own_and_closes_every_brace(text: str) -> None:
    escaped = latex(text)
    assert escaped.isascii()
    bare = re.sub(r"\\[\\{}$&#%_]", "", escaped)
    assert bare.count("{") == bare.count("}")
    assert not re.search(r"[$&#%_~]", re.sub(r"\\[^A-Za-z]|~(?=pp)", "", escaped).replace("\\~", ""))
