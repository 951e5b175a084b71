"""The few calls of a fine-tuning API that a stage needs, behind a Protocol: others may take its place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

type JobStatus = Literal["validating_files", "queued", "running", "succeeded", "failed", "cancelled"]
ENDED: frozenset[JobStatus] = frozenset({"succeeded", "failed", "cancelled"})


class Unsettled(Exception):
    """The answer to a request never came: whether it was carried out is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostedJob:
    """A job as the API tells of it.

    Parameters
    ----------
    label
        Our own name for it, kept in its metadata.
    model
        The fine-tuned model, once there is one.
    raw
        Everything the API said.
    """

    id: str
    label: str | None
    status: JobStatus
    seed: int
    training_file: str
    model: str | None
    error: str | None
    trained_tokens: int | None
    raw: Mapping[str, Any]


class HostedJobs(Protocol):
    """Files and jobs at a provider."""

    def find_file(self, name: str) -> str | None:
        """Id of an uploaded file by name, or None."""
        ...

    def upload(self, name: str, data: bytes) -> str:
        """Upload a training file and return its id."""
        ...

    def find_job(self, label: str) -> HostedJob | None:
        """The job with this label that has not failed, or None."""
        ...

    def create(
        self, *, label: str, model: str, file: str, seed: int, hyperparameters: Mapping[str, int | float]
    ) -> HostedJob:
        """Create a job; it costs money from here on.

        Raises
        ------
        Unsettled
            No answer came: look for the job by its label before creating another.
        """
        ...

    def get(self, job: str) -> HostedJob:
        """How a job is doing."""
        ...

    def events(self, job: str) -> list[dict[str, Any]]:
        """Everything the job reported, oldest first."""
        ...

    def checkpoints(self, job: str) -> list[dict[str, Any]]:
        """Models kept on the way, by step."""
        ...
