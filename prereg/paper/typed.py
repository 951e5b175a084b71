r"""Whether what an author typed for a value, `\seedlock[38.3 points]{H1.estimate}`, is that value, rounded."""

from __future__ import annotations

import re

from seedlock.prereg.paper.keys import Bound
from seedlock.prereg.paper.source import plain_number

_NUMERAL = re.compile(r"([<>]\s*)?(-\s*)?(\d[\d,]*(?:\.\d+)?)")
_MINUS = re.compile(r"\\ensuremath\{-\}|\$-\$|\u2212|\\textminus(?:\{\})?")
_HUNDREDTHS = re.compile(r"%|\bpp\b|per ?cent|points?\b")


def is_so(shown: str, bound: Bound) -> bool:
    """Whether every numeral of `shown` is the value's, at the decimals that it has; text must be the text.

    A rate may be typed as a share or in hundredths; `< 0.01` must be true of the value.
    """
    plain = _plain(shown)
    values = bound.value if isinstance(bound.value, tuple) else (bound.value,)
    amounts = [float(v) for v in values if isinstance(v, int | float) and not isinstance(v, bool)]
    if not amounts:
        return plain == bound.text
    numerals: list[tuple[str, str, str]] = _NUMERAL.findall(plain)
    return len(numerals) == len(amounts) and any(
        all(_fits(*numeral, value=scale * amount) for numeral, amount in zip(numerals, amounts, strict=True))
        for scale in _scales(plain, bound)
    )


def _scales(plain: str, bound: Bound) -> tuple[int, ...]:
    is_rate = bound.spec.startswith(("percent", "pp"))
    if _HUNDREDTHS.search(plain):
        return (100,) if is_rate else (1,)
    return (100, 1) if is_rate else (1,)


def _fits(relation: str, sign: str, numeral: str, *, value: float) -> bool:
    typed = float(plain_number(numeral)) * (-1 if sign else 1)
    if relation:
        return value < typed if relation.strip() == "<" else value > typed
    decimals = len(numeral.partition(".")[2])
    return abs(value - typed) <= 0.5 * 10.0**-decimals * (1 + 1e-9)


def _plain(shown: str) -> str:
    """What is typed, as it reads: minus signs as hyphens, no dollars, no thin spaces."""
    text = _MINUS.sub("-", shown).replace("{,}", "").replace(r"\,", " ").replace("~", " ")
    return " ".join(re.sub(r"\\(?=[%&#_$])|[$]", "", text).split())
