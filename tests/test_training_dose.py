"""The dose page shows each figure at its dose, the mean over seeds, and says what was not run."""

from __future__ import annotations

from training.dose import Response, page


def response(rate: float, steps: int, seed: int, figure: float) -> Response:
    return Response(
        study="framing",
        arm="eager",
        learning_rate=rate,
        steps=steps,
        seed=seed,
        quantity="held-out stance",
        figure=figure,
    )


def test_a_cell_is_the_mean_over_seeds_at_that_dose() -> None:
    found = [
        response(1e-3, 20, 0, 0.1),
        response(1e-3, 20, 1, 0.3),
        response(1e-3, 40, 0, 0.9),
        response(2e-3, 40, 0, 1.5),
    ]
    lines = page("llama", found, {"framing": {"held-out stance": 0.05}}).splitlines()
    assert "Unmodified: 0.05. Seeds: [0, 1]." in lines
    assert "| arm | learning rate | 20 steps | 40 steps |" in lines
    assert "| eager | 0.001 | 0.20 | 0.90 |" in lines
    assert "| eager | 0.002 | not run | 1.50 |" in lines
