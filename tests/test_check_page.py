"""docs/check.html in a real browser: what holds, was forged or is missing, and every headline computed again."""

from __future__ import annotations

import json
import math
import os
import random
import shutil
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from axe_playwright_python.sync_playwright import Axe
from scipy import stats

from docs.make_check_page import NAMED_IN, PAGE, bundle, page
from seedlock.analysis.estimators import ESTIMATORS
from seedlock.analysis.estimators.internals.sample import Level, Sample
from seedlock.analysis.estimators.pooled_t import pooled_t
from seedlock.prereg.base.canonical import canonical_json, sha256_bytes, sha256_file
from seedlock.prereg.errors import Refusal
from seedlock.prereg.lock.events import EVENTS
from seedlock.prereg.lock.ledger import Event
from seedlock.prereg.lock.looks import looks_used
from seedlock.prereg.verify.check_page import check_page_sha256
from seedlock.prereg.verify.number_binding import bound_number, format_value
from tests.conftest import PROJECT, StudyFixture
from tests.sample_builders import two_arms

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

BIRDS = "published_bird_seeds"
COUNTS = f"reports/{BIRDS}/data/counts.parquet"
RESULTS = f"reports/{BIRDS}/results.json"
REPORT = f"reports/{BIRDS}/report.html"
LEDGER = f"lockfiles/{BIRDS}/ledger.jsonl"
PUBLISHED = sorted(path.parent.name for path in PROJECT.glob("reports/*/results.json"))
READ = """
() => ({
  status: document.getElementById("status").textContent,
  notes: [...document.querySelectorAll("#results > .note")].map((note) => note.textContent),
  lines: [...document.querySelectorAll(".lines > li")].map((line) => ({
    state: line.className, what: line.querySelector(".what").textContent,
    where: [...line.querySelectorAll(".faults > li > code")].map((code) => code.textContent),
    text: line.textContent })),
  rows: [...document.querySelectorAll("tbody tr")].map((row) => ({
    state: row.className, id: row.cells[0].textContent, apart: row.cells[4].textContent })),
})
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What the page said of some files."""

    status: str
    notes: list[str]
    lines: list[dict[str, Any]]
    rows: list[dict[str, str]]

    def state(self, words: str) -> str:
        """State of the one line that says `words`."""
        (line,) = [line for line in self.lines if words in line["what"]]
        return str(line["state"])

    @property
    def broken(self) -> dict[str, list[str]]:
        """Lines that do not hold -> what they name."""
        return {line["what"]: line["where"] for line in self.lines if line["state"] in {"changed", "missing"}}

    def names(self, path: str) -> set[str]:
        """States of the lines that name a file."""
        return {line["state"] for line in self.lines if any(path in where for where in line["where"])}


@pytest.fixture(scope="module")
def tab(browser: Browser) -> Iterator[tuple[Page, list[str]]]:
    """The page in one tab for all tests, and everything the console or the network said."""
    opened = browser.new_page(viewport={"width": 1280, "height": 900})
    opened.set_default_timeout(60_000)
    said: list[str] = []
    opened.on("console", lambda message: said.append(message.text))
    opened.on("pageerror", lambda error: said.append(str(error)))
    own = ("file:", "data:", "blob:")
    opened.on("request", lambda request: said.append(request.url) if not request.url.startswith(own) else None)
    opened.goto(PAGE.as_uri())
    yield opened, said
    opened.close()


@pytest.fixture
def check(tab: tuple[Page, list[str]]) -> Iterator[Callable[..., Told]]:
    """Choose a folder or files, wait, and read the list; the console stays silent."""
    opened, said = tab

    def chosen(path: Path | list[Path], field: str = "#folder") -> Told:
        return told(opened, lambda: opened.set_input_files(field, path))

    yield chosen
    assert said == []


def told(opened: Page, act: Callable[[], None]) -> Told:
    """Hand files over, wait until the page is done with them, and read what it says."""
    before = int(opened.evaluate("document.body.dataset.done ?? 0"))
    act()
    opened.locator(f'body[data-done="{before + 1}"]').wait_for(state="attached")
    return Told(**opened.evaluate(READ))


def dropped(opened: Page, paths: list[Path]) -> Told:
    """Drop files and folders on the page, as a hand does."""
    session = opened.context.new_cdp_session(opened)
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}

    def drop() -> None:
        for kind in ("dragEnter", "dragOver", "drop"):
            session.send("Input.dispatchDragEvent", {"type": kind, "x": 300, "y": 300, "data": data})

    return told(opened, drop)


