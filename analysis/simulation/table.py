"""A simulation as tables for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from seedlock.analysis.simulation.result import Measured, SimulationResult, TargetRow
from seedlock.analysis.simulation.worst import spreads

if TYPE_CHECKING:
    from rich.table import Table


def tables(result: SimulationResult) -> Iterator[Table]:
    """One table of operating characteristics a point of the grid, then claims and families, looks, and seeds."""
    from rich.table import Table  # noqa: PLC0415 - only a terminal needs it

    for point in range(len(result.points)):
        table = Table(title=f"seed SD {_sds(result, point)}")
        for column in ("hypothesis", "scenario", "truth", "true band"):
            table.add_column(column)
        gated = any(row.error_given_open is not None for row in result.rows)
        if_open = ["given open gates"] if gated else []
        for column in ("error", *if_open, "power", "coverage", "width", "commonest verdict"):
            table.add_column(column, justify="right")
        for row in result.rows:
            if row.point == point:
                table.add_row(*_cells(row, gated=gated))
        yield table
    if result.worst:
        yield _worst(result, Table(title="worst of the grid"))
    if result.rules:
        yield _rules(result, Table(title="claims supported, families with a false claim"))
    if result.reached:
        yield _looks(result, Table(title="studies that go as far as a look"))
    if result.seeds_needed:
        yield _seeds(result, Table(title=f"seeds an arm for power {result.wanted_power:g} at the expected effect"))
    if result.look_costs:
        yield _costs(result, Table(title="seeds an arm that a study uses which stops once it is decided"))
    if result.labels_needed:
        yield _labels(result, Table(title=f"gold labels a run for power {result.wanted_power:g} at the planned seeds"))
    if result.calibration:
        yield _calibration(result, Table(title="is the truth in the posterior that often?"))


def in_words(measured: Measured | None, digits: int = 3) -> str:
    """A value with its Monte Carlo error."""
    if measured is None or measured.value is None:
        return "-"
    error = "" if measured.mc_error is None else f" ± {measured.mc_error:.{digits}f}"
    return f"{measured.value:.{digits}f}{error}"


def _cells(row: TargetRow, *, gated: bool) -> list[str]:
    if row.reason is not None:
        return [row.id, row.scenario, row.reason]
    verdict = row.verdicts[0] if row.verdicts else None
    common = "-" if verdict is None else f"{' or '.join(verdict.left)}: {in_words(verdict.probability, 2)}"
    return [
        row.id,
        row.scenario,
        f"{row.truth:g}" if row.truth is not None else "-",
        row.true_band or "-",
        in_words(row.error),
        *([in_words(row.error_given_open)] if gated else []),
        in_words(row.power),
        in_words(row.coverage),
        in_words(row.width),
        common,
    ]


def _rules(result: SimulationResult, table: Table) -> Table:
    for column in ("claim or family", "scenario", "seed SD", "rate"):
        table.add_column(column)
    for row in result.rules:
        table.add_row(f"{row.kind} {row.id}", row.scenario, _sds(result, row.point), row.reason or in_words(row.rate))
    return table


def _looks(result: SimulationResult, table: Table) -> Table:
    for column in ("look at", "scenario", "seed SD", "reached"):
        table.add_column(column)
    for row in result.reached:
        table.add_row(f"{row.seeds} seeds", row.scenario, _sds(result, row.point), in_words(row.reached))
    return table


def _seeds(result: SimulationResult, table: Table) -> Table:
    for column in ("hypothesis or claim", "seed SD", "seeds", "power there"):
        table.add_column(column)
    for row in result.seeds_needed:
        seeds = str(row.seeds) if row.seeds is not None else row.reason or "-"
        table.add_row(row.id, _sds(result, row.point), seeds, in_words(row.power, 2))
    return table


def _costs(result: SimulationResult, table: Table) -> Table:
    for column in ("hypothesis", "scenario", "seed SD", "looks", "seeds", "error", "power"):
        table.add_column(column)
    for row in result.look_costs:
        where = (row.id, row.scenario, _sds(result, row.point), row.way)
        table.add_row(*where, in_words(row.seeds, 2), in_words(row.error), in_words(row.power, 2))
    return table


def _labels(result: SimulationResult, table: Table) -> Table:
    for column in (
        "hypothesis",
        "seed SD",
        "planned",
        "labels a run",
        "in all",
        "power there",
        "judge alone is off by",
    ):
        table.add_column(column)
    for row in result.labels_needed:
        planned = ", ".join(f"{level} {n}" for level, n in row.planned.items())
        labels = str(row.labels) if row.labels is not None else row.reason or "-"
        shift = "-" if row.judge_shift is None else f"{row.judge_shift:+.3g}"
        total = "-" if row.total is None else str(row.total)
        table.add_row(row.id, _sds(result, row.point), planned, labels, total, in_words(row.power, 2), shift)
    return table


def _calibration(result: SimulationResult, table: Table) -> Table:
    for column in ("hypotheses", "hierarchy", "data sets", "failed a gate", "smallest p", "calibrated"):
        table.add_column(column)
    for row in result.calibration:
        ids = ", ".join(row.ids)
        if row.reason is not None:
            table.add_row(ids, row.reason, "", "", "", "not known")
            continue
        name, p = min(row.p_values.items(), key=lambda entry: entry[1])
        said = "yes" if row.is_calibrated else "NO"
        table.add_row(ids, row.design, str(row.simulations), str(row.unsound), f"{p:.3f} ({name})", said)
    return table


def _worst(result: SimulationResult, table: Table) -> Table:
    for column in ("hypothesis, claim or family", "promise", "promised", "found", "kept", "where"):
        table.add_column(column)
    for row in result.worst:
        kept = "NO" if row.is_broken else "yes"
        where = f"seed SD {_sds(result, row.point)}, {row.scenario}"
        table.add_row(row.id, row.what, f"{row.promised:g}", in_words(row.rate), kept, where)
    return table


def _sds(result: SimulationResult, point: int) -> str:
    return spreads(result.points, result.arms_at, point)
