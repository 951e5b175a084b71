"""A published study's numbers once more, from its raw rows and its plan: duckdb and scipy, and nothing of Seedlock.

What is published was written by version 0.1.0, of which two rules stand here as they were then: the level that a family
leaves a member is alpha x p / adjusted p, and of intervals only those of rates are cut at the ends of the scale.
"""

# ruff: noqa: S608  (names and values come from committed plans and tables)

from __future__ import annotations

import itertools
import math
import re
import statistics
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import duckdb
from scipy import integrate, optimize, stats

type Row = Mapping[str, Any]
type Side = Literal["greater", "less"]

ASKED = {"letter_logprob": "letter", "forced_choice": "letter", "bare_logprob": "word", "likert": "rating"}
ASKED |= {"perplexity": "passage", "capability": "choice", "marker_rate": "answer"}
RATES = {"marker_rate", "label_rate", "era", "discriminator", "capability"}

TOLERANCE = 1e-9
"""Relative; the largest difference found is 8.3e-14, in an alpha that a planned look leaves."""


class NoNumber(Exception):
    """A hypothesis that its test cannot answer: the message is the code of the reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """One level of a contrast, unit by unit; `k` and `n` count answers and are None where answers are no counts."""

    name: str
    weight: float
    means: Mapping[str, float]
    k: Mapping[str, int | None]
    n: Mapping[str, int | None]
    n_missing: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a test says: `above` and `below` are its one-sided p at every edge."""

    estimate: float
    ci: tuple[float, float]
    above: Sequence[float]
    below: Sequence[float]
    n_units: int
    is_t: bool = True
    is_of_units: bool = True
    more: Mapping[str, Any]


