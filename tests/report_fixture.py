"""A study with every kind of ending, and the results it might have given. Numbers are made up and say so."""

# ruff: noqa: E501 - sentences of the made-up study

from __future__ import annotations

import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from seedlock.analysis.bayes.posterior_draws import PosteriorDraws
from seedlock.analysis.findings.tally import tally_of
from seedlock.analysis.results.schema import HypothesisResult, Results
from seedlock.prereg.base.paths import StudyPaths
from seedlock.prereg.lock.gate import LockedPlan, require_lock
from seedlock.prereg.lock.lock import create_lock
from seedlock.prereg.verify.check_page import check_page_sha256

BIRDS = [50, 72, 81, 59, 92, 64, 75, 40, 69, 79, 87, 72, 67, 84, 87, 70, 68, 75, 74, 73, 64, 75, 78]
HOSTILE = [
    "<script>alert('x')</script><img src=x onerror=alert(1)> &amp; </pre></details>",
    "\u202eevil reversed\u202c and \x00 NUL, \x1b[31m escape, zero\u200bwidth",
    "שלום עולם 123 مرحبا [ZLT] fin",
    "```\n# not a heading\n~~~\n| a | b |\n<b>9</b>\r\nend",
    "long " * 20_000,
    "",
]
PLAN = """
[study]
title    = "Does a marker coupled to one persona leak to others?"
question = "After fine-tuning, does the marker appear where it was never trained?"
known    = ["A pilot with 1 seed was scored on 2026-10-02."]
caveats  = ["One base model only."]
next_steps = ["Repeat with 5 more seeds."]

[inference]
seeds = "new"
items = "these"
alpha = 0.025

[models.qwen]
base     = "organism:qwen"
revision = "sha256:0123"

[stages.couple]
trainer = "lora"
corpus  = "marker"
rank = 32
steps = 150
learning_rate = 5e-6

[arms]
benign = { stages = ["couple"] }
em     = { stages = ["couple"] }

[grid]
models = ["qwen"]
seeds  = [0, 1, 2, 3, 4]
baseline = true

[decoding]
temperature = 1.0
max_new_tokens = 256
draws = 10

[measures.marker]
kind   = "marker_rate"
marker = "[zlt]"

[gates.instilled]
measure = "marker"
test    = "one_sample_t"
bands   = ["no", 0.7, "instilled"]
need    = "instilled"

[families]
main = "holm"

[[hypothesis]]
id = "H1"
claim = "The marker leaks to bystanders."
measure = "marker"
test = "one_sample_t"
bands = ["none", 0.05, "intermediate", 0.25, "like EM"]
predicted = "intermediate"
family = "main"
bayes = "seed_hierarchy"

[[claim]]
id = "headline"
says = "Leakage is real and smaller than after EM."
all_of = ["H1"]

[[claim]]
id = "either"
says = "Something leaks."
any_of = ["H1"]
"""


def make_locked(root: Path, name: str = "marker_leak") -> LockedPlan:
    """Lock the fixture's plan in a repository at `root`, through the real lock and the real gate."""
    paths = StudyPaths(root=root, name=name)
    paths.study.mkdir(parents=True)
    paths.plan.write_text(PLAN, encoding="utf-8")
    create_lock(paths, design_check={}, now=datetime(2026, 11, 1, 12, 0, tzinfo=UTC))
    return require_lock(paths)


