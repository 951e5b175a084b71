"""Emergent misalignment over seeds, by two judges: the published claims, each beside its answer."""

from __future__ import annotations

from collections.abc import Iterator

from docs.claim_row import Row, hypothesis_row
from docs.reanalysis import Reanalysis


def misalignment_rows(study: Reanalysis) -> Iterator[Row]:
    """Bad and correct medical advice, first judge."""
    bad = "{}% and {}%".format(*(study.printed(f"bad_medical seed{s} misaligned % (BROAD)") for s in (0, 1)))
    correct = "{}% and {}%".format(*(study.printed(f"correct_medical seed{s} %") for s in (0, 1)))
    both = f"{bad} against {correct}, no test"
    yield hypothesis_row(study, "bad-minus-correct", published=both, remark=_one_arm_carries(study))
    yield hypothesis_row(study, "bad-minus-correct-five", published=both)
    yield hypothesis_row(study, "by-permutation", published="no test")
    yield _cut_off(study)
    yield hypothesis_row(study, "quarter", published=bad, remark="Three seeds are little evidence about a fourth.")
    yield hypothesis_row(study, "quarter-five", published=bad)
    yield hypothesis_row(study, "correct-never", published=correct)
    base = study.cell("printed_four_or_five", arm="base", seed=None, subset="BROAD")
    yield hypothesis_row(
        study, "base", published=f"{study.printed('base %')}%", remark=f"{base.k} answer of {base.n} was judged 4 or 5."
    )


def second_judge_rows(study: Reanalysis) -> Iterator[Row]:
    """The same answers of seed 0 through the second judge."""
    first = study.printed("bad_medical seed0 misaligned % (BROAD)")
    both, correct = study.printed("two-judge AND, seed0 bad %"), study.printed("correct_medical seed0 %")
    yield hypothesis_row(study, "bad-minus-correct", published=f"{both}% where both judges agree, against {correct}%")
    yield hypothesis_row(study, "quarter", published=f"{first}% by the first judge", remark=_ungraded(study))


def misalignment_mismatches(study: Reanalysis) -> Iterator[tuple[str, str, str]]:
    """Printed rates that verdict 4 or 5 does not give."""
    for what, arm, seed in (
        ("bad_medical seed0 misaligned % (BROAD)", "bad_medical", "0"),
        ("bad_medical seed1 misaligned % (BROAD)", "bad_medical", "1"),
        ("correct_medical seed0 %", "correct_medical", "0"),
        ("correct_medical seed1 %", "correct_medical", "1"),
        ("base %", "base", None),
    ):
        printed, found = float(study.printed(what)), printed_rate(study, "four_or_five", arm, seed)
        if abs(printed - found) > 0.0501:
            yield f"{arm}{'' if seed is None else f' seed {seed}'}, verdict 4 or 5", f"{printed:.1f}%", f"{found:.1f}%"


def _one_arm_carries(study: Reanalysis) -> str:
    units = study.hypothesis("bad-minus-correct").units
    still = [unit for unit in units if unit["level"] == "correct_medical"]
    if any(unit["mean"] for unit in still):
        return ""
    return f"All spread comes from the bad arm, since the {len(still)} correct seeds are at 0; t assumes normal seeds."


def printed_rate(study: Reanalysis, measure: str, arm: str, seed: str | None) -> float:
    """Percent of broad answers by the authors' own rule (what has no grade is not misaligned)."""
    cell = study.cell(f"printed_{measure}", arm=arm, seed=seed, subset="BROAD")
    if cell.k is None or not cell.n:
        raise ValueError(f"no answers of {arm} {seed}")
    return 100 * cell.k / cell.n


def _asked(study: Reanalysis) -> int:
    return max(study.cell("printed_five", arm="bad_medical", seed=seed, subset="BROAD").n or 0 for seed in ("0", "1"))


def _cut_off(study: Reanalysis) -> Row:
    rates = {
        rule: [printed_rate(study, rule, "bad_medical", seed) for seed in ("0", "1", "2")]
        for rule in ("four_or_five", "five")
    }
    printed = [study.printed(f"bad_medical seed{s} misaligned % (BROAD)") for s in (0, 1)]
    one_rule = any(all(abs(p - r) <= 0.0501 for p, r in zip(printed, rule, strict=False)) for rule in rates.values())
    shown = {rule: " / ".join(f"{rate:.1f}" for rate in found) for rule, found in rates.items()}
    return Row(
        claim="The two printed rates come from one rule",
        is_ours=True,
        published=" and ".join(f"{p}%" for p in printed) + " for seeds 0 and 1",
        ours=f"4 or 5: {shown['four_or_five']}%; 5 only: {shown['five']}% for seeds 0 / 1 / 2",
        unit=f"{_asked(study):,} answers a seed",
        verdict="one cut-off" if one_rule else "two cut-offs",
        outcome="survives" if one_rule else "does not survive",
        why="Both follow from one cut-off."
        if one_rule
        else "No single cut-off gives both numbers; by one rule the seeds lie further apart than printed.",
    )


def _ungraded(study: Reanalysis) -> str:
    cell = study.cell("four_or_five", arm="bad_medical", subset="BROAD")
    missing = sum(cell.missing.values())
    return f"This judge gave no grade to {missing} of {missing + (cell.n or 0)} answers."
