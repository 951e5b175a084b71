"""A stranger's files: links, pipes, devices, floods and steering names end as one finding, never as a hang."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import time
import zipfile
from pathlib import Path

import pytest

from seedlock.prereg.base import reading
from seedlock.prereg.base.canonical import read_json
from seedlock.prereg.base.reading import found_at, is_inside, read_regular, walk
from seedlock.prereg.errors import BadInput, Finding, UnreadableFile
from seedlock.prereg.plan.read import parse_plan
from seedlock.prereg.printable import printable, printable_json
from seedlock.prereg.verify.chain import verify_study
from seedlock.prereg.verify.number_binding import check_markdown, check_page
from tests.conftest import PROJECT, StudyFixture
from tests.test_verify import rehash

EVERY_FILE = [
    "prereg/studies/spread/plan.toml",
    "lockfiles/spread/lock-0001.json",
    "lockfiles/spread/lock-0001.sha256",
    "lockfiles/spread/ledger.jsonl",
    "lockfiles/spread/ledger.head",
    "reports/spread/manifest.sha256",
    "reports/spread/results.json",
    "reports/spread/report.html",
    "reports/spread/report.md",
    "reports/spread/data/completions.parquet",
]


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


def link_to_zero(path: Path) -> None:
    path.symlink_to("/dev/zero")


def link_to_a_secret(path: Path) -> None:
    path.symlink_to("/etc/passwd")


@pytest.mark.parametrize("put", [make_pipe, link_to_zero, link_to_a_secret])
@pytest.mark.parametrize("file", EVERY_FILE)
def test_what_is_no_regular_file_is_named_and_not_waited_for(broken: StudyFixture, file: str, put) -> None:  # type: ignore[no-untyped-def]
    path = broken.paths.root / file
    path.unlink()
    put(path)
    begun = time.monotonic()
    done = verify_study(broken.paths)
    assert done.exit_code in {2, 3, 4, 6}
    assert time.monotonic() - begun < 10
    assert "root:" not in json.dumps(done.as_json())


def test_a_folder_that_is_a_link_leads_nowhere(broken: StudyFixture, tmp_path: Path) -> None:
    shutil.move(broken.paths.report, tmp_path / "elsewhere")
    broken.paths.report.symlink_to(tmp_path / "elsewhere")
    done = verify_study(broken.paths)
    assert done.exit_code == 3
    assert "reached through a link" in json.dumps(done.as_json())


def test_a_link_in_the_study_folder_cannot_be_locked_and_is_extra_after_the_lock(study: StudyFixture) -> None:
    secret = study.paths.study / "key"
    secret.symlink_to("/etc/passwd")
    assert "a link" in study.run("lock", ok=2)
    secret.unlink()
    study.run("lock")
    secret.symlink_to("/etc/passwd")
    assert "prereg/studies/spread/key" in json.dumps(verify_study(study.paths).as_json())


def test_a_manifest_that_climbs_out_is_refused(broken: StudyFixture) -> None:
    manifest = broken.paths.report / "manifest.sha256"
    manifest.write_text(manifest.read_text() + f"{'0' * 64}  ../../../../etc/passwd\n")
    done = {check.id: check for check in verify_study(broken.paths).checks}
    assert done["R2"].state == "fail"
    assert "../../../../etc/passwd" in done["R2"].findings[0].found


def test_an_archive_holds_what_is_named_and_no_secret_beside_it(broken: StudyFixture, tmp_path: Path) -> None:
    (broken.paths.locks / "notes.txt").write_text("private")
    (broken.paths.locks / "id.json").symlink_to("/etc/passwd")
    broken.run("export", "--to", str(tmp_path / "a.zip"))
    names = zipfile.ZipFile(tmp_path / "a.zip").namelist()
    assert "lockfiles/spread/lock-0001.json" in names
    assert "reports/spread/report.html" in names
    assert not [name for name in names if name.endswith(("notes.txt", "id.json")) or ".." in name or name[0] == "/"]


@pytest.mark.parametrize("name", ["", "/etc/passwd", "../x", "a/../../x", "a//b", "a\\b", "."])
def test_a_path_that_a_file_names_stays_inside(name: str) -> None:
    assert not is_inside(name)


def test_a_digest_is_kept_until_the_file_is_written_to_even_where_its_times_are_put_back(tmp_path: Path) -> None:
    file = tmp_path / "data"
    file.write_bytes(b"one")
    before = file.stat()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(reading, "SETTLED_NS", -1)
        assert reading.sha256_regular(file) == hashlib.sha256(b"one").hexdigest()
        patched.setattr(hashlib, "file_digest", None)
        assert reading.sha256_regular(file) == hashlib.sha256(b"one").hexdigest()
    time.sleep(0.02)
    file.write_bytes(b"two")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert reading.sha256_regular(file) == hashlib.sha256(b"two").hexdigest()


def test_a_file_above_its_limit_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "big").open("wb") as file:
        file.truncate(10**12)  # sparse: a terabyte of nothing
    with pytest.raises(UnreadableFile, match="more than"):
        read_regular(tmp_path / "big", limit=10**6)
    assert found_at(tmp_path / "none") == "missing"
    assert [path.name for path in walk(tmp_path)] == ["big"]


@pytest.mark.parametrize(
    "document",
    [b"[" * 100_000, b"[" * 80 + b"]" * 80, b"9" * 5000, b"1e999", b'{"a":1,"a":2}', b"NaN", b"0." + b"1" * 5000],
)
def test_json_that_is_too_deep_too_long_or_double_is_refused(document: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_json(document)


@pytest.mark.parametrize("text", ["a" + ".a" * 3000 + " = 1", "x = " + "9" * 5000, "x = " + "[" * 5000, "[a]\n" * 2])
def test_toml_that_is_too_deep_too_long_or_double_is_refused(text: str) -> None:
    with pytest.raises(BadInput):
        parse_plan(text.encode(), Path("s/plan.toml"))


STEERS = ["\x1b[2J", "\x9b31m", "a\u202eb", "a\r\nok    L1  forged", "\x07", "\u200b", "\udc80", "x" * 5000]


@pytest.mark.parametrize("text", STEERS)
def test_no_text_of_a_repository_steers_a_terminal(text: str) -> None:
    finding = Finding(where=text, found=text, promised=text)
    shown = str(BadInput(text, finding, then=text))
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b\u202e\udc80]", shown)
    assert "\nok    L1" not in shown
    assert len(printable(text)) <= 2 * 2000
    document = json.dumps({"a": text}, ensure_ascii=False)
    assert json.loads(printable_json(document)) == {"a": text}
    assert not re.search("[\x7f-\x9f\u202e]", printable_json(document))


def test_a_name_with_an_escape_sequence_reaches_no_output_raw(broken: StudyFixture) -> None:
    (broken.paths.report / "\x1b[2Jevil\u202e.png").write_bytes(b"x")
    for options in ((), ("--json",)):
        said = broken.run("verify", *options, ok=3)
        assert "evil" in said
        assert "\x1b" not in said
        assert "\u202e" not in said


UNITS = ["<!--", "<a ", '<a x="', "<", "</a", "```\n", '<data data-ref="/x">1', "[](", "<script>", "`", "](", "~~~\n"]


@pytest.mark.parametrize("unit", UNITS)
def test_reading_a_page_takes_time_in_proportion_to_its_length(unit: str) -> None:
    def seconds(n: int) -> float:
        page, begun = unit * n, time.process_time()
        list(check_page(page, {}))
        list(check_markdown(page, ""))
        return time.process_time() - begun

    few, many = (min(seconds(n) for _ in range(2)) for n in (5_000, 40_000))
    assert many < max(24 * few, 1.0)  # eight times the openers: 8 in proportion, 64 where the time grows by the square


def test_a_number_in_a_tag_that_the_templates_never_write_is_found(broken: StudyFixture) -> None:
    page = broken.paths.report / "report.html"
    page.write_text(page.read_text("utf-8").replace("</main>", "<p title='>'>12 seeds</main>", 1), "utf-8")
    rehash(broken)
    assert "as the report's templates write them" in json.dumps(verify_study(broken.paths).as_json())


RAW = re.compile(r"\.read_bytes\(|\.read_text\(|(?<![\w.])open\(|\.open\(|\bsha256_file\(|\.rglob\(")
REACHED = [
    "prereg/lock",
    "prereg/verify",
    "prereg/plan",
    "prereg/workflow/status.py",
    "analysis/exporters",
    "prereg/paper",
]
REACHED += ["analysis/replay.py", "analysis/report/check.py", "analysis/results/schema.py"]
ALLOWED = {
    "prereg/lock/ledger.py": 1,  # appends
    "prereg/lock/earlier_data.py": 2,  # files that an importer's user names
    "prereg/verify/check_page.py": 1,  # the tool's own page
    "prereg/lock/exposure.py": 1,  # lists names, opens nothing
    "prereg/plan/model_shape.py": 1,  # a model's configuration, which a cache may link to
    "analysis/replay.py": 2,  # the pins of this installation
}


def test_every_file_of_a_repository_comes_through_one_door() -> None:
    """No raw read in the reach of verify, gate, status, export."""
    found = {}
    for place in REACHED:
        for file in sorted((PROJECT / place).rglob("*.py")) or [PROJECT / place]:
            raw = len(RAW.findall(file.read_text("utf-8")))
            if raw:
                found[file.relative_to(PROJECT).as_posix()] = raw
    assert found == ALLOWED
