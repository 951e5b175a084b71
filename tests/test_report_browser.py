"""The page in a real browser: no errors, no sideways scroll and enough contrast."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from seedlock.analysis.report.build import build_report
from seedlock.prereg.lock.gate import LockedPlan
from tests.report_fixture import make_locked, make_posteriors, make_results

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

CONTRAST = """
() => {
  const channel = (c) => { c /= 255; return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; };
  const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const parse = (text) => { const n = text.match(/[\\d.]+/g).map(Number); return n.length === 3 ? [...n, 1] : n; };
  const ground = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const colour = parse(getComputedStyle(e).backgroundColor);
      if (colour[3] === 1) return colour;
    }
    return [255, 255, 255, 1];
  };
  const faint = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !element.checkVisibility() || element.closest("script, style, noscript, .skip")) continue;
    const style = getComputedStyle(element);
    const ink = light(parse(element.closest("svg") ? style.fill : style.color));
    const paper = light(ground(element.closest("svg") ? element.closest("svg").parentElement : element));
    const ratio = (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
    if (ratio < 4.5) faint.push(`${ratio.toFixed(2)} ${element.tagName}.${element.className.baseVal ?? element.className}: ${walker.currentNode.data.trim().slice(0, 40)}`);
  }
  return faint;
}
"""  # noqa: E501


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> LockedPlan:
    locked = make_locked(tmp_path_factory.mktemp("repository"))
    results = make_results(locked.lock_id)
    build_report(results, locked, make_posteriors(), locked.paths.report)
    (locked.paths.report / "results.json").write_bytes(results.to_bytes())
    return locked


PAGES = ("report.html", "appendix.html")


def opened(
    browser: Browser,
    locked: LockedPlan,
    name: str = "report.html",
    *,
    width: int = 1280,
    scheme: Literal["light", "dark"] = "light",
) -> tuple[Page, list[str]]:
    """A page of the report in a tab, and everything the console or the network said."""
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.set_default_timeout(120_000)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: said.append(request.url) if not request.url.startswith("file:") else None)
    page.goto((locked.paths.report / name).as_uri())
    return page, said


FIRST_SCREEN = (
    ".chip",
    "h1",
    ".question",
    ".answer p",
    "figure.headline > svg",
    ".confidence",
    ".sure dd",
    ".scoreboard p",
    ".onward",
)


@pytest.mark.parametrize(("width", "height"), [(1280, 900), (390, 844)])
def test_the_first_screen_holds_the_answer_its_figure_what_limits_it_and_the_scoreboard(
    width: int, height: int, browser: Browser, locked: LockedPlan
) -> None:
    page, _ = opened(browser, locked, width=width)
    page.set_viewport_size({"width": width, "height": height})
    for part in FIRST_SCREEN:
        shown = page.locator(f"header.bar {part}" if part == ".chip" else f"#answer .first {part}").all()
        assert shown, part
        for place in shown:
            box = place.bounding_box()
            assert box is not None, part
            assert box["height"] > 8, part
            assert box["x"] >= 0, part
            assert box["x"] + box["width"] <= width, part
            assert 0 <= box["y"] <= box["y"] + box["height"] <= height, (part, box)
    page.close()


def test_a_mark_of_the_scoreboard_leads_to_its_row_and_the_row_to_its_fold_in_the_appendix(
    browser: Browser, locked: LockedPlan
) -> None:
    page, _ = opened(browser, locked)
    marks = page.locator(".scoreboard .marks a")
    assert marks.count() == page.locator("article.hypothesis").count()
    marks.nth(1).click()
    row = page.locator("article.hypothesis:target")
    expect(row).to_have_count(1)
    row.locator(".id a").click()
    expect(page).to_have_url(re.compile(r"/appendix\.html#[^/]+$"))
    expect(page.locator("article.whole:target > details[open]")).to_have_count(1)
    page.close()


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("width", [360, 768, 1280])
def test_a_page_never_scrolls_sideways_and_says_nothing_to_the_console(
    width: int, name: str, browser: Browser, locked: LockedPlan
) -> None:
    page, said = opened(browser, locked, name, width=width)
    page.evaluate("document.querySelectorAll('details').forEach((details) => { details.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert said == []
    page.close()


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_word_can_be_read_on_its_ground(
    scheme: Literal["light", "dark"], name: str, browser: Browser, locked: LockedPlan
) -> None:
    page, _ = opened(browser, locked, name, scheme=scheme)
    page.evaluate("document.querySelectorAll('details:not(.whole)').forEach((details) => { details.open = true; })")
    assert page.evaluate(CONTRAST) == []
    page.close()


def sheets(page: Page) -> int:
    """Sheets of A4 that a page prints on."""
    return len(re.findall(rb"/Type\s*/Page\b", page.pdf(format="A4")))


def test_the_report_prints_on_eight_sheets_and_the_appendix_in_full(browser: Browser, locked: LockedPlan) -> None:
    page, _ = opened(browser, locked)
    assert 1 < sheets(page) <= 8
    page.emulate_media(media="print")
    assert page.locator("#how").is_hidden()
    page.close()
    page, _ = opened(browser, locked, "appendix.html")
    page.emulate_media(media="print")
    page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    folds = page.locator("article.whole details:not(.whole)").count()
    assert folds > 0
    expect(page.locator("article.whole details[open]:not(.whole)")).to_have_count(folds)
    assert sheets(page) > 1
    page.close()


def test_a_page_mailed_alone_gives_its_tables_and_figures(browser: Browser, locked: LockedPlan) -> None:
    page, said = opened(browser, locked)
    with page.expect_download() as kept:
        page.locator("table .csv").first.click()
    rows = list(csv.reader(io.StringIO(Path(kept.value.path()).read_text("utf-8"))))
    head = page.locator("table").first.locator("th").all_inner_texts()
    assert rows[0] == head
    assert len({len(row) for row in rows}) == 1
    with page.expect_download() as kept:
        page.locator("figure.headline summary").click()
        page.locator("figure.headline .files a", has_text="SVG").click()
    picture = Path(kept.value.path()).read_text("utf-8")
    assert picture.startswith("<svg")
    assert "var(" not in picture
    assert said == []
    page.close()


def serious_faults(page: Page) -> list[str]:
    return [
        f"{rule['id']}: {node['target']}"
        for rule in Axe().run(page).response["violations"]
        if rule["impact"] in {"serious", "critical"}
        for node in rule["nodes"]
    ]


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1280, "light")])
def test_axe_finds_no_serious_accessibility_fault(
    browser: Browser, locked: LockedPlan, name: str, width: int, scheme: Literal["light", "dark"]
) -> None:
    page, _ = opened(browser, locked, name, width=width, scheme=scheme)
    assert serious_faults(page) == []
    page.close()


PUBLISHED = sorted(Path(__file__).parents[1].glob("reports/*/report.html"))


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1280, "light")])
@pytest.mark.parametrize("report", PUBLISHED, ids=lambda report: report.parent.name)
def test_every_published_report_reads_well_on_a_phone_and_a_desk(
    report: Path, width: int, scheme: Literal["light", "dark"], browser: Browser
) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.set_default_timeout(120_000)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(report.as_uri())
    assert serious_faults(page) == []
    page.evaluate("document.querySelectorAll('details:not(.whole)').forEach((details) => { details.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert said == []
    page.close()


def test_a_table_of_sentences_is_not_cut_on_a_phone(browser: Browser, locked: LockedPlan) -> None:
    page, _ = opened(browser, locked, width=390)
    cut = "(boxes) => boxes.filter((box) => box.scrollWidth > box.clientWidth + 1).length"
    assert page.locator(".scroll.prose").count() >= 2
    assert page.eval_on_selector_all(".scroll.prose", cut) == 0
    page.close()