def copied(root: Path, *studies: str) -> Path:
    """Published studies as somebody else's repository."""
    for study in studies:
        for shelf in ("prereg/studies", "lockfiles", "reports"):
            shutil.copytree(PROJECT / shelf / study, root / shelf / study, copy_function=os.link)
    return root


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository of one small study."""
    return copied(tmp_path / "repository", BIRDS)


def rewrite(root: Path, path: str, data: bytes) -> None:
    """Other bytes in a file's place; the published one is another file."""
    (root / path).unlink(missing_ok=True)
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_bytes(data)


def rechained(root: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """The ledger after `change` of its events, every digest made anew, the head too: an author who takes care."""
    previous, lines = None, []
    for written in (root / LEDGER).read_bytes().splitlines():
        event = json.loads(written)
        change(event)
        event["prev"] = previous
        lines.append(canonical_json(event) + b"\n")
        previous = sha256_bytes(lines[-1])
    rewrite(root, LEDGER, b"".join(lines))
    rewrite(root, LEDGER.replace("jsonl", "head"), f"{previous}\n".encode())


def relisted(root: Path) -> None:
    """The manifest of the report as it lies here now."""
    folder = root / f"reports/{BIRDS}"
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "manifest.sha256")
    lines = "".join(f"{sha256_file(path)}  {path.relative_to(folder).as_posix()}\n" for path in files)
    rewrite(root, f"reports/{BIRDS}/manifest.sha256", lines.encode())


def vouched(root: Path, event: dict[str, Any]) -> None:
    """Let the ledger speak of the files as they lie here now."""
    if event["event"] == "data.sealed":
        event["sha256"] = sha256_file(root / f"reports/{BIRDS}/data" / event["file"])
        event["rows"] = pq.ParquetFile(root / f"reports/{BIRDS}/data" / event["file"]).metadata.num_rows
    if event["event"] == "report.built":
        event["manifest_sha256"] = sha256_file(root / f"reports/{BIRDS}/manifest.sha256")
        event["results_sha256"] = sha256_file(root / RESULTS)


def test_the_page_is_what_its_sources_make() -> None:
    assert PAGE.read_text("utf-8") == page()


def test_its_digest_stands_where_readers_look_for_it() -> None:
    for text in NAMED_IN:
        assert sha256_file(PAGE) in text.read_text("utf-8")
    assert check_page_sha256() == sha256_file(PAGE)


def test_the_page_asks_for_no_network_and_evaluates_nothing() -> None:
    text = PAGE.read_text("utf-8")
    assert "default-src 'none'" in text
    assert "unsafe-eval" not in text
    assert not [word for word in ("eval(", "new Function", "fetch(", "XMLHttpRequest", "innerHTML") if word in text]
    assert "MIT License" in text
    assert "Arjun Barrett" in text


@pytest.mark.parametrize("study", PUBLISHED)
def test_every_published_study_holds_and_its_headlines_are_computed_again(
    study: str, check: Callable[..., Told], tmp_path: Path
) -> None:
    found = check(copied(tmp_path / "repository", study))
    assert found.broken == {}
    assert "All that was checked here holds." in found.status
    results = json.loads((PROJECT / "reports" / study / "results.json").read_bytes())
    plan = json.loads((PROJECT / "lockfiles" / study / "lock-0001.json").read_bytes())["plan"]["parsed"]
    tests = {"one_sample_t", "paired_t", "pooled_t", "welch_t", "wilson", "clopper_pearson"}
    inside = {"reading", "gap_share"}
    has_method = {
        h["id"]
        for h in results["hypotheses"]
        if h["estimate"] is not None and h["test"] in tests and plan["measures"][h["measure"]]["kind"] not in inside
    }
    assert {row["id"] for row in found.rows if row["state"] == "holds"} == has_method
    assert {row["id"] for row in found.rows} == {h["id"] for h in results["hypotheses"]}
    assert all(float(row["apart"]) <= 1e-9 for row in found.rows if row["state"] == "holds")


