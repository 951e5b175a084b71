"""Answers of an instruct model kept as they come: a corpus whose writing was killed goes on where it stopped."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict
from itertools import batched
from pathlib import Path

from seedlock.prereg.base.canonical import canonical_json, sha256_json
from seedlock.training.instruct.model import Answer, TextModel

AT_A_TIME = 64
"""Prompts between two writes; what is kept is whole pieces of it, so that a resumed corpus has the same bytes."""

type Say = Callable[[int, int], None]
"""Told after each piece: texts written, and texts asked for."""


class Journalled:
    """A text model whose answers are kept in a file until the corpus is written.

    Parameters
    ----------
    model
        What answers.
    file
        Lines of answers below a line that names model, sampling and prompts; other ones are begun anew.
    say
        Where progress goes.
    """

    def __init__(self, model: TextModel, file: Path, say: Say) -> None:
        self._model = model
        self._file = file
        self._say = say

    def generate(self, prompts: Sequence[str], *, first: int = 0) -> list[Answer]:
        """Answer each prompt, in order; those that the file holds are not asked again."""
        head = sha256_json({"writer": dict(self._model.describe()), "prompts": list(prompts), "first": first})
        answers = self._kept(head)
        for piece in batched(prompts[len(answers) :], AT_A_TIME):
            new = self._model.generate(piece, first=first + len(answers))
            self._add(new)
            answers += new
            self._say(len(answers), len(prompts))
        return answers

    def describe(self) -> dict[str, str | int | float]:
        """The model's own description."""
        return dict(self._model.describe())

    def _kept(self, head: str) -> list[Answer]:
        lines = self._file.read_bytes().splitlines(keepends=True) if self._file.is_file() else []
        whole = [line for line in lines if line.endswith(b"\n")]
        if not whole or json.loads(whole[0]) != {"asked": head}:
            whole = [canonical_json({"asked": head}) + b"\n"]
        kept = whole[: 1 + (len(whole) - 1) // AT_A_TIME * AT_A_TIME]
        self._file.parent.mkdir(parents=True, exist_ok=True)
        self._file.write_bytes(b"".join(kept))
        return [Answer(**json.loads(line)) for line in kept[1:]]

    def _add(self, answers: Sequence[Answer]) -> None:
        with self._file.open("ab") as file:
            file.writelines(canonical_json(asdict(answer)) + b"\n" for answer in answers)
            file.flush()
            os.fsync(file.fileno())
