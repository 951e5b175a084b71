"""What training holds on a device: weights, adapter, and what the backward pass needs, from a model's shape alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.cost.amounts import Line, at_most
from seedlock.prereg.plan.lint import Lint
from seedlock.prereg.plan.model_shape import ModelShape, shape_of
from seedlock.prereg.plan.plan import Plan
from seedlock.training.jobs.settings import StageSettings, resolve

BYTES = {"float32": 4, "bfloat16": 2, "float16": 2}
WIDE = 4
"""peft keeps adapters in float32, whatever the type of the model under them, and reads its inputs in it."""
OPTIMISED = 4
"""Of every trained number: itself, its gradient, and the two moments of Adam."""
RESERVE = 0.08
"""Share of a card that its driver, kernels and the allocator's gaps take."""
GB = 1e9
MARKER_TOKENS = 16
"""Positions a row that the loss on a marker looks at, at most: the marker, the end of the turn, and openings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingMemory:
    """Bytes on one device at the peak of a step.

    Parameters
    ----------
    weights
        The base model, frozen.
    adapter
        Trained numbers with their gradients and moments.
    activations
        What all layers keep for the backward pass; with gradient checkpointing the inputs of every layer, and one layer
        read again.
    logits
        Scores of every token of the vocabulary where the loss looks, with their float32 copies and gradient.
    """

    weights: float
    adapter: float
    activations: float
    logits: float

    @property
    def together(self) -> float:
        """All of it."""
        return self.weights + self.adapter + self.activations + self.logits

    def fits(self, card_gb: float) -> bool:
        """Whether a card of so many gigabytes (10^9 bytes) holds it, with what the card keeps to itself."""
        return self.together <= card_gb * GB * (1 - RESERVE)


def training_memory(shape: ModelShape, settings: StageSettings, *, tokens: int, supervised: int) -> TrainingMemory:
    """Predict the peak of one step.

    Parameters
    ----------
    tokens
        Rows that a device sees at once, times their length.
    supervised
        Of these, positions where the loss looks.
    """
    narrow = BYTES[settings.dtype]
    layer = layer_bytes(shape, settings, tokens=tokens)
    kept = shape.layers * tokens * shape.hidden * narrow + layer if settings.gradient_checkpointing else 0.0
    return TrainingMemory(
        weights=float(narrow * shape.parameters),
        adapter=float(OPTIMISED * WIDE * shape.adapter_parameters(settings.rank, settings.target_modules)),
        activations=kept or shape.layers * layer,
        logits=float(supervised * shape.vocabulary * (2 * narrow + 3 * WIDE)),
    )


def layer_bytes(shape: ModelShape, settings: StageSettings, *, tokens: int, mask_bytes: int = 1) -> float:
    """Bytes that one decoder layer keeps for the backward pass under LoRA, its own weights frozen.

    Counted tensor by tensor: both norms, queries, keys, values and what attention makes of them, gate, up and their
    product, and at every adapted linear module its input in float32, the dropout's mask, and the rank's own row.
    Softmax weights are kept where the attention kernel is "eager", for `tokens` in one row: an upper bound.
    `mask_bytes`: of one number of a dropout's mask, 1 on a GPU and as wide as its input on a CPU.
    """
    narrow = BYTES[settings.dtype]
    size = shape.head_dim or shape.hidden // shape.heads
    queries, keys = shape.heads * size, shape.kv_heads * size
    norms = 2 * (shape.hidden * WIDE + WIDE)
    attention = narrow * (2 * queries + 2 * keys) + WIDE * shape.heads
    if settings.attention == "eager":
        attention += 2 * WIDE * shape.heads * tokens
    feed_forward = 3 * narrow * shape.mlp
    return float(tokens * (norms + attention + feed_forward + _adapters(shape, settings, mask_bytes)))


def _adapters(shape: ModelShape, settings: StageSettings, mask_bytes: int) -> float:
    """Bytes a token that the adapters of one layer keep; in float32 an input that is kept already is not kept again."""
    chosen = {n: w for n, w in shape.linear.items() if settings.target_modules is None or n in settings.target_modules}
    is_cast = settings.dtype != "float32"
    own = sum(WIDE * settings.rank for _ in chosen)
    if settings.dropout:
        return own + sum((WIDE + mask_bytes) * wide for wide, _ in chosen.values())
    if is_cast:
        return own + sum(WIDE * wide for wide, _ in chosen.values())
    shared = ({"q_proj", "k_proj", "v_proj"}, {"gate_proj", "up_proj"}, {"down_proj"})
    return own + sum(WIDE * shape.linear[min(group)][0] for group in shared if group & set(chosen))


@dataclass(frozen=True, slots=True, kw_only=True)
class Peak:
    """The stage of a model that needs most, and what it needs."""

    model: str
    stage: str
    memory: TrainingMemory


def peaks(paths: StudyPaths, plan: Plan) -> Iterator[Peak]:
    """Of every model that is trained here and whose shape is known, the stage that needs most on one device."""
    for model in plan.grid.models:
        shape = shape_of(plan, model, paths.root)
        trained = [name for name in plan.used_stages if plan.stages[name].trainer == "lora"]
        found = (
            [] if shape is None else [_peak(model, name, resolve(name, plan.stages[name]), shape) for name in trained]
        )
        known = [peak for peak in found if peak is not None]
        if known:
            yield max(known, key=lambda peak: peak.memory.together)


def _peak(model: str, name: str, settings: StageSettings, shape: ModelShape) -> Peak | None:
    """None where rows have no longest length: nothing bounds what a device sees at once."""
    if settings.max_length is None:
        return None
    tokens = settings.batch_size * settings.max_length
    supervised = settings.batch_size * MARKER_TOKENS if settings.loss == "marker" else tokens
    memory = training_memory(shape, settings, tokens=tokens, supervised=min(tokens, supervised))
    return Peak(model=model, stage=name, memory=memory)


def memory_lines(paths: StudyPaths, plan: Plan) -> Iterator[Line]:
    """Room on a device, for `seedlock estimate`."""
    for peak in peaks(paths, plan):
        at = peak.memory
        parts = f"weights {at.weights / GB:.3g}, adapter {at.adapter / GB:.3g}, kept for the backward pass"
        note = f"{peak.stage}: {parts} {at.activations / GB:.3g}, scores {at.logits / GB:.3g} GB"
        yield Line(
            part="memory", of=peak.model, what="training, a device", unit="bytes", amount=at_most(at.together, note)
        )


def memory_lints(paths: StudyPaths, plan: Plan) -> Iterator[Lint]:
    """Refuse stages that the card of [rates] cannot hold, before anything is locked."""
    card = None if plan.rates is None else plan.rates.gpu_gb
    if card is None:
        return
    for peak in peaks(paths, plan):
        if not peak.memory.fits(card):
            yield Lint(
                code="does-not-fit",
                severity="refuse",
                where=f"stages.{peak.stage}",
                says=f"on {peak.model} it needs up to {peak.memory.together / GB:.3g} GB, and the card has {card:g}",
                remedy="gradient_checkpointing = true, or a smaller batch_size with more gradient_accumulation",
            )
