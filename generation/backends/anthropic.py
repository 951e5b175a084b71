"""The Anthropic API: Messages or Message Batches; it gives no log-probabilities, so it scores no probes."""

from __future__ import annotations

from seedlock.generation.backends import Setting
from seedlock.generation.hosted.backend import HostedBackend, open_hosted
from seedlock.prereg.plan.runs import Decoding


def open_backend(decoding: Decoding, setting: Setting) -> HostedBackend:
    """Make the backend for a plan's decoding."""
    return open_hosted("anthropic", decoding, setting.hosted, setting.workbench)
