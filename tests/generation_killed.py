"""Generate studies while kill -9 strikes at random moments. Run as a script: ROOT KILLS SEED.

Models and tables are imported once; every attempt is a fork of that process, so that a kill costs no start-up.
Five copies of a study take the kills in turn, so that early, middle and late moments of each are met.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import hypothesis  # noqa: F401 - pandera imports it where it is installed, once a process
import pandera.backends.pandas.builtin_checks  # noqa: F401 - imported here, once, and not by every fork
import torch
import transformers.models.llama.modeling_llama  # noqa: F401 - the same

import seedlock.generation.backends.transformers  # noqa: F401 - the same
from seedlock.generation.generate import generate_study
from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.lock.gate import require_lock

COPIES = 5


def attempt(paths: StudyPaths, kill_after_s: float | None) -> bool:
    """Generate in a fork; True where it was killed before it was done."""
    child = os.fork()
    if not child:
        try:
            generate_study(require_lock(paths), batch_size=8)
            os._exit(0)
        except BaseException as error:
            sys.stderr.write(f"{type(error).__name__}: {error}\n")
            os._exit(1)
    if kill_after_s is not None:
        time.sleep(kill_after_s)
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return True
    if os.WEXITSTATUS(status):
        raise SystemExit("an attempt failed")
    return False


def main(root: Path, kills: int, seed: int) -> None:
    torch.set_num_threads(1)
    rng = random.Random(seed)
    calm = StudyPaths(root=root / "calm", name="said")
    began = time.monotonic()
    attempt(calm, None)
    whole_s = time.monotonic() - began
    copies = [StudyPaths(root=root / f"killed{number}", name="said") for number in range(COPIES)]
    killed = sum(attempt(copies[kill % COPIES], rng.uniform(0.02, 0.4) * whole_s) for kill in range(kills))
    for paths in copies:
        attempt(paths, None)
    sys.stdout.write(json.dumps({"killed": killed, "whole_s": whole_s, "runs": [str(c.runs) for c in copies]}) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
