"""What was asked and answered, on disk before anything else happens: a killed process pays for nothing twice."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

from seedlock.generation.hosted.asking import Outcome
from seedlock.prereg.errors import BadInput, Finding


class Journal:
    """A file of one JSON object a line, added to and flushed, never rewritten; one writer.

    Parameters
    ----------
    file
        Where it lies; a last line that a kill left unfinished is dropped.
    """

    def __init__(self, file: Path) -> None:
        self._outcomes: dict[str, Outcome] = {}
        self._asked: Counter[str] = Counter()
        file.parent.mkdir(parents=True, exist_ok=True)
        whole = self._read(file) if file.is_file() else 0
        self._file = file.open("ab")
        self._file.truncate(whole)

    def outcome(self, id: str) -> Outcome | None:
        """What became of a request, or None."""
        return self._outcomes.get(id)

    def is_under_way(self, id: str) -> bool:
        """Whether a request was sent and nothing was heard of it: it may be paid for."""
        return id not in self._outcomes and self._asked[id] > 0

    def sent_again(self, id: str) -> int:
        """How often a request was sent after its answer was lost: each may be paid for once more."""
        return max(0, self._asked[id] - 1)

    @property
    def served_by(self) -> list[str]:
        """Every name of a model that answered, as the provider gave it."""
        return sorted({o.served_by for o in self._outcomes.values() if o.served_by is not None})

    def ask(self, id: str) -> None:
        """Note a request before it is sent."""
        self._write({"asked": id})
        self._asked[id] += 1

    def not_carried_out(self, id: str) -> None:
        """Note that a request which was sent was not carried out."""
        self._write({"not_carried_out": id})
        self._asked[id] -= 1

    def keep(self, *outcomes: Outcome) -> None:
        """Note what became of requests, down to the disk."""
        for outcome in outcomes:
            self._write({"outcome": outcome.as_json()})
            self._outcomes[outcome.id] = outcome
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _write(self, line: dict[str, Any]) -> None:
        self._file.write(json.dumps(line, ensure_ascii=True).encode() + b"\n")
        self._file.flush()

    def _read(self, file: Path) -> int:
        """Take in every whole line; return how many bytes they are."""
        data = file.read_bytes()
        whole = data.rfind(b"\n") + 1
        for number, line in enumerate(data[:whole].splitlines(), start=1):
            try:
                self._take(json.loads(line))
            except (ValueError, TypeError, KeyError, AttributeError):
                fault = Finding(where=f"{file.name} line {number}", found=repr(line[:60]), promised="an entry")
                raise BadInput(
                    "the journal of what was asked cannot be read", fault, then="restore the file from a copy"
                ) from None
        return whole

    def _take(self, entry: dict[str, Any]) -> None:
        if "asked" in entry:
            self._asked[str(entry["asked"])] += 1
        elif "not_carried_out" in entry:
            self._asked[str(entry["not_carried_out"])] -= 1
        else:
            outcome = Outcome.from_json(entry["outcome"])
            self._outcomes[outcome.id] = outcome
