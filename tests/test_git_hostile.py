"""A stranger's repository runs nothing: each way git has to start a program of its author's is laid out as a trap."""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from seedlock.prereg.base import git as asked
from seedlock.prereg.base.git_view import why_not
from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.verify.chain import verify_study
from tests.conftest import PLAN, StudyFixture, git

TRAPS = {
    "gpg.program": "canary",
    "gpg.ssh.program": "canary",
    "log.showSignature": "true",
    "core.fsmonitor": "canary",
    "core.hooksPath": "hooks",
    "core.pager": "canary",
    "pager.log": "canary",
    "core.sshCommand": "canary",
    "core.gitProxy": "canary",
    "core.alternateRefsCommand": "canary",
    "core.askPass": "canary",
    "diff.external": "canary",
    "diff.all.textconv": "canary",
    "diff.all.command": "canary",
    "filter.all.clean": "canary",
    "filter.all.smudge": "canary",
    "filter.all.process": "canary",
    "filter.all.required": "true",
    "merge.all.driver": "canary",
    "remote.origin.url": "ext::canary",
    "remote.origin.promisor": "true",
    "extensions.partialClone": "origin",
    "protocol.ext.allow": "always",
    "uploadpack.packObjectsHook": "canary",
    "credential.helper": "!canary",
    "submodule.recurse": "true",
    "status.submoduleSummary": "true",
}


@pytest.fixture
def trapped(tmp_path: Path) -> tuple[StudyFixture, Path]:
    """A locked study whose repository names a program wherever git reads one; and the file that the program writes."""
    root, ran = tmp_path / "repository", tmp_path / "ran"
    study = StudyFixture(StudyPaths(root=root, name="spread"))
    study.write_plan(PLAN)
    git(root, "init", "-q", "-b", "main")
    (root / ".gitattributes").write_text("* filter=all diff=all merge=all\n")
    study.run("lock")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "locked")
    canary = root / "canary"
    canary.write_text(f"#!/bin/sh\ntouch {ran}\ncat\n")
    canary.chmod(0o755)
    hooks = root / "hooks"
    hooks.mkdir()
    for name in ("post-checkout", "post-index-change", "reference-transaction", "fsmonitor-watchman"):
        shutil.copy(canary, hooks / name)
        shutil.copy(canary, root / ".git" / "hooks" / name)
    for key, value in TRAPS.items():
        git(root, "config", key, value.replace("canary", str(canary)))
    return study, ran


def ask_everything(study: StudyFixture) -> None:
    """Every question that the tool has for git, and every command that asks one."""
    root = study.paths.root
    head = asked.head_commit(root)
    assert head is not None
    (study.paths.root / "prereg" / "studies" / "spread" / "note.txt").write_text("new")
    os.utime(study.paths.plan)
    assert asked.is_clean(root) is False
    assert asked.blob(root, head, ".gitattributes") is not None
    asked.changes(root, "lockfiles")
    asked.was_ever_tracked(root, "reports")
    asked.remote_tips(root)
    assert asked.write_files(root, head, root.parent / "written", "prereg")
    (study.paths.root / "prereg" / "studies" / "spread" / "note.txt").unlink()
    verify_study(study.paths)
    study.run("status")


def test_no_program_of_the_author_is_run(trapped: tuple[StudyFixture, Path]) -> None:
    study, ran = trapped
    ask_everything(study)
    assert not ran.exists()


def test_the_traps_do_spring_where_git_reads_the_configuration(trapped: tuple[StudyFixture, Path]) -> None:
    study, ran = trapped
    (study.paths.root / "new.txt").write_text("x")
    with suppress(subprocess.CalledProcessError):
        git(study.paths.root, "status", "--porcelain")
    assert ran.exists()


def test_an_embedded_bare_repository_is_not_taken_for_the_roots_own(trapped: tuple[StudyFixture, Path]) -> None:
    study, ran = trapped
    root = study.paths.root
    for name in ("HEAD", "config", "objects", "refs"):
        shutil.move(root / ".git" / name, root / name)
    shutil.rmtree(root / ".git")
    assert asked.head_commit(root) is None
    verify_study(study.paths)
    assert not ran.exists()


def test_a_repository_above_is_not_taken_for_the_roots_own(trapped: tuple[StudyFixture, Path]) -> None:
    inner = trapped[0].paths.root / "inner"
    inner.mkdir()
    assert asked.head_commit(inner) is None
    assert why_not(inner) == "no git repository of its own (no .git here)"


