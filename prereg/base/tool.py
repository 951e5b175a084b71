"""Which Seedlock this is."""

from __future__ import annotations


def tool_version() -> str:
    """This package's version; `uninstalled` where it runs from a folder that nothing installed."""
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415 - slower than the rest of `--version`

    try:
        return version("seedlock")
    except PackageNotFoundError:
        return "uninstalled"
