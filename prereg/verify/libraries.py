"""Whether the libraries that analyse here are those that the lock found, by the digests of their files."""

from __future__ import annotations

from collections.abc import Iterator

from seedlock.prereg.base.distributions import ANALYSIS, altered, installed
from seedlock.prereg.errors import Finding
from seedlock.prereg.lock.document import Lock


def library_faults(lock: Lock) -> Iterator[Finding]:
    """Libraries of the analysis that are others than at the lock, gone, or edited where they are installed."""
    here = {library.name: library for library in installed()}
    for promised in lock.environment.libraries or ():
        if promised.name in ANALYSIS:
            wanted = f"{promised.version}, files sha256:{promised.record_sha256[:16]}"
            where, found = f"package {promised.name}", here.get(promised.name)
            if found is None:
                yield Finding(where=where, found="not installed", promised=wanted)
                continue
            if found.record_sha256 != promised.record_sha256:
                said = f"{found.version}, files sha256:{found.record_sha256[:16]}"
                yield Finding(where=where, found=said, promised=wanted)
            for path in altered(promised.name):
                yield Finding(where=f"{where}: {path}", found="edited or gone", promised="the bytes of its wheel")
