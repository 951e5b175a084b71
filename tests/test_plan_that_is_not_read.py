"""P2: a plan file that this version does not read hides nothing; the lock's record is held against its keys."""

from __future__ import annotations

import pytest

from seedlock.prereg.base.canonical import sha256_bytes
from seedlock.prereg.lock.document import lock_paths, read_lock
from seedlock.prereg.verify.chain import verify_study
from seedlock.prereg.verify.checks import Check
from seedlock.prereg.verify.meaning import meaning_check
from tests.conftest import StudyFixture
from tests.forging import Document, forge_lock


def check_of(study: StudyFixture, identity: str) -> Check:
    return next(check for check in verify_study(study.paths).checks if check.id == identity)


def forge_plan(study: StudyFixture, before: str, after: str, *, version: str | None = None) -> None:
    """Another plan file, with the lock's digests of it made right; the recorded plan stays."""
    text = study.paths.plan.read_text("utf-8")
    assert before in text
    study.write_plan(text.replace(before, after))
    raw = study.paths.plan.read_bytes()

    def promise(lock: Document) -> None:
        lock["plan"]["raw_sha256"] = sha256_bytes(raw)
        for file in lock["files"]:
            if file["path"].endswith("plan.toml"):
                file.update(sha256=sha256_bytes(raw), bytes=len(raw))
        if version is not None:
            lock["tool"]["version"] = version

    forge_lock(study.paths, promise)


def test_a_plan_that_the_version_of_its_lock_cannot_read_fails(broken: StudyFixture) -> None:
    forge_plan(broken, "alpha = 0.025", "alpha = 0.025\nunknown = 1")
    check = check_of(broken, "P2")
    assert (check.state, check.exit_code) == ("fail", 3)


@pytest.mark.parametrize(
    ("before", "after", "where"),
    [
        ('predicted = "more"', 'predicted = "fewer"\nunknown = 1', "hypothesis[0].predicted"),
        ("-0.1,", "-0.2,", "hypothesis[0].bands[1]"),
        ("draws          = 2", "draws          = 3", "decoding.draws"),
        ("alpha = 0.025", "alpha = 0.025\nunknown = 1", "inference.unknown"),
    ],
)
def test_another_versions_plan_is_compared_key_by_key(
    broken: StudyFixture, before: str, after: str, where: str
) -> None:
    unread = 'items = "these"'
    forge_plan(broken, unread, 'items = "those"', version="0.0.1")
    forge_plan(broken, before, after)
    check = check_of(broken, "P2")
    assert check.state == "fail"
    assert {fault.where for fault in check.findings} >= {f"plan: {where}", "plan: inference.items"}


def test_a_plan_that_is_not_toml_was_never_locked(broken: StudyFixture) -> None:
    forge_plan(broken, "[study]", "[study", version="0.0.1")
    assert check_of(broken, "P2").state == "fail"


def test_another_versions_plan_with_its_keys_in_the_record_is_only_warned_of(broken: StudyFixture) -> None:
    """Both file and record hold a key that this version lacks; the record also has what the file says in short."""
    forge_plan(broken, "[study]", '[study]\nlater = "a key of another version"', version="0.0.1")

    def also(lock: Document) -> None:
        lock["plan"]["parsed"]["study"]["later"] = "a key of another version"

    forge_lock(broken.paths, also)
    lock = read_lock(lock_paths(broken.paths)[-1])
    assert meaning_check(broken.paths, lock, is_changed=False).state == "warn"
