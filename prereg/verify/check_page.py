"""check.html: the page that checks a study in a browser, as this version of Seedlock publishes it."""

from __future__ import annotations

from pathlib import Path

from seedlock.prereg.base.canonical import Sha256, sha256_file

CHECK_PAGE = Path(__file__).with_name("check.html").resolve()
"""In a checkout a link to docs/check.html, in an installed package the file itself."""


def check_page_sha256() -> Sha256:
    """Digest of the page; reports and REVIEW.md name it, so that a reader knows the page when they see it."""
    return sha256_file(CHECK_PAGE)
