"""A judge by words: the label whose words a text uses most. No key, no model, the same verdict for ever."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from generation.judging.panel import Bench
from generation.judging.reading import Reading, Verdict, no_verdict
from prereg.canonical import read_json, sha256_file
from prereg.errors import BadInput, Finding
from prereg.judge_tables import LexiconJudge


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
        borderline = self._judge.borderline
        return list(dict.fromkeys([*self._words, *([borderline] if borderline is not None else [])]))

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


def read_words(file: Path, borderline: str | None) -> Mapping[str, tuple[str, ...]]:
    """Words and phrases by label, from a JSON file."""
    try:
        said = read_json(file.read_bytes())
    except ValueError as error:
        raise _refused(file, [Finding(where=file.name, found=str(error), promised="a JSON object")]) from None
    if not isinstance(said, dict) or not said or (len(said) < 2 and set(said) == {borderline}):
        fault = Finding(where=file.name, found="no two labels to tell apart", promised="label -> list of words")
        raise _refused(file, [fault])
    faults: list[Finding] = []
    owner: dict[str, str] = {}
    for label, words in said.items():
        if not isinstance(words, list) or not words:
            faults.append(Finding(where=label, found=repr(words)[:60], promised="a list of words and phrases"))
            continue
        for word in words:
            if not isinstance(word, str) or not word[:1].isalnum() or not word[-1:].isalnum():
                faults.append(
                    Finding(where=label, found=repr(word)[:60], promised="a word that begins and ends as one")
                )
            elif owner.setdefault(word.casefold(), label) != label:
                faults.append(
                    Finding(where=label, found=word, promised=f"a word of one label; {owner[word.casefold()]} has it")
                )
    if len(said) < 2 and borderline is None:
        faults.append(
            Finding(
                where=file.name, found=f"the label {next(iter(said))} alone", promised="another label, or borderline"
            )
        )
    if faults:
        raise _refused(file, faults[:20])
    return {label: tuple(words) for label, words in said.items()}


def _refused(file: Path, faults: list[Finding]) -> BadInput:
    return BadInput(f"{file.name} does not name words by label", *faults, then="mend the file, and amend the plan")


def _pattern(words: Sequence[str]) -> re.Pattern[str]:
    """Any of the words, whole; of two that overlap the longer counts."""
    longest_first = sorted({word.replace("\u2019", "'") for word in words}, key=lambda word: (-len(word), word))
    return re.compile(r"\b(?:" + "|".join(map(re.escape, longest_first)) + r")\b", re.IGNORECASE)
