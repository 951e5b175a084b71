"""The documentation builds into pages that open from a folder, fetch nothing from elsewhere and lead nowhere dead."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.conftest import PROJECT

SITE = PROJECT / "build" / "site"
pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def site() -> Path:
    done = subprocess.run([sys.executable, "-m", "docs.make_site"], cwd=PROJECT, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()
    return SITE


class Targets(HTMLParser):
    """Addresses that a page links to or loads."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag == "a" and found.get("href"):
            self.links.append(str(found["href"]))
        if tag in {"script", "img"} and found.get("src"):
            self.loads.append(str(found["src"]))
        if tag == "link" and found.get("rel") in {"stylesheet", "icon"}:
            self.loads.append(str(found["href"]))


def pages(site: Path) -> Iterator[tuple[Path, Targets]]:
    for page in sorted(site.rglob("*.html")):
        targets = Targets()
        targets.feed(page.read_text("utf-8"))
        yield page, targets


def test_every_page_of_the_docs_is_built_and_every_link_leads_somewhere(site: Path) -> None:
    written = {path.relative_to(PROJECT / "docs").with_suffix(".html") for path in (PROJECT / "docs").rglob("*.md")}
    built = {page.relative_to(site) for page, _ in pages(site)}
    assert {Path("organisms/index.html") if p.name == "README.html" else p for p in written} <= built
    for page, targets in pages(site):
        if page.name == "404.html":
            continue
        for link in targets.links:
            path = link.split("#")[0].split("?")[0]
            if path and "://" not in path and not path.startswith("mailto:"):
                assert (page.parent / path).exists(), f"{page.relative_to(site)}: {link}"


def test_pages_load_nothing_from_elsewhere(site: Path) -> None:
    assert [load for _, targets in pages(site) for load in targets.loads if "://" in load] == []


def test_the_pages_open_from_a_folder_without_an_error(site: Path, browser: Browser) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 844})
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("requestfailed", lambda request: errors.append(request.url))
    for name in ("index.html", "plan.html", "validation.html", "tutorial.html", "methods/seeds.html"):
        page.goto((site / name).as_uri())
        assert page.locator("h1").first.inner_text()
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= 390, f"{name} is {width} px wide on a phone"
    page.close()
    assert errors == []


def test_search_answers_in_a_folder_too(site: Path, browser: Browser) -> None:
    page = browser.new_page()
    page.goto((site / "index.html").as_uri())
    page.keyboard.press("Control+k")
    page.get_by_role("combobox", name="Search").fill("pseudoreplication")
    found = page.get_by_role("option").first
    found.wait_for()
    assert "methods/seeds.html" in str(found.get_attribute("href"))
    page.close()
