"""Effective samples a second: this engine, bambi's default form, PyMC hierarchically centred, and one row a completion.

The data have the size of two model families x three arms, five seeds, 360 items, ten answers an item. Every form
samples the same answers. `seconds` are processor seconds of all threads, the same on a busy machine as on a quiet
one; compiling is counted apart. The rate is the lowest bulk ESS over all differences of level means (logit
scale) by the seconds of sampling, warm-up included.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from seedlock.analysis.bayes.cells import CellCounts, FloatArray, count_cells
from seedlock.analysis.bayes.mcmc import bulk_ess, tail_ess
from seedlock.analysis.bayes.priors import HierarchyPriors

LEVELS, RUNS, ITEMS, ANSWERS = 6, 5, 360, 10
ROWS_DRAWS = 200
"""Draws (and as many of warm-up) of the form with one row a completion, one chain: more would take an hour."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """One form's cost and yield."""

    form: str
    compile_s: float
    sampling_s: float
    wall_s: float
    bulk_ess: float
    tail_ess: float
    note: str

    @property
    def rate(self) -> float:
        """Effective samples a processor second of sampling."""
        return self.bulk_ess / self.sampling_s


def answers(rng: np.random.Generator, items: int = ITEMS) -> CellCounts:
    """Counts of a study of that size: item SD 1, run SD 0.4 on the logit scale, rates about .2 to .5."""
    level_A = np.linspace(-1.4, 0.0, LEVELS)
    item_I = rng.normal(0, 1, items)
    run_AS = rng.normal(0, 0.4, (LEVELS, RUNS))
    logit_ASI = level_A[:, None, None] + run_AS[:, :, None] + item_I
    k_ASI = rng.binomial(ANSWERS, 1 / (1 + np.exp(-logit_ASI)))
    at = [(a, s, i) for a in range(LEVELS) for s in range(RUNS) for i in range(items)]
    return count_cells(
        level=[f"arm{a}" for a, _, _ in at],
        unit=[f"seed{s}" for _, s, _ in at],
        item=[f"item{i:03}" for _, _, i in at],
        k=k_ASI.ravel(),
        n=np.full(k_ASI.size, ANSWERS),
    )


def engine(cells: CellCounts) -> Timed:
    """The compiled engine's sampler."""
    from seedlock.analysis.bayes.hierarchy import first_sampler
    from seedlock.analysis.bayes.problem import counts_problem
    from seedlock.analysis.bayes.sampling import sample

    clock = Clock()
    problem = counts_problem(cells, HierarchyPriors(), is_informed=True)
    problem.log_density(problem.start_D)
    compiled = clock.lap()
    sampler = first_sampler(cells, seed=1)
    tree = sample(problem, sampler, cells.design)
    note = f"{sampler.draws} draws after {sampler.tune}, 4 chains"
    return clock.timed("engine", tree.posterior["level_mean"].to_numpy(), compiled, note)


def bambi_form(cells: CellCounts) -> Timed:
    """bambi's default (non-centred) form of the same model, under nutpie."""
    import nutpie

    from seedlock.analysis.bayes.model import bambi_model

    clock = Clock()
    stated = bambi_model(cells, "binomial", HierarchyPriors())
    model = nutpie.compile_pymc_model(stated.backend.model, var_names=["arm", "arm|item", "1|run", "1|run_sigma"])
    compiled = clock.lap()
    tree = nutpie.sample(model, draws=1000, tune=1000, chains=4, cores=2, seed=1, progress_bar=False)
    level_CKA = (tree.posterior["arm"] + tree.posterior["arm|item"].mean("item__factor_dim").to_numpy()).to_numpy()
    return clock.timed("bambi's default form", level_CKA, compiled, "1000 draws after 1000, 4 chains, nutpie")


def centred_form(cells: CellCounts) -> Timed:
    """The same model hierarchically centred in PyMC, under nutpie (numba): what `--engine bambi` falls back on."""
    import nutpie

    from seedlock.analysis.bayes.model import pymc_counts

    clock = Clock()
    model = nutpie.compile_pymc_model(pymc_counts(cells, HierarchyPriors()), var_names=["level_mean", "run_sd"])
    compiled = clock.lap()
    tree = nutpie.sample(model, draws=1000, tune=1000, chains=4, cores=2, seed=1, progress_bar=False)
    note = "1000 draws after 1000, 4 chains, nutpie"
    return clock.timed("PyMC, centred", tree.posterior["level_mean"].to_numpy(), compiled, note)


