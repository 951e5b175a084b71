"""Rows for intervals of rates."""

from __future__ import annotations

from collections.abc import Iterator

from docs.validation_rows.check import Check, level, run, sample, stored

ENDS = stored("published")["ends"]
NEWCOMBE_98 = "Newcombe 1998, Stat Med 17:873, table II"


def rate_checks() -> Iterator[Check]:
    """Compute the rows."""
    yield from _published()
    yield from _ends()


def _published() -> Iterator[Check]:
    for name, k, n, expected in (
        ("wilson", 81, 263, (0.2553, 0.3662)),
        ("wilson", 15, 148, (0.0624, 0.1605)),
        ("wilson", 1, 29, (0.0061, 0.1718)),
        ("clopper_pearson", 81, 263, (0.2527, 0.3676)),
        ("clopper_pearson", 0, 20, (0.0, 0.1684)),
    ):
        found = run(name, sample(level("only", [k / n], k=k, n=n), is_proportion=True))
        yield Check(
            method=f"`{name}`: 95% interval",
            source="Newcombe 1998, Stat Med 17:857, table I",
            given=f"{k} of {n}",
            expected=expected,
            found=(found.ci_low, found.ci_high),
            digits=4,
        )
    for k_1, n_1, k_2, n_2, expected in (
        (56, 70, 48, 80, (0.0524, 0.3339)),
        (9, 10, 3, 10, (0.1705, 0.8090)),
        (5, 56, 0, 29, (-0.0381, 0.1926)),
        (0, 10, 0, 10, (-0.2775, 0.2775)),
        (10, 10, 0, 20, (0.6791, 1.0)),
    ):
        both = (level("a", [k_1 / n_1], k=k_1, n=n_1), level("b", [k_2 / n_2], -1.0, k=k_2, n=n_2))
        found = run("newcombe", sample(*both, is_proportion=True))
        yield Check(
            method="`newcombe`: 95% interval",
            source=NEWCOMBE_98,
            given=f"{k_1} of {n_1}, {k_2} of {n_2}",
            expected=expected,
            found=(found.ci_low, found.ci_high),
            digits=4,
        )


def _ends() -> Iterator[Check]:
    for name, key, source in (
        ("jeffreys", "jeffreys", "R qbeta; 0 and 1 at the ends as in Brown, Cai & DasGupta 2001"),
        ("clopper_pearson", "clopper_pearson", "R binom.test"),
        ("wilson", "clopper_pearson", "R binom.test, whose answer `wilson` gives at an end"),
    ):
        for end in ENDS:
            found = run(name, sample(level("only", [end["k"] / end["n"]], k=end["k"], n=end["n"]), is_proportion=True))
            yield Check(
                method=f"`{name}` at an end: 95% interval",
                source=source,
                given=f"{end['k']} of {end['n']}",
                expected=end[key],
                found=(found.ci_low, found.ci_high),
                digits=6,
                found_remark=found.ci_method if name == "wilson" else "",
            )
