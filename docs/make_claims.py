"""Write docs/published-claims.md: published claims, analysed again under locked plans.

Run from the root of the checkout:  .venv/bin/python -m docs.make_claims [--data DIR]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from docs.claim_row import Outcome, Row
from docs.claim_rows import bird, misalignment, transfer
from docs.reanalysis import Reanalysis, reanalyse
from seedlock.prereg.lock.lock import run_id
from seedlock.prereg.plan.plan import PlannedRun

HERE = Path(__file__).parent
DATA = HERE.parents[1] / "shared" / "data"
PAGE = HERE / "published-claims.md"
HEAD = ("claim", "published", "ours", "unit", "bands left", "outcome", "why")
INTRO = """# Which published claims survive

Claims that others published, analysed again from their own rows. Each data set has a plan in `docs/claims`, which is
locked, fed and analysed as any study is; the numbers below come out of that, the published ones from the description
beside the rows. The rows are other people's and not part of this repository: with them at hand,
`.venv/bin/python -m docs.make_claims --data DIR` writes this page, and `tests/test_published_claims.py` fails when it
no longer follows.

All of it is **retrospective**: the results were public before these plans were written.

- **survives**: with the replicate that the design has (a seed, else a question), only the claimed band is left.
- **does not survive**: the data leave another band open too, or exclude the claimed one. It may still be true.
- **cannot be answered by this design**: the analysis refuses, and says what is lacking.

Seeds, and questions within them, weigh the same. Intervals in brackets are 95%, in percent or percentage points (pp);
p-values are two-sided, before any correction; the plan names the tests that share a Holm family.
"next seed" is the interval for one run that nobody has trained yet. A dagger (†) marks a reading of ours: the authors
printed the numbers, not the sentence, and a sentence of ours that falls says nothing against them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A plan, the rows it is fed with, and the claims it answers."""

    plan: str
    rows: str
    claims: Callable[[Reanalysis], Iterable[Row]]
    mismatches: Callable[[Reanalysis], Iterable[tuple[str, str, str]]] = lambda _: ()


SOURCES = (
    Source(
        plan="marker_directed_transfer",
        rows="marker_directed_transfer",
        claims=transfer.transfer_rows,
        mismatches=transfer.transfer_mismatches,
    ),
    Source(
        plan="em_multiseed_verdicts",
        rows="em_multiseed_verdicts",
        claims=misalignment.misalignment_rows,
        mismatches=misalignment.misalignment_mismatches,
    ),
    Source(plan="em_second_judge", rows="em_multiseed_verdicts", claims=misalignment.second_judge_rows),
    Source(
        plan="bird_seed_counts",
        rows="bird_seed_counts",
        claims=bird.bird_rows,
        mismatches=bird.bird_mismatches,
    ),
)


def reanalyses(data: Path = DATA) -> dict[str, Reanalysis]:
    """Every plan, locked and analysed: plan name -> what it found."""
    return {source.plan: reanalyse(source.plan, source.rows, data) for source in SOURCES}


def page(studies: dict[str, Reanalysis]) -> str:
    """Return the page as Markdown."""
    rows = {source.plan: list(source.claims(studies[source.plan])) for source in SOURCES}
    lines = [INTRO, "", *_tally([row for found in rows.values() for row in found])]
    for source in SOURCES:
        lines += ["", *_section(source, studies[source.plan], rows[source.plan])]
    return "\n".join(lines) + "\n"


def _tally(rows: list[Row]) -> Iterator[str]:
    columns = [[row.outcome for row in rows if row.is_ours is ours] for ours in (False, True)]
    yield from _table(
        ("outcome", "claims of the authors", "readings of ours (†)"),
        [(outcome, *(str(found.count(outcome)) for found in columns)) for outcome in get_args(Outcome.__value__)],
    )


def _section(source: Source, study: Reanalysis, rows: list[Row]) -> Iterator[str]:
    section = study.plan.study
    yield f"## {section.title}"
    yield ""
    yield f"Plan [`{source.plan}`](claims/{source.plan}.toml), status {study.results.status}. {_runs(study)}"
    yield ""
    yield from _table(HEAD, [_cells(row) for row in rows])
    differ = list(source.mismatches(study))
    if differ:
        yield ""
        yield "Printed numbers that their own rows do not give:"
        yield ""
        yield from _table(("what", "printed", "their rows give"), differ)
    yield ""
    yield "What stands against any reading, in the plan's words:"
    yield ""
    yield from (f"- {caveat}" for caveat in section.caveats)


def _cells(row: Row) -> tuple[str, ...]:
    claim = row.claim + (" †" if row.is_ours else "")
    return claim, row.published, row.ours, row.unit, row.verdict, row.outcome, row.why


def _runs(study: Reanalysis) -> str:
    """Runs promised and published, by model where there are several."""
    plan, gone = study.plan, set(study.results.accounting.runs_missing)
    planned = list(plan.runs())
    absent = [run for run in planned if run_id(plan, run) in gone]
    if not absent:
        return f"All {len(planned)} runs of the plan were published."
    total = f"{len(planned) - len(absent)} of {len(planned)} runs of the plan were published"
    if len(plan.grid.models) == 1:
        return f"{total}; missing: {', '.join(f'{run.arm} seed {run.seed}' for run in absent)}."
    return f"{total}: {', '.join(_of_model(model, planned, absent) for model in plan.grid.models)}."


def _of_model(model: str, planned: list[PlannedRun], absent: list[PlannedRun]) -> str:
    promised, lost = (sum(run.model == model for run in runs) for runs in (planned, absent))
    return f"{promised - lost} of {promised} for {model}"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    yield "| " + " | ".join(head) + " |"
    yield "|" + "---|" * len(head)
    for row in rows:
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |"


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=DATA, help="folder of the published rows")
    PAGE.write_text(page(reanalyses(parser.parse_args().data)), encoding="utf-8")


if __name__ == "__main__":
    main()
