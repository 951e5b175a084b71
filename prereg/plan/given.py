"""The table of a stage that was carried out elsewhere: where each run's weights lie, and the digest that pins them."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field, model_validator

from seedlock.prereg.plan.design import STRICT

type Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
type TrackedRun = Annotated[str, Field(pattern=r"^(wandb|mlflow|trackio):\S+$")]


class Given(BaseModel):
    """`[stages.NAME.given]`: adapters, or merged models, that somebody trained elsewhere.

    Parameters
    ----------
    path
        Folder of a run's weights, from the repository's top or absolute; `{model}`, `{arm}` and `{seed}` are the run's.
    revisions
        Run (`model/arm/seed`) -> digest of every file of its folder that loading it might read; `check` prints them.
    trackers
        Run -> where its training was tracked, `wandb:`, `mlflow:` or `trackio:` and the id there; into the ledger.
    source
        How they were trained, in the author's words: the program, its version, the script.
    """

    model_config = STRICT

    path: str = Field(min_length=1)
    revisions: dict[str, Digest] = {}
    trackers: dict[str, TrackedRun] = {}
    source: str = ""

    @model_validator(mode="after")
    def _one_folder_a_run(self) -> Given:
        if "{seed}" not in self.path:
            raise ValueError('path needs {seed}: each run has weights of its own ("adapters/{arm}-{seed}")')
        return self
