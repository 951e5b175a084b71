"""One archive of a study that holds its own description (RO-Crate), for a repository or a reviewer.

RO-Crate: Soiland-Reyes et al. (2022), https://doi.org/10.3233/DS-210053.
"""

from __future__ import annotations

import json
import mimetypes
import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rocrate.model.contextentity import ContextEntity
from rocrate.rocrate import ROCrate

from seedlock.analysis.exporters.internals.exporter import Exporter, Wishes, require_report, require_verified
from seedlock.analysis.exporters.internals.without_texts import without_texts
from seedlock.prereg.base.canonical import sha256_bytes
from seedlock.prereg.base.git import blobs
from seedlock.prereg.base.paths import CHECKOUT, StudyPaths
from seedlock.prereg.base.reading import is_inside, is_regular, read_regular, read_regular_text, sha256_regular, walk
from seedlock.prereg.errors import BadInput, Finding, OutOfOrder
from seedlock.prereg.lock.document import Lock, lock_paths, read_lock
from seedlock.prereg.lock.ledger import Event, read_ledger
from seedlock.prereg.lock.rooms import place_of
from seedlock.prereg.verify.manifest import MANIFEST, read_manifest

PROMISED_BESIDE = re.compile(
    r"lock-\d{4}\.(?:json|sha256)|ledger\.(?:jsonl|head)|simulation\.json|design\.(?:png|svg)"
    r"|(?:replay|ledger-line)-[\w.-]+\.json|(?:lock|replay|ledger-line)-[\w.-]+\.(?:sig|tsr|ots)"
)
"""Files of `lockfiles/STUDY/` that are part of a study."""
MAX_ARCHIVED_BYTES = 4 * 2**30
METADATA = "ro-crate-metadata.json"
APART = "locked_code"
SAME_MOMENT = (1980, 1, 1, 0, 0, 0)
"""Times of files are left out, so that the same study gives the same archive."""

MEDIA = {
    ".toml": "application/toml",
    ".jsonl": "application/jsonl",
    ".parquet": "application/vnd.apache.parquet",
    ".md": "text/markdown",
    ".sha256": "text/plain",
    ".head": "text/plain",
}


