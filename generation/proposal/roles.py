"""Which column plays which role, by its name and by what stands in it; what cannot be told is asked for."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from seedlock.generation.proposal.columns import Column
from seedlock.prereg.errors import BadInput, Finding
from seedlock.prereg.printable import printable

type Guessed = Literal["arm", "model", "seed", "item", "draw", "status", "answer"]

NAMES: Mapping[Guessed, tuple[str, ...]] = {
    "arm": (
        "arm", "condition", "treatment", "group", "variant", "intervention", "finetune", "fine_tune", "finetuned_on",
        "training_set", "training_data", "dataset", "method", "setting",
    ),
    "model": ("model", "base_model", "model_name", "model_id"),
    "seed": ("seed", "train_seed", "training_seed", "run_seed", "random_seed", "replicate", "run", "run_id"),
    "item": (
        "item", "item_id", "question_id", "qid", "q_id", "prompt_id", "doc_id", "example_id", "task_id", "id",
        "question", "prompt", "q", "input", "instruction",
    ),
    "draw": ("draw", "repeat", "sample", "sample_id", "sample_idx", "completion_idx", "rollout"),
    "status": ("status", "finish_reason", "stop_reason", "end"),
    "answer": (
        "hit", "correct", "is_correct", "success", "misaligned", "refused", "label", "verdict", "judgement", "judgment",
        "acc", "exact_match", "score", "value", "rating", "points", "text", "answer", "completion", "response",
        "output", "generation", "model_answer", "generated_text",
    ),
}  # fmt: skip
"""The names in use for each role, likeliest first; an answer that is a number or a verdict comes before its text."""
SHOWN_CHARACTERS = 60
MOST_ARMS, MOST_SEEDS, MOST_MODELS, MOST_LABELS = 24, 500, 40, 12
YES = ("true", "True", "TRUE", "1", "1.0", "yes", "Yes", "YES", "C", "correct", "pass", "hit")
NO = ("false", "False", "FALSE", "0", "0.0", "no", "No", "NO", "I", "incorrect", "fail", "miss")


@dataclass(frozen=True, slots=True, kw_only=True)
class Roles:
    """Role -> column, as far as it could be told; `why` says of each how.

    `answer_kind` is what the answers are: two words of which one counts (`counts`, `others`), numbers, or text.
    """

    columns: Mapping[Guessed, str]
    why: Mapping[Guessed, str]
    answer_kind: Literal["label", "value", "text"]
    counts: tuple[str, ...] = ()
    others: tuple[str, ...] = ()


def guess(columns: Mapping[str, Column], asked: Mapping[Guessed, str], count: Sequence[str]) -> Roles:
    """Give each role the column that is asked for, or the likeliest one.

    Parameters
    ----------
    asked
        Role -> column, as the user says it.
    count
        What counts in an answer: its labels, or words of its text.

    Raises
    ------
    BadInput
        With every role that a plan needs and that no column plays, each with the option that names it.
    """
    _require_there(columns, asked)
    found: dict[Guessed, str] = dict(asked)
    why: dict[Guessed, str] = dict.fromkeys(asked, "as you say")
    for role in NAMES:
        if role not in found and (name := _by_name(role, columns, set(found.values()))) is not None:
            found[role] = name
            why[role] = f"by its name; {_shown(columns[name])}"
    if "arm" not in found and (name := _of_few_levels(columns, set(found.values()))) is not None:
        found["arm"], why["arm"] = name, f"the one column of a few words; {_shown(columns[name])}"
    if "arm" not in found and "model" in found and 1 < columns[found["model"]].n_levels <= MOST_ARMS:
        found["arm"] = found.pop("model")
        why["arm"] = f"models by name differ, and nothing else does; {_shown(columns[found['arm']])}"
        why.pop("model", None)
    faults = [
        Finding(where=f"--{role}", found=f"no column that looks like {what}", promised=f"one of: {_listed(columns)}")
        for role, what in (
            ("arm", "what differs on purpose"),
            ("item", "what was asked"),
            ("answer", "the answer, or its score"),
        )
        if role not in found
    ]
    if faults:
        then = " ".join(f"{fault.where} COLUMN" for fault in faults)
        raise BadInput("the rows do not say enough for a plan", *faults, then=then)
    return _answer(columns, found, why, count)


def _answer(
    columns: Mapping[str, Column], found: dict[Guessed, str], why: dict[Guessed, str], count: Sequence[str]
) -> Roles:
    """What the answers are, and what counts in them.

    Raises
    ------
    BadInput
        Labels or texts of which nobody has said what counts, or a label that is not there.
    """
    column = columns[found["answer"]]
    levels = set(column.levels)
    is_two = not column.is_open and levels <= {*YES, *NO} and len(levels & set(YES)) <= 1 >= len(levels & set(NO))
    is_text = column.is_open or (len(count) == 1 and any(count[0] in level != count[0] for level in levels))
    if count and not is_text and column.n_levels <= MOST_LABELS:
        if absent := [word for word in count if word not in levels]:
            faults = [Finding(where="--count", found=word, promised=", ".join(sorted(levels))) for word in absent]
            raise BadInput("no answer is this label", *faults, then="--count LABEL")
        others = tuple(sorted(levels - set(count)))
        return Roles(columns=found, why=why, answer_kind="label", counts=tuple(count), others=others)
    if count:
        if len(count) > 1:
            fault = Finding(where="--count", found=" and ".join(count), promised="one word or marker of a text")
            raise BadInput("a text is counted by one marker", fault, then="--count WORD")
        return Roles(columns=found, why=why, answer_kind="text", counts=tuple(count))
    if is_two:
        yes = tuple(word for word in YES if word in levels) or (_opposite(levels),)
        no = tuple(word for word in NO if word in levels)
        return Roles(columns=found, why=why, answer_kind="label", counts=yes, others=no)
    if column.is_number:
        return Roles(columns=found, why=why, answer_kind="value")
    labels = ", ".join(printable(level, limit=SHOWN_CHARACTERS) for level in sorted(levels))
    promised = f"--count LABEL, of {labels}" if column.n_levels <= MOST_LABELS else "--count WORD"
    free = {name: one for name, one in columns.items() if name not in found.values()}
    scores = [name for name, one in free.items() if one.is_number or set(one.levels) <= {*YES, *NO}]
    either = "--count WORD   (or  --answer COLUMN, of scores)"
    raise BadInput(
        "nothing says what counts in an answer",
        Finding(where=f"answers in {column.name}", found="words", promised=promised),
        then=f"--answer {shlex.quote(scores[0])}" if len(scores) == 1 else either,
    )


def _opposite(levels: set[str]) -> str:
    """The word that counts where every answer is the one that does not."""
    return next(yes for yes, no in zip(YES, NO, strict=True) if no in levels)


def _by_name(role: Guessed, columns: Mapping[str, Column], taken: set[str]) -> str | None:
    """The column whose name is likeliest for a role, whose values fit it, and that plays no other role."""
    free = [name for name in columns if name not in taken and _fits(role, columns[name])]
    for wanted in NAMES[role]:
        for name in free:
            if wanted in {_plain(name), _plain(name.rpartition(".")[2])}:
                return name
    if role == "answer":
        return next((name for name in free if name.startswith("numbers.")), None)
    return None


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def _fits(role: Guessed, column: Column) -> bool:
    match role:
        case "arm":
            return not column.is_open and 1 < column.n_levels <= MOST_ARMS
        case "model":
            return not column.is_open and column.n_levels <= MOST_MODELS
        case "seed":
            return not column.is_open and column.n_levels <= MOST_SEEDS
        case "draw":
            return column.is_whole and column.is_number and column.low >= 0
        case "status":
            return not column.is_open and column.n_levels <= MOST_LABELS
        case _:
            return True


def _of_few_levels(columns: Mapping[str, Column], taken: set[str]) -> str | None:
    """The only free column of a few words, each of many rows."""
    few = [
        name
        for name, column in columns.items()
        if name not in taken
        and _fits("arm", column)
        and not column.is_number
        and min(column.levels.values()) > 1
        and not set(column.levels) <= {*YES, *NO}
    ]
    return few[0] if len(few) == 1 else None


def _shown(column: Column) -> str:
    """How many values, and the first of them."""
    if column.is_open:
        return "many values"
    levels = sorted(column.levels)
    shown = [printable(level, limit=SHOWN_CHARACTERS) for level in levels[:4]]
    return f"{len(levels)} {'value' if len(levels) == 1 else 'values'}: {', '.join(shown)}" + (
        ", ..." if len(levels) > 4 else ""
    )


def _listed(columns: Mapping[str, Column]) -> str:
    return ", ".join(list(columns)[:60])


def _require_there(columns: Mapping[str, Column], asked: Mapping[Guessed, str]) -> None:
    faults = [
        Finding(where=f"--{role}", found=f"{name}, no such column", promised=f"one of: {_listed(columns)}")
        for role, name in asked.items()
        if name not in columns
    ]
    if faults:
        raise BadInput("the rows have no such column", *faults, then="seedlock init DIR --from FILE")