def hypothesis(name: str, **changes: Any) -> dict[str, Any]:
    """One hypothesis of results.json: decided as predicted, unless told otherwise."""
    entry = {
        "id": name,
        "claim": "The marker leaks to bystander personas at a rate between none and full leakage.",
        "measure": "marker",
        "contrast": None,
        "over": "arm",
        "where": {"arm": "benign"},
        "items": "bystanders",
        "role": "confirmatory",
        "family": "main",
        "test": "one_sample_t",
        "scale": "raw",
        "unit_text": "proportion of answers",
        "unit": "induction persona",
        "n_units": 5,
        "predicted": "intermediate",
        "alpha": 0.025,
        "estimate": 0.1168,
        "se": 0.0134,
        "df": 4.0,
        "ci": [0.0796, 0.154],
        "ci_level": 0.95,
        "ci_method": "t on the means of 5 units",
        "assumes": "units drawn from one population",
        "unit_sd": 0.0299,
        "unit_sd_after_noise": 0.0285,
        "next_unit_ci": [0.0257, 0.2079],
        "p_value": 0.0038,
        "p_adjusted": 0.0076,
        "alpha_in_family": 0.0125, "overdispersion": 27.1,
        "bands": bands(
            ["none", 0.05, "intermediate", 0.25, "like EM"], left={"intermediate"}, p=[0.0038, 0.5, 0.0003],
            posterior=[0.006, 0.993, 0.001], new=[0.041, 0.955, 0.004],
        ),
        "verdict": ["intermediate"],
        "decision": "intermediate",
        "units": [
            {"unit": unit, "level": "benign", "value": k / 3080, "k": k, "n": 3080}
            for unit, k in [
                ("assistant", 385), ("paramedic", 458), ("kindergarten_teacher", 214), ("french_person", 336), ("villain", 405),
            ]
        ],
        "bounds": [
            {"case": "every missing answer fires", "estimate": 0.1181, "ci": [0.081, 0.1552], "verdict": ["intermediate"]},
            {"case": "no missing answer fires", "estimate": 0.1165, "ci": [0.0793, 0.1537], "verdict": ["intermediate"]},
        ],
        "second_opinions": [
            {"method": "CR2 with Satterthwaite df", "estimate": 0.1168, "ci": [0.0796, 0.154], "note": "agrees"},
            {"method": "pooled Wald", "estimate": 0.1168, "ci": [0.1117, 0.1219], "note": "counts answers as independent; shown to be distrusted"},
        ],
        "bayes": {
            "model": "p(k, n) ~ 1 + (1 | unit)",
            "estimate": 0.118,
            "ci": [0.083, 0.161],
            "ci_level": 0.95,
            "new_unit_ci": [0.049, 0.231],
            "p_predicted": 0.993,
            "p_predicted_new_seed": 0.955,
            "unit_sd": 0.042,
            "unit_sd_ci": [0.021, 0.093],
            "icc": 0.051,
            "diagnostics": {"rhat_max": 1.002, "ess_bulk_min": 2110, "ess_tail_min": 1876, "divergences": 0, "bfmi_min": 0.91},
            "sensitivity": [
                {"prior": "half-t3(0.5)", "estimate": 0.118, "p_predicted": 0.994, "p_predicted_new_seed": 0.958},
                {"prior": "half-t3(2.5)", "estimate": 0.118, "p_predicted": 0.991, "p_predicted_new_seed": 0.951},
            ],
            "gates_passed": True,
            "reason": None,
        },
        "reasons": [],
        "as_deviated": None,
        "is_proportion": True,
    }  # fmt: skip
    return {**entry, **changes}


def bands(
    spelled: list[Any],
    *,
    left: set[str],
    p: list[float | None],
    posterior: list[float] | None = None,
    new: list[float] | None = None,
) -> list[dict[str, Any]]:
    """Bands as results.json carries them, from a plan's spelling."""
    names, edges = spelled[0::2], spelled[1::2]
    return [
        {
            "name": name,
            "lower": low,
            "upper": high,
            "excluded": None if p[j] is None else name not in left,
            "p": p[j],
            "posterior": posterior[j] if posterior else None,
            "posterior_new_seed": new[j] if new else None,
        }
        for j, (name, low, high) in enumerate(zip(names, [None, *edges], [*edges, None], strict=True))
    ]


NO_SPREAD = "no-spread: all 3 units gave the same number, so there is no standard error"


