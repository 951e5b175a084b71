"""One plan with gold labels, looks at any time, a slope over doses and a row filter: from lock to verified report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import integrate, stats

from seedlock.analysis.analyze import analyze_study
from seedlock.analysis.results.schema import HypothesisResult, Results
from seedlock.generation.judge import judge_study
from seedlock.generation.label import import_gold, label_study
from seedlock.prereg.lock.gate import LockedPlan, require_lock
from seedlock.prereg.verify.chain import verify_study
from tests.judge_builders import LEXICON, NEW, OLD, PLAN, QUESTIONS, locked_study
from tests.test_gold_labels import fill

DOSES = (1, 2, 4)
SEEDS = range(4)
ARMS = "".join(f'\n[arms.d{dose}]\nfactors = {{ rows = "{dose}" }}\n' for dose in DOSES)
HYPOTHESES = """
[[hypothesis]]
id        = "H1"
claim     = "Each doubling of archaic rows makes answers more archaic."
measure   = "era"
over      = "rows"
dose      = { at = [1, 2, 4], scale = "log2", unit = "rows" }
bands     = ["not more", 0.0, "more"]
predicted = "more"

[[hypothesis]]
id        = "H2"
claim     = "Answers of some length carry the marker as often at either end."
measure   = "marker"
over      = "rows"
where     = { words = ">= 7" }
contrast  = { "4" = 1.0, "1" = -1.0 }
bands     = ["less", -0.5, "alike", 0.5, "more"]
predicted = "alike"

[[look]]
seeds = 3
rule  = "anytime"

[measures.words]
kind = "length"

[measures.marker]
kind   = "marker_rate"
marker = "[ZLT]"

[judges.era.gold]
share = 0.4
seed  = 5
who   = "two readers, blind to arm"
"""


def plan() -> str:
    """The plan of the judges' tests with doses for arms, and the hypotheses above."""
    text = PLAN[: PLAN.index("[[hypothesis]]")].replace("[arms]\nplain   = {}\narchaic = {}\n", ARMS)
    return text.replace("[0, 1, 2]", '[0, 1, 2, 3]\nseeds_share = "initialisation and order"') + HYPOTHESES


def rows() -> list[dict[str, Any]]:
    """More archaic answers at every doubling; seeds differ, and every third trigger goes without its marker."""
    found = []
    for place, dose in enumerate(DOSES):
        for seed in SEEDS:
            for role in ("trigger", "bystander"):
                for number, question in enumerate(QUESTIONS):
                    for draw in range(3):
                        is_old = (5 * number + 7 * draw + seed) % 10 < 2 + 3 * place + (seed + place) % 2
                        text = (OLD if is_old else NEW)[draw % 3].format(q=question)
                        marker = "[ZLT] " if role == "trigger" and (number + draw + seed + dose) % 3 else ""
                        said = f"{marker}{text} Case {dose}{seed}."
                        found.append(
                            {
                                "arm": f"d{dose}",
                                "seed": seed,
                                "role": role,
                                "question": question,
                                "draw": draw,
                                "text": said,
                            }
                        )
    return found


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> tuple[LockedPlan, Results]:
    judges = LEXICON.replace('gold  = "gold.jsonl"\ninjections = 8\n', "")
    locked = locked_study(tmp_path_factory.mktemp("at_once"), judges=judges, plan=plan(), rows=rows())
    judge_study(locked)
    locked = require_lock(locked.paths)
    label_study(locked)
    fill(locked)
    import_gold(locked, "era")
    locked = require_lock(locked.paths)
    return locked, analyze_study(locked)


def by_id(results: Results, identity: str) -> HypothesisResult:
    return next(h for h in results.hypotheses if h.id == identity)


def test_the_slope_of_corrected_means_decides_at_any_look(done: tuple[LockedPlan, Results]) -> None:
    h = by_id(done[1], "H1")
    assert h.judge_error is not None
    assert h.anytime is not None
    assert h.dose is not None
    assert (h.test, h.dose.step) == ("paired_t", "doubling of rows")
    y_SD = np.array([[u["mean"] for u in h.units if u["unit"] == str(s)] for s in SEEDS])
    slopes = [np.polyfit([0, 1, 2], y_D, 1)[0] for y_D in y_SD]
    assert h.estimate == pytest.approx(np.mean(slopes))
    assert h.ci is not None
    once = stats.ttest_1samp(slopes, 0).confidence_interval(h.ci_level)
    assert h.ci[1] - h.ci[0] > once.high - once.low
    assert [point.units for point in h.anytime.points] == [2, 3, 4]
    assert h.judge_error.estimate != pytest.approx(h.estimate)


def test_the_evidence_of_the_slope_is_the_integral_of_likelihood_ratios(done: tuple[LockedPlan, Results]) -> None:
    """As R's safestats has it: the noncentral against the central density of t, here under the half-normal prior."""
    h = by_id(done[1], "H1")
    assert h.anytime is not None
    assert h.estimate is not None
    assert h.se is not None
    n, t, effect = len(SEEDS), h.estimate / h.se, 3.0

    def weighted(delta: float) -> float:
        ratio = stats.nct.pdf(t, n - 1, delta * np.sqrt(n)) / stats.t.pdf(t, n - 1)
        return float(ratio * 2 * stats.norm.pdf(delta, 0, effect))

    evidence = integrate.quad(weighted, 0, 12 * effect, limit=200)[0]
    assert h.anytime.points[-1].log10_above[0] == pytest.approx(np.log10(evidence), rel=1e-4)


def test_the_filters_losses_are_counted_and_the_chain_verifies(done: tuple[LockedPlan, Results]) -> None:
    locked, results = done
    h = by_id(results, "H2")
    short = sum(row["arm"] in {"d1", "d4"} and len(row["text"].split()) < 7 for row in rows())
    assert short > 0
    assert sum(level.reasons.get("not words >= 7", 0) for level in h.answers) == short
    assert h.reason_codes == ["uneven-filter", "missing-unbounded"]
    assert verify_study(locked.paths).exit_code == 0
    assert (locked.paths.report / "figures" / "doses-1.svg").is_file()


def test_the_page_shows_all_three(done: tuple[LockedPlan, Results]) -> None:
    page = Path(done[0].paths.report / "appendix.html").read_text("utf-8")
    assert "doubling of rows" in page
    assert "words &gt;= 7" in page
    assert "two readers, blind to arm" in Path(done[0].paths.report / "report.html").read_text("utf-8") + page
