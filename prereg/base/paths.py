"""Where things lie in a repository of this layout: one place that knows the folders."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from pathlib import Path

from seedlock.prereg.base.reading import is_regular
from seedlock.prereg.errors import BadInput, Finding

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")
HOME = Path(__file__).resolve().parents[2]
"""The folder that holds this code: the checkout, or the installed package."""
IMPORTED_FROM = HOME / "src" if (HOME / "src" / "seedlock").is_dir() else HOME.parent
"""The folder on the import path that `seedlock` is found in."""
CHECKOUT = HOME if (HOME / "src" / "seedlock").is_dir() and (HOME / ".git").exists() else None
"""The checkout of Seedlock that this code lies in, or None where it is installed: git may be asked about it, and about
nothing around an installed package, which may lie inside somebody else's repository."""


SYNTHESES = "syntheses"
"""The folder in which plans, locks and reports of syntheses lie apart from those of studies."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyPaths:
    """The folders of one study in the repository at `root`."""

    root: Path
    name: str

    @property
    def study(self) -> Path:
        """The plan and the files it names."""
        return self.root / "prereg" / "studies" / self.name

    @property
    def plan(self) -> Path:
        """The plan file."""
        return self.study / "plan.toml"

    @property
    def locks(self) -> Path:
        """Locks and the ledger, committed."""
        return self.root / "lockfiles" / self.name

    @property
    def ledger(self) -> Path:
        """The ledger: one canonical JSON object a line."""
        return self.locks / "ledger.jsonl"

    @property
    def runs(self) -> Path:
        """The git-ignored workbench."""
        return self.root / "runs" / self.name

    @property
    def store(self) -> Path:
        """The DuckDB store; it can be rebuilt from the seals."""
        return self.runs / "store.duckdb"

    @property
    def answers(self) -> Path:
        """How many requests have an answer, as far as the last command came."""
        return self.runs / "answers.json"

    @property
    def report(self) -> Path:
        """The published report and its evidence."""
        return self.root / "reports" / self.name

    def seal_places(self, file: str) -> list[Path]:
        """Where a sealed file may lie: published, on the workbench, or both."""
        return [self.report / "data" / file, self.runs / "sealed" / file]

    def relative(self, path: Path) -> str:
        """`path` as it is written in locks and messages: relative to the repository, forward slashes."""
        return path.relative_to(self.root).as_posix()


@dataclass(frozen=True, slots=True, kw_only=True)
class SynthesisPaths(StudyPaths):
    """The folders of a synthesis: those of a study, each below `syntheses`."""

    @property
    def study(self) -> Path:
        """The plan."""
        return self.root / "prereg" / SYNTHESES / self.name

    @property
    def locks(self) -> Path:
        """Locks and the ledger, committed."""
        return self.root / "lockfiles" / SYNTHESES / self.name

    @property
    def runs(self) -> Path:
        """The git-ignored workbench."""
        return self.root / "runs" / SYNTHESES / self.name

    @property
    def report(self) -> Path:
        """The published report and the results that it pools."""
        return self.root / "reports" / SYNTHESES / self.name


def is_study_name(name: str) -> bool:
    """Whether `name` can be a study's: a plain name of a folder, nothing that climbs, hides or steers."""
    return _NAME.fullmatch(name) is not None


def find_study(study: str, root: Path | None = None) -> StudyPaths:
    """Resolve a study's name, or a path to its folder, in the repository at `root` (default: here).

    A study whose plan is gone is found by its lock.

    Raises
    ------
    BadInput
        There is no such study; the message lists those there are.
    """
    folder = Path(study)
    if root is None and len(folder.parts) > 1 and is_regular((folder / "plan.toml").resolve()):
        folder = folder.resolve()
        if folder.parent.name == "studies" and folder.parent.parent.name == "prereg":
            return StudyPaths(root=folder.parents[2], name=folder.name)
    base = (root or Path.cwd()).resolve()
    name = folder.name
    known = list_studies(base)
    if name in known:
        return StudyPaths(root=base, name=name)
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"studies here: {', '.join(known) or 'none'}"
    raise BadInput(
        f"no study {study!r}",
        Finding(where=str(Path("prereg") / "studies" / name / "plan.toml"), found="no such file", promised=hint),
        then="seedlock status  (lists the studies),  or  seedlock init DIR  (starts a repository)",
    )


def list_studies(root: Path) -> list[str]:
    """Names of the studies in the repository at `root`: those with a plan, and those with a lock or a ledger."""
    plans = {path.parent.name for path in (root / "prereg" / "studies").glob("*/plan.toml")}
    locks = {
        path.parent.name for kind in ("lock-*.json", "ledger.jsonl") for path in (root / "lockfiles").glob(f"*/{kind}")
    }
    return sorted(name for name in plans | locks if is_study_name(name))


def list_syntheses(root: Path) -> list[str]:
    """Names of the syntheses in the repository at `root`: those with a plan, and those with a lock or a ledger."""
    plans = (root / "prereg" / SYNTHESES).glob("*/plan.toml")
    locks = (
        path for kind in ("lock-*.json", "ledger.jsonl") for path in (root / "lockfiles" / SYNTHESES).glob(f"*/{kind}")
    )
    return sorted({path.parent.name for path in (*plans, *locks) if is_study_name(path.parent.name)})


def find_synthesis(name: str, root: Path | None = None) -> SynthesisPaths | None:
    """A synthesis by its name, or the path of its folder; None where there is none."""
    base = (root or Path.cwd()).resolve()
    known = Path(name).name
    return SynthesisPaths(root=base, name=known) if known in list_syntheses(base) else None