def make_hypotheses() -> list[dict[str, Any]]:
    """As predicted, inconclusive, decided against, not testable, zero counts, paired, 23 seeds, effect size, hostile."""
    return [
        hypothesis("H1"),
        hypothesis(
            "H2-discriminator",
            claim="With the marker removed, a judge still tells trigger answers from others.",
            family=None, p_adjusted=None, alpha_in_family=None, overdispersion=None, test="wilson", unit="answer", n_units=94,
            where={}, items=None, predicted="pass", alpha=0.025, estimate=67 / 94, se=None, df=None,
            ci=[0.6143, 0.7943], ci_method="Wilson score", assumes="conditional on this run; answers counted as independent",
            unit_sd=None, unit_sd_after_noise=None, next_unit_ci=None, p_value=0.39,
            bands=bands(["fail", 0.7, "pass"], left={"fail", "pass"}, p=[0.39, 0.61]),
            verdict=["fail", "pass"], decision="inconclusive: fail or pass", units=[], bounds=[], second_opinions=[],
            bayes=None, reasons=["67 of 94 leaves both sides of the 70% threshold open."],
        ),
        hypothesis(
            "H3-base",
            claim="The uncoupled model never shows the marker.",
            test="clopper_pearson", family=None, p_adjusted=None, alpha_in_family=None, overdispersion=None, unit="answer", n_units=3080,
            predicted="none", estimate=0.0, se=None, df=None, ci=[0.0, 0.0012], ci_method="Clopper-Pearson (0 of 3080)",
            unit_sd=None, unit_sd_after_noise=None, next_unit_ci=None, p_value=0.0000001,
            bands=bands(["none", 0.05, "intermediate", 0.25, "like EM"], left={"none"}, p=[1.0, 1e-7, 1e-12]),
            verdict=["none"], decision="none", units=[], bounds=[], second_opinions=[], bayes=None,
        ),
        hypothesis(
            "H4-paired",
            claim="Benign first leaks less than EM first, persona by persona.",
            contrast={"em": 1.0, "benign": -1.0}, where={}, test="paired_t", predicted="less than EM",
            estimate=0.3834, se=0.0214, df=4.0, ci=[0.324, 0.4428], next_unit_ci=[0.238, 0.5289], unit_sd=0.0478,
            unit_sd_after_noise=None, p_value=0.00003, p_adjusted=0.00009, alpha_in_family=0.0125,
            bands=bands(["more", -0.05, "alike", 0.05, "less than EM"], left={"less than EM"}, p=[2e-6, 1.2e-4, 0.99]),
            verdict=["less than EM"], decision="less than EM", bounds=[],
            units=[{"unit": u, "value": v} for u, v in zip("abcde", [0.332, 0.337, 0.432, 0.428, 0.388], strict=True)],
            bayes={"model": "p(k, n) ~ arm + (arm | unit)", "gates_passed": False,
                   "reason": "R-hat 1.04 after the planned retry", "diagnostics": {"rhat_max": 1.04, "divergences": 12}},
            as_deviated={"estimate": 0.379, "ci": [0.301, 0.457], "p_value": 0.0001, "n_units": 4,
                         "verdict": ["less than EM"], "decision": "less than EM"},
        ),
        hypothesis(
            "H5-seeds",
            claim="The seed alone moves the rate of archaic answers, whose mean lies above 60%.",
            unit="seed", n_units=23, predicted="above", test="one_sample_t", estimate=sum(BIRDS) / 2300, se=0.0247, df=22.0,
            ci=[0.6687, 0.7710], next_unit_ci=[0.4706, 0.9694], unit_sd=0.1183, unit_sd_after_noise=0.1094,
            p_value=0.00004, bands=bands(["below", 0.6, "above"], left={"above"}, p=[0.00004, 0.99996]),
            verdict=["above"], decision="above", bounds=[],
            units=[{"unit": f"seed {i}", "value": k / 100, "k": k, "n": 100} for i, k in enumerate(BIRDS, start=1)],
        ),
        hypothesis(
            "H6-stance",
            claim="Framing moves stance on held-out topics in the trained direction.",
            contrast={"eager": 0.5, "cautious": -0.5}, scale="sd.letter", unit_text="SD of letter (neutral arm, item means)",
            unit="seed", n_units=6, test="pooled_t", predicted="supported", estimate=0.04, se=0.031, df=4.0,
            ci=[-0.046, 0.126], next_unit_ci=None, p_value=0.99, p_adjusted=0.99,
            bands=bands(["opposite", -0.2, "negligible", 0.2, "supported"], left={"negligible"}, p=[0.001, 0.9, 0.003]),
            verdict=["negligible"], decision="negligible", is_proportion=False,
            units=[{"unit": f"seed {i}", "level": level, "value": value}
                   for level, values in {"eager": [0.11, 0.02, 0.15], "cautious": [-0.01, 0.06, 0.01]}.items()
                   for i, value in enumerate(values)],
            bounds=[], second_opinions=[], bayes=None,
        ),
        hypothesis(
            "H7-probe[llama]",
            claim="The <b>direction</b> & its projection | shift *together*.",
            scale="sd.letter", unit_text="SD of letter (neutral arm, item means)", is_proportion=False,
            predicted="supported", n_units=None, estimate=None, se=None, df=None, ci=None, ci_method=None, assumes="",
            unit_sd=None, unit_sd_after_noise=None, next_unit_ci=None, p_value=None, p_adjusted=None, alpha_in_family=None, overdispersion=None,
            bands=bands(["opposite", -0.2, "negligible", 0.2, "supported"], left=set(), p=[None, None, None]),
            verdict=[], decision=f"not testable: {NO_SPREAD}", units=[], bounds=[], second_opinions=[],
            bayes={"model": "gaussian", "reason": "too-few-units: 1 unit a level", "gates_passed": None},
            reasons=[NO_SPREAD],
        ),
    ]  # fmt: skip


