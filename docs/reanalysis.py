"""One published data set through lock, import and analysis, in a repository that is thrown away afterwards."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from seedlock.analysis.analyze import analyze_study
from seedlock.analysis.results.cell import CellResult
from seedlock.analysis.results.schema import HypothesisResult, Results
from seedlock.analysis.simulation.design_lints import design_lints
from seedlock.generation.import_completions import import_study
from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.lock.gate import require_lock
from seedlock.prereg.lock.lock import create_lock
from seedlock.prereg.plan.lint import require_lockable
from seedlock.prereg.plan.plan import Plan
from seedlock.prereg.plan.read import read_plan

PLANS = Path(__file__).parent / "claims"


@dataclass(frozen=True, kw_only=True)
class Reanalysis:
    """A plan, what it found, and what the authors printed.

    Parameters
    ----------
    facts
        The description beside the rows: what was printed, by name.
    rows
        The Parquet file that was imported.
    """

    plan: Plan
    results: Results
    facts: Mapping[str, Any]
    rows: Path

    @cached_property
    def _printed(self) -> dict[str, Any]:
        return {fact["what"]: fact for fact in self.facts["published"]}

    def printed(self, what: str) -> Any:
        """A number the authors printed."""
        return self._printed[what]["value"]

    def recomputed(self, what: str) -> Any:
        """The same number as the description beside the rows found it again."""
        return self._printed[what]["computed"]

    @property
    def printed_names(self) -> list[str]:
        """Everything the authors printed, by name."""
        return list(self._printed)

    def hypothesis(self, identity: str) -> HypothesisResult:
        """One hypothesis by its expanded id."""
        return next(h for h in self.results.hypotheses if h.id == identity)

    def cell(self, measure: str, **keys: str | None) -> CellResult:
        """One cell of the report's tables."""
        return next(c for c in self.results.cells if c.measure == measure and c.keys == keys)


def reanalyse(name: str, rows: str, data: Path) -> Reanalysis:
    """Lock `claims/NAME.toml`, import `ROWS.parquet` from `data`, analyse."""
    file = data / f"{rows}.parquet"
    with tempfile.TemporaryDirectory() as folder:
        paths = StudyPaths(root=Path(folder).resolve(), name=name)
        paths.study.mkdir(parents=True)
        shutil.copyfile(PLANS / f"{name}.toml", paths.plan)
        plan = read_plan(paths.plan)
        lints = design_lints(plan)
        require_lockable(name, lints)
        create_lock(paths, design_check={"study": name, "lints": [asdict(lint) for lint in lints]})
        import_study(require_lock(paths), [file])
        results = analyze_study(require_lock(paths))
    facts = json.loads((data / f"{rows}.json").read_text(encoding="utf-8"))
    return Reanalysis(plan=plan, results=results, facts=facts, rows=file)
