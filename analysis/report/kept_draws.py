"""What figures draw and results.json does not carry: kept beside the report, so that anyone can draw it again."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from seedlock.analysis.bayes.posterior_draws import FloatArray, PosteriorDraws
from seedlock.prereg.base.canonical import canonical_json, read_json, sha256_bytes, write_atomic
from seedlock.prereg.base.reading import is_regular, read_regular
from seedlock.prereg.errors import Finding, UnreadableFile

KEPT = "posteriors/drawn.json"
_ARRAYS = ("contrast_K", "new_unit_K", "unit_sd_K", "unit_sd_prior_K")
_NEAR = 1e-4
"""In units of the interval's width: draws are kept in single precision."""


def keep_draws(posteriors: Mapping[str, PosteriorDraws], report: Path) -> None:
    """Write the draws of every hypothesis, each array once, as little-endian single precision in base64."""
    if not posteriors:
        return
    arrays: dict[str, str] = {}
    said = {identity: _written(draws, arrays) for identity, draws in posteriors.items()}
    (report / KEPT).parent.mkdir(exist_ok=True)
    write_atomic(report / KEPT, canonical_json({"arrays": arrays, "hypotheses": said}) + b"\n")


def read_draws(report: Path, results: Mapping[str, Any]) -> dict[str, PosteriorDraws]:
    """Hypothesis id -> draws, as `keep_draws` wrote them; diagnostics are those of `results`.

    Raises
    ------
    UnreadableFile
        The file has another shape.
    """
    if not is_regular(report / KEPT):
        return {}
    bayes = {h["id"]: h["bayes"] for h in results["hypotheses"]}
    try:
        kept: Any = read_json(read_regular(report / KEPT))
        return {
            identity: PosteriorDraws(
                **{name: _array(kept, said[name]) for name in _ARRAYS},
                unit_sd_unit=said["unit_sd_unit"],
                chains_CK={name: _array(kept, chain) for name, chain in said["chains_CK"].items()},
                diagnostics=bayes[identity]["diagnostics"],
            )
            for identity, said in kept["hypotheses"].items()
        }
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        found = Finding(where=KEPT, found=f"{type(error).__name__}: {error}"[:200], promised="the draws of the figures")
        raise UnreadableFile("the draws beside the report cannot be read", found) from error


def draws_faults(posteriors: Mapping[str, PosteriorDraws], results: Mapping[str, Any]) -> Iterator[Finding]:
    """Draws that are not those whose mean and interval `results` give, and hypotheses that have none."""
    for h in results["hypotheses"]:
        bayes = h["bayes"]
        promised = None if bayes is None else bayes["estimate"]
        draws = posteriors.get(h["id"])
        if (draws is None) != (promised is None):
            found = "no draws" if draws is None else "draws"
            yield Finding(where=f"{KEPT} {h['id']}", found=found, promised=f"posterior mean {promised}")
        if draws is None or promised is None:
            continue
        tail = (1 - bayes["ci_level"]) / 2
        found_three = (
            float(draws.contrast_K.mean()),
            *(float(q) for q in np.quantile(draws.contrast_K, [tail, 1 - tail])),
        )
        near = _NEAR * (bayes["ci"][1] - bayes["ci"][0])
        for what, one, other in zip(("mean", "low", "high"), found_three, (promised, *bayes["ci"]), strict=True):
            if not math.isclose(one, other, rel_tol=_NEAR, abs_tol=near):
                yield Finding(where=f"{KEPT} {h['id']}", found=f"{what} {one}", promised=f"{what} {other}")


def _written(draws: PosteriorDraws, arrays: dict[str, str]) -> dict[str, Any]:
    """One hypothesis; its arrays go into `arrays` under their digest."""
    return {
        **{name: _named(getattr(draws, name), arrays) for name in _ARRAYS},
        "unit_sd_unit": draws.unit_sd_unit,
        "chains_CK": {name: _named(chain, arrays) for name, chain in draws.chains_CK.items()},
    }


def _named(values: FloatArray | None, arrays: dict[str, str]) -> dict[str, Any] | None:
    if values is None:
        return None
    raw = np.ascontiguousarray(values, dtype="<f4").tobytes()
    arrays[sha256_bytes(raw)] = base64.b64encode(raw).decode()
    return {"shape": list(values.shape), "array": sha256_bytes(raw)}


def _array(kept: Any, said: Any) -> Any:
    if said is None:
        return None
    raw = base64.b64decode(kept["arrays"][said["array"]], validate=True)
    return np.frombuffer(raw, dtype="<f4").astype(np.float64).reshape(said["shape"])
