"""Batches on disk: what each one holds, written before it is created, so that it is never created twice."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from seedlock.prereg.base.canonical import canonical_json, read_json, write_atomic

type JobState = Literal["intended", "created", "collected"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One batch of requests.

    Parameters
    ----------
    label
        Our own name for it: a digest of what it holds and of how often that was tried.
    ids
        Its requests.
    intended_at
        When it was first meant to be created, UTC.
    batch
        The provider's id for it; None until that is known.
    not_ours
        Batches that were taken for it and answered other requests.
    """

    label: str
    ids: tuple[str, ...]
    intended_at: datetime
    state: JobState = "intended"
    batch: str | None = None
    not_ours: tuple[str, ...] = ()


class Jobs:
    """Every batch of a folder, one file each.

    Parameters
    ----------
    folder
        Where the files lie; they survive a kill at any moment.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def all(self) -> list[Job]:
        """Every batch ever meant to be created, oldest first."""
        found = [self._read(path) for path in self._folder.glob("*.json")]
        return sorted(found, key=lambda job: (job.intended_at, job.label))

    def write(self, job: Job) -> Job:
        """Write a batch's file, down to the disk."""
        said = {
            **asdict(job),
            "intended_at": job.intended_at.isoformat(),
            "ids": list(job.ids),
            "not_ours": list(job.not_ours),
        }
        write_atomic(self._folder / f"{job.label}.json", canonical_json(said) + b"\n")
        return job

    def drop(self, job: Job) -> None:
        """Forget a batch of which nothing was carried out."""
        (self._folder / f"{job.label}.json").unlink(missing_ok=True)

    def of(self, ids: set[str]) -> Iterator[Job]:
        """Every batch that holds one of these requests."""
        return (job for job in self.all() if not ids.isdisjoint(job.ids))

    def _read(self, path: Path) -> Job:
        said = read_json(path.read_bytes())
        intended_at = datetime.fromisoformat(said["intended_at"])
        return Job(
            **{**said, "intended_at": intended_at, "ids": tuple(said["ids"]), "not_ours": tuple(said["not_ours"])}
        )
