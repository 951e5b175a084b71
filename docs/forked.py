"""`seedlock` for a shell that types it often: each command is a fork of one process that has its libraries loaded.

A command is still a process of its own, in the shell's folder, with its environment and its streams; what it is spared
is the seconds in which pandas, scipy and matplotlib are imported.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import NoReturn

from seedlock.cli import main

LOADED = (
    "seedlock.analysis.analyze",
    "seedlock.analysis.recount",
    "seedlock.analysis.replay",
    "seedlock.analysis.report.figures.design",
    "seedlock.analysis.simulation.run",
    "seedlock.generation.import_completions",
    "seedlock.prereg.verify.chain",
    "duckdb",
    "matplotlib.backends.backend_svg",
    "pingouin",
    "statsmodels.api",
)
ALONE = {"OMP_NUM_THREADS": "1", "JE_ARROW_MALLOC_CONF": "background_thread:false"}
"""Libraries start no threads of their own: a fork takes none along."""
MOST_BYTES = 2**20
TYPED = """\
#!/bin/sh
exec "{python}" -ISc '
import json, os, socket, sys
line = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
line.connect("{address}")
told = [sys.argv[1:], os.getcwd(), dict(os.environ)]
socket.send_fds(line, [json.dumps(told).encode()], [0, 1, 2])
sys.exit(int(line.recv(8)))
' "$@"
"""


@contextmanager
def forked_commands(tools: Path, python: Path, environment: Mapping[str, str]) -> Iterator[None]:
    """Put a Python's `seedlock` into a folder of tools, where it works as long as this context is open."""
    address = tools / "commands"
    (tools / "seedlock").write_text(TYPED.format(python=python, address=address))
    (tools / "seedlock").chmod(0o755)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as door:
        door.bind(str(address))
        door.listen()
        command = [str(python), "-P", __file__, str(door.fileno())]
        with subprocess.Popen(command, cwd=tools, env={**environment, **ALONE}, pass_fds=[door.fileno()]) as server:
            try:
                yield
            finally:
                server.terminate()


def serve(door: socket.socket) -> NoReturn:
    """Fork for each command that comes in."""
    for name in LOADED:
        import_module(name)
    while True:
        line, _ = door.accept()
        if os.fork() == 0:
            _carry_out(line)
        line.close()
        with suppress(ChildProcessError):  # none is left
            while os.waitpid(-1, os.WNOHANG) != (0, 0):
                pass


def _carry_out(line: socket.socket) -> NoReturn:
    """Be the process that was typed."""
    told, streams, _, _ = socket.recv_fds(line, MOST_BYTES, 3)
    typed, folder, environment = json.loads(told)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = ["seedlock", *typed]
    code: object = 1
    try:
        main()
    except SystemExit as ended:
        code = ended.code
    except BaseException:  # as Python ends a process with one
        traceback.print_exc()
    sys.stdout.flush()
    line.send(str(code).encode())
    os._exit(0)


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
