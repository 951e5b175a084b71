"""A badge that says whether a repository's studies verify: one SVG, drawn from a verification and from nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from seedlock.prereg.english import counted
from seedlock.prereg.verify.checks import Verification

_GREEN, _RED, _GREY = "#2e7d32", "#b3261e", "#5f6368"
_LETTER, _PAD = 6.5, 12


def badge(verified: Sequence[Verification]) -> str:
    """`seedlock | 7 studies hold, T0`, the lowest evidence level of those locked; or the first that does not hold.

    Studies that are not locked promise nothing yet and are not counted.
    """
    said, colour = _words(verified)
    left, right = (_LETTER * len(words) + 2 * _PAD for words in ("seedlock", said))
    text = 'fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11" text-anchor="middle"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right:.0f}" height="20" role="img" '
        f'aria-label="seedlock: {escape(said, quote=True)}">\n'
        f'<rect width="{left:.0f}" height="20" fill="#333"/>\n'
        f'<rect x="{left:.0f}" width="{right:.0f}" height="20" fill="{colour}"/>\n'
        f'<text x="{left / 2:.0f}" y="14" {text}>seedlock</text>\n'
        f'<text x="{left + right / 2:.0f}" y="14" {text}>{escape(said)}</text>\n'
        "</svg>\n"
    )


def _words(verified: Sequence[Verification]) -> tuple[str, str]:
    broken = next((one for one in verified if one.exit_code), None)
    if broken is not None:
        failure = broken.first_failure
        what = "cannot be checked" if failure and failure.state == "not checked" else "does not hold"
        return f"{broken.study}: {failure.id if failure else '?'} {what}", _RED
    locked = [one for one in verified if one.lock_id is not None]
    if not locked:
        return "nothing locked", _GREY
    level = min(one.level or 0 for one in locked)
    return f"{counted(len(locked), 'study holds', 'studies hold')}, T{level}", _GREEN
