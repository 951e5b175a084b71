"""Pool the sealed results of a synthesis again and hold its report to them; it takes no time, and writes nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from seedlock.analysis.pool_studies import Heads, compute
from seedlock.analysis.report.drawn_with import drawn_with
from seedlock.analysis.report.sections.synthesis import sentences
from seedlock.analysis.report.synthesis import PAGE, TWIN, page_faults, synthesis_files
from seedlock.analysis.results.synthesis import SynthesisResults
from seedlock.prereg.base.canonical import Sha256, read_json, sha256_bytes
from seedlock.prereg.base.paths import SynthesisPaths
from seedlock.prereg.base.reading import is_regular, read_regular, walk
from seedlock.prereg.base.tool import this_tool
from seedlock.prereg.errors import Finding, LockedFileChanged, OutOfOrder, SeedlockError
from seedlock.prereg.lock.ledger import Event, read_ledger
from seedlock.prereg.lock.synthesis import LockedSynthesisPlan, require_synthesis
from seedlock.prereg.plan.plan import Tolerances
from seedlock.prereg.verify.checks import Check, failed, not_checked, verdict
from seedlock.prereg.verify.numbers import differences

REPLAYED = "the pooled results give the same numbers, and the same page, again"


def read_synthesis_results(paths: SynthesisPaths) -> SynthesisResults:
    """The results of a synthesis's last look.

    Raises
    ------
    OutOfOrder
        There are none yet.
    """
    file = paths.report / "results.json"
    if not is_regular(file):
        raise OutOfOrder(f"{paths.name} has no results yet", then=f"seedlock analyze {paths.name}")
    return SynthesisResults.model_validate_json(read_regular(file))


def results_of(locked: LockedSynthesisPlan, heads: Heads, before: Sequence[Event]) -> SynthesisResults:
    """Everything of results.json, from sealed copies of the studies' results."""

    def read(study: str, digest: Sha256) -> bytes:
        places = locked.paths.seal_places(sealed_name(study, digest))
        file = next((place for place in places if is_regular(place)), places[0])
        data = read_regular(file)
        if sha256_bytes(data) != digest:
            fault = Finding(where=locked.paths.relative(file), found="other bytes", promised=f"sha256 {digest}")
            raise LockedFileChanged(f"the results of {study} are not the sealed ones", fault)
        return data

    results = compute(locked, heads, read, before=before)
    return results.model_copy(update={"sentences": sentences(results)})


def sealed_name(study: str, digest: Sha256) -> str:
    """File name of a study's results among the sealed data."""
    return f"{study}-{digest[:12]}.json"


def again_check(paths: SynthesisPaths) -> Check:
    """X1 of a synthesis: pool the sealed results again and build the page; it takes no time, and is always made."""
    events = read_ledger(paths.ledger)
    built = next((event for event in reversed(events) if event.name == "report.built"), None)
    if built is None:
        return not_checked("X1", "replay", REPLAYED, "no report yet", f"seedlock analyze {paths.name}")
    try:
        locked = require_synthesis(paths, only_reading=True)
        faults = list(_again_faults(locked, built))
    except SeedlockError as error:
        return failed("X1", "replay", error)
    except (KeyError, TypeError, ValueError, StopIteration) as error:
        where = paths.relative(paths.report)
        shape = Finding(
            where=where, found=f"{type(error).__name__}: {error}"[:200], promised="results that can be pooled"
        )
        return verdict("X1", "replay", REPLAYED, [shape], exit_code=10)
    return verdict("X1", "replay", REPLAYED, faults, exit_code=10)


def _again_faults(locked: LockedSynthesisPlan, built: Event) -> Iterator[Finding]:
    paths = locked.paths
    look = next(e for e in reversed(locked.events) if e.name == "look.opened" and e.n < built.n)
    before = [event for event in locked.events if event.n <= look.n]
    again = results_of(locked, look.body["heads"], before).model_dump(mode="json")
    published: Any = read_json(read_regular(paths.report / "results.json"))
    yield from differences(published, again, Tolerances())
    yield from page_faults({name: read_regular(paths.report / name) for name in (PAGE, TWIN)}, published)
    yield from _drawn_faults(paths, built)


def _drawn_faults(paths: SynthesisPaths, built: Event) -> Iterator[Finding]:
    """Files of the report that this very Seedlock, with the same drawing libraries, builds otherwise."""
    tool = built.body.get("tool", {})
    if tool.get("files_sha256") != this_tool().files_sha256 or tool.get("libraries_sha256") != drawn_with():
        return
    promised = synthesis_files(read_synthesis_results(paths))
    own = {"results.json", "manifest.sha256"}
    here = {path.relative_to(paths.report).as_posix(): path for path in walk(paths.report)}
    found = {name: read_regular(p) for name, p in here.items() if name not in own and not name.startswith("data/")}
    for name in sorted(promised.keys() | found.keys()):
        if promised.get(name) != found.get(name):
            where = f"{paths.relative(paths.report)}/{name}"
            yield Finding(where=where, found="other bytes", promised="what its results give when they are drawn again")
