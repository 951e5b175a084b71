// All checks of one study, from the lock to the numbers; each line is handed on as it is found.

import { checkPlan, readLedger, readLocks } from "./chain.js";
import { checkHeadlines } from "./headlines.js";
import { isObject } from "./canonical.js";
import { absent, changed, line, unmade, unchecked } from "./lines.js";
import { checkMarkup } from "./page_markup.js";
import { checkPage } from "./page_numbers.js";
import { checkData, checkReport, checkResults } from "./report.js";

// Yields lines, facts {fact, value} that a reader compares with a copy from elsewhere, and {rows}, what was recomputed.
export async function* checkStudy(study, script, progress) {
  const locks = [];
  const events = [];
  progress("lock and plan");
  yield* guarded("lock", readLocks(study, locks));
  const lock = locks.at(-1);
  if (lock !== undefined) {
    yield { fact: `lock id (${lock.path.split("/").at(-1)})`, value: lock.id };
    yield { fact: "lock made, says its author", value: String(lock.value.created_asserted) };
    yield* guarded("plan", checkPlan(study, lock));
  }
  progress("ledger and sealed data");
  yield* guarded("ledger", readLedger(study, locks, events));
  if (events.length) {
    yield { fact: `ledger, line ${events.length}`, value: events.head };
  }
  for (const event of events.filter((one) => one.event === "plan.withdrawn")) {
    yield { fact: "withdrawn, its author says", value: String(event.reason) };
  }
  yield* guarded("data", checkData(study, events));
  let built;
  if (lock !== undefined) {
    progress("report");
    built = yield* guarded("report", checkReport(study, locks, events));
  }
  yield* guarded("results", resultsAndPage(study, locks, events, built, script, progress));
}

async function* resultsAndPage(study, locks, events, built, script, progress) {
  const path = `reports/${study.name}/results.json`;
  if (study.file(path) === undefined) {
    if (built !== undefined) {
      yield line("results", "results.json is there", [absent(study, path, "the numbers of the report", study.hasReport)]);
    } else {
      yield unchecked("results", "Numbers follow from sealed data", "No report yet.");
    }
    return;
  }
  const { value: results, isCanonical } = await study.json(path).catch((error) => ({ value: String(error.message), isCanonical: false }));
  if (!isCanonical || !isResults(results)) {
    const what = "results.json is the canonical JSON that seedlock analyze writes";
    const isBuilt = events.some((event) => event.event === "report.built");
    const found = typeof results === "string" ? results.slice(0, 200) : isCanonical ? "JSON without hypotheses" : "another spelling";
    yield isBuilt ? line("results", what, [changed(path, found, "canonical JSON")]) : unmade("results", what, found);
    return;
  }
  if (locks.length) {
    yield checkResults(locks, events, built, results);
  }
  progress("numbers on the page");
  for (const name of ["report.html", "appendix.html"]) {
    const page = `reports/${study.name}/${name}`;
    if (study.file(page) !== undefined) {
      const html = await study.text(page);
      yield checkPage(name, html, results);
      yield await checkMarkup(name, html);
    } else if (name === "report.html") {
      yield line("page", "Every number that report.html prints is the one in results.json", [absent(study, page, "the report", study.hasReport)]);
    }
  }
  yield unchecked("page", "Figures show these numbers", "Pictures are covered by the manifest's digests alone; seedlock verify draws or compares them again.");
  if (locks.length) {
    const { lines, rows } = await checkHeadlines(study, locks.at(-1), events, results, script, progress);
    yield* lines;
    yield { rows };
  }
}

function isResults(results) {
  return isObject(results) && Array.isArray(results.hypotheses) && results.hypotheses.every((h) => isObject(h) && typeof h.id === "string" && Array.isArray(h.units));
}

// What cannot be read at all is said as such; the checks after it go on.
async function* guarded(link, checks) {
  try {
    return yield* checks;
  } catch (error) {
    yield unmade(link, "This could not be read to its end", String(error?.message ?? error).slice(0, 300));
    return undefined;
  }
}
