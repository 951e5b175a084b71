"""Propose the plan of a synthesis from the locked studies that it names; its author decides what only authors can."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from seedlock.prereg.base.canonical import write_atomic
from seedlock.prereg.base.paths import StudyPaths, SynthesisPaths, find_study, is_study_name, list_studies
from seedlock.prereg.english import plural
from seedlock.prereg.errors import BadInput, Finding
from seedlock.prereg.lock.state import StudyState, read_state
from seedlock.prereg.plan.identity import HypothesisId
from seedlock.prereg.plan.plan import Hypothesis

_PLAN = """\
# A synthesis: one mean over what locked studies found. seedlock check {name}

[synthesis]
title    = {title}
question = {question}
include  = {include}
of       = {of}             # what differs between effects: the mean is over these, and the prediction of the next

{effects}
[accept]
status = ["confirmatory", "deviated", "retrospective", "exploratory"]   # reports of these are pooled
absent = "refuse"             # or "leave out": go on without an effect that is not there, and name it

[decision]
claim     = {claim}
alpha     = {alpha}            # one-sided, at each edge
bands     = {bands}
predicted = {predicted}
interval  = "hksj, never narrower"
"""


def propose_synthesis(
    name: str, of: Sequence[str], *, over: str, include: str, root: Path
) -> tuple[SynthesisPaths, tuple[str, ...]]:
    """Write `prereg/syntheses/NAME/plan.toml`; return its paths and its effects in words.

    Parameters
    ----------
    of
        `STUDY:HYPOTHESIS`, once an effect; a hypothesis with levels stands for all of them.
    over
        What differs between effects.
    include
        The rule by which they were chosen; left empty, `check` refuses the plan until its author writes it.

    Raises
    ------
    BadInput
        The name is taken or none, fewer than two effects, or a study or hypothesis that is not there.
    """
    paths = SynthesisPaths(root=root, name=name)
    _require_free(paths)
    effects = [effect for spelled in of for effect in _effects(spelled, root)]
    if len(effects) < 2:
        fault = Finding(
            where="--of", found=f"{len(effects)} effects", promised="at least two: STUDY:HYPOTHESIS, or its levels"
        )
        raise BadInput("a synthesis needs effects", fault, then="seedlock synthesize --help")
    names = _names(effects)
    tables = "\n".join(_table(label, *effect[:2]) for label, effect in zip(names, effects, strict=True))
    first, alpha = effects[0][2], effects[0][3]
    bands = "[" + ", ".join(json.dumps(part, ensure_ascii=False) for part in first.bands) + "]"
    text = _PLAN.format(
        name=name,
        title=_text(f"{first.claim.rstrip('.')}: over {plural(over)}"),
        question=_text(
            f"How large is it on average, how far does it differ between {plural(over)}, and what of the next?"
        ),
        include=_text(include),
        of=_text(over),
        effects=tables,
        claim=_text(first.claim),
        alpha=alpha,
        bands=bands,
        predicted=_text(first.predicted),
    )
    paths.study.mkdir(parents=True, exist_ok=True)
    write_atomic(paths.plan, text.encode())
    return paths, tuple(f"{label}: {study} {h}" for label, (study, h, *_) in zip(names, effects, strict=True))


def _require_free(paths: SynthesisPaths) -> None:
    where = paths.relative(paths.study)
    if not is_study_name(paths.name):
        raise BadInput(
            "a synthesis needs a name", Finding(where="NAME", found=paths.name, promised="letters, digits, _ . -")
        )
    if paths.plan.exists() or paths.name in list_studies(paths.root):
        taken = Finding(where=where, found=f"{paths.name} is there already", promised="a name that nothing here has")
        raise BadInput("the name is taken", taken, then="seedlock status  lists what there is")


def _effects(spelled: str, root: Path) -> Iterator[tuple[str, str, Hypothesis, float]]:
    """Study, hypothesis as it is tested, its plan and its alpha."""
    study, colon, wanted = spelled.partition(":")
    state = _state(study, root)
    known = {identity: h for identity, h, _ in state.plan.expanded()}
    met = [identity for identity in known if HypothesisId.read(identity).is_meant_by(wanted)]
    if not colon or not met:
        fault = Finding(where=f"--of {spelled}", found=wanted or "no hypothesis", promised=f"one of {', '.join(known)}")
        raise BadInput(f"{study} has no such hypothesis", fault, then="seedlock synthesize --help")
    for identity in met:
        yield study, identity, known[identity], state.plan.inference.alpha


def _state(study: str, root: Path) -> StudyState:
    paths: StudyPaths = find_study(study, root)
    state = read_state(paths)
    if state is None:
        fault = Finding(where=f"--of {study}", found="no lock", promised="a locked study")
        raise BadInput(f"{study} is not locked", fault, then=f"seedlock lock {study}")
    return state


def _names(effects: Sequence[tuple[str, str, Hypothesis, float]]) -> list[str]:
    """The level where it tells effects apart, the study otherwise, and both where neither does."""
    levels = [HypothesisId.read(identity).level or study for study, identity, *_ in effects]
    if len(set(levels)) == len(levels):
        return levels
    studies = [study for study, *_ in effects]
    if len(set(studies)) == len(studies):
        return studies
    return [f"{study}-{number}" for number, (study, *_) in enumerate(effects, start=1)]


def _table(label: str, study: str, identity: str) -> str:
    return f"[[effect]]\nname       = {_text(label)}\nstudy      = {_text(study)}\nhypothesis = {_text(identity)}\n"


def _text(value: str) -> str:
    """A basic string of TOML, which JSON's are."""
    return json.dumps(value, ensure_ascii=False)
