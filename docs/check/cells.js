// From sealed rows to cells (run x item x measure) with what the plan knows of run and item beside each.

import { MEASURES } from "./measures.js";
import { sum } from "./estimators.js";

// Items once each, with the sets they stand in; a pair that is asked in two sets is two pairs.
export function describeItems(rows) {
  const items = new Map();
  for (const row of rows) {
    const known = items.get(row.item_id) ?? { ...row, item_sets: new Set() };
    known.item_sets.add(row.items);
    items.set(row.item_id, known);
  }
  const places = new Map();
  const named = (item) => [...item.item_sets].sort().join(" ");
  for (const item of items.values()) {
    if (item.pair !== null && item.pair !== undefined) {
      places.set(item.pair, (places.get(item.pair) ?? new Set()).add(named(item)));
    }
  }
  for (const item of items.values()) {
    if (places.get(item.pair)?.size > 1) {
      item.pair = `${item.pair} | ${named(item)}`;
    }
  }
  return items;
}

const isListed = (value, wanted) => {
  const levels = (Array.isArray(wanted) ? wanted : [wanted]).map((level) =>
    typeof level === "boolean" ? (level ? "True" : "False") : String(level));
  return levels.includes(value);
};

export function matches(row, where) {
  return Object.entries(where ?? {}).every(([factor, wanted]) => {
    if (!Object.hasOwn(row, factor)) {
      throw new Error(`the plan names ${factor}, which the tables do not have`);
    }
    return isListed(row[factor], wanted);
  });
}

export function inSet(row, plan, name) {
  const set = plan.items[name];
  const compared = (pairs, isSame) => Object.entries(pairs ?? {}).every(([attribute, factor]) => {
    const [one, other] = [row[attribute] ?? null, row[factor] ?? null];
    return one !== null && other !== null && (one === other) === isSame;
  });
  const isThere = matches(row, set.where) && compared(set.same, true) && compared(set.differs, false);
  return isThere && (set.file === null || row.item_sets.has(name));
}

// Whether a measure scores an item: of the sets it names, as it filters, and asked for what it reads.
function scores(plan, written, measure, item) {
  if (!matches(item, written.where) || (written.items?.length && !written.items.some((set) => inSet(item, plan, set)))) {
    return false;
  }
  return !measure.reads || !("asked" in item) || plan.import || item.asked === measure.reads;
}

// Cells of one measure. `verdicts` (request -> judgement) stand in place of a row's own label and value.
export function cellsOf(name, plan, tables, items) {
  const written = plan.measures[name];
  const measure = MEASURES[written.kind];
  const verdicts = written.judge ? judged(tables.judgements, written.judge) : null;
  const isChoice = written.judge && Object.hasOwn(plan.judges ?? {}, written.judge);
  const chosen = new Set([...items.values()].filter((item) => scores(plan, written, measure, item)).map((item) => item.item_id));
  const found = new Map();
  for (const row of tables.completions) {
    if (!chosen.has(row.item_id) || (isChoice && !verdicts.has(row.request_id))) {
      continue;
    }
    const key = JSON.stringify([row.run_id, row.item_id]);
    const cell = found.get(key) ?? { run_id: row.run_id, item_id: row.item_id, values: [], lost: 0 };
    const score = measure.score(verdicts ? spoken(row, verdicts.get(row.request_id)) : row, written);
    if (score === null) {
      cell.lost += 1;
    } else {
      cell.values.push(score);
    }
    found.set(key, cell);
  }
  const cells = [...found.values()].map(({ values, ...cell }) => {
    const total = sum(values);
    return { ...cell, n: values.length, k: measure.isRate ? total : null, mean: values.length ? total / values.length : null };
  });
  return [...cells, ...counted(tables.counts, name)];
}

function counted(rows, name) {
  return rows.filter((row) => row.measure === name).map(({ run_id, item_id, k, n, mean }) => (
    { run_id, item_id, n, k, mean: mean ?? (k === null ? null : k / n), lost: 0 }));
}

function judged(judgements, judge) {
  const own = judgements.filter((row) => row.judge === judge);
  if (!own.length) {
    throw new Error(`no sealed judgements of ${judge}`);
  }
  return new Map(own.map((row) => [row.request_id, row]));
}

function spoken(row, verdict) {
  const status = row.status === "ok" ? verdict?.status ?? "not judged" : row.status;
  return { ...row, label: verdict?.label ?? null, value: verdict?.value ?? null, status };
}

// Run factors and item attributes beside every cell; the two orders of a question become one cell, their mean.
export function describeCells(cells, runs, items) {
  const byRun = new Map(runs.map((run) => [run.run_id, run]));
  const described = cells.map((cell) => {
    if (!byRun.has(cell.run_id) || !items.has(cell.item_id)) {
      throw new Error(`rows of run ${cell.run_id} or item ${cell.item_id}, which the tables do not have`);
    }
    return { ...byRun.get(cell.run_id), ...items.get(cell.item_id), ...cell };
  });
  const isPair = (cell) => cell.pair !== null && cell.pair !== undefined;
  const pairs = new Map();
  for (const cell of described.filter(isPair)) {
    const key = JSON.stringify([cell.run_id, cell.pair]);
    pairs.set(key, [...(pairs.get(key) ?? []), cell]);
  }
  return [...described.filter((cell) => !isPair(cell)), ...[...pairs.values()].map(averaged)];
}

function averaged(orders) {
  const isWhole = orders.length === 2 && orders.every((cell) => cell.mean !== null);
  const k = isWhole && orders[0].n === orders[1].n && orders[0].k !== null ? orders[0].k + orders[1].k : null;
  const own = { item_id: orders[0].pair, order: null, pro: null, con: null };
  return { ...orders[0], ...own, n: sum(orders.map((cell) => cell.n)), k, mean: isWhole ? (orders[0].mean + orders[1].mean) / 2 : null };
}

export { isListed };
