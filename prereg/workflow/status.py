"""Where a study stands, read from its lock and ledger: gates passed, runs done, the next command."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from seedlock.prereg.base.canonical import read_json
from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.base.reading import found_at, is_regular, read_regular
from seedlock.prereg.errors import SeedlockError
from seedlock.prereg.lock.due_runs import runs_with_data
from seedlock.prereg.lock.events import was_withdrawn
from seedlock.prereg.lock.gate import status_of
from seedlock.prereg.lock.ledger import Event
from seedlock.prereg.lock.state import StudyState, read_state
from seedlock.prereg.lock.superseded import judgements_of, readings_of
from seedlock.prereg.plan.bases import absent_bases
from seedlock.prereg.plan.plan import Plan
from seedlock.prereg.plan.read import read_plan

type Stage = Literal[
    "fetch",
    "check",
    "corpus",
    "simulate",
    "lock",
    "import",
    "train",
    "generate",
    "inside",
    "judge",
    "label",
    "analyze",
    "verify",
]
"""What a study waits for; each is a command."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One study at a glance.

    `gates` are the steps passed, in order; `look` is the planned look at hand; `next_needs` what the next command takes
    beside the study: files that no plan names.
    """

    study: str
    status: str
    gates: tuple[str, ...]
    runs_planned: int
    runs_done: int
    runs_failed: int
    answers_planned: int | None = None
    answers_done: int | None = None
    answers_failed: int | None = None
    look: str | None = None
    next_stage: Stage
    next_needs: str = ""

    @property
    def next_command(self) -> str:
        """The next stage as it is typed; what only the user can name stands in capitals."""
        return " ".join(("seedlock", self.next_stage, self.study, *filter(None, [self.next_needs])))

    def as_json(self) -> dict[str, Any]:
        """Plain data for `--json`."""
        return asdict(self) | {"next_command": self.next_command}


def standing(paths: StudyPaths) -> Standing:
    """How far one study has come. A study that cannot be read says so in `status`; nothing is raised."""
    try:
        state = read_state(paths)
        if state is None or found_at(paths.plan) != "sha256 " + state.lock.plan.raw_sha256:
            try:
                plan = read_plan(paths.plan)
            except SeedlockError as error:
                return _unreadable(paths, error, "check")
            if state is None:
                return _not_locked(paths, plan)
        status = status_of(state.locks, state.events, state.plan)
    except SeedlockError as error:
        return _unreadable(paths, error, "verify")
    passed = _passed(state)
    ended = was_withdrawn(event.name for event in state.events)
    return Standing(
        study=paths.name,
        status="withdrawn" if ended else status,
        gates=tuple(gate for gate, is_passed in passed.items() if is_passed),
        runs_planned=len(state.lock.runs),
        runs_done=len(runs_with_data(state.sealed, state.lock)),
        runs_failed=sum(event.name == "run.failed" for event in state.events),
        next_stage=(then := "verify" if ended else _next_stage(state, passed, paths.root)),
        next_needs=_needs(state, then),
        look=_look(state),
        **_answers(paths),
    )


def _not_locked(paths: StudyPaths, plan: Plan) -> Standing:
    return Standing(
        study=paths.name,
        status="not locked",
        gates=("planned",),
        runs_planned=sum(1 for _ in plan.runs()),
        runs_done=0,
        runs_failed=0,
        next_stage=next_before_lock(paths, plan),
    )


def next_before_lock(paths: StudyPaths, plan: Plan) -> Stage:
    """Return what an unlocked study lacks: its base models, its corpora, its simulation, or only the lock."""
    if absent_bases(plan, paths.root):
        return "fetch"
    described = [name for name in plan.used_corpora if name in plan.corpora]
    if any(not (paths.study / plan.corpus_file(name)).is_file() for name in described):
        return "corpus"
    return "lock" if (paths.locks / "simulation.json").is_file() else "simulate"


def _passed(state: StudyState) -> dict[str, bool]:
    """Every gate in order, and whether the study is through it."""
    names = {event.name for event in state.events}
    is_behind = state.plan.look and (state.untrained or state.unasked or _has_news(state.events))
    return {
        "planned": True,
        "locked": True,
        "trained": "run.finished" in names and not state.untrained,
        "sealed": bool(state.sealed) and not state.untrained and not state.unasked,
        "looked": "look.opened" in names,
        "reported": "report.built" in names and not is_behind,
    }


def _answers(paths: StudyPaths) -> dict[str, int]:
    """Requests planned, answered, and ended without an answer, where any was asked from here."""
    if not is_regular(paths.answers):
        return {}
    told = read_json(read_regular(paths.answers))
    done = sum(told["statuses"].values())
    return {
        "answers_planned": told["planned"],
        "answers_done": done,
        "answers_failed": done - told["statuses"].get("ok", 0),
    }


def _has_news(events: Sequence[Event]) -> bool:
    """Whether data were sealed after the last report."""
    built = max((event.n for event in events if event.name == "report.built"), default=0)
    return any(event.name == "data.sealed" and event.n > built for event in events)


def _look(state: StudyState) -> str | None:
    """Which planned look is at hand, and what the last one decided."""
    if state.look is None:
        return None
    told = state.look_reached
    decided = {True: "; the plan went on to it", False: "; the plan ends here"}
    after = "" if told is None else decided.get(told["goes_on"], "")
    looks = state.plan.look
    return f"{state.look + 1} of {len(looks)}, at {looks[state.look].seeds} seeds an arm{after}"


def _next_stage(state: StudyState, passed: Mapping[str, bool], root: Path) -> Stage:
    plan, events = state.plan, state.events
    if passed["reported"]:
        return "verify"
    if passed["sealed"]:
        if plan.inside is not None and readings_of(events, due=len(state.due)) is None:
            return "inside"
        return _after_answers(plan, events)
    if plan.import_ is not None:
        return "import"
    if absent_bases(plan, root):
        return "fetch"
    return "train" if state.untrained else "generate"


def _after_answers(plan: Plan, events: Sequence[Event]) -> Stage:
    """Every judge speaks, then those that are checked are, then the data are looked at."""
    if any(judgements_of(events, judge) is None for judge in plan.judges):
        return "judge"
    if _unread_judgements(plan, events):
        return "import"
    checked = [(judge, gold) for judge in (*plan.judges, *plan.judgements) if (gold := plan.gold_of(judge)) is not None]
    has_all = all(judgements_of(events, gold.source(judge)) is not None for judge, gold in checked)
    return "analyze" if has_all else "label"


def _unread_judgements(plan: Plan, events: Sequence[Event]) -> list[str]:
    """Judges that spoke elsewhere, that a measure rests on, and whose words are not here yet."""
    used = {measure.judge for measure in plan.measures.values()}
    return [name for name in plan.judgements if name in used and judgements_of(events, name) is None]


def _needs(state: StudyState, then: Stage) -> str:
    """What an import takes that the plan does not say: a judge's name, and files where it names none."""
    plan = state.plan
    if then != "import":
        return ""
    waiting = _unread_judgements(plan, state.events) if state.sealed else []
    if waiting:
        return f"{'' if plan.judgements[waiting[0]].file else 'FILE '}--judge {waiting[0]}"
    return "" if plan.import_ is None or plan.import_.file else "FILE"


def _unreadable(paths: StudyPaths, error: SeedlockError, then: Stage) -> Standing:
    return Standing(
        study=paths.name,
        status=f"unreadable: {error.what}",
        gates=(),
        runs_planned=0,
        runs_done=0,
        runs_failed=0,
        next_stage=then,
    )
