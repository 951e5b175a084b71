"""The Anthropic API: Messages or Message Batches; it gives no log-probabilities, so it scores no probes."""

from __future__ import annotations

from generation.backends import Setting
from generation.hosted.backend import HostedBackend, open_hosted
from prereg.run_tables import Decoding


def open_backend(decoding: Decoding, setting: Setting) -> HostedBackend:
    """Make the backend for a plan's decoding."""
    return open_hosted("anthropic", decoding, setting.hosted, setting.workbench)
