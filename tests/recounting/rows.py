"""A study's raw rows and its plan, and what each unit of a hypothesis says: duckdb, and nothing of Seedlock."""

# ruff: noqa: S608  (names and values come from committed plans and tables)

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

type Row = Mapping[str, Any]

ASKED = {"letter_logprob": "letter", "forced_choice": "letter", "bare_logprob": "word", "likert": "rating"}
ASKED |= {"perplexity": "passage", "capability": "choice", "marker_rate": "answer", "marker_position": "answer"}
RATES = {"marker_rate", "marker_position", "label_rate", "era", "discriminator", "capability"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """One level of a contrast, unit by unit; `k` and `n` count answers and are None where answers are no counts."""

    name: str
    weight: float
    means: Mapping[str, float]
    k: Mapping[str, int | None]
    n: Mapping[str, int | None]
    n_missing: int = 0


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
            "coalesce(pair || ' in ' || items, item_id)"
            if ("pair",) in self.all("SELECT column_name FROM (DESCRIBE items)")
            else "item_id"
        )

    def all(self, sql: str) -> list[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = self.db.sql(sql).fetchall()
        return rows

    def ends(self, entry: Row) -> tuple[float, float] | None:
        """Least and greatest score of a measure; None where it has no ends."""
        m = self.plan["measures"][entry["measure"]]
        end = {"forced_choice": 1.0, "likert": 1.0}.get(m["kind"], m.get("within"))
        return (0.0, 1.0) if m["kind"] in RATES else None if end is None else (-end, end)

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
                "SELECT run_id, item_id, value AS score, NULL AS k, 1 AS n FROM readings JOIN conditions"
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
            at = f"strpos(lower(text), lower('{m.get('marker')}'))"
            score = {
                "marker_rate": f"({at} > 0)::INT",
                "marker_position": f"CASE WHEN {at} > 0 THEN (({at} - 1) / length(text) < 0.05)::INT END",  # its start
                "forced_choice": "CASE text WHEN pro THEN 1 WHEN con THEN -1 END",
                "likert": f"2 * (value - {ends}[1]) / ({ends}[2] - {ends}[1]) - 1",
                "capability": "(value > 0)::INT",
                "perplexity": "value",
            }.get(kind, f"greatest(-{m.get('within')}, least({m.get('within')}, value))")
        asked = f"WHERE i.asked = '{ASKED[kind]}'" if kind in ASKED else ""
        k = "score" if kind in RATES else "NULL"
        scored = f"SELECT run_id, item_id, {score} AS score FROM {rows} {asked}"
        return f"SELECT run_id, item_id, score, {k} AS k, (score IS NOT NULL)::INT AS n FROM ({scored})"

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

    def answers(
        self, measure: str, conditions: Sequence[str], *, fill: float | None = None, also: Sequence[str] = ()
    ) -> str:
        """Query of mean, k, n and missing answers of every run x item; both orders of a question are one item.

        `fill` is what a missing answer counts as, None leaves it out; `also` names columns of the run or item to keep.
        """
        self.db.sql(
            f'CREATE TABLE IF NOT EXISTS "cells of {measure}" AS SELECT run_id, item_id,'
            " coalesce(sum(score), 0) AS total, count(score) AS found, count(*) FILTER (score IS NULL) AS lost,"
            f" sum(k) AS k, sum(n) AS n FROM ({self.scores(measure)}) GROUP BY ALL"
        )
        mean = "total / nullif(found, 0)" if fill is None else f"(total + {fill} * lost) / (found + lost)"
        columns = ", ".join(["run_id", f"{self.item} AS item", *(f'"{name}"' for name in also)])
        return (
            f"SELECT {columns}, avg({mean}) AS mean, sum(k) AS k, sum(n) AS n, sum(lost) AS lost"
            f' FROM "cells of {measure}" JOIN runs USING (run_id) JOIN items USING (item_id)'
            f" WHERE {' AND '.join(conditions) or 'true'} GROUP BY ALL"
        )

    def cells(self, measure: str, by: Sequence[str], *, as_published: bool) -> dict[tuple[Any, ...], tuple[Any, ...]]:
        """Mean over seeds (in version 0.1.0 over run x item), k and n of every cell of a report's table, by key."""
        also = by if as_published else [*by, *({"seed"} - {*by})]
        asked = self.answers(measure, self.in_sets({"measure": measure}), also=also)
        names = ", ".join(f'"{name}"' for name in by)
        if not as_published:
            asked = f"SELECT {names}, seed, avg(mean) AS mean, sum(k) AS k, sum(n) AS n FROM ({asked}) GROUP BY ALL"
        rows = self.all(f"SELECT {names}, avg(mean), sum(k)::INT, sum(n)::INT FROM ({asked}) GROUP BY ALL")
        spelled = ([None if key is None else str(key) for key in row[: len(by)]] for row in rows)
        return {tuple(keys): row[len(by) :] for keys, row in zip(spelled, rows, strict=True)}

    def levels(self, entry: Row, extra: Row, fill: Mapping[int, int] | None = None) -> list[Level]:
        """Unit means of every level: each run x item of a unit weighs the same.

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
            missing = None if fill is None else fill[1 if weight > 0 else -1]
            asked = self.answers(entry["measure"], [*conditions, *here], fill=missing)
            rows = self.all(
                f"SELECT {unit}::VARCHAR, avg(mean), sum(k)::INT, sum(n)::INT, sum(lost)::INT FROM ({asked})"
                " JOIN runs USING (run_id) GROUP BY 1 ORDER BY 1"
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
    """One condition a factor or attribute: its value, one of a list of values, or none at all."""
    named = {name: value if isinstance(value, list) else [value] for name, value in where.items()}
    return [
        f'"{name}" IS NULL' if values == [None] else f'"{name}"::VARCHAR IN {_tuple(values)}'
        for name, values in named.items()
    ]
