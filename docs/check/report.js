// Sealed data, manifest and results: what the ledger recorded is what lies here, and the results speak of all of it.

import { expanded } from "./recompute.js";
import { changed, compared, line, unchecked } from "./lines.js";
import { looksUsed, unseenLooks } from "./order.js";

const REPLACED_BY_LATER = new Set(["readings", "conditions", "directions", "judgements", "canaries"]);
const LATER = new Set(["data.sealed", "look.opened", "deviation.declared", "run.finished", "run.failed"]);
const RANK = ["confirmatory", "deviated", "exploratory", "retrospective"];

// Sealed files that speak: of a judge asked again, or a second look inside, the last word.
export function speaking(events) {
  const latest = new Map();
  const gone = new Set();
  const sealed = events.filter((event) => event.event === "data.sealed");
  for (const event of sealed.filter(({ table }) => REPLACED_BY_LATER.has(table))) {
    const key = `${event.table} ${event.judge ?? ""}`;
    if (latest.has(key) && latest.get(key) !== event.file) {
      gone.add(latest.get(key));
    }
    latest.set(key, event.file);
  }
  return sealed.filter((event) => !gone.has(event.file));
}

// Where a sealed file lies: published, or on the workbench.
export function sealedPath(study, event) {
  const places = [`reports/${study.name}/data/${event.file}`, `runs/${study.name}/sealed/${event.file}`];
  return places.find((path) => study.file(path) !== undefined) ?? places[0];
}

export async function* checkData(study, events) {
  const sealed = events.filter((event) => event.event === "data.sealed" && typeof event.file === "string");
  if (!sealed.length) {
    return;
  }
  const faults = [];
  for (const event of sealed) {
    faults.push(...(await compared(study, sealedPath(study, event), event.sha256, study.hasReport || study.root !== null)));
  }
  const isWithdrawn = events.some((event) => event.event === "plan.withdrawn");
  if (isWithdrawn && !study.hasReport && faults.every((fault) => fault.state === "missing")) {
    yield unchecked("data", "Sealed data are as the ledger recorded them", `The registration was withdrawn, and none of its ${sealed.length} sealed files lies here.`);
    return;
  }
  const known = new Set(sealed.map((event) => event.file));
  const extra = study.under(`reports/${study.name}/`).filter((file) => file.startsWith("data/") && !known.has(file.slice(5)));
  faults.push(...extra.map((file) => changed(`reports/${study.name}/${file}`, "an extra file", "a file that the ledger names")));
  yield line("data", `Sealed data are as the ledger recorded them (${sealed.length} files)`, faults);
}

export async function* checkReport(study, locks, events) {
  const built = events.filter((event) => event.event === "report.built").at(-1);
  if (built === undefined) {
    yield* unnamed(study, events);
    return undefined;
  }
  yield ofLock(locks, built);
  const home = `reports/${study.name}/`;
  const vouched = [
    ...(await compared(study, `${home}manifest.sha256`, built.manifest_sha256, study.hasReport)),
    ...(await compared(study, `${home}results.json`, built.results_sha256, study.hasReport)),
  ];
  yield line("report", "Manifest and results are those that the ledger recorded", vouched);
  if (study.file(`${home}manifest.sha256`) !== undefined) {
    yield await manifest(study, home);
  }
  yield line("report", "The report speaks of everything in the ledger", since(events, built));
  return built;
}

// What came after the report and is not in it: data, looks, departures, and what a declared fork held.
function since(events, built) {
  const unseen = unseenLooks(events);
  const later = events.filter((event) => event.n > built.n && !unseen.has(event.n) && (LATER.has(event.event) || event.held !== undefined));
  return later.slice(0, 20).map((event) => changed(`ledger line ${event.n}`, event.event, "nothing new since the report"));
}

// Pages and numbers that stand where a report stands, and that no line of the ledger vouches for.
function* unnamed(study, events) {
  const home = `reports/${study.name}/`;
  const here = [...new Set(study.under(home).map((file) => file.split("/")[0]))].filter((name) => name !== "data");
  if (events.length && here.length) {
    const faults = here.slice(0, 20).map((name) => changed(home + name, "a report that no ledger line names", "a report that the ledger names (report.built)"));
    yield line("report", "The report is one that the ledger recorded", faults);
  }
}

