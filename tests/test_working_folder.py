"""What lies in the working folder, which may be a stranger's repository, configures no library and runs nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

DRAW = """
from seedlock.analysis.report.figures.style import Caption, canvas, finish
with canvas(1.0) as (figure, (axes,)):
    axes.set_title("words")
    drawn = finish(figure, slug="f", title="t", caption=Caption(look="", read="", otherwise=""), alt="a", data={})
print(drawn.svg)
"""
NUMBA = "from seedlock.analysis.bayes import compiled; import numba; print(repr(numba.config.CACHE_DIR))"
NUMBA_ALONE = "import numba; print(repr(numba.config.CACHE_DIR))"


def run(folder: Path, *arguments: str) -> str:
    """Standard output of a fresh Python in `folder`, with the programs there first in the path."""
    environment = {**os.environ, "PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}
    environment.pop("NUMBA_CACHE_DIR", None)
    done = subprocess.run([sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, check=True)
    return done.stdout.decode()


def test_a_figure_follows_no_matplotlibrc_of_the_working_folder(tmp_path: Path) -> None:
    plain, strange = tmp_path / "plain", tmp_path / "strange"
    plain.mkdir()
    strange.mkdir()
    (strange / "matplotlibrc").write_text("text.usetex: True\nlines.linewidth: 9\nbackend: module://evil\n")
    (strange / "latex").write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\nexit 1\n")
    (strange / "latex").chmod(0o755)
    assert run(strange, "-c", DRAW) == run(plain, "-c", DRAW)
    assert not (tmp_path / "ran").exists()


def test_compiled_loops_come_from_no_cache_that_the_working_folder_names(tmp_path: Path) -> None:
    (tmp_path / ".numba_config.yaml").write_text("cache_dir: ./strange\n")
    assert run(tmp_path, "-c", NUMBA_ALONE) == "'./strange'\n"
    assert run(tmp_path, "-c", NUMBA) == "''\n"


def test_no_module_is_taken_from_the_working_folder(tmp_path: Path) -> None:
    for name in ("pydantic", "argparse", "prereg", "analysis"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('ran')\n")
    assert "usage" in run(tmp_path, "-m", "seedlock", "--help").lower()