def rows_form(cells: CellCounts) -> Timed:
    """One Bernoulli row a completion, non-centred, under PyMC's default sampler in one process."""
    import pymc as pm

    clock = Clock()
    design = cells.design
    items = len(design.items)
    level_C = np.repeat(design.level_G, items * ANSWERS)
    run_C = np.repeat(np.arange(design.n_groups), items * ANSWERS)
    item_C = np.tile(np.repeat(np.arange(items), ANSWERS), design.n_groups)
    success_C = (np.arange(ANSWERS) < cells.k_GI[:, :, None]).astype(int).ravel()
    with pm.Model() as model:
        arm = pm.Normal("arm", 0, 2.5, shape=LEVELS)
        run = pm.HalfNormal("run_sd", 1) * pm.Normal("run_z", shape=design.n_groups)
        item = pm.HalfNormal("item_sd", 1.5, shape=LEVELS)[:, None] * pm.Normal("item_z", shape=(LEVELS, items))
        pm.Deterministic("level", arm + item.mean(axis=1))
        pm.Bernoulli("y", logit_p=arm[level_C] + run[run_C] + item[level_C, item_C], observed=success_C)
        model.logp_dlogp_function(ravel_inputs=True)
        compiled = clock.lap()
        tree = pm.sample(
            draws=ROWS_DRAWS,
            tune=ROWS_DRAWS,
            chains=1,
            cores=1,
            random_seed=1,
            progressbar=False,
            compute_convergence_checks=False,
        )
    note = f"{ROWS_DRAWS} draws after {ROWS_DRAWS}, 1 chain, PyMC's default sampler"
    return clock.timed("one row a completion", tree.posterior["level"].to_numpy(), compiled, note)


class Clock:
    """Processor seconds since the last lap, and wall seconds since the start."""

    def __init__(self) -> None:
        self.wall, self.processor = time.perf_counter(), time.process_time()

    def lap(self) -> float:
        """Processor seconds since the last lap."""
        last, self.processor = self.processor, time.process_time()
        return self.processor - last

    def timed(self, form: str, level_CKA: FloatArray, compile_s: float, note: str) -> Timed:
        """End the clock and judge the draws."""
        sampling = self.lap()
        pairs = combinations(range(level_CKA.shape[-1]), 2)
        difference_PCK = np.stack([level_CKA[..., b] - level_CKA[..., a] for a, b in pairs])
        return Timed(
            form=form,
            compile_s=compile_s,
            sampling_s=sampling,
            wall_s=time.perf_counter() - self.wall,
            bulk_ess=float(bulk_ess(difference_PCK).min()),
            tail_ess=float(tail_ess(difference_PCK).min()),
            note=note,
        )


def whole_fit(cells: CellCounts) -> str:
    """Time the whole fit, with the response scale, gates and every contrast."""
    from seedlock.analysis.bayes.contrast import contrast
    from seedlock.analysis.bayes.hierarchy import fit_hierarchy

    wall, processor = time.perf_counter(), time.process_time()
    fit = fit_hierarchy(cells, likelihood="binomial", seed=1)
    pairs = combinations(cells.design.levels, 2)
    found = [contrast(fit, {b: 1.0, a: -1.0}) for a, b in pairs]
    processor, wall = time.process_time() - processor, time.perf_counter() - wall
    bulk, tail = min(c.bulk_ess for c in found), min(c.tail_ess for c in found)
    return (
        f"whole fit on the response scale: {processor:.1f} processor seconds, {wall:.1f} wall; {len(found)} contrasts, "
        f"bulk ESS >= {bulk:.0f}, tail ESS >= {tail:.0f}; attempts {len(fit.attempts)}, "
        f"gates {'passed' if fit.is_sound else fit.reasons}"
    )


def main() -> None:
    """Print every form's line, and how many times the engine's rate exceeds each; `small` and `rows` are arguments."""
    items = 20 if "small" in sys.argv else ITEMS
    cells = answers(np.random.default_rng(20260101), items)
    forms: list[Callable[[CellCounts], Timed]] = [
        engine,
        bambi_form,
        centred_form,
        *([rows_form] if "rows" in sys.argv else []),
    ]
    print("form                  compile s  sampling s  wall s  bulk ESS  tail ESS  ESS a second  engine is")
    own = None
    for form in forms:
        timed = form(cells)
        own = own or timed
        print(
            f"{timed.form:<22}{timed.compile_s:>9.1f}{timed.sampling_s:>12.1f}{timed.wall_s:>8.1f}{timed.bulk_ess:>10.0f}"
            f"{timed.tail_ess:>10.0f}{timed.rate:>14.3f}{own.rate / timed.rate:>10.0f}x  ({timed.note})",
            flush=True,
        )
        if timed is own:
            print(whole_fit(cells), flush=True)


if __name__ == "__main__":
    main()