def export_study(
    paths: StudyPaths, to: Path, *, license_url: str | None = None, is_without_texts: bool = False
) -> Path:
    """Write the archive of a locked study; unpacked, `seedlock verify` runs in it as it stands.

    It holds the study folder, locks and ledger, report and sealed data, the locked code and pinned environments, and
    `ro-crate-metadata.json`, which gives every file's digest and says what was made from what.

    Parameters
    ----------
    to
        The archive, a `.zip` that is not there yet.
    license_url
        Licence of the data, as the archive states it; left out, none is stated.
    is_without_texts
        Questions, training texts and answers stay out, and scores take their place.

    Raises
    ------
    OutOfOrder
        The study is not locked, or is to leave without texts and has no report.
    BadInput
        `to` exists already.
    SeedlockError
        A link of the chain does not hold: what cannot be verified is not archived as if it could.
    """
    locks = lock_paths(paths)
    if not locks:
        raise OutOfOrder(f"{paths.name} has no lock to archive", then=f"seedlock lock {paths.name}")
    if to.exists():
        raise BadInput(f"{to} is there already", then="name another file with --to")
    (require_report if is_without_texts else require_verified)(paths)
    lock, events = read_lock(locks[-1]), read_ledger(paths.ledger)
    files = {f"{_code_folder(locks[-1], lock)}{name}": data for name, data in _locked_code(lock)}
    files |= dict(_study_files(paths, lock, events))
    files = without_texts(paths, files, events) if is_without_texts else dict(sorted(files.items()))
    described = describe(paths, lock, files, license_url=license_url)
    to.parent.mkdir(parents=True, exist_ok=True)
    part = to.with_name(f".{to.name}.part")
    with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            _add(archive, name, data)
        _add(archive, METADATA, (json.dumps(described, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode())
    part.rename(to)
    return to


def describe(paths: StudyPaths, lock: Lock, files: Mapping[str, bytes], *, license_url: str | None) -> dict[str, Any]:
    """`ro-crate-metadata.json`: the study, its files with their digests, and the analysis as an action."""
    crate = ROCrate()
    events = read_ledger(paths.ledger)
    crate.name = str(lock.plan.parsed["study"]["title"])
    crate.description = str(lock.plan.parsed["study"]["question"])
    crate.datePublished = events[-1].at
    if license_url is not None:
        crate.license = license_url
    by_path = {}
    for name, data in files.items():
        properties = {
            "name": name,
            "sha256": sha256_bytes(data),
            "contentSize": str(len(data)),
            "encodingFormat": MEDIA.get(Path(name).suffix)
            or mimetypes.guess_type(name)[0]
            or "application/octet-stream",
        }
        by_path[name] = crate.add_file(None, name, properties=properties)
    lock_id = {"@type": "PropertyValue", "name": "lock_id", "value": sha256_regular(lock_paths(paths)[-1])}
    crate.root_dataset["identifier"] = crate.add(ContextEntity(crate, "#lock", properties=lock_id))
    tool = {"@type": "SoftwareApplication", "name": "Seedlock", "version": lock.tool_version}
    instrument = crate.add(ContextEntity(crate, "#seedlock", properties=tool))
    for number, event in enumerate(_reports(events), start=1):
        action = ContextEntity(crate, f"#analysis-{number}", properties=_action(number, event))
        action["instrument"] = instrument
        action["object"] = [e for path, e in by_path.items() if "/data/" in path or path.endswith("plan.toml")]
        action["result"] = [e for path, e in by_path.items() if path.endswith(("results.json", "report.html"))]
        crate.root_dataset.append_to("mentions", crate.add(action))
    found: dict[str, Any] = crate.metadata.generate()
    found["@graph"] = sorted(found["@graph"], key=lambda entity: str(entity["@id"]))
    return found


def _action(number: int, event: Event) -> dict[str, str]:
    return {"@type": "CreateAction", "name": f"analysis {number}", "endTime": event.at}


def _reports(events: list[Event]) -> list[Event]:
    return [event for event in events if event.name == "report.built"]


def _study_files(paths: StudyPaths, lock: Lock, events: list[Event]) -> Iterator[tuple[str, bytes]]:
    """What lock, ledger and manifest name, and nothing else that lies beside it."""
    named = {paths.root / file.path for file in lock.files if is_inside(file.path)}
    named |= {path for path in walk(paths.locks) if PROMISED_BESIDE.fullmatch(path.name)}
    if paths.report.is_dir():
        named |= {paths.report / MANIFEST, *(paths.report / name for name in read_manifest(paths))}
    else:
        sealed = {str(event.body["file"]) for event in events if event.name == "data.sealed"}
        named |= {paths.runs / "sealed" / file for file in sealed}
    yield from ((paths.relative(path), read_regular(path, limit=MAX_ARCHIVED_BYTES)) for path in sorted(named))


def _code_folder(file: Path, lock: Lock) -> str:
    """Where the locked code lies in the archive: as in its repository, or apart where the study is kept elsewhere.

    `verify` asks whether the list beside the lock names the code that the repository carries: a repository that never
    carried it carries none in its archive either.
    """
    listed = read_regular_text(file.with_suffix(".sha256"))
    return "" if any(f"  {one.path}\n" in listed for one in lock.code) else f"{APART}/"


def _locked_code(lock: Lock) -> Iterator[tuple[str, bytes]]:
    """The code as it was locked: from here where it still is, from the locked commit where it has moved on."""
    lost = []
    committed = _at_commit(lock)
    for file in lock.code:
        here = place_of(file.path)
        candidates = (
            read_regular(here) if is_inside(file.path) and is_regular(here) else None,
            committed.get(file.path),
        )
        found = next((data for data in candidates if data is not None and sha256_bytes(data) == file.sha256), None)
        if found is None:
            lost.append(
                Finding(where=file.path, found="other bytes, here and in git", promised=f"sha256 {file.sha256}")
            )
        else:
            yield file.path, found
    if lost:
        raise BadInput("the locked code cannot be found", *lost[:20], then="fetch the commit that the lock names")


def _at_commit(lock: Lock) -> dict[str, bytes | None]:
    """The locked code in this checkout's history, where it is there."""
    commit = lock.code_commit
    return blobs(CHECKOUT, commit, [file.path for file in lock.code]) if CHECKOUT is not None and commit else {}


def _add(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    entry = zipfile.ZipInfo(name, SAME_MOMENT)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    archive.writestr(entry, data)


def _run(paths: StudyPaths, to: Path, wishes: Wishes) -> Path:
    return export_study(paths, to, license_url=wishes.license_url, is_without_texts=wishes.without_texts)


EXPORTER = Exporter(
    run=_run,
    says="one archive that describes itself and verifies where it is unpacked",
    to="{study}.crate.zip",
    then="unzip it anywhere and  seedlock verify {study} --root FOLDER",
    options=frozenset({"--license", "--without-texts"}),
)
