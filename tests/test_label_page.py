"""The labelling page in a real browser: keys answer, what was chosen stays, and the file that it saves is a sheet."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from seedlock.generation.judge import judge_study
from seedlock.generation.label import import_gold, label_study
from seedlock.prereg.lock.gate import require_lock
from tests.judge_builders import locked_study
from tests.test_gold_labels import CHECKED, is_right

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser


def test_a_reader_answers_by_keys_leaves_comes_back_and_saves_a_sheet(browser: Browser, tmp_path: Path) -> None:
    locked = locked_study(tmp_path, judges=CHECKED)
    judge_study(locked)
    locked = require_lock(locked.paths)
    page_file = tmp_path / label_study(locked).judges[0].page
    with browser.new_context(accept_downloads=True, offline=True) as context:
        page = context.new_page()
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(page_file.as_uri())
        assert page.locator("#count").inner_text().startswith("0 of 87")
        for _ in range(50):
            page.keyboard.press("1" if is_right(page.locator("#text").inner_text()) else "2")
        page.close()
        again = context.new_page()
        again.goto(page_file.as_uri())
        assert again.locator("#count").inner_text().startswith("50 of 87"), "the browser kept what was chosen"
        for _ in range(37):
            again.keyboard.press("1" if is_right(again.locator("#text").inner_text()) else "2")
        assert again.locator("#count").inner_text().startswith("87 of 87")
        with again.expect_download() as download:
            again.get_by_text("Save", exact=True).last.click()
        saved = tmp_path / "answers.csv"
        download.value.save_as(saved)
    assert errors == []
    rows = list(csv.DictReader(saved.read_text("utf-8").splitlines()))
    assert {row["answer"] for row in rows} == {"19", "LLM"}
    done = import_gold(locked, "era", [saved])
    assert (done.texts, done.outcomes) == (87, {"ok": 87})
