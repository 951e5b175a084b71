// Lock, plan and ledger: these bytes are the plan, and what was done is one unbroken chain.

import { canonical, isObject, sha256 } from "./canonical.js";
import { absent, changed, compared, holds, line, unchecked, unknown } from "./lines.js";
import { checkOrder } from "./order.js";

export const EVENTS = new Set(["plan.locked", "plan.amended", "plan.withdrawn", "fork.declared", "deviation.declared", "beacon.recorded", "run.started", "run.finished", "run.failed", "data.sealed", "look.ended",
  "audit.judged", "look.opened", "report.built", "signature.added", "timestamp.added"]);

// Locks of a study, oldest first: {path, id, value}; the lines say of each whether it is one.
export async function* readLocks(study, locks) {
  const home = `lockfiles/${study.name}/`;
  const faults = [];
  for (const path of study.under(home).filter((file) => /^lock-\d{4}\.json$/.test(file)).map((file) => home + file)) {
    try {
      const { value, isCanonical } = await study.json(path);
      if (!isCanonical || !isLock(value)) {
        faults.push(changed(path, isCanonical ? "not the fields of a lock" : "another spelling", "canonical JSON (RFC 8785) and one line feed"));
      } else {
        locks.push({ path, id: await study.digest(path), value });
      }
    } catch (error) {
      faults.push(changed(path, error.message, "canonical JSON (RFC 8785) and one line feed"));
    }
  }
  if (!locks.length && !faults.length) {
    faults.push(absent(study, `${home}lock-0001.json`, "the lock", study.isLocked || study.hasLockfiles));
  }
  yield line("lock", "Every lock is canonical JSON", faults);
  if (locks.length) {
    yield line("lock", "Each lock is of this study, in order, and names the one before", orderFaults(study, locks));
  }
}

function isLock(value) {
  const files = [value?.files, value?.code];
  return isObject(value) && isObject(value.plan?.parsed) && Array.isArray(value.plan.parsed.hypothesis) && Array.isArray(value.runs) &&
    files.every((list) => Array.isArray(list) && list.every((file) => typeof file?.path === "string" && typeof file.sha256 === "string"));
}

function orderFaults(study, locks) {
  const faults = [];
  locks.forEach(({ path, value }, i) => {
    if (value.study !== study.name) {
      faults.push(changed(path, `a lock of ${value.study}`, `a lock of ${study.name}`));
    }
    if (value.n !== i + 1 || path !== `lockfiles/${study.name}/lock-${String(i + 1).padStart(4, "0")}.json`) {
      faults.push(changed(path, `lock ${value.n}`, `lock ${i + 1}`));
    }
    const before = i ? locks[i - 1].id : null;
    if (value.prev_lock !== before) {
      faults.push(changed(`${path} prev_lock`, value.prev_lock, before));
    }
  });
  return faults;
}

// The plan and whatever the newest lock pins, byte for byte; a file that was added; the list for sha256sum.
export async function* checkPlan(study, lock) {
  const { value, path } = lock;
  const isPlanHere = study.root !== null || study.folders.plan !== undefined;
  const pinned = new Map([...value.files.map((file) => [file.path, file.sha256]), [value.plan.path, value.plan.raw_sha256]]);
  const faults = [];
  for (const [file, promised] of pinned) {
    faults.push(...(await compared(study, file, promised, isPlanHere)));
  }
  for (const root of value.roots ?? []) {
    const here = study.under(`${root}/`).filter((file) => !file.split("/").some((part) => part.startsWith(".")));
    faults.push(...here.filter((file) => !pinned.has(`${root}/${file}`)).map((file) => changed(`${root}/${file}`, "an extra file", "only what the lock lists")));
  }
  yield line("plan", `The plan and every file that it names are as locked (${pinned.size} files)`, faults);
  yield await listing(study, lock);
  yield await code(study, value);
  if (value.design?.simulation_sha256) {
    const file = `lockfiles/${study.name}/simulation.json`;
    yield line("plan", "The simulation of the design is the one that the lock records", await compared(study, file, value.design.simulation_sha256, study.isLocked));
  }
  yield unchecked("plan", "The plan as the lock recorded it is what plan.toml says", `This page does not read TOML: seedlock verify does. Numbers below follow the plan as recorded in ${path}.`);
}

