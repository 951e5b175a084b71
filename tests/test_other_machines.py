"""A Mac, another Linux, a small one without GNU tools: nothing that only one of them has, and the shell parts run."""

from __future__ import annotations

import ast
import multiprocessing
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from seedlock.generation.local.device import device_for
from seedlock.prereg.base import machine
from seedlock.prereg.errors import BadInput
from seedlock.prereg.plan.read import parse_plan
from tests.conftest import PLAN, PROJECT, git

ROOMS = ("prereg", "schemas", "training", "generation", "analysis", "src/seedlock/cli")
ALLOWED = {
    "prereg/base/machine.py": {"os.sched_getaffinity", "sched_getaffinity"},  # behind a test for it
    "generation/vllm_offline/client.py": {"os.killpg"},  # vLLM runs on Linux and macOS
}
NOT_EVERYWHERE = frozenset(
    {"os.sched_getaffinity", "os.fork", "os.forkpty", "os.killpg", "os.getuid", "os.geteuid", "os.setsid", "os.mkfifo"}
)
MODULES = frozenset({"fcntl", "pwd", "grp", "termios", "resource", "pty", "crypt", "spwd", "msvcrt", "winreg"})
PATHS = ("/proc/", "/sys/", "/dev/shm")  # noqa: S108 - looked for, not used
GNU_ONLY = {
    r"\bsed\s+(-\w+\s+)*-i\b": "sed -i needs a suffix on BSD",
    r"\breadlink\s+-f\b": "readlink -f",
    r"\bgrep\s+-\w*P": "grep -P",
    r"\bsort\s+-\w*V": "sort -V",
    r"\bxargs\s+-\w*r": "xargs -r",
    r"\bstat\s+(-c|--format)": "stat -c",
    r"\bdate\s+(-d|--date|-I)": "date -d",
    r"\bcp\s+--": "long options of cp",
    r"\bls\s+--": "long options of ls",
    r"\bhead\s+-n\s*-": "head -n -N",
    r"\b(nproc|timeout|sha256sum|realpath|tac|shuf)\b\s+[\"$\w-]": "a tool of GNU coreutils",
    r"\[\[": "bash's [[",
    r"\bset -[a-z]*o pipefail": "pipefail",
    r"<\(": "process substitution",
}
BUSYBOX = shutil.which("busybox")


def sources() -> Iterator[Path]:
    for room in ROOMS:
        yield from (file for file in (PROJECT / room).rglob("*.py") if "studies" not in file.parts)