class RawStudy:
    """The sealed rows of one report as tables, and its plan as it is written."""

    def __init__(self, project: Path, name: str) -> None:
        data = project / "reports" / name / "data"
        self.plan: dict[str, Any] = tomllib.loads((project / f"prereg/studies/{name}/plan.toml").read_text("utf-8"))
        self.db = duckdb.connect()
        for table in ("items", "runs", "counts", "readings", "conditions", "directions"):
            if (data / f"{table}.parquet").exists():
                self.db.sql(f"CREATE TABLE {table} AS FROM '{data}/{table}.parquet'")
        if any(data.glob("completions*.parquet")):
            self.db.sql(f"CREATE TABLE completions AS FROM read_parquet('{data}/completions*.parquet')")
        for judge in self.plan.get("judges", {}):
            last = max(data.glob(f"judgements-{judge}*.parquet"), key=_batch)  # judged anew after more runs came
            self.db.sql(f"CREATE TABLE {judge} AS FROM '{last}'")
        self.run_columns = [column for column, *_ in self.all("DESCRIBE runs")]
        self.item = (
            "coalesce(pair, item_id)"
            if ("pair",) in self.all("SELECT column_name FROM (DESCRIBE items)")
            else "item_id"
        )

    def all(self, sql: str) -> list[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = self.db.sql(sql).fetchall()
        return rows

    def is_rate(self, entry: Row) -> bool:
        """Whether every score is 0 or 1."""
        return self.plan["measures"][entry["measure"]]["kind"] in RATES

    def asked(self) -> Iterable[tuple[str, Row, Row]]:
        """Every gate and hypothesis, each value of its `per` apart: name, entry, and the condition that `per` adds."""
        gates = [{"id": name, "predicted": gate["need"], **gate} for name, gate in self.plan.get("gates", {}).items()]
        for entry in (*gates, *self.plan["hypothesis"]):
            if "per" not in entry:
                yield entry["id"], entry, {}
                continue
            here = {factor: wanted for factor, wanted in entry.get("where", {}).items() if factor in self.run_columns}
            where = " AND ".join(_conditions(here)) or "true"
            for (value,) in self.all(
                f"SELECT DISTINCT {entry['per']} FROM runs WHERE {where} AND {entry['per']} IS NOT NULL"
            ):
                yield f"{entry['id']}[{value}]", entry, {entry["per"]: value}

    def scores(self, measure: str) -> str:
        """Query of run_id, item_id, score (null where missing), k and n of all that a measure scores."""
        m = self.plan["measures"][measure]
        kind = m["kind"]
        if "import" in self.plan:
            return (
                f"SELECT run_id, item_id, coalesce(mean, k / n) AS score, k, n FROM counts WHERE measure = '{measure}'"
            )
        if kind == "reading":
            return (
                "SELECT run_id, item_id, value AS score, NULL AS k, NULL AS n FROM readings JOIN conditions"
                " USING (condition) JOIN runs USING (run_id) JOIN directions USING (model, layer)"
                f" WHERE reading = '{m['of']}' AND operation = 'none' AND checkpoint IS NULL AND is_chosen = 1"
            )
        rows = "completions c JOIN items i USING (item_id)"
        if "judge" in m:
            rows += f" JOIN {m['judge']} j USING (request_id)"
            hit = m.get("positive") or m.get("old") or ["correct"]
            score = f"CASE WHEN j.status = 'ok' THEN (j.label IN {_tuple(hit)})::INT END"
        else:
            ends = "(i.scale::INT[])"
            score = {
                "marker_rate": f"contains(lower(text), lower('{m.get('marker')}'))::INT",
                "forced_choice": "CASE text WHEN pro THEN 1 WHEN con THEN -1 END",
                "likert": f"2 * (value - {ends}[1]) / ({ends}[2] - {ends}[1]) - 1",
                "capability": "(value > 0)::INT",
                "perplexity": "value",
            }.get(kind, f"greatest(-{m.get('within')}, least({m.get('within')}, value))")
        asked = f"WHERE i.asked = '{ASKED[kind]}'" if kind in ASKED else ""
        k, n = ("score", "(score IS NOT NULL)::INT") if kind in RATES else ("NULL", "NULL")
        scored = f"SELECT run_id, item_id, {score} AS score FROM {rows} {asked}"
        return f"SELECT run_id, item_id, score, {k} AS k, {n} AS n FROM ({scored})"

    def in_sets(self, entry: Row) -> list[str]:
        """Conditions that the item sets of a hypothesis and of its measure put on items."""
        found = []
        for name in filter(None, (entry.get("items"), self.plan["measures"][entry["measure"]].get("items"))):
            listed = self.plan["items"][name]
            found += [f"items = '{name}'"] if "file" in listed else []
            found += _conditions(listed.get("where", {}))
            found += [f'"{a}" = "{b}"' for a, b in listed.get("same", {}).items()]
            found += [f'"{a}" <> "{b}"' for a, b in listed.get("differs", {}).items()]
        return found

    def levels(self, entry: Row, extra: Row, fill: Mapping[int, int] | None = None) -> list[Level]:
        """Unit means of every level: each run x item of a unit weighs the same, both orders of a question are one item.

        `fill` has what missing answers count as at levels of positive (1) and of negative weight (-1).
        """
        if self.plan["measures"][entry["measure"]]["kind"] == "gap_share":
            return self.gap_levels(entry, extra)
        where = {**entry.get("where", {}), **extra}
        conditions = [*_conditions(where), *self.in_sets(entry)]
        if "contrast" not in entry and "arm" not in where:
            conditions.append("arm <> 'base'")
        unit = {"answer": "'all'"}.get(entry.get("unit", "seed"), entry.get("unit", "seed"))
        found = []
        for level, weight in entry.get("contrast", {"all": 1.0}).items():
            here = _conditions({entry.get("over", "arm"): level}) if "contrast" in entry else []
            score = "score" if fill is None else f"coalesce(score, {fill[1 if weight > 0 else -1]})"
            rows = self.all(
                f"WITH cells AS (SELECT run_id, item_id, avg({score}) AS mean, sum(k) AS k, sum(n) AS n,"
                f" count(*) FILTER (score IS NULL) AS lost FROM ({self.scores(entry['measure'])}) GROUP BY ALL),"
                f" asked AS (SELECT run_id, {self.item} AS item, {unit}::VARCHAR AS unit, avg(mean) AS mean,"
                " sum(k) AS k, sum(n) AS n, sum(lost) AS lost FROM cells JOIN runs USING (run_id)"
                f" JOIN items USING (item_id) WHERE {' AND '.join([*conditions, *here]) or 'true'} GROUP BY ALL)"
                " SELECT unit, avg(mean), sum(k)::INT, sum(n)::INT, sum(lost)::INT FROM asked GROUP BY unit ORDER BY 1"
            )
            means, k, n = ({row[0]: row[at] for row in rows} for at in (1, 2, 3))
            lost = sum(row[4] for row in rows)
            found.append(Level(name=level, weight=weight, means=means, k=k, n=n, n_missing=lost))
        return found

    def probes(self, model: str, items: str) -> dict[tuple[Any, ...], float]:
        """Mean probe over an item set, by arm, seed, operation, control, vector and dose."""
        rows = self.all(
            "SELECT arm, seed::VARCHAR, operation, control, vector, dose, avg(value) FROM readings JOIN conditions"
            " USING (condition) JOIN runs USING (run_id) JOIN items USING (item_id) WHERE reading = 'probe'"
            f" AND model = '{model}' AND items = '{items}' AND operation IN ('none', 'add', 'ablate') GROUP BY ALL"
        )
        return {tuple(key): value for *key, value in rows}

    def gap_levels(self, entry: Row, extra: Row) -> list[Level]:
        """The gap between arms of every seed, and what the direction (or another vector) makes or takes of it."""
        inside, model = self.plan["inside"], extra["model"]
        operation = self.plan["measures"][entry["measure"]]["operation"]
        asked = inside["steer" if operation == "add" else "ablate"]
        at = self.probes(model, asked["items"])
        plain = {(arm, seed): value for (arm, seed, how, *_), value in at.items() if how == "none"}
        seeds = sorted({seed for arm, seed in plain if seed is not None})
        gap = {seed: sum(w * plain[arm, seed] for arm, w in inside["gap"].items()) for seed in seeds}
        if operation == "ablate":
            left = {
                (arm, seed): v
                for (arm, seed, how, control, *_), v in at.items()
                if (how, control) == ("ablate", "true")
            }
            change = {s: gap[s] - sum(w * left[arm, s] for arm, w in inside["gap"].items()) for s in seeds}
            return [_level("change", 1.0, change), _level("gap", -1.0, gap)]
        dose = self.dose(model, inside)
        made: dict[str, dict[str, float]] = {}
        for (_, _, how, control, vector, by), value in at.items():
            if how == "add" and abs(by) == dose:
                found = made.setdefault(control, {})
                found[vector] = found.get(vector, 0.0) + self.share(inside, by) * value
        if entry.get("over") == "part":
            (change_once,) = made["true"].values()
            return [_level("change", 1.0, dict.fromkeys(seeds, change_once)), _level("gap", -1.0, gap)]
        return [_level(name, weight, made[name]) for name, weight in entry["contrast"].items()]

    def share(self, inside: Row, dose: float) -> float:
        """Weight in the gap of the arms that are pushed towards a dose's side."""
        side = inside["direction"]["high" if dose > 0 else "low"]
        return float(sum(w for arm, w in inside["gap"].items() if self.plan["arms"][arm].get("framing", arm) == side))

    def dose(self, model: str, inside: Row) -> float:
        """The dose with the largest effect on the items kept for that, among those that leave passages fluent."""
        steer = inside["steer"]
        source, fluency = (
            {key[2:]: v for key, v in self.probes(model, steer[name]).items() if key[0] == "base"}
            for name in ("choose_on", "fluency")
        )
        effects: dict[float, float] = {}
        for dose in sorted({key[3] for key in source if key[:2] == ("add", "true") and key[3] > 0}):
            signed = {key[3]: key for key in source if key[:2] == ("add", "true") and abs(key[3]) == dose}
            worst = max(fluency[key] for key in signed.values()) - fluency["none", None, None, None]
            if math.exp(worst) - 1 <= steer["floor"]:
                effects[dose] = sum(self.share(inside, by) * source[key] for by, key in signed.items())
        return max(effects, key=lambda dose: effects[dose])


def _level(name: str, weight: float, means: Mapping[str, float]) -> Level:
    return Level(name=name, weight=weight, means=means, k={}, n={})


def _batch(file: Path) -> int:
    """Number of a judge's file: 1 where it has none."""
    numbered = re.search(r"-(\d+)\.parquet$", file.name)
    return int(numbered[1]) if numbered else 1


def _tuple(values: Iterable[object]) -> str:
    return "(" + ", ".join(f"'{value}'" for value in values) + ")"


def _conditions(where: Row) -> list[str]:
    return [f'"{name}"::VARCHAR IN {_tuple(v if isinstance(v, list) else [v])}' for name, v in where.items()]


def by_t(levels: Sequence[Level], *, level: float, edges: Sequence[float], is_paired: bool, is_rate: bool) -> Found:
    """One-sample, paired or pooled t on unit means."""
    weights = [lv.weight for lv in levels]
    values = [[abs(lv.weight) * lv.means[unit] for unit in sorted(lv.means)] for lv in levels]
    if min(map(len, values)) < 2:
        raise NoNumber("too-few-units")
    if is_paired:
        values = [[a - b for a, b in zip(*values, strict=True)]]
    if all(max(found) - min(found) < 1e-12 for found in values):
        raise NoNumber("no-spread")
    estimate = statistics.fmean(values[0]) - sum(map(statistics.fmean, values[1:]))
    df = sum(len(found) - 1 for found in values)
    spread = math.sqrt(sum(statistics.variance(found) * (len(found) - 1) for found in values) / df)
    se = spread * math.sqrt(sum(1 / len(found) for found in values))

    def p(edge: float, alternative: Side) -> float:
        if len(values) == 1:
            return float(stats.ttest_1samp(values[0], edge, alternative=alternative).pvalue)
        (one, sd, n), (other, other_sd, m) = ((statistics.fmean(x), statistics.stdev(x), len(x)) for x in values)
        return float(stats.ttest_ind_from_stats(one - edge, sd, n, other, other_sd, m, alternative=alternative).pvalue)

    t = float(stats.t.ppf((1 + level) / 2, df))
    ends = (sum(min(w, 0) for w in weights), sum(max(w, 0) for w in weights)) if is_rate else (-math.inf, math.inf)

    def cut(reach: float) -> tuple[float, float]:
        return max(ends[0], estimate - reach), min(ends[1], estimate + reach)

    next_unit = cut(t * spread * math.sqrt(1 + 1 / len(values[0]))) if len(values) == 1 else None
    unit_sd = spread if is_paired else spread / abs(weights[0])
    return Found(
        estimate=estimate,
        ci=cut(t * se),
        above=[p(edge, "greater") for edge in edges],
        below=[p(edge, "less") for edge in edges],
        n_units=sum(map(len, values)),
        more={"df": df, "se": se, "unit_sd": unit_sd, "next_unit_ci": next_unit},
    )


def by_counting(levels: Sequence[Level], *, level: float, edges: Sequence[float], is_exact: bool) -> Found:
    """Wilson or Clopper and Pearson on the answers of one level."""
    (only,) = levels
    k, n = sum(x or 0 for x in only.k.values()), sum(x or 0 for x in only.n.values())
    exact = is_exact or k in (0, n)
    low, high = stats.binomtest(k, n).proportion_ci(level, method="exact" if exact else "wilson")
    if exact:
        above = [float(stats.binomtest(k, n, edge, alternative="greater").pvalue) for edge in edges]
        below = [float(stats.binomtest(k, n, edge, alternative="less").pvalue) for edge in edges]
    else:
        z = [(k / n - edge) / math.sqrt(edge * (1 - edge) / n) for edge in edges]
        above, below = [float(stats.norm.sf(x)) for x in z], [float(stats.norm.cdf(x)) for x in z]
    return Found(
        estimate=k / n, ci=(low, high), above=above, below=below, n_units=n, is_t=False, is_of_units=False, more={}
    )


def by_ratio(levels: Sequence[Level], *, level: float, edges: Sequence[float]) -> Found:
    """Fieller: the shares that a t test of "above - share x below = 0" keeps, found by a search for its ends."""
    over, under = ([lv.means[unit] for unit in sorted(lv.means)] for lv in sorted(levels, key=lambda lv: -lv.weight))
    share, n = statistics.fmean(over) / statistics.fmean(under), len(over)

    sign = math.copysign(1, statistics.fmean(under))

    def t(at: float) -> float:
        left = [a - at * b for a, b in zip(over, under, strict=True)]
        return sign * statistics.fmean(left) / (statistics.stdev(left) / math.sqrt(n))

    far = float(stats.t.ppf((1 + level) / 2, n - 1))
    low = float(optimize.brentq(lambda at: t(at) - far, share - 1, share, xtol=1e-15))
    high = float(optimize.brentq(lambda at: t(at) + far, share, share + 1, xtol=1e-15))
    left = [a - share * b for a, b in zip(over, under, strict=True)]
    se = statistics.stdev(left) / math.sqrt(n) / abs(statistics.fmean(under))
    return Found(
        estimate=share,
        ci=(low, high),
        above=[float(stats.t.sf(t(edge), n - 1)) for edge in edges],
        below=[float(stats.t.cdf(t(edge), n - 1)) for edge in edges],
        n_units=n,
        more={"df": n - 1, "se": se},
    )


def by_rank(levels: Sequence[Level], *, level: float, edges: Sequence[float]) -> Found:
    """The place of one value among its controls."""
    one, controls = (sorted(lv.means.values()) for lv in sorted(levels, key=lambda lv: -lv.weight))
    (value,), k = one, len(controls)
    kept = math.floor((1 - level) / 2 * (k + 1) + 1e-9)
    return Found(
        estimate=value - statistics.fmean(controls),
        ci=(value - controls[-kept], value - controls[kept - 1]),
        above=[sum(x >= value - edge for x in [*controls, value - edge]) / (k + 1) for edge in edges],
        below=[sum(x <= value - edge for x in [*controls, value - edge]) / (k + 1) for edge in edges],
        n_units=k,
        is_t=False,
        more={},
    )


def answer_of(entry: Row, levels: Sequence[Level], *, alpha: float, is_rate: bool) -> Found:
    """The test that a plan's entry names, at two-sided level 1 - 2 alpha."""
    level, edges, name = 1 - 2 * alpha, entry["bands"][1::2], entry["test"]
    if name in {"wilson", "clopper_pearson"}:
        return by_counting(levels, level=level, edges=edges, is_exact=name == "clopper_pearson")
    if name == "fieller":
        return by_ratio(levels, level=level, edges=edges)
    if name == "rank_among":
        return by_rank(levels, level=level, edges=edges)
    if name in {"one_sample_t", "paired_t", "pooled_t"}:
        return by_t(levels, level=level, edges=edges, is_paired=name == "paired_t", is_rate=is_rate)
    raise NoNumber(f"no recount of {name}")


def spread_of(levels: Sequence[Level]) -> dict[str, float]:
    """SD between units of one rate less counting noise, and chi-square of homogeneity over its df; empty for others."""
    if len(levels) > 1 or not levels[0].n or None in levels[0].k.values():
        return {}
    (only,) = levels
    k_U, n_U = [k or 0 for k in only.k.values()], [n or 0 for n in only.n.values()]
    noise = statistics.fmean(k / n * (1 - k / n) / (n - 1) for k, n in zip(k_U, n_U, strict=True))
    sd = math.sqrt(max(0.0, statistics.variance(k / n for k, n in zip(k_U, n_U, strict=True)) - noise))
    table = [k_U, [n - k for k, n in zip(k_U, n_U, strict=True)]]
    same = stats.chi2_contingency(table, correction=False)
    return {"unit_sd_after_noise": sd, "overdispersion": same.statistic / same.dof}


def band_ps(found: Found, bands: Sequence[str | float]) -> dict[str, float]:
    """The p of "the parameter lies in this band" for every band of the plan, from bottom to top."""
    names = [str(name) for name in bands[::2]]
    ps = {}
    for at, name in enumerate(names):
        if at == 0:
            ps[name] = found.above[0]
        elif at == len(names) - 1:
            ps[name] = found.below[-1]
        elif found.is_t:
            ps[name] = min(1.0, found.above[at - 1] + found.above[at], found.below[at - 1] + found.below[at])
        else:
            ps[name] = min(1.0, 2 * found.above[at], 2 * found.below[at - 1])
    return ps


def adjusted(p: Mapping[str, float]) -> dict[str, tuple[float, float]]:
    """Holm's adjusted p of each member, and the part of alpha that it is left."""
    order = sorted(p, key=lambda name: p[name])
    steps = itertools.accumulate((min(1.0, (len(p) - at) * p[name]) for at, name in enumerate(order)), max)
    return {name: (step, p[name] / step) for name, step in zip(order, steps, strict=True)}


def alpha_at_last_look(plan: Row) -> float:
    """The one-sided level at the second of two looks under O'Brien-Fleming spending; alpha without looks."""
    alpha = float(plan["inference"]["alpha"])
    if "look" not in plan:
        return alpha
    first, last = (look["seeds"] for look in plan["look"])
    t = first / last
    spent = 2 * stats.norm.sf(stats.norm.isf(alpha / 2) / math.sqrt(t))
    z = stats.norm.isf(spent)

    def late(c: float) -> float:
        """Probability to pass `c` at the last look only."""
        density = lambda x: stats.norm.pdf(x) * stats.norm.sf((c - x * math.sqrt(t)) / math.sqrt(1 - t))  # noqa: E731
        return float(integrate.quad(density, -12, z, epsabs=1e-14, epsrel=1e-13)[0])

    return float(stats.norm.sf(optimize.brentq(lambda c: late(c) - (alpha - spent), 1.0, 4.0, xtol=1e-14)))


def apart(mine: Any, theirs: Any) -> float:
    """Relative difference of two numbers; of words, infinite unless they are the same."""
    if isinstance(theirs, (int, float)):
        return 0.0 if mine == theirs else abs(mine - theirs) / max(abs(mine), abs(theirs))
    return 0.0 if mine == theirs else math.inf
