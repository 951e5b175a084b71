"""Who draws: this Seedlock by its bytes, and the libraries that put ink on a figure by theirs."""

from __future__ import annotations

import platform
import sys
from typing import Any

from seedlock.prereg.base.canonical import Sha256, sha256_json
from seedlock.prereg.base.distributions import record_sha256
from seedlock.prereg.base.tool import this_tool

LIBRARIES = ("contourpy", "fonttools", "jinja2", "markupsafe", "matplotlib", "numpy", "pillow", "scipy")


def drawn_with() -> Sha256:
    """One digest over the files of the drawing libraries, the Python and the kind of machine."""
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    return sha256_json({name: record_sha256(name) for name in LIBRARIES} | {"": f"{python} {platform.machine()}"})


def builder() -> dict[str, Any]:
    """What the ledger keeps of who built a report."""
    tool = this_tool()
    return {
        "version": tool.version,
        "commit": tool.commit,
        "files_sha256": tool.files_sha256,
        "libraries_sha256": drawn_with(),
    }
