// Recompute every headline that this page has the method for, and say of each whether results.json has the same number.

import { changed, line, unchecked } from "./lines.js";
import { difference, expanded, recompute, scored, TOLERANCE, whyNot } from "./recompute.js";
import { sealedPath, speaking } from "./report.js";
import { readTable } from "./tables.js";

const COLUMNS = {
  runs: undefined,
  items: undefined,
  counts: undefined,
  completions: ["request_id", "run_id", "item_id", "text", "label", "value", "status"],
  judgements: ["request_id", "judge", "label", "value", "status"],
};

// Rows of every sealed table that a method here reads; only files whose digest is the ledger's are opened.
async function openTables(study, events, script, progress) {
  const tables = { runs: [], items: [], counts: [], completions: [], judgements: [] };
  const sealed = speaking(events).filter((event) => Object.hasOwn(tables, event.table));
  for (const [i, event] of sealed.entries()) {
    const path = sealedPath(study, event);
    const file = study.file(path);
    if (file === undefined || (await study.digest(path)) !== event.sha256) {
      throw new Error(`${event.file} is ${file === undefined ? "not here" : "not the file that the ledger recorded"}`);
    }
    progress(`reading sealed data, file ${i + 1} of ${sealed.length}`);
    const rows = await readTable(await file.read(), COLUMNS[event.table], script).catch((error) => {
      throw new Error(`${event.file}: ${error.message}`);
    });
    if (rows.length !== event.rows) {
      throw new Error(`${event.file} has ${rows.length} rows; the ledger says ${event.rows}`);
    }
    for (const row of rows) {
      tables[event.table].push(row);
    }
  }
  return tables;
}

// Lines, and a table of what was recomputed: {id, test, state, mine, found, apart, why}.
export async function checkHeadlines(study, lock, events, results, script, progress) {
  const plan = lock.value.plan.parsed;
  const byId = new Map(results.hypotheses.map((found) => [found.id, found]));
  const what = "Headline numbers, computed here from the sealed rows, are those of results.json";
  let tables;
  try {
    tables = await openTables(study, events, script, progress);
  } catch (error) {
    return { lines: [unchecked("numbers", what, `The sealed rows cannot be read: ${error.message}.`)], rows: [] };
  }
  const cells = scored(plan, tables);
  const rows = [];
  for (const hypothesis of expanded(lock.value)) {
    const found = byId.get(hypothesis.id);
    if (found !== undefined) {
      progress(`recomputing ${hypothesis.id}`);
      rows.push(compare(plan, hypothesis, found, cells));
    }
  }
  const faults = rows.filter((row) => row.state === "changed").map((row) => changed(`results.json: ${row.id}`, shown(row.found), `${shown(row.mine)}${row.why ? ` (${row.why})` : ""}`));
  const left = rows.filter((row) => row.state === "unchecked").length;
  const done = rows.length - left;
  const note = left ? `${left} of ${rows.length} take a method that this page does not have; seedlock verify --replay runs them all.` : "";
  const lines = [done ? { ...line("numbers", `${what} (${done} of ${rows.length})`, faults), note } : unchecked("numbers", what, note)];
  if (tables.completions.length && results.accounting?.answers !== undefined) {
    const wrong = results.accounting.answers === tables.completions.length ? [] : [changed("results.json: answers", results.accounting.answers, tables.completions.length)];
    lines.push(line("numbers", `As many answers as the report says are sealed (${tables.completions.length})`, wrong));
  }
  return { lines, rows };
}

const shown = (numbers) => (numbers ? `${numbers.estimate} [${numbers.ci.join(", ")}], n = ${numbers.n}` : "nothing");

function compare(plan, hypothesis, result, cells) {
  const row = { id: hypothesis.id, test: hypothesis.test, mine: null, apart: null, why: whyNot(plan, hypothesis, result) };
  row.found = result.estimate === null || result.ci === null ? null : { estimate: result.estimate, ci: result.ci, n: result.n_units };
  if (row.why) {
    return { ...row, state: "unchecked" };
  }
  const level = levelOf(plan, hypothesis, result);
  if (level === null) {
    return { ...row, state: "changed", why: "the interval is not at the level that the plan sets" };
  }
  try {
    const readings = recompute(plan, hypothesis, cells(hypothesis.measure), level).map((mine) => ({ mine, apart: difference(mine, result) }));
    const { mine, apart } = readings.find((reading) => reading.apart <= TOLERANCE) ?? readings[0];
    return { ...row, mine, apart, why: apart <= TOLERANCE ? mine.said : "", state: apart <= TOLERANCE ? "holds" : "changed" };
  } catch (error) {
    return { ...row, state: "unchecked", why: error.message };
  }
}

// The planned level of an interval. A planned look spends part of alpha: its level is then the one that results.json names.
function levelOf(plan, hypothesis, result) {
  const planned = 1 - 2 * (hypothesis.alpha ?? plan.inference.alpha);
  if (plan.look?.length) {
    return result.ci_level >= planned - 1e-12 && result.ci_level < 1 ? result.ci_level : null;
  }
  return Math.abs(result.ci_level - planned) < 1e-12 ? planned : null;
}