def test_a_git_file_is_believed_only_where_its_repository_names_this_root_in_return(
    trapped: tuple[StudyFixture, Path], tmp_path: Path
) -> None:
    root = trapped[0].paths.root
    head = asked.head_commit(root)
    stranger = tmp_path / "stranger"
    stranger.mkdir()
    (stranger / ".git").write_text(f"gitdir: {root}/.git\n")
    assert asked.head_commit(stranger) is None
    (stranger / ".git").unlink()
    (stranger / ".git").symlink_to(root / ".git")
    assert asked.head_commit(stranger) is None
    git(root, "-c", "core.hooksPath=/dev/null", "config", "--unset-all", "filter.all.required")
    for trap in (
        "filter.all.smudge",
        "filter.all.process",
        "core.hooksPath",
        "core.fsmonitor",
        "extensions.partialClone",
    ):
        git(root, "config", "--unset-all", trap)
    shutil.rmtree(root / ".git" / "hooks")
    git(root, "worktree", "add", "-q", "--detach", str(tmp_path / "linked"))
    assert asked.head_commit(tmp_path / "linked") == head
    assert asked.is_clean(tmp_path / "linked") is True


def test_objects_borrowed_from_elsewhere_are_not_looked_at(trapped: tuple[StudyFixture, Path], tmp_path: Path) -> None:
    root = trapped[0].paths.root
    (root / ".git" / "objects" / "info").mkdir(exist_ok=True)
    (root / ".git" / "objects" / "info" / "alternates").write_text(f"{tmp_path}\n")
    asked.forget()
    assert asked.head_commit(root) is None
    assert "borrows objects" in str(why_not(root))


def test_a_replacement_of_an_object_deceives_nobody(trapped: tuple[StudyFixture, Path]) -> None:
    root = trapped[0].paths.root
    head = asked.head_commit(root)
    assert head is not None
    lock = asked.blob(root, head, "lockfiles/spread/lock-0001.json")
    blobs = [
        git(root, "rev-parse", f"HEAD:lockfiles/spread/{name}").strip() for name in ("lock-0001.json", "ledger.jsonl")
    ]
    git(root, "replace", *blobs)
    assert asked.blob(root, head, "lockfiles/spread/lock-0001.json") == lock


@pytest.mark.parametrize(
    "special", ["refs/heads/pipe", "objects/pack/pack-1.idx", "packed-refs", "index", "info/exclude"]
)
def test_a_pipe_in_the_git_folder_is_not_waited_for(trapped: tuple[StudyFixture, Path], special: str) -> None:
    root = trapped[0].paths.root
    (root / ".git" / special).unlink(missing_ok=True)
    os.mkfifo(root / ".git" / special)
    asked.forget()
    assert asked.head_commit(root) is None
    assert special.rsplit("/", maxsplit=1)[-1] in str(why_not(root))


def test_large_ledgers_in_history_are_named_by_their_size_and_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "repository"
    study = StudyFixture(StudyPaths(root=root, name="spread"))
    study.write_plan(PLAN)
    git(root, "init", "-q", "-b", "main")
    study.run("lock")
    ledger = study.paths.ledger
    kept = ledger.read_bytes()
    for n in range(3):
        ledger.write_bytes(b"%d" % n + bytes(30_000))
        git(root, "add", "-A")
        git(root, "commit", "-qm", "large")
    ledger.write_bytes(kept)
    monkeypatch.setattr(asked, "MAX_BLOBS", 40_000)
    versions = [f"{git(root, 'rev-parse', f'HEAD~{n}').strip()}:{study.paths.relative(ledger)}" for n in range(3)]
    assert list(asked.objects(root, versions)) == versions[:1]
    check = next(check for check in verify_study(study.paths).checks if check.id == "H1")
    assert check.state == "fail"
    assert [finding.found for finding in check.findings].count("30001 bytes, not read") == 2


@pytest.mark.parametrize("commit", ["--output=x", "HEAD", "../../etc", "main:prereg", "0" * 39, "\n"])
def test_what_a_lock_calls_a_commit_is_an_id_or_nothing(trapped: tuple[StudyFixture, Path], commit: str) -> None:
    root = trapped[0].paths.root
    assert not asked.has_commit(root, commit)
    assert asked.blob(root, commit, "canary") is None
    assert not asked.write_files(root, commit, root.parent / "written")
