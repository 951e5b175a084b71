"""The examples of a judge: a JSON Lines file of texts, each with its right label and what it is about."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, Field, ValidationError

from seedlock.prereg.base.reading import read_regular
from seedlock.prereg.errors import BadInput, Finding
from seedlock.prereg.plan.design import STRICT

LEAST = 5
"""Fewer examples of a label, or fewer groups, teach nothing."""


class Example(BaseModel):
    """One line: a text whose label is known, and the group it is kept in, so that no topic is learnt and recognised."""

    model_config = STRICT

    text: str = Field(min_length=1)
    label: str = Field(min_length=1, max_length=80)
    group: str = Field(min_length=1)


def read_examples(file: Path) -> tuple[Example, ...]:
    """Read every line.

    Raises
    ------
    BadInput
        A line is no example, or a label has too few, or there are too few groups to try a judge on.
    """
    faults: list[Finding] = []
    found: list[Example] = []
    for number, line in enumerate(read_regular(file).splitlines(), start=1):
        if line.strip():
            try:
                found.append(Example.model_validate_json(line))
            except ValidationError as error:
                first = error.errors()[0]
                where = f"{file.name}:{number} {'.'.join(map(str, first['loc']))}".rstrip()
                faults.append(Finding(where=where, found=first["msg"], promised="text, label and group"))
    labels = sorted({one.label for one in found})
    if not faults:
        counts = {label: sum(one.label == label for one in found) for label in labels}
        faults += [
            Finding(where=f"{file.name} {label}", found=f"{n} examples", promised=f"at least {LEAST}")
            for label, n in counts.items()
            if n < LEAST
        ]
        if len(labels) < 2:
            faults.append(Finding(where=file.name, found=f"{len(labels)} labels", promised="two to tell apart"))
        if (n := len({one.group for one in found})) < LEAST:
            faults.append(Finding(where=file.name, found=f"{n} groups", promised=f"at least {LEAST}"))
    if faults:
        then = "mend the file, and amend the plan"
        raise BadInput(f"{file.name} holds no examples to judge by", *faults[:20], then=then)
    return tuple(found)