@pytest.mark.parametrize(
    ("path", "link"),
    [
        (f"prereg/studies/{BIRDS}/plan.toml", "The plan and every file"),
        (f"prereg/studies/{BIRDS}/counts.csv", "The plan and every file"),
        (LEDGER, "The ledger is one unbroken chain"),
        (COUNTS, "Sealed data are as the ledger"),
        (f"reports/{BIRDS}/figures/forest-1.svg", "as the manifest lists them"),
    ],
)
def test_a_flipped_byte_is_found(path: str, link: str, check: Callable[..., Told], repository: Path) -> None:
    data = bytearray((repository / path).read_bytes())
    data[len(data) // 2] ^= 1
    rewrite(repository, path, bytes(data))
    found = check(repository)
    assert found.state(link) == "changed"
    assert "changed" in found.names(path)
    assert "Something does not hold" in found.status


def test_a_missing_file_is_missing_and_a_renamed_one_is_missing_and_extra(
    check: Callable[..., Told], repository: Path
) -> None:
    (repository / f"prereg/studies/{BIRDS}/counts.csv").unlink()
    renamed = repository / COUNTS
    renamed.rename(renamed.with_name("totals.parquet"))
    (repository / f"lockfiles/{BIRDS}/ledger.head").unlink()
    found = check(repository)
    assert found.names("counts.csv") == {"missing"}
    assert "missing" in found.names("ledger.head")
    assert {"changed"} == found.names("data/totals.parquet")
    assert found.state("Headline numbers") == "unchecked"


def test_another_studys_lock_is_not_this_ones(check: Callable[..., Told], repository: Path) -> None:
    other = (PROJECT / "lockfiles/published_marker_leak/lock-0001.json").read_bytes()
    rewrite(repository, f"lockfiles/{BIRDS}/lock-0001.json", other)
    found = check(repository)
    assert found.state("Each lock is of this study") == "changed"
    assert found.state("The ledger names every lock") == "changed"
    assert found.state("Results name this lock") == "changed"


def test_a_renamed_study_is_found(check: Callable[..., Told], tmp_path: Path) -> None:
    root = copied(tmp_path / "repository", BIRDS)
    for shelf in ("prereg/studies", "lockfiles", "reports"):
        (root / shelf / BIRDS).rename(root / shelf / "fresh_start")
    assert check(root).state("Each lock is of this study") == "changed"


def test_a_number_forged_on_the_page_is_found_even_where_manifest_and_ledger_were_made_anew(
    check: Callable[..., Told], repository: Path
) -> None:
    text = (repository / REPORT).read_text("utf-8")
    forged = text.replace(">72.0%</data>", ">82.0%</data>", 1).replace("<main", "<p>A mean of 82.0%</p><main", 1)
    assert forged.count("82.0%") == text.count("82.0%") + 2
    rewrite(repository, REPORT, forged.encode())
    relisted(repository)
    rechained(repository, lambda event: vouched(repository, event))
    found = check(repository)
    assert list(found.broken) == [line["what"] for line in found.lines if "report.html prints" in line["what"]]
    (line,) = [line for line in found.lines if "report.html prints" in line["what"]]
    assert len(line["where"]) == 2


def test_results_forged_with_page_manifest_and_ledger_made_to_match_differ_from_the_sealed_rows(
    check: Callable[..., Told], repository: Path
) -> None:
    results = json.loads((repository / RESULTS).read_bytes())
    before = json.loads((repository / RESULTS).read_bytes())
    results["hypotheses"][0]["estimate"] += 0.1
    results["hypotheses"][0]["ci"] = [end + 0.1 for end in results["hypotheses"][0]["ci"]]
    text = (repository / REPORT).read_text("utf-8")
    for ref in ("estimate", "ci/0", "ci/1"):
        for spec in ("percent0", "percent1", "percent2"):
            pointer = f"/hypotheses/0/{ref}"
            text = text.replace(bound_number(before, pointer, spec), bound_number(results, pointer, spec))
    rewrite(repository, REPORT, text.encode())
    rewrite(repository, RESULTS, canonical_json(results) + b"\n")
    relisted(repository)
    rechained(repository, lambda event: vouched(repository, event))
    found = check(repository)
    assert [words.split(",")[0] for words in found.broken] == ["Headline numbers"]
    assert [row["id"] for row in found.rows if row["state"] == "changed"] == ["shift[mini]"]


def without_rows(root: Path) -> None:
    """Four unwelcome runs taken out of the sealed counts."""
    table = pq.read_table(root / COUNTS)
    (root / COUNTS).unlink()
    pq.write_table(table.slice(4), root / COUNTS, compression="zstd")


def test_rows_taken_out_are_found_by_the_ledgers_chain(check: Callable[..., Told], repository: Path) -> None:
    old = sha256_file(repository / COUNTS)
    without_rows(repository)
    relisted(repository)
    text = (repository / LEDGER).read_text().replace(old, sha256_file(repository / COUNTS))
    rewrite(repository, LEDGER, text.encode())
    found = check(repository)
    assert found.state("The ledger is one unbroken chain") == "changed"
    assert found.state("Results name this lock") == "changed"
    assert found.state("Manifest and results") == "changed"


def test_rows_taken_out_are_found_by_the_numbers_where_the_whole_chain_was_made_anew(
    check: Callable[..., Told], repository: Path
) -> None:
    old = sha256_file(repository / COUNTS)
    without_rows(repository)
    text = (repository / RESULTS).read_text().replace(old, sha256_file(repository / COUNTS))
    rewrite(repository, RESULTS, text.encode())
    text = (repository / REPORT).read_text("utf-8").replace(old, sha256_file(repository / COUNTS))
    rewrite(repository, REPORT, text.encode())
    relisted(repository)
    rechained(repository, lambda event: vouched(repository, event))
    found = check(repository)
    assert found.state("The ledger is one unbroken chain") == "holds"
    assert found.state("Sealed data are as the ledger") == "holds"
    assert found.state("Headline numbers") == "changed"


def test_a_sealed_file_that_leaves_the_results_is_named(check: Callable[..., Told], repository: Path) -> None:
    results = json.loads((repository / RESULTS).read_bytes())
    results["inputs"] = results["inputs"][:-1]
    rewrite(repository, RESULTS, canonical_json(results) + b"\n")
    assert check(repository).state("Results name this lock") == "changed"


@pytest.mark.parametrize("damage", ["garbage", "cut", "sizes"])
def test_damaged_parquet_cannot_be_checked_and_stops_nothing(
    damage: str, check: Callable[..., Told], repository: Path
) -> None:
    data = (repository / COUNTS).read_bytes()
    noise = random.Random(3).randbytes(len(data) - 12)
    broken = {
        "garbage": b"PAR1" + noise + len(noise).to_bytes(4, "little") + b"PAR1",
        "cut": data[: len(data) // 2],
        "sizes": data[:-8] + (2**31).to_bytes(4, "little") + b"PAR1",
    }[damage]
    rewrite(repository, COUNTS, broken)
    relisted(repository)
    digest = sha256_bytes(broken)
    rechained(repository, lambda event: event.update(sha256=digest) if event.get("file") == "counts.parquet" else None)
    found = check(repository)
    assert found.state("Sealed data are as the ledger") == "holds"
    assert found.state("Headline numbers") == "unchecked"


@pytest.mark.parametrize("path", [f"lockfiles/{BIRDS}/lock-0001.json", RESULTS, LEDGER])
def test_hostile_json_never_stops_the_page(path: str, check: Callable[..., Told], repository: Path) -> None:
    rewrite(repository, path, b"[" * 200_000 + b"\n")
    assert check(repository).lines
    rewrite(repository, path, b'{"__proto__": {"polluted": 1}, "plan": 3, "hypotheses": 7, "n": 1e999}\n')
    found = check(repository)
    assert found.lines
    assert "checked" in found.status


def test_results_that_cannot_be_read_are_changed_where_a_report_was_built(
    check: Callable[..., Told], repository: Path
) -> None:
    results = json.loads((repository / RESULTS).read_bytes())
    for data in (b"[" * 200_000, json.dumps(results, indent=1).encode()):
        rewrite(repository, RESULTS, data)
        relisted(repository)
        found = check(repository)
        assert found.state("results.json is the canonical JSON") == "changed"
        assert "All that was checked" not in found.status


@pytest.mark.parametrize(
    "markup",
    [
        "<script>document.body.textContent = 'Proved'</script>",
        "<p onclick='x()'>a</p>",
        "<meta http-equiv='refresh' content='x'>",
        "<form></form>",
        "<img src='https://example.org/x.png'>",
        "<style>body { background: url(https://example.org/x) }</style>",
        "<a href='javascript:x()'>a</a>",
    ],
)
def test_what_no_template_writes_on_a_page_is_named(
    markup: str, check: Callable[..., Told], tab: tuple[Page, list[str]], repository: Path
) -> None:
    page_before = (repository / REPORT).read_text("utf-8")
    rewrite(repository, REPORT, page_before.replace("</h1>", f"</h1>{markup}", 1).encode())
    assert check(repository).state("report.html runs no script") == "changed"
    assert all("inline event handler violates" in said for said in tab[1])  # the browser refuses them too
    tab[1].clear()


def test_the_page_knows_the_script_of_the_reports_template() -> None:
    script = (PROJECT / "analysis" / "report" / "templates" / "page.js").read_text("utf-8").strip()
    assert sha256_bytes(script.encode()) in PAGE.read_text("utf-8")


def test_names_and_texts_of_files_never_become_markup(
    check: Callable[..., Told], tab: tuple[Page, list[str]], repository: Path
) -> None:
    hostile = "<img src=x onerror=alert(1)>\u202egnp.exe"
    rewrite(repository, f"reports/{BIRDS}/{hostile}", b"x")
    lock = json.loads((repository / f"lockfiles/{BIRDS}/lock-0001.json").read_bytes())
    lock["study"] = "<script>alert(1)</script>"
    rewrite(repository, f"lockfiles/{BIRDS}/lock-0001.json", canonical_json(lock) + b"\n")
    found = check(repository)
    assert tab[0].locator("#results img, #results script").count() == 0
    shown = "".join(line["text"] for line in found.lines)
    assert "<img src=x onerror=alert(1)>⟨U+202E⟩gnp.exe" in shown
    assert "<script>alert(1)</script>" in shown


def test_a_huge_folder_ends_at_a_cap_that_is_said(tab: tuple[Page, list[str]], repository: Path) -> None:
    crowd = repository / "aaa"
    crowd.mkdir()
    for n in range(20_050):
        (crowd / f"{n}").touch()
    found = dropped(tab[0], [repository])
    shutil.rmtree(crowd)
    assert any("More than 20000 files" in note for note in found.notes)
    assert "changed" not in {line["state"] for line in found.lines}
    assert "missing" not in {line["state"] for line in found.lines}


def archive(root: Path, to: Path, *, damage: bool = False) -> Path:
    """Everything of a repository in a zip file."""
    with zipfile.ZipFile(to, "w", zipfile.ZIP_DEFLATED) as file:
        for path in sorted(root.rglob("*")):
            file.write(path, path.relative_to(root).as_posix())
    if damage:
        data = bytearray(to.read_bytes())
        data[len(data) // 2 : len(data) // 2 + 4000] = bytes(4000)
        to.write_bytes(bytes(data))
    return to


def test_an_archive_is_checked_like_a_folder(check: Callable[..., Told], repository: Path, tmp_path: Path) -> None:
    found = check([archive(repository, tmp_path / "study.zip")], "#files")
    assert found.broken == {}
    assert {row["state"] for row in found.rows} == {"holds"}
    assert check([archive(repository, tmp_path / "broken.zip", damage=True)], "#files").lines
    (tmp_path / "none.zip").write_bytes(b"PK\x05\x06" + b"\xff" * 18)
    assert "cannot be read" in check([tmp_path / "none.zip"], "#files").notes[0]


def test_folders_of_one_study_are_put_together_and_what_was_not_dropped_is_not_missing(
    check: Callable[..., Told], tab: tuple[Page, list[str]], repository: Path
) -> None:
    alone = check(repository / "reports" / BIRDS)
    assert "missing" not in {line["state"] for line in alone.lines}
    assert alone.state("Every number that report.html prints") == "holds"
    together = dropped(tab[0], [repository / shelf / BIRDS for shelf in ("prereg/studies", "lockfiles", "reports")])
    assert together.broken == {}
    assert {row["state"] for row in together.rows} == {"holds"}


def in_page(tab: tuple[Page, list[str]], module: str, expression: str, values: object) -> Any:
    """Evaluate an expression over `values` (`v`) with one module's exports (`m`)."""
    script = f'(v) => {{ {bundle(module)}; const m = modules["{module}"]; return {expression}; }}'
    return tab[0].evaluate(script, values)


def test_numbers_are_written_as_python_writes_them(tab: tuple[Page, list[str]]) -> None:
    chance = random.Random(5)
    plain = [0.0, -0.0, 0.5, 1.5, 2.5, -2.5, 0.125, 0.375, 1e-7, 1e21, 123456789.5, 0.0005, 0.00049999, -0.004, 1 / 3]
    values = [*plain, *(chance.uniform(-1, 1) * 10 ** chance.randint(-6, 6) for _ in range(300))]
    values += [chance.randint(-2000, 2000) / 2 ** chance.randint(1, 8) for _ in range(300)]
    specs = [*(f"{kind}{d}" for kind in ("percent", "pp", "number") for d in range(5)), "p", "text"]
    cases = [[value, spec] for value in values for spec in specs if spec != "p" or 0 <= value <= 1]
    cases += [[n, "integer"] for n in (0, 999, 1000, -1234567, 2**53 - 1)] + [[None, "text"], [True, "text"]]
    written = in_page(tab, "numbers.js", "v.map(([value, spec]) => m.formatValue(value, spec))", cases)
    through = [json.loads(canonical_json(value)) for value, _ in cases]
    assert written == [format_value(value, spec) for value, (_, spec) in zip(through, cases, strict=True)]


def test_quantiles_are_scipys(tab: tuple[Page, list[str]]) -> None:
    tails = [0.25, 0.05, 0.025, 0.00625, 0.001, 1e-6]
    t = [[tail, df] for tail in tails for df in (1, 1.7, 2, 3, 7.31, 19, 148, 4000)]
    found = in_page(tab, "distributions.js", "v.map(([p, df]) => m.tUpper(p, df))", t)
    assert found == pytest.approx([float(stats.t.isf(p, df)) for p, df in t], rel=1e-12)
    beta = [[tail, k, n - k + 1] for tail in tails for n in (1, 10, 94, 4032) for k in {1, max(1, n // 3), n}]
    found = in_page(tab, "distributions.js", "v.map(([p, a, b]) => m.betaQuantile(p, a, b))", beta)
    assert found == pytest.approx([float(stats.beta.ppf(p, a, b)) for p, a, b in beta], rel=1e-10)
    found = in_page(tab, "distributions.js", "v.map((p) => m.normalUpper(p))", tails)
    assert found == pytest.approx([float(stats.norm.isf(p)) for p in tails], rel=1e-11)
    found = in_page(tab, "distributions.js", "v.map((x) => m.logGamma(x))", [0.5, 1, 2.5, 20, 3000.5])
    assert found == pytest.approx([math.lgamma(x) for x in (0.5, 1, 2.5, 20, 3000.5)], rel=1e-13, abs=1e-13)


def test_the_page_knows_every_event_and_every_withdrawn_study(
    tab: tuple[Page, list[str]], check: Callable[..., Told], tmp_path: Path
) -> None:
    assert set(in_page(tab, "chain.js", "[...m.EVENTS]", [])) == set(EVENTS)
    for shelf in ("prereg/studies", "lockfiles"):
        shutil.copytree(PROJECT / shelf / "vibe_leak_tiny", tmp_path / "r" / shelf / "vibe_leak_tiny")
    found = check(tmp_path / "r")
    assert found.broken == {}
    assert found.state("The ledger is one unbroken chain") == "holds"


def removed(root: Path, *events: str) -> None:
    """A ledger without some of its lines, numbered and chained anew."""
    lines = [json.loads(line) for line in (root / LEDGER).read_bytes().splitlines()]
    left = [line | {"n": n} for n, line in enumerate((e for e in lines if e["event"] not in events), start=1)]
    rewrite(root, LEDGER, b"".join(canonical_json(line) + b"\n" for line in left))
    rechained(root, lambda _: None)


@pytest.mark.parametrize(
    ("event", "at", "named"),
    [
        ("data.sealed", "2026-11-20T00:00:00+00:00", "ledger.jsonl line"),
        ("report.built", "2999-01-01T00:00:00+00:00", "ledger.jsonl line 6 at"),
        ("look.opened", "yesterday", "ledger.jsonl line 5 at"),
        ("plan.locked", "2026-11-01T00:00:00+00:00", "lock-0001.json created_asserted"),
    ],
)
def test_a_time_that_cannot_be_is_found_though_the_chain_was_made_anew(
    event: str, at: str, named: str, check: Callable[..., Told], repository: Path
) -> None:
    """Data older than the lock, a report of tomorrow, no time at all, a ledger that begins before its lock."""
    rechained(repository, lambda line: line.update(at=at) if line["event"] == event else None)
    found = check(repository)
    assert list(found.broken) == ["Times only grow and have passed, and no data are older than the lock"]
    assert any(named in where for where in found.broken[next(iter(found.broken))])


def test_data_that_stand_before_the_lock_in_the_ledger_are_found(check: Callable[..., Told], repository: Path) -> None:
    lines = [json.loads(line) for line in (repository / LEDGER).read_bytes().splitlines()]
    moved = [line | {"n": n, "at": lines[0]["at"]} for n, line in enumerate([lines[1], lines[0], *lines[2:]], start=1)]
    rewrite(repository, LEDGER, b"".join(canonical_json(line) + b"\n" for line in moved))
    rechained(repository, lambda _: None)
    assert check(repository).state("Lock, runs, data, looks and report came in this order") == "changed"


def test_a_report_that_no_ledger_line_names_is_found(
    check: Callable[..., Told], repository: Path, tmp_path: Path
) -> None:
    removed(repository, "report.built")
    found = check(repository)
    assert found.state("The report is one that the ledger recorded") == "changed"
    assert found.names(RESULTS) == {"changed"}
    other = copied(tmp_path / "other", "published_marker_leak")
    shutil.copytree(PROJECT / "reports" / BIRDS, other / "reports" / BIRDS)
    unlocked = check(other)
    assert unlocked.names(f"lockfiles/{BIRDS}/lock-0001.json") == {"missing"}


@pytest.mark.parametrize(("how", "state"), [("killed", "holds"), ("refused", "changed")])
def test_a_look_that_was_killed_is_no_look_and_one_that_was_refused_is(
    how: str, state: str, check: Callable[..., Told], repository: Path
) -> None:
    lines = [json.loads(line) for line in (repository / LEDGER).read_bytes().splitlines()]
    look = next(n for n, line in enumerate(lines) if line["event"] == "look.opened")
    ended = {"event": "look.ended", "line": look + 1, "how": how, "at": lines[look]["at"]}
    longer = [*lines[: look + 1], ended, *lines[look:]]
    rewrite(repository, LEDGER, b"".join(canonical_json(e | {"n": n}) + b"\n" for n, e in enumerate(longer, start=1)))
    rechained(repository, lambda _: None)
    assert check(repository).state("Results name this lock") == state


def test_looks_of_forks_are_counted_as_verify_counts_them(tab: tuple[Page, list[str]]) -> None:
    opened = [Event(n=n, at="", name="look.opened", body={}, sha256="") for n in (1, 2, 3)]
    ended = Event(n=4, at="", name="look.ended", body={"line": 2, "how": "killed"}, sha256="")
    forks = [
        Event(n=5, at="", name="fork.declared", body={"held": {"look.opened": 1}, "looks": ["a"]}, sha256=""),
        Event(n=6, at="", name="fork.declared", body={"held": {"look.opened": 2}, "looks": ["a", "b"]}, sha256=""),
        Event(n=7, at="", name="fork.declared", body={"held": {"look.opened": 3}}, sha256=""),
    ]
    events = [*opened, ended, *forks]
    plain = [{"n": event.n, "event": event.name, **event.body} for event in events]
    assert in_page(tab, "order.js", "m.looksUsed(v)", plain) == looks_used(events) == 7


def test_a_report_of_this_version_holds_and_is_computed_again(
    check: Callable[..., Told], reported: StudyFixture
) -> None:
    found = check(reported.paths.root)
    assert found.broken == {}
    assert {row["state"] for row in found.rows} == {"holds"}


def test_welchs_interval_is_scipys(tab: tuple[Page, list[str]]) -> None:
    one, other = [0.1, 0.25, 0.3, 0.55], [0.4, 0.42, 0.44, 0.47, 0.5]
    level = "{weight: 1 - 2 * i, means: new Map(means.map((x, j) => [j, x]))}"
    sample = f"{{levels: v.map((means, i) => ({level})), ends: [0, 1], isOld: false}}"
    found = in_page(tab, "estimators.js", f"m.ESTIMATORS.welch_t({sample}, 0.95)", [one, other])
    test = stats.ttest_ind(one, other, equal_var=False)
    low, high = test.confidence_interval(0.95)
    assert found["ci"] == pytest.approx([low, high], rel=1e-12)


def test_a_level_without_spread_lends_none_and_welch_has_no_answer(tab: tuple[Page, list[str]]) -> None:
    one, flat = [0.1, 0.25, 0.3, 0.55], [0.2, 0.2, 0.2]
    level = "{weight: 1 - 2 * i, means: new Map(means.map((x, j) => [j, x]))}"
    sample = f"{{levels: v.map((means, i) => ({level})), ends: [0, 1], isOld: false}}"
    found = in_page(tab, "estimators.js", f"m.ESTIMATORS.pooled_t({sample}, 0.95)", [one, flat])
    ours = pooled_t(two_arms(one, flat), level=0.95, edges=())
    assert found["ci"] == pytest.approx([ours.ci_low, ours.ci_high], rel=1e-12)
    refused = (
        f"(() => {{ try {{ m.ESTIMATORS.welch_t({sample}, 0.95); return ''; }} catch (e) {{ return e.message; }} }})()"
    )
    assert "no evidence of precision" in in_page(tab, "estimators.js", refused, [one, flat])


def test_the_t_family_is_the_analysiss_on_random_samples_flat_levels_and_lost_pairs(
    tab: tuple[Page, list[str]],
) -> None:
    chance = random.Random(11)
    cases: list[list[Any]] = []
    promised: list[float] = []
    while len(cases) < 200:
        test = chance.choice(["one_sample_t", "paired_t", "pooled_t", "welch_t"])
        weights = [1.0] if test == "one_sample_t" else [1.0, -1.0]
        means = [
            {str(u): chance.choice([0.0, 0.25, 0.5, 0.9, 1.0]) for u in range(chance.randint(2, 6))} for _ in weights
        ]
        levels = tuple(
            Level(name=str(i), weight=w, unit_means=m) for i, (w, m) in enumerate(zip(weights, means, strict=True))
        )
        try:
            found = ESTIMATORS[test].run(Sample(levels=levels, unit="seed", is_proportion=True), level=0.95, edges=())
        except Refusal:
            continue
        cases.append([test, [{"weight": w, "means": m} for w, m in zip(weights, means, strict=True)]])
        promised += [found.estimate, found.ci_low, found.ci_high]
    levels_js = "levels.map((l) => ({weight: l.weight, means: new Map(Object.entries(l.means))}))"
    run = f"m.ESTIMATORS[test]({{levels: {levels_js}, ends: [0, 1], isOld: false}}, 0.95)"
    found_js = in_page(tab, "estimators.js", f"v.map(([test, levels]) => {run})", cases)
    flat = [number for one in found_js for number in (one["estimate"], *one["ci"])]
    assert flat == pytest.approx(promised, rel=1e-9, abs=1e-12)


def test_the_canonical_spelling_is_rfc_8785(tab: tuple[Page, list[str]]) -> None:
    values = [{"b": [1, 2.5, -0.0, 1e21, 1e-7, None, True], "a\u20ac": '\u2028"\\\n', "\U0001f600": {}}, 0.1, "x"]
    found = in_page(tab, "canonical.js", "v.map((value) => m.canonical(value))", values)
    assert found == [canonical_json(value).decode() for value in values]


def test_the_sealed_tables_of_many_row_groups_are_read_whole(
    tab: tuple[Page, list[str]], tmp_path: Path, check: Callable[..., Told]
) -> None:
    root = copied(tmp_path / "repository", BIRDS)
    table = pq.read_table(root / COUNTS)
    (root / COUNTS).unlink()
    pq.write_table(pa.concat_tables([table]), root / COUNTS, compression="zstd", row_group_size=5)
    relisted(root)
    rechained(root, lambda event: vouched(root, event))
    assert {row["state"] for row in check(root).rows} == {"holds"}


@pytest.mark.parametrize("width", [390, 1280])
def test_the_list_reads_well_and_axe_finds_no_serious_fault(
    width: int, check: Callable[..., Told], tab: tuple[Page, list[str]], repository: Path
) -> None:
    (repository / f"prereg/studies/{BIRDS}/counts.csv").unlink()
    rewrite(repository, f"reports/{BIRDS}/report.md", b"forged")
    opened, _ = tab
    opened.set_viewport_size({"width": width, "height": 900})
    for scheme in ("light", "dark"):
        opened.emulate_media(color_scheme=scheme)
        check(repository)
        assert opened.evaluate("document.documentElement.scrollWidth") <= width
        found = Axe().run(opened).response["violations"]
        assert [rule["id"] for rule in found if rule["impact"] in {"serious", "critical"}] == []
    opened.emulate_media(color_scheme="light")
    opened.set_viewport_size({"width": 1280, "height": 900})


def test_both_ways_in_are_reached_by_keyboard(tab: tuple[Page, list[str]]) -> None:
    opened, _ = tab
    opened.reload()
    reached = []
    for _ in range(2):
        opened.keyboard.press("Tab")
        reached.append(opened.evaluate("document.activeElement.id"))
    assert reached == ["folder", "files"]
