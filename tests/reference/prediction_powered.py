"""Makes prediction_powered.json, in an environment that has ppi-python 0.2.3 (`pip install ppi-python==0.2.3`)."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from ppi_py import ppi_mean_ci, ppi_mean_pointestimate  # type: ignore[import-not-found]  # not in our environment


def main() -> None:
    """Judges of 60 to 95% accuracy on rates, and one on a scale, at a weight that is given and at the tuned one."""
    rng = np.random.default_rng(20260101)
    cases = []
    for accuracy, n, more in ((0.95, 40, 160), (0.8, 25, 75), (0.6, 60, 140), (None, 30, 120)):
        right = rng.normal(3, 1, n + more) if accuracy is None else (rng.random(n + more) < 0.3).astype(float)
        noise = rng.normal(0.5, 0.7, n + more)
        said = right + noise if accuracy is None else np.where(rng.random(n + more) < accuracy, right, 1 - right)
        for lam in (1.0, 0.4, None):
            arrays = right[:n], said[:n], said[n:]
            tuned = lam
            if lam is None:
                # The tuned weight, found from two point estimates: the estimate is linear in it.
                at = [float(ppi_mean_pointestimate(*arrays, lam=x)[0]) for x in (0.0, 1.0)]
                tuned = float((ppi_mean_pointestimate(*arrays)[0] - at[0]) / (at[1] - at[0]))
            low, high = ppi_mean_ci(*arrays, alpha=0.1, lam=tuned)
            cases.append(
                {
                    "gold": right[:n].tolist(),
                    "judged": said[:n].tolist(),
                    "judged_only": said[n:].tolist(),
                    "lam": tuned,
                    "is_tuned": lam is None,
                    "estimate": float(ppi_mean_pointestimate(*arrays, lam=tuned)[0]),
                    "ci": [float(low[0]), float(high[0])],
                }
            )
    file = Path(__file__).with_suffix(".json")
    file.write_text(json.dumps(cases, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
