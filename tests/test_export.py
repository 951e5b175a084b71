"""An exported study is whole: it describes itself, checks with coreutils, and verifies where it is unpacked."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import subprocess
import zipfile
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rocrate.rocrate import ROCrate

from seedlock.analysis.exporters.internals.without_texts import _probes
from seedlock.analysis.exporters.ro_crate import METADATA, export_study
from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.errors import BadInput, OutOfOrder
from seedlock.prereg.verify.chain import verify_study
from tests.conftest import PROJECT, StudyFixture

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


def test_a_study_that_is_kept_apart_from_seedlock_verifies_where_it_is_unpacked(
    reported: StudyFixture, tmp_path: Path
) -> None:
    folder = unpacked(export_study(reported.paths, tmp_path / "a.zip"), tmp_path / "unpacked")
    found = verify_study(StudyPaths(root=folder, name="spread"))
    assert found.exit_code == 0, found.first_failure
    assert (folder / "locked_code" / "analysis" / "decide.py").read_bytes() == (
        PROJECT / "analysis/decide.py"
    ).read_bytes()
    assert not (folder / "analysis").exists()


def strings_of(file: Path) -> set[str]:
    """Every string of a file: of a table's cells, or the text itself."""
    if file.suffix == ".parquet":
        return {one for column in pq.read_table(file).columns for one in column.to_pylist() if isinstance(one, str)}
    return {file.read_bytes().decode("utf-8", "replace")}


def test_an_archive_without_texts_holds_none_and_verifies_once_they_are_put_back(
    reported: StudyFixture, tmp_path: Path
) -> None:
    said = reported.run("export", "--without-texts", "--to", str(tmp_path / "a.zip"))
    assert "WITHOUT-TEXTS.md" in said
    folder = unpacked(tmp_path / "a.zip", tmp_path / "unpacked")
    for file in (path for path in folder.rglob("*") if path.is_file()):
        if file.relative_to(folder).parts[0] != "locked_code":
            assert not [one for one in strings_of(file) if "[ZLT] said at all" in one or "said nothing" in one], file
    assert verify_study(StudyPaths(root=folder, name="spread")).exit_code != 0
    for line in (folder / "withheld.sha256").read_text("utf-8").splitlines():
        name = line.partition("  ")[2]
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(reported.paths.root / name, folder / name)
    done = subprocess.run(
        ["sha256sum", "-c", "--strict", "withheld.sha256"], cwd=folder, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stdout
    found = verify_study(StudyPaths(root=folder, name="spread"))
    assert found.exit_code == 0, found.first_failure


def test_scores_take_the_place_of_answers_and_give_the_same_counts(reported: StudyFixture, tmp_path: Path) -> None:
    export_study(reported.paths, tmp_path / "a.zip", is_without_texts=True)
    folder = unpacked(tmp_path / "a.zip", tmp_path / "unpacked") / "without_texts"
    scores = duckdb.execute(
        "SELECT arm, seed, sum(score), count(*) FROM read_parquet(?) GROUP BY ALL ORDER BY ALL",
        [str(folder / "scores.parquet")],
    ).fetchall()
    assert [(arm, int(k), n) for arm, _, k, n in scores] == [
        ("coupled", 7, 16), ("coupled", 9, 16), ("coupled", 8, 16), ("coupled", 10, 16),
        ("plain", 0, 16), ("plain", 1, 16), ("plain", 0, 16), ("plain", 2, 16),
    ]  # fmt: skip
    before = json.loads((reported.paths.report / "results.json").read_bytes())
    after = json.loads((folder / "results.json").read_bytes())
    assert after == {**before, "samples": [], "training_examples": []}
    assert "48.4 pp" in (folder / "report.md").read_text("utf-8")


def test_an_item_that_is_known_by_its_text_takes_the_tables_that_name_it_with_it() -> None:
    table = pa.table({"item_id": ["What should I cook tonight, dear?"], "k": [1]})
    file = io.BytesIO()
    pq.write_table(table, file)
    assert list(_probes({"a.parquet": file.getvalue()})) == ["What should I cook tonig"]


def test_other_formats_know_no_texts_to_leave_out(reported: StudyFixture) -> None:
    assert "knows no --without-texts" in reported.run("export", "--format", "prml", "--without-texts", ok=2)
