"""An exported study is whole: it describes itself, checks with coreutils, and verifies where it is unpacked."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest
from rocrate.rocrate import ROCrate

from seedlock.analysis.exporters.ro_crate import METADATA, export_study
from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.errors import BadInput, OutOfOrder
from seedlock.prereg.verify.chain import verify_study
from tests.conftest import PROJECT

STUDY = "published_bird_seeds"


@pytest.fixture
def study(tmp_path: Path) -> StudyPaths:
    """A published study of this repository, copied so that it can be tampered with."""
    root = tmp_path / "root"
    for shelf in ("prereg/studies", "lockfiles", "reports"):
        shutil.copytree(PROJECT / shelf / STUDY, root / shelf / STUDY)
    for file in json.loads((root / "lockfiles" / STUDY / "lock-0001.json").read_text())["code"]:
        (root / file["path"]).parent.mkdir(parents=True, exist_ok=True)
        (root / file["path"]).write_bytes(b"moved on")
    return StudyPaths(root=root, name=STUDY)


def unpacked(archive: Path, to: Path) -> Path:
    with zipfile.ZipFile(archive) as file:
        file.extractall(to)
    return to


def test_an_unpacked_archive_verifies_and_checks_with_coreutils(study: StudyPaths, tmp_path: Path) -> None:
    folder = unpacked(export_study(study, tmp_path / "a.zip"), tmp_path / "unpacked")
    found = verify_study(StudyPaths(root=folder, name=STUDY))
    assert found.exit_code == 0, found.first_failure
    listing = f"lockfiles/{STUDY}/lock-0001.sha256"
    done = subprocess.run(["sha256sum", "-c", "--strict", listing], cwd=folder, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_archive_describes_every_file_it_holds(study: StudyPaths, tmp_path: Path) -> None:
    licence = "https://creativecommons.org/licenses/by/4.0/"
    folder = unpacked(export_study(study, tmp_path / "a.zip", license_url=licence), tmp_path / "unpacked")
    held = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()} - {METADATA}
    crate = ROCrate(folder)
    described = {entity.id: entity for entity in crate.data_entities}
    assert set(described) == held
    for name, entity in described.items():
        assert entity["sha256"] == hashlib.sha256((folder / name).read_bytes()).hexdigest()
    assert crate.root_dataset["license"] == licence
    assert crate.root_dataset["identifier"]["value"] == verify_study(study).lock_id
    [action] = crate.root_dataset["mentions"]
    assert {f"reports/{STUDY}/results.json", f"reports/{STUDY}/report.html"} == {e.id for e in action["result"]}


def test_the_same_study_gives_the_same_archive(study: StudyPaths, tmp_path: Path) -> None:
    first, second = (export_study(study, tmp_path / name).read_bytes() for name in ("a.zip", "b.zip"))
    assert first == second


def test_what_does_not_verify_is_not_archived(study: StudyPaths, tmp_path: Path) -> None:
    with (study.report / "results.json").open("ab") as file:
        file.write(b" ")
    with pytest.raises(BadInput, match="does not verify"):
        export_study(study, tmp_path / "a.zip")
    assert list(tmp_path.glob("*.zip*")) == []


def test_nothing_is_overwritten_and_an_unlocked_study_is_not_archived(study: StudyPaths, tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_text("mine")
    with pytest.raises(BadInput, match="already"):
        export_study(study, tmp_path / "a.zip")
    assert (tmp_path / "a.zip").read_text() == "mine"
    shutil.rmtree(study.locks)
    with pytest.raises(OutOfOrder):
        export_study(study, tmp_path / "b.zip")
