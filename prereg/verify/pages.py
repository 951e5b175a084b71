"""The pages of a published report: the one that is read, and the appendix with every number behind it."""

from __future__ import annotations

from pathlib import Path

from seedlock.prereg.base.reading import is_regular, read_regular_text

REPORT, APPENDIX = "report.html", "appendix.html"


def read_pages(folder: Path) -> dict[str, str]:
    """Name and text of each page of a report; reports of version 0.1.0 have no appendix.

    Raises
    ------
    UnreadableFile
        A page that is missing, no regular file, too large or not UTF-8.
    """
    names = [REPORT, *([APPENDIX] if is_regular(folder / APPENDIX) else [])]
    return {name: read_regular_text(folder / name) for name in names}
