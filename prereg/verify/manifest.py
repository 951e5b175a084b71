"""R1 and R2: the published folder holds what its manifest lists, and the ledger names the manifest."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

from seedlock.prereg.base.paths import StudyPaths, SynthesisPaths
from seedlock.prereg.base.reading import found_at, read_regular_text, walk
from seedlock.prereg.errors import Finding, UnreadableFile
from seedlock.prereg.lock.ledger import Event
from seedlock.prereg.verify.checks import Check, failed, verdict

MANIFEST = "manifest.sha256"
MAX_MANIFEST_BYTES = 16 * 2**20
PARTS = re.compile(
    r"(?:report|appendix)\.html|report\.md|REVIEW\.md|results\.json"
    r"|data/[^/]+\.parquet|posteriors/[^/]+|figures/[^/]+\.(?:svg|png|json)"
)
"""What a report consists of, in every version: a page of another name would be held to nothing."""
SYNTHESIS_PARTS = re.compile(r"report\.html|report\.md|results\.json|data/[^/]+\.json|figures/pooled\.(?:svg|png|json)")
"""What the report of a synthesis consists of: the results that it pools are its data."""
_LINE = re.compile(r"([0-9a-f]{64})  ([^\n]{1,1000})")


def read_manifest(paths: StudyPaths) -> dict[str, str]:
    """Name, relative to the report, and promised digest of every listed file.

    Raises
    ------
    UnreadableFile
        It cannot be read, or a line of it is none of sha256sum's.
    """
    text = read_regular_text(paths.report / MANIFEST, limit=MAX_MANIFEST_BYTES)
    listed = {}
    for number, line in enumerate(text.splitlines(), start=1):
        told = _LINE.fullmatch(line)
        if told is None or {"", ".", ".."} & set(told[2].split("/")):
            where = f"{paths.relative(paths.report)}/{MANIFEST} line {number}"
            fault = Finding(where=where, found=line[:200], promised="a digest, two spaces, a name inside the report")
            raise UnreadableFile(f"{MANIFEST} is no list of digests", fault)
        listed[told[2]] = told[1]
    return listed


def manifest_checks(paths: StudyPaths, built: Event) -> Iterator[Check]:
    """Compare manifest and results with the ledger, and every file with the manifest; nothing extra, nothing a link."""
    manifest, results = paths.report / MANIFEST, paths.report / "results.json"
    what = "the report's manifest is the one the ledger recorded"
    if not os.path.lexists(manifest):
        promised = f"sha256 {built.body['manifest_sha256']}"
        fault = Finding(where=paths.relative(manifest), found="missing", promised=promised)
        yield verdict("R1", "report", "the report is there", [fault], exit_code=6)
        return
    wanted = {manifest: built.body["manifest_sha256"], results: built.body["results_sha256"]}
    faults = [
        Finding(where=paths.relative(file), found=found, promised=f"sha256 {promised} (ledger)")
        for file, promised in wanted.items()
        if os.path.lexists(file) and (found := found_at(file)) != f"sha256 {promised}"
    ]
    yield verdict("R1", "report", what, faults, exit_code=3)
    try:
        listed = read_manifest(paths)
        here = {path.relative_to(paths.report).as_posix(): path for path in walk(paths.report) if path != manifest}
    except UnreadableFile as error:
        yield failed("R2", "report", error)
        return
    parts = SYNTHESIS_PARTS if isinstance(paths, SynthesisPaths) else PARTS
    extra = [
        Finding(where=name, found="an extra file", promised="the manifest")
        for name in sorted(here.keys() - listed.keys())
    ]
    extra += [
        Finding(where=name, found="no part of a report", promised="its pages, results, figures, data and posteriors")
        for name in sorted(listed)
        if not parts.fullmatch(name)
    ]
    changed = [
        Finding(where=f"{paths.relative(paths.report)}/{name}", found=found, promised=f"sha256 {promised}")
        for name, promised in listed.items()
        if (found := found_at(here[name]) if name in here else "missing") != f"sha256 {promised}"
    ]
    what = f"results, figures, data and pages have the digests of the manifest ({len(listed)} files)"
    yield verdict("R2", "report", what, [*extra, *changed], exit_code=3)
