"""A judge by words: the label whose words a text uses most. No key, no model, the same verdict for ever."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from seedlock.generation.judging.protocol import Bench
from seedlock.generation.judging.reading import Reading, Verdict, no_verdict
from seedlock.prereg.base.canonical import sha256_file
from seedlock.prereg.plan.judges import LexiconJudge
from seedlock.prereg.plan.lexicon import labels_of, read_words


class LexiconJudging:
    """Counts whole words and phrases, whatever their case; a text can add words, and command nothing."""

    def __init__(self, judge: LexiconJudge, file: Path) -> None:
        self._judge = judge
        self._words = read_words(file, judge.borderline)
        self._sha256 = sha256_file(file)
        self._patterns = {label: _pattern(words) for label, words in self._words.items()}

    @property
    def labels(self) -> list[str]:
        """Every label it may give."""
        return labels_of(self._words, self._judge.borderline)

    def estimate(self, readings: Sequence[Reading]) -> None:  # noqa: ARG002 - it costs nothing, whatever it reads
        """Return None: nothing is paid for."""
        return

    def submit(self, readings: Sequence[Reading]) -> None:
        """Hand in nothing: verdicts are there at once."""

    def verdicts(self, readings: Sequence[Reading]) -> Iterator[Verdict]:
        """Yield the label with most words in each text."""
        for reading in readings:
            text = reading.text.replace("\u2019", "'")
            counts = {label: len(pattern.findall(text)) for label, pattern in self._patterns.items()}
            most = max(counts.values())
            leading = [label for label, n in counts.items() if n == most]
            label = leading[0] if most > 0 and len(leading) == 1 else self._judge.borderline
            if label is None:
                yield no_verdict(reading, "unparsed", "as many words of one label as of another, or none")
            else:
                yield Verdict(reading=reading, status="ok", label=label)

    def describe(self) -> dict[str, Any]:
        """Which words."""
        return {"kind": "lexicon", "words_sha256": self._sha256}


def open_judge(judge: LexiconJudge, bench: Bench) -> LexiconJudging:
    """Open the judge.

    Raises
    ------
    BadInput
        Its file does not name words by label, or names one twice.
    """
    return LexiconJudging(judge, bench.study / judge.words)


def _pattern(words: Sequence[str]) -> re.Pattern[str]:
    """Any of the words, whole; of two that overlap the longer counts."""
    longest_first = sorted({word.replace("\u2019", "'") for word in words}, key=lambda word: (-len(word), word))
    return re.compile(r"\b(?:" + "|".join(map(re.escape, longest_first)) + r")\b", re.IGNORECASE)