// A report is of the newest lock; one of an earlier lock was made before an amendment.
function ofLock(locks, built) {
  const what = "The report was built under the newest lock";
  if (locks.slice(0, -1).some((lock) => lock.id === built.lock_id)) {
    return unchecked("report", what, "It is of an earlier lock; the plan was amended since, and no report was built after that.");
  }
  return line("report", what, built.lock_id === locks.at(-1).id ? [] : [changed(`ledger line ${built.n}`, built.lock_id, locks.at(-1).id)]);
}

async function manifest(study, home) {
  const faults = [];
  const listed = new Map();
  for (const row of (await study.text(`${home}manifest.sha256`)).split("\n").slice(0, -1)) {
    const [, digest, name] = /^([0-9a-f]{64}) {2}(.*)$/.exec(row) ?? [];
    if (digest === undefined || listed.has(name)) {
      faults.push(changed(`${home}manifest.sha256`, row.slice(0, 100), "one line a file, as sha256sum writes it"));
    } else {
      listed.set(name, digest);
    }
  }
  for (const [name, promised] of listed) {
    faults.push(...(await compared(study, home + name, promised, study.hasReport)));
  }
  const extra = study.under(home).filter((file) => file !== "manifest.sha256" && !listed.has(file));
  faults.push(...extra.map((file) => changed(home + file, "an extra file", "only what the manifest lists")));
  return line("report", `Results, pages, figures and data are as the manifest lists them (${listed.size} files)`, faults);
}

// What results.json says of itself, against lock and ledger.
export function checkResults(locks, events, built, results) {
  const lock = locks.at(-1);
  const until = built ? events.filter((event) => event.n < built.n) : events;
  const named = expanded(lock.value).map((hypothesis) => hypothesis.id);
  const pairs = [
    ["lock", results.lock_id, lock.id],
    ["study", results.study, lock.value.study],
    ["status", results.status, statusOf(locks, until, results.status)],
    ["deviations", names(results.deviations, "pointer"), names(until.filter((event) => event.event === "deviation.declared"), "pointer")],
    ["sealed data", names(results.inputs, "sha256").sort(), names(speaking(until), "sha256").sort()],
    ["hypotheses", names(results.hypotheses, "id").sort(), named.sort()],
    ["claims", names(results.claims, "id"), names(lock.value.plan.parsed.claim ?? [], "id")],
    ["looks", results.accounting?.looks_used, looksUsed(until)],
  ];
  const faults = pairs
    .filter(([, found, promised]) => JSON.stringify(found) !== JSON.stringify(promised))
    .map(([what, found, promised]) => changed(`results.json: ${what}`, short(found), short(promised)));
  return line("results", "Results name this lock, its status, all data, departures and looks, and every hypothesis planned", faults);
}

const names = (list, key) => (Array.isArray(list) ? list.map((entry) => entry?.[key]) : []);
const short = (value) => String(JSON.stringify(value)).slice(0, 300);

// The best status that lock and ledger allow. A lower one than that is the author's candour, or takes more than this page reads.
function statusOf(locks, events, found) {
  const isRetrospective = locks.some((lock) => lock.value.exposure?.is_retrospective) || events.some((event) => event.predates_lock);
  const isExploratory = locks.at(-1).value.plan.parsed.hypothesis.every((hypothesis) => hypothesis.role === "exploratory");
  const isDeviated = events.some((event) => event.event === "deviation.declared" || (event.event === "fork.declared" && event.held !== undefined) || (event.event === "plan.amended" && ["sealed", "looked"].includes(event.data_seen)));
  const best = isRetrospective ? "retrospective" : isExploratory ? "exploratory" : isDeviated ? "deviated" : "confirmatory";
  return RANK.indexOf(found) > RANK.indexOf(best) ? found : best;
}

