"""The words of a lexicon judge: a JSON file, label -> words and phrases, and the labels that it can give."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from seedlock.prereg.base.canonical import read_json
from seedlock.prereg.base.reading import read_regular
from seedlock.prereg.errors import BadInput, Finding


def read_words(file: Path, borderline: str | None) -> Mapping[str, tuple[str, ...]]:
    """Words and phrases by label, from a JSON file.

    Raises
    ------
    BadInput
        The file does not name words by label, or names one under two.
    """
    try:
        said = read_json(read_regular(file))
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


def labels_of(words: Iterable[str], borderline: str | None) -> list[str]:
    """Every label that a lexicon may give."""
    return list(dict.fromkeys([*words, *([borderline] if borderline is not None else [])]))


def _refused(file: Path, faults: list[Finding]) -> BadInput:
    return BadInput(f"{file.name} does not name words by label", *faults, then="mend the file, and amend the plan")
