// Headline numbers again, from sealed rows and the locked plan alone; results.json is only what they are compared with.

import { ESTIMATORS, mean, sum } from "./estimators.js";
import { endsOf, MEASURES } from "./measures.js";
import { cellsOf, describeCells, describeItems, inSet, isListed, matches } from "./cells.js";

export const TOLERANCE = 1e-9;
const BASELINE = "base";

// Every hypothesis as it is tested: with `per`, one a planned level.
export function expanded(lock) {
  return lock.plan.parsed.hypothesis.flatMap((hypothesis) => {
    if (hypothesis.per === null) {
      return [{ ...hypothesis, extra: {} }];
    }
    const planned = new Set(lock.runs.map((run) => levelOf(run, hypothesis.per)).filter((level) => level !== null));
    const named = hypothesis.where?.[hypothesis.per];
    const levels = named === undefined ? [...planned] : [named].flat().map(String);
    return levels
      .filter((level) => named !== undefined || !(hypothesis.per === "arm" && level === BASELINE))
      .map((level) => ({ ...hypothesis, id: `${hypothesis.id}[${level}]`, extra: { [hypothesis.per]: level } }));
  });
}

function levelOf(run, factor) {
  const level = ["model", "arm", "seed"].includes(factor) ? run[factor] : run.factors[factor];
  return level === null || level === undefined ? null : String(level);
}

// Why this page has no method for a hypothesis; empty where it has one.
export function whyNot(plan, hypothesis, found) {
  const kind = plan.measures[hypothesis.measure].kind;
  if (found.estimate === null) {
    return "the analysis refused it, so there is no number to recompute";
  }
  if (found.judge_error) {
    return "gold labels correct its judge, which this page does not do";
  }
  if (found.anytime) {
    return "looks at any time have an interval of their own, which this page does not make";
  }
  if (!Object.hasOwn(ESTIMATORS, hypothesis.test)) {
    return `this page has no ${hypothesis.test}`;
  }
  if (!Object.hasOwn(MEASURES, kind)) {
    return `this page has no measure ${kind}`;
  }
  if (hypothesis.scale !== "raw" && !isFixed(plan.sd[hypothesis.scale.slice(3)])) {
    return `the scale ${hypothesis.scale} is estimated from data`;
  }
  return "";
}

const isFixed = (sd) => sd?.value > 0 && (sd.df ?? null) === null;

// Cells by measure, scored once a study.
export function scored(plan, tables) {
  const items = describeItems(tables.items);
  const kept = new Map();
  return (measure) => {
    if (!kept.has(measure)) {
      kept.set(measure, describeCells(cellsOf(measure, plan, tables, items), tables.runs, items));
    }
    return kept.get(measure);
  };
}

// The numbers by every reading of the plan that a version of Seedlock has had: its test, and where that refuses data
// without spread its fallback; today's arithmetic, and that of before version 0.2. `said` names what is not the plain one.
export function recompute(plan, hypothesis, cells, level) {
  const chosen = select(plan, hypothesis, cells);
  const written = plan.measures[hypothesis.measure];
  const weights = Object.entries(hypothesis.contrast ?? { all: 1 });
  const levels = weights.map(([name, weight]) => reduce(name, weight, chosen.filter((cell) => cell.level === name)));
  const raw = hypothesis.scale === "raw" ? 1 : plan.sd[hypothesis.scale.slice(3)].value;
  const units = hypothesis.unit === "answer" ? [] : levels.flatMap((l) => [...l.means].map(([unit, value]) => ({ level: l.name, unit, mean: value })));
  const readings = [
    { test: hypothesis.test, said: "", ends: endsOf(written), isOld: false },
    { test: hypothesis.test, said: "by the arithmetic before version 0.2", ends: MEASURES[written.kind].isRate ? [0, 1] : null, isOld: true },
    { test: hypothesis.fallback ?? "", said: `by the plan's fallback, ${hypothesis.fallback}`, ends: endsOf(written), isOld: false },
  ].filter(({ test }) => Object.hasOwn(ESTIMATORS, test));
  const refusals = [];
  const found = readings.flatMap(({ test, said, ends, isOld }) => {
    try {
      const { estimate, ci, units: n } = ESTIMATORS[test]({ levels, ends, isOld }, level);
      return [{ n, estimate: estimate / raw, ci: ci.map((end) => end / raw), units, said }];
    } catch (error) {
      refusals.push(error);
      return [];
    }
  });
  if (!found.length) {
    throw refusals[0];
  }
  return found;
}

function select(plan, hypothesis, cells) {
  const where = { ...hypothesis.where, ...hypothesis.extra };
  const unit = { item: "item_id", answer: "item_id" }[hypothesis.unit] ?? hypothesis.unit;
  const isWanted = (cell) =>
    (hypothesis.items === null || inSet(cell, plan, hypothesis.items)) && matches(cell, where) &&
    (hypothesis.contrast !== null ? isListed(cell[hypothesis.over], Object.keys(hypothesis.contrast)) : "arm" in where || cell.arm !== BASELINE);
  return cells.filter(isWanted).map((cell) => ({ ...cell, level: hypothesis.contrast === null ? "all" : cell[hypothesis.over], unit: cell[unit] }));
}

function reduce(name, weight, cells) {
  const rows = cells.filter((cell) => cell.mean !== null);
  if (!rows.length) {
    throw new Error(`no data for ${name}`);
  }
  const byUnit = new Map();
  for (const cell of rows.filter(({ unit }) => unit !== null && unit !== undefined)) {
    byUnit.set(String(cell.unit), [...(byUnit.get(String(cell.unit)) ?? []), cell.mean]);
  }
  const isCount = rows.every((cell) => cell.k !== null && cell.n !== null);
  const total = (key) => (isCount ? sum(rows.map((cell) => cell[key])) : null);
  return { name, weight, means: new Map([...byUnit].map(([unit, means]) => [unit, mean(means)])), k: total("k"), n: total("n") };
}

// The largest difference to results.json, relative to the larger number (to 1 where both are small).
export function difference(mine, found) {
  if (mine.n !== found.n_units || mine.units.length !== found.units.length) {
    return Infinity;
  }
  const theirs = new Map(found.units.map((unit) => [JSON.stringify([unit.level, unit.unit]), unit.mean]));
  const pairs = [
    [mine.estimate, found.estimate],
    ...mine.ci.map((end, i) => [end, found.ci[i]]),
    ...mine.units.map((unit) => [unit.mean, theirs.get(JSON.stringify([unit.level, unit.unit]))]),
  ];
  return Math.max(...pairs.map(([one, other]) => (typeof other !== "number" ? Infinity : apart(one, other))));
}

// Both numbers within rounding error of zero are the same number.
function apart(one, other) {
  const size = Math.max(Math.abs(one), Math.abs(other));
  return size < 1e-13 ? 0 : Math.abs(one - other) / size;
}
