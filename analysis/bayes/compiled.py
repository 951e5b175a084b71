"""Compile plain loops with numba: cached on disk, and free of the interpreter lock so that chains run at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numba


def compiled[F: Callable[..., Any]](function: F) -> F:
    """Compile a function of arrays and numbers; `function.py_func` stays the plain one."""
    return cast("F", numba.njit(cache=True, nogil=True, error_model="numpy")(function))
