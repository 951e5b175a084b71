"""What other libraries say that nobody here can act on, kept quiet where they say it and nowhere else."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def adapter_notice_unheard() -> Iterator[None]:
    """Put an adapter on a model in here: peft 0.21 asks it for what transformers 5 has renamed, and is warned of it."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="`is_gradient_checkpointing` is deprecated", category=FutureWarning)
        yield
