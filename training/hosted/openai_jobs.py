"""The OpenAI fine-tuning API through its official SDK; address and key come from the SDK's own variables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import openai
from openai import OpenAI
from openai.types.fine_tuning import FineTuningJob

from seedlock.prereg.errors import BadInput, Finding
from seedlock.training.hosted.jobs import HostedJob, Unsettled

LABEL = "seedlock_stage"
READ_RETRIES = 8


class OpenAiJobs:
    """Reads are repeated by the SDK; creating a job never is."""

    def __init__(self, client: OpenAI | None = None) -> None:
        self._client = client or OpenAI(max_retries=READ_RETRIES)

    def close(self) -> None:
        """Close the line to the provider."""
        self._client.close()

    def find_file(self, name: str) -> str | None:
        """Id of an uploaded training file by name, or None."""
        found = (f for f in self._client.files.list(purpose="fine-tune") if f.filename == name and f.status != "error")
        return next((file.id for file in found), None)

    def upload(self, name: str, data: bytes) -> str:
        """Upload a training file and return its id."""
        return self._client.files.create(file=(name, data, "application/jsonl"), purpose="fine-tune").id

    def find_job(self, label: str) -> HostedJob | None:
        """The newest job with this label that has neither failed nor been cancelled."""
        for job in self._client.fine_tuning.jobs.list():
            if (job.metadata or {}).get(LABEL) == label and job.status not in {"failed", "cancelled"}:
                return _hosted(job)
        return None

    def create(
        self, *, label: str, model: str, file: str, seed: int, hyperparameters: Mapping[str, int | float]
    ) -> HostedJob:
        """Create a job, once.

        Raises
        ------
        Unsettled
            The connection broke or the server failed: the job may exist.
        BadInput
            The API refuses the request.
        """
        supervised: Any = {"type": "supervised", "supervised": {"hyperparameters": dict(hyperparameters)}}
        try:
            made = self._client.with_options(max_retries=0).fine_tuning.jobs.create(
                model=model, training_file=file, seed=seed, method=supervised, metadata={LABEL: label}
            )
        except (openai.APIConnectionError, openai.InternalServerError, openai.RateLimitError) as error:
            raise Unsettled(str(error)) from error
        except openai.APIStatusError as error:
            fault = Finding(where=f"{model}, seed {seed}", found=error.message, promised="a job")
            raise BadInput("the fine-tuning API refuses the job", fault, then="edit the plan, and amend") from None
        return _hosted(made)

    def get(self, job: str) -> HostedJob:
        """How a job is doing."""
        return _hosted(self._client.fine_tuning.jobs.retrieve(job))

    def events(self, job: str) -> list[dict[str, Any]]:
        """Everything the job reported, oldest first."""
        found = [e.model_dump(mode="json") for e in self._client.fine_tuning.jobs.list_events(job, limit=100)]
        return sorted(found, key=lambda event: (event["created_at"], event["id"]))

    def checkpoints(self, job: str) -> list[dict[str, Any]]:
        """Models kept on the way, by step."""
        found = [c.model_dump(mode="json") for c in self._client.fine_tuning.jobs.checkpoints.list(job)]
        return sorted(found, key=lambda kept: int(kept["step_number"]))


def _hosted(job: FineTuningJob) -> HostedJob:
    return HostedJob(
        id=job.id,
        label=(job.metadata or {}).get(LABEL),
        status=job.status,
        seed=job.seed,
        training_file=job.training_file,
        model=job.fine_tuned_model,
        error=job.error.message if job.error and job.error.message else None,
        trained_tokens=job.trained_tokens,
        raw=job.model_dump(mode="json"),
    )
