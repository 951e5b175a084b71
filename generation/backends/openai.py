"""An OpenAI-compatible server: chat completions or the Batch API; probes by the first tokens it names."""

from __future__ import annotations

from generation.backends import Setting
from generation.hosted.backend import HostedBackend, open_hosted
from prereg.run_tables import Decoding


def open_backend(decoding: Decoding, setting: Setting) -> HostedBackend:
    """Make the backend for a plan's decoding."""
    return open_hosted("openai", decoding, setting.hosted, setting.workbench)