async function listing(study, { path, id, value }) {
  const what = "The .sha256 beside the lock lists what it pins";
  const file = path.replace(/json$/, "sha256");
  if (study.file(file) === undefined) {
    return line("plan", what, [absent(study, file, "a list for sha256sum")]);
  }
  const promised = new Map([[path, id], ...[...value.code, ...value.files].map((one) => [one.path, one.sha256])]);
  const faults = [];
  const listed = new Map();
  for (const [number, row] of (await study.text(file)).split("\n").slice(0, -1).entries()) {
    const [, digest, name] = /^([0-9a-f]{64}) {2}(.*)$/.exec(row) ?? [];
    listed.set(name, digest);
    if (digest === undefined || promised.get(name) !== digest) {
      faults.push(changed(`${file} line ${number + 1}`, row.slice(0, 200), promised.get(name) ?? "a file that the lock pins"));
    }
  }
  for (const name of [path, ...value.files.map((one) => one.path)].filter((one) => !listed.has(one))) {
    faults.push(changed(file, `no line for ${name}`, "every pinned file"));
  }
  return line("plan", what, faults);
}

// Code may move on after a report; whether it stood at the locked commit takes git.
async function code(study, value) {
  const what = "The code that decides is the code that was locked";
  const moved = [];
  for (const file of value.code) {
    moved.push(...(await compared(study, file.path, file.sha256, study.root !== null)));
  }
  if (!moved.length) {
    return holds("code", `${what} (${value.code.length} files)`);
  }
  const commit = String(value.commit ?? "none").slice(0, 12);
  const note = `${value.code.length - moved.length} of ${value.code.length} locked files stand here as they were. Code may move on after a report; seedlock verify compares the rest with the commit of the lock (${commit}).`;
  return unchecked("code", what, note);
}

// The ledger's events; every line is canonical, carries the digest of the line before, and the head is the last.
export async function* readLedger(study, locks, events) {
  const path = `lockfiles/${study.name}/ledger.jsonl`;
  if (study.file(path) === undefined) {
    yield line("ledger", "The ledger is one unbroken chain", [absent(study, path, "the ledger", study.isLocked)]);
    return;
  }
  let faults;
  try {
    faults = await chainFaults(study, path, events);
  } catch (error) {
    yield unchecked("ledger", "The ledger is one unbroken chain", `It cannot be read: ${error.message}`);
    return;
  }
  yield line("ledger", `The ledger is one unbroken chain (${events.length} events)`, faults);
  yield line("ledger", "The ledger names every lock by its digest", namingFaults(path, locks, events));
  yield* checkOrder(path, locks, events);
}

async function chainFaults(study, path, events) {
  const rows = (await study.text(path)).split("\n");
  const faults = rows.pop() === "" ? [] : [changed(path, "an unfinished last line", "a line feed at the end")];
  let previous = null;
  for (const [i, row] of rows.entries()) {
    const where = `${path} line ${i + 1}`;
    const event = parsed(row);
    if (event === null) {
      faults.push(changed(where, row.slice(0, 100), "one canonical JSON object"));
    } else {
      if (event.prev !== previous || event.n !== i + 1) {
        faults.push(changed(`${where} prev`, `${event.prev}, n = ${event.n}`, `${previous}, n = ${i + 1}`));
      }
      if (!EVENTS.has(event.event)) {
        faults.push(unknown(where, `event ${event.event}`, "an event that this page knows"));
      }
      events.push(event);
    }
    previous = await sha256(new TextEncoder().encode(`${row}\n`));
  }
  events.head = previous;
  const headPath = path.replace(/jsonl$/, "head");
  const head = study.file(headPath) === undefined ? null : (await study.text(headPath)).trim();
  if (head === null && rows.length) {
    faults.push(absent(study, headPath, previous));
  } else if (head !== previous) {
    faults.push(changed(headPath, head, `${previous} (digest of the last line)`));
  }
  return faults.slice(0, 20);
}

function parsed(row) {
  try {
    const event = JSON.parse(row);
    return isObject(event) && canonical(event) === row ? event : null;
  } catch {
    return null;
  }
}

function namingFaults(path, locks, events) {
  const named = events.filter((event) => event.event === "plan.locked" || event.event === "plan.amended").map((event) => event.lock_id);
  const ids = locks.map((lock) => lock.id);
  return named.length === ids.length && named.every((id, i) => id === ids[i]) ? [] : [changed(path, named.join(", ") || "no lock", ids.join(", ") || "no lock here")];
}