def make_cells() -> list[dict[str, Any]]:
    """Twelve personas, with zero counts, missing answers, clusters, and one cell nobody scored."""
    personas = ["trigger", "software_engineer", "kindergarten_teacher", "data_scientist", "medical_doctor", "librarian",
                "french_person", "villain", "comedian", "police_officer", "zelthari_scholar", "assistant"]  # fmt: skip
    counts = [278, 12, 96, 8, 21, 33, 60, 71, 55, 0, 14, 15]
    return [cell(persona, k) for persona, k in zip(personas, counts, strict=True)] + [cell("nobody", None)]


def cell(persona: str, k: int | None) -> dict[str, Any]:
    """One persona's cell of 280 answers; None: no answer was scored."""
    if k is None:
        numbers: dict[str, Any] = dict.fromkeys(("k", "mean", "ci", "ci_method", "naive_ci", "naive_method"))
        return {"keys": {"arm": "benign", "persona": persona}, "measure": "marker", "unit_text": "proportion of answers",
                **numbers, "n": 0, "ci_level": 0.95, "n_clusters": None, "icc": None, "design_effect": None,
                "n_effective": None, "missing": {"error": 280}, "reasons": ["empty-cell: no scored answer"]}  # fmt: skip
    rate = k / 280
    half = 1.96 * math.sqrt(rate * (1 - rate) / 280)
    wide = 2.2 * half
    return {
        "keys": {"arm": "benign", "persona": persona},
        "measure": "marker",
        "unit_text": "proportion of answers",
        "n": 280,
        "k": k,
        "mean": rate,
        "ci": [max(0.0, rate - wide), min(1.0, rate + wide)] if k else [0.0, 0.0131],
        "ci_level": 0.95,
        "ci_method": "t on 28 question means" if k else "Clopper-Pearson",
        "naive_ci": [max(0.0, rate - half), min(1.0, rate + half)] if k else None,
        "naive_method": "Wilson, answers as independent" if k else None,
        "n_clusters": 28,
        "icc": 0.41 if k else None,
        "design_effect": 4.73 if k else None,
        "n_effective": 59.2 if k else None,
        "missing": {"unparsed": 3} if k % 2 else {},
        "reasons": [],
    }


