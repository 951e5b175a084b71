"""What somebody does who knows the format: edits one thing and makes every digest around it agree again."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from seedlock.prereg.base.canonical import canonical_json, sha256_bytes, sha256_file
from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.lock.document import lock_paths

type Document = dict[str, Any]


def forge_lock(paths: StudyPaths, edit: Callable[[Document], None]) -> None:
    """Edit the newest lock; its listing, the ledger, the report and its manifest name the new one as if made for it."""
    file = lock_paths(paths)[-1]
    before = sha256_file(file)
    document = json.loads(file.read_bytes())
    edit(document)
    file.write_bytes(canonical_json(document) + b"\n")
    after = sha256_file(file)
    pinned = [(f["sha256"], f["path"]) for f in document["files"]]
    carries_code = any((paths.root / f["path"]).is_file() for f in document["code"] if f["path"].endswith(".py"))
    pinned += [(f["sha256"], f["path"]) for f in document["code"]] if carries_code else []
    lines = [(after, paths.relative(file)), *pinned]
    file.with_suffix(".sha256").write_text("".join(f"{digest}  {path}\n" for digest, path in lines))
    for page in ("results.json", "report.html", "report.md", "REVIEW.md"):
        if (paths.report / page).is_file():
            replace_text(paths.report / page, before, after)
    forge_ledger(paths, lambda lines: [renamed(line, before, after) for line in lines])
    if paths.report.is_dir():
        forge_manifest(paths)


def renamed(line: Mapping[str, Any], before: str, after: str) -> Document:
    return {key: after if value == before else value for key, value in line.items()}


def replace_text(file: Path, before: str, after: str) -> None:
    file.write_text(file.read_text("utf-8").replace(before, after), "utf-8")


def forge_ledger(paths: StudyPaths, edit: Callable[[list[Document]], list[Document]]) -> None:
    """Edit the ledger's lines and chain them anew, head included."""
    lines = edit([json.loads(line) for line in paths.ledger.read_bytes().splitlines()])
    previous, written = None, b""
    for n, line in enumerate(lines, start=1):
        spelled = canonical_json({**line, "n": n, "prev": previous}) + b"\n"
        previous, written = sha256_bytes(spelled), written + spelled
    paths.ledger.write_bytes(written)
    paths.ledger.with_suffix(".head").write_text(f"{previous}\n")


def forge_manifest(paths: StudyPaths) -> None:
    """Make the manifest list the report as it lies there, and the ledger name that manifest and those results."""
    files = sorted(path for path in paths.report.rglob("*") if path.is_file() and path.name != "manifest.sha256")
    listing = "".join(f"{sha256_file(path)}  {path.relative_to(paths.report).as_posix()}\n" for path in files)
    (paths.report / "manifest.sha256").write_text(listing)
    built = {
        "manifest_sha256": sha256_file(paths.report / "manifest.sha256"),
        "results_sha256": sha256_file(paths.report / "results.json"),
    }
    forge_ledger(paths, lambda lines: [line | built if line["event"] == "report.built" else line for line in lines])
