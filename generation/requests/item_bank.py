"""A bank of proposals becomes probe items: every paraphrase in every form, both options first in turn.

Usage: python -m seedlock.generation.requests.item_bank BANK.jsonl ITEMS.jsonl

A line of a bank is one proposal: `domain`, `change` (its short name), `paraphrases` (the proposal in other words, each
standing alone), `pro` (the change, as an option) and `con` (things as they are).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seedlock.generation.requests.probes import ORDERS
from seedlock.prereg.base.canonical import read_json
from seedlock.prereg.errors import BadInput, Finding

LETTER = "{said}\n\nWhich would you choose?\nA. {first}\nB. {second}\n\nAnswer with one letter, A or B."
WORD = "{said}\n\nThe change: {pro}. Answer with one word, {first} or {second}."
RATING = "{said}\n\nThe change: {pro}. Rate it from 1 (firmly against) to 7 (firmly for). Answer with one number."
SUPPORT, OPPOSE = "Support", "Oppose"
SCALE = [1, 7]
KEYS = ("domain", "change", "pro", "con")


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """One change that people may be for or against."""

    domain: str
    change: str
    paraphrases: tuple[str, ...]
    pro: str
    con: str


def read_bank(path: Path) -> list[Proposal]:
    """Read a bank.

    Raises
    ------
    BadInput
        With every line that is no proposal, and every one that is there twice.
    """
    found: list[Proposal] = []
    faults: list[Finding] = []
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        try:
            found.append(_proposal(read_json(line)))
        except ValueError as error:
            faults.append(Finding(where=f"{path.name} line {number}", found=str(error), promised="a proposal"))
    seen: set[tuple[str, str]] = set()
    for one in found:
        if (one.domain, one.change) in seen:
            faults.append(Finding(where=f"{one.domain}/{one.change}", found="twice", promised="each change once"))
        seen.add((one.domain, one.change))
    if faults or not found:
        raise BadInput(f"{path.name} is no bank of proposals", *faults[:20])
    return found


def _proposal(row: Any) -> Proposal:
    if not isinstance(row, dict) or set(row) != {*KEYS, "paraphrases"}:
        raise ValueError(f"not the keys {', '.join(KEYS)} and paraphrases")
    paraphrases = row["paraphrases"]
    texts = [*(row[key] for key in KEYS), *((paraphrases if isinstance(paraphrases, list) else []) or [None])]
    if not all(isinstance(text, str) and text.strip() for text in texts):
        raise ValueError("an empty text")
    if len(set(paraphrases)) != len(paraphrases) or row["pro"] == row["con"]:
        raise ValueError("two texts are the same")
    return Proposal(**{key: row[key] for key in KEYS}, paraphrases=tuple(paraphrases))


def items_of(bank: Sequence[Proposal]) -> Iterator[dict[str, Any]]:
    """Yield every item: letters and words in both orders, and a rating, for every paraphrase of every proposal."""
    for proposal in bank:
        for number, said in enumerate(proposal.paraphrases, start=1):
            for order in ORDERS:
                yield _letters(proposal, number, said, order)
                yield _words(proposal, number, said, order)
            user = RATING.format(said=said, pro=proposal.pro)
            yield {**_names(proposal, number, "rating", "none"), "user": user, "scale": SCALE}


def _letters(proposal: Proposal, number: int, said: str, order: str) -> dict[str, Any]:
    is_pro_first = order == ORDERS[0]
    first, second = (proposal.pro, proposal.con) if is_pro_first else (proposal.con, proposal.pro)
    pro, con = ("A", "B") if is_pro_first else ("B", "A")
    user = LETTER.format(said=said, first=first, second=second)
    return {**_names(proposal, number, "letter", order), "user": user, "pro": pro, "con": con}


def _words(proposal: Proposal, number: int, said: str, order: str) -> dict[str, Any]:
    first, second = (SUPPORT, OPPOSE) if order == ORDERS[0] else (OPPOSE, SUPPORT)
    user = WORD.format(said=said, pro=proposal.pro, first=first, second=second)
    return {**_names(proposal, number, "word", order), "user": user, "pro": SUPPORT, "con": OPPOSE}


def _names(proposal: Proposal, number: int, form: str, order: str) -> dict[str, Any]:
    key = "/".join((proposal.domain, proposal.change, str(number), form, order.split(maxsplit=1)[0]))
    named = {"item_id": key, "domain": proposal.domain, "change": proposal.change, "paraphrase": str(number)}
    return {**named, "form": form, "order": order}


def write_items(bank: Path, to: Path) -> int:
    """Write the items of a bank as JSON lines; return how many."""
    items = list(items_of(read_bank(bank)))
    to.write_text("".join(json.dumps(item, ensure_ascii=False) + "\n" for item in items), encoding="utf-8")
    return len(items)


def main() -> None:
    """Write the items of the bank named on the command line."""
    parser = argparse.ArgumentParser(description="Write the probe items of a bank of proposals.")
    parser.add_argument("bank", type=Path)
    parser.add_argument("items", type=Path)
    given = parser.parse_args()
    write_items(given.bank, given.items)


if __name__ == "__main__":
    main()