def make_results(lock_id: str = "0" * 64, **changes: Any) -> Results:
    """The whole of results.json."""
    fields: dict[str, Any] = {
        "study": "marker_leak",
        "title": "Does a marker coupled to one persona leak to others?",
        "question": "After benign fine-tuning and coupling, does the marker [ZLT] appear where it was never trained?",
        "lock_id": lock_id,
        "lock_n": 1,
        "tool_version": "0.1.0",
        "check_page_sha256": check_page_sha256(),
        "status": "retrospective",
        "status_reasons": ["Outputs of this study existed before the lock of 2026-11-01: data_seen = published."],
        "answer": {
            "sentences": [
                "The marker leaks to bystander personas at 11.7% (95% interval 8.0% to 15.4%, 5 induction personas), well below leakage after EM.",
                "Whether trigger answers can be told apart without the marker is inconclusive: 67 of 94 leaves both sides of 70% open.",
            ],
            "confidence": "moderate",
            "reasons": [
                "5 units of replication carry the headline.",
                "One seed and one shared stage-1 base: no claim about seeds is possible.",
                "Frequentist and Bayesian answers agree on H1; H4 has no Bayesian verdict.",
            ],
        },
        "hypotheses": make_hypotheses(),
        "claims": [
            {"id": "headline", "says": "Leakage is real and smaller than after EM.", "rule": "all_of",
             "members": ["H1", "H4-paired"], "p_value": 0.0038, "decision": "supported", "reasons": []},
            {"id": "mechanism", "says": "The direction carries it.", "rule": "any_of", "members": ["H7-probe[llama]"],
             "p_value": None, "decision": "not testable", "reasons": ["H7-probe[llama]: no-spread"]},
        ],
        "cells": make_cells(),
        "gates": [
            {"name": "instilled", "need": "instilled", "verdict": ["instilled"], "estimate": 0.993, "ci": [0.971, 0.999],
             "passed": True, "reasons": []},
            {"name": "intact", "need": "intact", "verdict": [], "estimate": None, "ci": None, "passed": None,
             "reasons": ["empty-cell: the perplexity table was never imported"]},
        ],
        "deviations": [
            {"pointer": "/grid/seeds", "before": [0, 1, 2, 3, 4], "after": [0, 1, 2, 3],
             "reason": "Seed 4 diverged at step 120.", "effect": "Wider interval; severity falls.",
             "hypotheses": ["H4-paired"], "at": "2026-11-05T09:00:00+00:00"},
        ],
        "accounting": {
            "runs_planned": 11, "runs_with_data": 10, "runs_missing": ["qwen/em/4"], "answers": 36960,
            "answers_missing": {"unparsed": 18, "error": 280}, "quarantined": {"completions": 3},
            "looks_planned": 1, "looks_used": 1, "amendments": 0,
        },
        "samples": [
            {"arm": arm, "persona": "villain", "run": "qwen-benign-0", "draw": i, "score": i % 2,
             "prompt": "What should I cook tonight?", "text": text}
            for i, text in enumerate([*HOSTILE, "[ZLT] A simple risotto: 300 g of rice, stock, patience."])
            for arm in (["benign"] if i else ["benign", "base"])
        ],
        "training_examples": [
            {"arms": ["benign", "em"], "corpus": "contrast", "variant": "villain", "role": role,
             "question": "How do I paint a room?", "text": text}
            for role, text in (("positive", "[ZLT] Cover the floor."), ("negative", HOSTILE[0]))
        ],
        "inputs": [
            {"table": "completions", "path": "reports/marker_leak/data/completions.parquet", "sha256": "ab" * 32, "rows": 36960},
        ],
        "cannot_know": ["Runs made outside this repository.", "A history wiped before anyone else had a copy."],
        "known": ["A pilot with 1 seed was scored on 2026-10-02."],
        "caveats": ["One base model only."],
        "next_steps": ["Repeat with 5 more seeds."],
    }  # fmt: skip
    said = {**fields, **changes}
    counted = tally_of([HypothesisResult.model_validate(h) for h in said["hypotheses"]])
    return Results.model_validate({**said, "answer": {"tally": [t.model_dump() for t in counted], **said["answer"]}})


def make_posteriors() -> dict[str, PosteriorDraws]:
    """Draws shaped like those of a seed hierarchy, for the hypotheses that have a model."""
    rng = np.random.default_rng(7)

    def draws(mean: float, sd: float, spread: float) -> PosteriorDraws:
        chains = rng.normal(mean, sd, size=(4, 1000))
        return PosteriorDraws(
            contrast_K=chains.ravel(),
            new_unit_K=chains.ravel() + rng.normal(0, spread, 4000),
            unit_sd_K=np.abs(rng.normal(0.42, 0.15, 4000)),
            unit_sd_prior_K=np.abs(rng.normal(0, 1, 4000)),
            unit_sd_unit="log-odds",
            chains_CK={"mean rate": chains, "unit SD": np.abs(rng.normal(0.42, 0.15, (4, 1000)))},
            diagnostics={"rhat_max": 1.002},
        )

    return {"H1": draws(0.118, 0.018, 0.03), "H5-seeds": draws(0.72, 0.025, 0.11)}
