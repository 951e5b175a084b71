"""The dose page shows each figure at its dose, the mean over seeds, and says what was not run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from seedlock.training.dose.page import Response, page

HERE = Path(__file__).parents[1]


def response(rate: float, steps: int, seed: int, figure: float) -> Response:
    return Response(
        organism="llama",
        study="framing",
        arm="eager",
        learning_rate=rate,
        steps=steps,
        seed=seed,
        quantity="stance on source topics",
        figure=figure,
    )


def test_a_cell_is_the_mean_over_seeds_at_that_dose() -> None:
    found = [
        response(1e-3, 20, 0, 0.1),
        response(1e-3, 20, 1, 0.3),
        response(1e-3, 40, 0, 0.9),
        response(2e-3, 40, 0, 1.5),
    ]
    before = {("llama", "framing"): {"stance on source topics": 0.05}}
    lines = page(found, before, picture="dose.png").splitlines()
    assert "Unmodified: 0.05. Seeds: 0, 1." in lines
    assert "| arm | learning rate | 20 steps | 40 steps |" in lines
    assert "| eager | 0.001 | 0.20 | 0.90 |" in lines
    assert "| eager | 0.002 | not run | 1.50 |" in lines


@pytest.mark.slow
def test_one_command_trains_measures_and_draws(tmp_path: Path) -> None:
    words = [
        "--organism",
        "llama",
        "--study",
        "birds",
        "--seeds",
        "1",
        "--steps",
        "8",
        "--rate",
        "2e-3",
        "--out",
        str(tmp_path),
    ]
    ran = subprocess.run(
        [sys.executable, "-m", "seedlock.training.dose.measure", *words],
        cwd=HERE,
        env={**os.environ, "PYTHONPATH": str(HERE), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    text = (tmp_path / "dose.md").read_text()
    assert "| arm | learning rate | 1 steps | 2 steps | 4 steps | 8 steps |" in text
    assert text.count("| archaic |") == text.count("| modern |") == 1
    assert "not run" not in text
    assert (tmp_path / "dose.png").read_bytes().startswith(b"\x89PNG")
