"""Tables of a plan that say what work costs: speeds, prices and a budget. Only `estimate` reads them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from seedlock.prereg.plan.design import Name
from seedlock.prereg.plan.model_shape import ModelShape
from seedlock.prereg.plan.runs import Table

type Above0 = Annotated[float, Field(gt=0)]
type Price = Annotated[float, Field(ge=0)]


class Speeds(Table):
    """Tokens a second on one device, where they were measured or can be vouched for."""

    training_tokens_per_second: Above0 | None = None
    generation_tokens_per_second: Above0 | None = None
    prompt_tokens_per_second: Above0 | None = None


class ModelRates(Speeds):
    """`[rates.models.NAME]`: what holds for one model of the plan.

    `shape` gives the size of a model that is not on this machine, and of adapters on it. Prices are per million tokens,
    of models that are trained or asked behind an API.
    """

    shape: ModelShape | None = None
    training_per_million: Price | None = None
    input_per_million: Price | None = None
    output_per_million: Price | None = None


class Rates(Speeds):
    """`[rates]`: what `seedlock estimate` reckons with; of the rest, `check` reads `gpu_gb` alone.

    Parameters
    ----------
    source
        Where the numbers come from, and of what date.
    gpus, gpu_hour_cost, currency
        Devices at work at once, and what one costs an hour.
    gpu_gb
        Memory of one, in 10^9 bytes: `check` refuses stages that it cannot hold.
    flops_per_second, training_share, generation_share
        Where no speed is stated: peak of one device, and the share of it that training and generation reach. A token
        costs 6 operations a parameter in training, and 2 in generation and reading.
    tokens_per_row, tokens_per_answer
        Corpus -> tokens of a row, and tokens of an answer, where they are thought to be fewer than the plan allows.
    budget
        What the whole study may cost; an estimate above it is shown as a warning.
    """

    source: str = Field(min_length=1)
    gpus: int = Field(default=1, gt=0)
    gpu_gb: Above0 | None = None
    gpu_hour_cost: Price | None = None
    currency: str = Field(default="USD", min_length=1, max_length=12)
    flops_per_second: Above0 | None = None
    training_share: float = Field(default=0.3, gt=0, le=1)
    generation_share: float = Field(default=0.1, gt=0, le=1)
    tokens_per_row: dict[Name, Above0] = Field(default={})
    tokens_per_answer: Above0 | None = None
    budget: Above0 | None = None
    models: dict[Name, ModelRates] = Field(default={})

    def of(self, model: str) -> ModelRates:
        """What holds for one model: its own numbers, and the study's where it has none."""
        own = self.models.get(model, ModelRates())
        shared = {key: getattr(self, key) for key in Speeds.model_fields if getattr(own, key) is None}
        return own.model_copy(update=shared)