def only_somewhere(file: Path) -> Iterator[str]:
    """What a source file names that only some systems have."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        match node:
            case ast.Attribute(value=ast.Name(id=owner), attr=name) if f"{owner}.{name}" in NOT_EVERYWHERE:
                yield f"{owner}.{name}"
            case ast.Import(names=names):
                yield from (one.name for one in names if one.name in MODULES)
            case ast.ImportFrom(module=module) if module in MODULES:
                yield str(module)
            case ast.Constant(value=str(text)) if text.startswith(PATHS):
                yield text
            case ast.Call(func=ast.Attribute(attr="get_context"), args=[ast.Constant(value="fork" | "forkserver")]):
                yield "multiprocessing.get_context"


def test_nothing_of_the_package_is_of_one_system_only() -> None:
    found = {
        file.relative_to(PROJECT).as_posix(): there
        for file in sources()
        if (there := set(only_somewhere(file)) - ALLOWED.get(file.relative_to(PROJECT).as_posix(), set()))
    }
    assert found == {"prereg/base/machine.py": {"multiprocessing.get_context"}}  # the one place, behind a test for it


def shell_files() -> list[Path]:
    listed = git(PROJECT, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
    names = [name for name in listed if name and (PROJECT / name).is_file() and not name.startswith("prereg/studies/")]
    files = [PROJECT / name for name in names if name.endswith((".sh", "justfile")) or "." not in Path(name).name]
    return [file for file in files if file.suffix or file.name == "justfile" or b"#!/bin/sh" in file.read_bytes()[:16]]


def test_recipes_and_launchers_use_what_every_posix_shell_has() -> None:
    files = shell_files()
    assert {"just", "justfile", "verify.sh"} <= {file.name for file in files}
    found = {
        f"{file.relative_to(PROJECT)}:{number}": what
        for file in files
        for number, line in enumerate(file.read_text("utf-8").splitlines(), start=1)
        for pattern, what in GNU_ONLY.items()
        if not line.lstrip().startswith("#") and re.search(pattern, line)
    }
    assert found == {}


def test_no_two_files_of_the_repository_are_one_on_a_disk_without_case() -> None:
    names = git(PROJECT, "ls-files", "-z").split("\0")
    assert [name for name, n in Counter(name.casefold() for name in names).items() if n > 1] == []


def test_files_of_a_plan_that_differ_only_in_case_are_refused() -> None:
    twice = PLAN + '\n[items]\none = "Questions.jsonl"\ntwo = "questions.jsonl"\n'
    with pytest.raises(BadInput) as refusal:
        parse_plan(twice.encode(), Path("plan.toml"))
    assert "questions.jsonl beside Questions.jsonl" in str(refusal.value)


def test_cores_are_counted_where_the_system_does_not_say_which_may_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("process_cpu_count", "sched_getaffinity"):
        monkeypatch.delattr(os, name, raising=False)
    assert machine.cores() == os.cpu_count()
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert machine.cores() == 1


def test_helpers_begin_afresh_where_none_can_be_forked(monkeypatch: pytest.MonkeyPatch) -> None:
    assert machine.helpers(["json"]).get_start_method() == "forkserver"
    monkeypatch.setattr(multiprocessing, "get_all_start_methods", lambda: ["spawn"])
    context = machine.helpers(["json"])
    assert context.get_start_method() == "spawn"
    process = context.Process(target=os.getpid)
    process.start()
    process.join(60)
    assert process.exitcode == 0


def test_models_run_where_torch_finds_a_gpu_or_where_they_are_told_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(machine.DEVICE, raising=False)
    for cuda, mps, dtype, wanted in (
        (True, True, "float32", "cuda"),
        (False, True, "float32", "mps"),
        (False, True, "float64", "cpu"),  # MPS has none
        (False, False, "float32", "cpu"),
    ):
        monkeypatch.setattr(torch.cuda, "is_available", lambda cuda=cuda: cuda)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda mps=mps: mps)
        assert device_for(dtype).type == wanted
    monkeypatch.setenv(machine.DEVICE, "cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert device_for("float32").type == "cpu"


@pytest.fixture
def small_machine(tmp_path: Path) -> dict[str, str]:
    """An environment whose only tools are busybox's, python and git."""
    if BUSYBOX is None:
        pytest.skip("busybox is not installed")
    tools = tmp_path / "bin"
    tools.mkdir()
    applets = subprocess.run([BUSYBOX, "--list"], check=True, capture_output=True, text=True).stdout.split()
    for applet in applets:
        (tools / applet).symlink_to(BUSYBOX)
    for name in ("git", "python3"):
        (tools / name).unlink(missing_ok=True)
        (tools / name).symlink_to(shutil.which(name) or sys.executable)
    seedlock = tools / "seedlock"
    seedlock.write_text(f'#!/bin/sh\nexec {sys.executable} -m seedlock "$@"\n')
    seedlock.chmod(0o755)
    return {**os.environ, "PATH": str(tools), "OMP_NUM_THREADS": "1"}


def run(environment: dict[str, str], *command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_the_scaffolds_verify_runs_under_busybox(small_machine: dict[str, str], tmp_path: Path) -> None:
    root = tmp_path / "mine"
    made = run(
        small_machine, str(tmp_path / "bin" / "sh"), "-c", f"seedlock init {root} --example imported", folder=tmp_path
    )
    assert made.returncode == 0, made.stderr
    done = run(small_machine, str(tmp_path / "bin" / "sh"), str(root / "verify.sh"), folder=tmp_path)
    assert "example" in done.stdout + done.stderr
    assert "not found" not in done.stderr


def test_the_launcher_lists_its_recipes_under_busybox(small_machine: dict[str, str], tmp_path: Path) -> None:
    if not (PROJECT / ".tools" / "bin" / "just").exists():
        pytest.skip("just is not in .tools")
    done = run(small_machine, str(tmp_path / "bin" / "sh"), str(PROJECT / "just"), "--list", folder=PROJECT)
    assert done.returncode == 0, done.stderr
    assert "lock-prereg" in done.stdout


def test_every_recipe_is_one_that_busybox_can_read(small_machine: dict[str, str], tmp_path: Path) -> None:
    bodies = re.findall(r"^    #!/bin/sh\n((?:    .*\n|\n)+)", (PROJECT / "justfile").read_text("utf-8"), flags=re.M)
    assert bodies
    for number, body in enumerate(bodies):
        script = tmp_path / f"{number}.sh"
        script.write_text(re.sub(r"\{\{.*?\}\}", "x", body))
        done = run(small_machine, str(tmp_path / "bin" / "sh"), "-n", str(script), folder=tmp_path)
        assert done.returncode == 0, done.stderr
