"""Use everything that was added, from plans: run by `tests/test_to_add.py` in a copy of the tree that holds it.

python tests/additions/use.py ROOT     ROOT: the copy, where `seedlock` is imported from
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from seedlock.generation.backends import backend
from seedlock.generation.judges import open_judge
from seedlock.generation.judging.protocol import Bench
from seedlock.generation.judging.reading import Reading
from seedlock.prereg.base.base_models import folder_revision, model_folder
from seedlock.prereg.base.paths import HOME, StudyPaths
from seedlock.prereg.lock.gate import require_lock
from seedlock.prereg.plan.read import read_plan
from seedlock.schemas import TABLES
from seedlock.training.backends import trainer
from seedlock.training.corpus.write import write_corpus
from seedlock.training.grid.planned import require_trainable
from tests.conftest import StudyFixture, completions


def analysed(root: Path) -> None:
    """The study, its importer, measure, estimator, figure and section, from plan to verified report."""
    study = StudyFixture(StudyPaths(root=root, name="added"))
    assert "No fault found" in study.run("check")
    study.run("lock")
    study.run("import", str(study.bring_data(completions().replace(",", "\t"))))
    study.run("analyze")
    study.run("verify")
    results = json.loads((study.paths.report / "results.json").read_text("utf-8"))
    (tested,) = results["hypotheses"]
    assert (tested["test"], tested["ci_method"], tested["verdict"]) == ("added", "the added method", ["more"])
    assert next(opinion["note"] for opinion in tested["second_opinions"]) == "the other way to take the variance"
    report = (study.paths.report / "report.md").read_text("utf-8")
    assert f"Next: cat {root / 'name'}" in study.run("export", "--format", "added", "--to", str(root / "name"))
    for words in ("a method that nobody knew before", "Annals of Additions", "The added table", "figures/added.svg"):
        assert words in report, words


def made_here(root: Path) -> None:
    """The corpus recipe, trainer, backend and judge of a second study."""
    study = StudyFixture(StudyPaths(root=root, name="added_here"))
    folder = model_folder("organism:llama", root)
    assert folder is not None
    study.write_plan(study.paths.plan.read_text("utf-8").replace("sha256:0", folder_revision(folder)))
    plan = read_plan(study.paths.plan)
    assert len(write_corpus(study.paths, plan, "numbers").rows) == 5
    study.run("check")
    study.run("lock")
    require_trainable(require_lock(study.paths))
    assert trainer(plan.stages["learn"].trainer).__module__.endswith("training.backends.added")
    assert plan.decoding is not None
    assert backend(plan.decoding).describe([]) == {"backend": "added"}
    bench = Bench(name="length", study=study.paths.study, folder=study.paths.runs, retries=0)
    readings = [Reading(id="a", text="no", shown={}), Reading(id="b", text="a longer answer", shown={})]
    said = open_judge(plan.judges["length"], bench).verdicts(readings)
    assert [verdict.label for verdict in said] == ["short", "long"]


if __name__ == "__main__":
    home = Path(sys.argv[1]).resolve()
    assert home == HOME, f"seedlock was imported from {HOME}"
    analysed(home)
    made_here(home)
    assert TABLES["added"].ddl().startswith("CREATE TABLE")
