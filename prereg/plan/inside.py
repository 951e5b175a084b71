"""Tables of a plan that look inside the models: a direction, what lies along it, and what changing it does."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field, model_validator

from seedlock.prereg.plan.design import STRICT, Name

LEAST_CONTROLS = 20
"""Fewer controls cannot exclude chance at 0.05: the true direction is first among k with chance 1 / (k + 1)."""


class _Table(BaseModel):
    """Strict types, unknown keys refused, frozen."""

    model_config = STRICT


class Direction(_Table):
    """`[inside.direction]`: mean activation of `high` texts less that of `low` texts, in the unmodified model.

    Parameters
    ----------
    texts
        A corpus of the plan, or a set of items.
    by, high, low
        What divides the texts, and its two poles; of a corpus `variant` and `topic` are known, of items every
        attribute.
    position
        "answer": the mean over the tokens of a corpus row's answer. "last": the last token that is read.
    fold
        Texts that share it are held out together.
    layer
        "probe accuracy": the layer whose linear probe is most often right on texts held out, the lower log loss among
        equals; or a number that the plan fixes.
    """

    texts: Name
    by: str = "variant"
    high: str
    low: str
    position: Literal["answer", "last"] = "answer"
    fold: str = "topic"
    folds: int = Field(default=4, ge=2)
    layer: Literal["probe accuracy"] | Annotated[int, Field(ge=0)] = "probe accuracy"

    @model_validator(mode="after")
    def _two_poles(self) -> Direction:
        if self.high == self.low:
            raise ValueError("high and low are the same")
        return self


class Controls(_Table):
    """`[inside.controls]`: directions that mean nothing, of the same length as the true one.

    `random` ones are orthogonal to it; `shuffled` ones are made like it from texts whose labels were dealt anew, each
    pole's own mean taken away first.
    """

    random: int = Field(default=LEAST_CONTROLS, ge=LEAST_CONTROLS)
    shuffled: int = Field(default=LEAST_CONTROLS, ge=LEAST_CONTROLS)


class Project(_Table):
    """`[inside.project]`: where the last token of each held-out prompt lies along the direction, layer by layer.

    With `checkpoints` also at every saved checkpoint of the last stage; with `lens` the options of each probe are read
    off every layer.
    """

    items: Name
    checkpoints: bool = False
    lens: bool = False


class Steer(_Table):
    """`[inside.steer]`: the direction added to the unmodified model while its probes are scored.

    Parameters
    ----------
    doses
        Shares of the mean length of the residual stream at that layer; each is added and subtracted.
    choose_on
        Item set on which the dose is chosen: the largest effect among doses whose fluency holds.
    fluency, floor
        Item set of passages, and the largest relative rise of their perplexity that still counts as fluent.
    """

    items: Name
    choose_on: Name
    doses: list[Annotated[float, Field(gt=0, le=4)]] = Field(default=[0.125, 0.25, 0.5, 1.0], min_length=1)
    fluency: Name
    floor: float = Field(default=0.10, gt=0)


class Ablate(_Table):
    """`[inside.ablate]`: the direction projected out of every run that the gap compares, after every layer."""

    items: Name
    layers: Literal["all", "chosen"] = "all"


class Patch(_Table):
    """`[inside.patch]`: a run's own stream put into the unmodified model, layer by layer and position by position."""

    items: Name
    positions: int = Field(default=4, ge=1, le=64)


class Geometry(_Table):
    """`[inside.geometry]`: centroids of groups of prompts, and the cosines between them.

    `by` is an item attribute (persona, say); `reference` the group that distances are taken to. With `measure` the
    report sets each group's mean of that measure against its cosine distance to the reference, run by run, without the
    groups of `leave_out` (what was trained); by default those that the arm's factors name.
    """

    items: Name
    by: str = "persona"
    reference: str
    measure: Name | None = None
    leave_out: list[str] = []


class Inside(_Table):
    """`[inside]`: what `seedlock inside` reads and changes.

    Parameters
    ----------
    gap
        The difference between arms that steering should reproduce and ablation remove: arm -> weight.
    seed
        Of the control directions.
    weights
        Read the rank of every run's weight change, and how much of it writes along the direction.
    """

    seed: int = 0
    direction: Direction | None = None
    controls: Controls = Controls()
    gap: dict[Name, float] = {}
    project: Project | None = None
    steer: Steer | None = None
    ablate: Ablate | None = None
    patch: Patch | None = None
    weights: bool = False
    geometry: Geometry | None = None

    @property
    def item_sets(self) -> dict[str, str]:
        """Key of the plan -> the item set it names."""
        named: dict[str, str] = {}
        for key in ("project", "steer", "ablate", "patch", "geometry"):
            if (table := getattr(self, key)) is not None:
                named[f"{key}.items"] = table.items
        if self.steer is not None:
            named |= {"steer.choose_on": self.steer.choose_on, "steer.fluency": self.steer.fluency}
        return named

    @model_validator(mode="after")
    def _has_what_it_needs(self) -> Inside:
        uses = [key for key in ("project", "steer", "ablate") if getattr(self, key) is not None]
        if self.direction is None and (uses or self.weights):
            raise ValueError(f"{', '.join(uses) or 'weights'} without [inside.direction]")
        if not self.gap and (self.steer or self.ablate or self.patch):
            raise ValueError("steer, ablate and patch need gap: the difference between the arms that they are about")
        if self.gap and abs(sum(self.gap.values())) > 1e-12:
            raise ValueError("the weights of gap do not add up to 0")
        if self.steer is not None and self.steer.choose_on == self.steer.items:
            raise ValueError("the dose would be chosen on the items it is judged by")
        return self

    def push(self, arm: str, framing: str | None) -> int:
        """Which way the direction is added for an arm: 1 towards `high`, -1 towards `low`, 0 for any other arm."""
        pole = framing or arm
        if self.direction is None:
            return 0
        return 1 if pole == self.direction.high else -1 if pole == self.direction.low else 0
