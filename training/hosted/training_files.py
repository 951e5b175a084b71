"""Whose rows an uploaded training file holds: as stated, or found by comparing the file with every arm's rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from seedlock.prereg.base.canonical import Sha256, read_json, sha256_bytes
from seedlock.prereg.errors import BadInput, Finding
from seedlock.training.hosted.run_job import training_file
from seedlock.training.jobs.job import RunJob


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingFile:
    """A training file at a provider.

    Parameters
    ----------
    arms
        Arms whose rows it holds; several where arms share their rows.
    sha256
        Digest of the uploaded file where its rows were compared; None where the arm is only stated.
    """

    arms: frozenset[str]
    sha256: Sha256 | None


def training_files(told: Mapping[str, str], jobs: Iterable[RunJob]) -> dict[str, TrainingFile]:
    """Find the arms of training files.

    Parameters
    ----------
    told
        Id of the file at the provider -> an arm of the plan, or the path of the file that was uploaded.
    jobs
        Promised runs of one stage.

    Raises
    ------
    BadInput
        With every entry that is neither an arm nor a file with exactly the rows of one.
    """
    rows_of = {job.arm: job.stages[0].rows[: job.stages[0].settings.n_examples] for job in jobs}
    spelt = {arm: _messages(training_file(rows), arm) for arm, rows in rows_of.items()}
    found: dict[str, TrainingFile] = {}
    faults: list[Finding] = []
    for identity, value in told.items():
        if value in rows_of:
            found[identity] = TrainingFile(arms=frozenset({value}), sha256=None)
            continue
        path = Path(value)
        if not path.is_file():
            promised = f"an arm ({', '.join(sorted(rows_of))}), or the uploaded file"
            faults.append(Finding(where=f"training file {identity}", found=repr(value), promised=promised))
            continue
        data = path.read_bytes()
        rows = _messages(data, path.name)
        arms = frozenset(arm for arm, wanted in spelt.items() if rows == wanted)
        if not arms:
            what = f"{len(rows)} chats of {path.name}"
            faults.append(
                Finding(where=f"training file {identity}", found=what, promised="the rows of an arm, in order")
            )
        found[identity] = TrainingFile(arms=arms, sha256=sha256_bytes(data))
    if faults:
        raise BadInput("training files do not hold the promised rows", *faults, then="seedlock deviate  records why")
    return found


def _messages(data: bytes, name: str) -> list[object]:
    """The chats of a training file; weights, tools and names beside them would be other training."""
    found: list[object] = []
    for number, line in enumerate(data.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = read_json(line)
        except (ValueError, RecursionError) as error:
            fault = Finding(where=f"{name} line {number}", found=f"not JSON: {error}", promised="one chat a line")
            raise BadInput(f"{name} is not a training file", fault) from None
        found.append(row)
    return found
