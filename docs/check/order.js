// What the ledger's lines say together: in order, at times that only grow, and looks that are counted.

import { isObject } from "./canonical.js";
import { changed, line } from "./lines.js";

const FIRST = { "data.sealed": "plan.locked", "run.started": "plan.locked", "plan.amended": "plan.locked", "deviation.declared": "plan.locked", "audit.judged": "data.sealed",
  "run.finished": "run.started", "run.failed": "run.started", "look.opened": "data.sealed", "look.ended": "look.opened", "report.built": "look.opened" };
const MOMENT = /^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})$/;
const SLACK_MS = 5 * 60 * 1000;
const AHEAD_MS = 24 * 60 * 60 * 1000;
const SHOWED_NOTHING = new Set(["killed", "interrupted"]);
const MOST = 20;

export function* checkOrder(path, locks, events, now = Date.now()) {
  yield line("ledger", "Lock, runs, data, looks and report came in this order", [...beforeTheirNeed(path, events), ...afterTheEnd(path, events), ...falseEnds(path, events)].slice(0, MOST));
  yield line("ledger", "Times only grow and have passed, and no data are older than the lock", [...times(path, events, now), ...lockTimes(path, locks, events)].slice(0, MOST));
}

function* beforeTheirNeed(path, events) {
  const seen = new Set();
  for (const event of events) {
    const needed = FIRST[event.event];
    if (needed !== undefined && !seen.has(needed)) {
      yield changed(`${path} line ${event.n}`, event.event, `${needed} before it`);
    }
    seen.add(event.event);
  }
}

// Data of runs that came after a report at which the plan's rule ended the study; an amendment begins anew.
function* afterTheEnd(path, events) {
  let ended = 0;
  const here = new Set();
  for (const event of events) {
    if (event.event === "report.built" && isObject(event.look)) {
      ended = event.look.goes_on === false ? event.n : 0;
    } else if (event.event === "plan.amended") {
      ended = 0;
    } else if (event.event === "data.sealed") {
      const runs = Object.keys(isObject(event.runs) ? event.runs : {});
      if (ended && runs.some((run) => !here.has(run))) {
        yield changed(`${path} line ${event.n}`, "data of more runs", `nothing after the look that ended the study (line ${ended})`);
      }
      runs.forEach((run) => here.add(run));
    }
  }
}

// Looks that are said to have ended without a report, and brought one, or are no looks.
function* falseEnds(path, events) {
  const opened = new Set(events.filter((event) => event.event === "look.opened").map((event) => event.n));
  const reports = events.filter((event) => event.event === "report.built").map((event) => event.n);
  for (const event of events.filter((one) => one.event === "look.ended")) {
    if (!opened.has(event.line) || reports.some((report) => event.line < report && report < event.n)) {
      yield changed(`${path} line ${event.n}`, `line ${event.line} ended as ${event.how}`, "a look that brought no report");
    }
  }
}

function* times(path, events, now) {
  let latest = -Infinity;
  for (const event of events) {
    const at = MOMENT.test(event.at) ? Date.parse(event.at.replace(" ", "T")) : NaN;
    if (Number.isNaN(at)) {
      yield changed(`${path} line ${event.n} at`, event.at, "a time with its zone");
      continue;
    }
    if (at < latest - SLACK_MS) {
      yield changed(`${path} line ${event.n} at`, event.at, `no earlier than the lines above it (${new Date(latest).toISOString()})`);
    }
    if (at > now + AHEAD_MS) {
      yield changed(`${path} line ${event.n} at`, event.at, "a time that has passed");
    }
    latest = Math.max(latest, at);
  }
}

// A lock was made when the ledger says so: no other time stands in it.
function* lockTimes(path, locks, events) {
  for (const lock of locks) {
    const own = events.find((event) => event.lock_id === lock.id && (event.event === "plan.locked" || event.event === "plan.amended"));
    if (own !== undefined && own.at !== lock.value.created_asserted) {
      yield changed(`${lock.path} created_asserted`, lock.value.created_asserted, `${own.at} (${path} line ${own.n})`);
    }
  }
}

// Ledger lines of looks that were killed or interrupted before they showed anything.
export function unseenLooks(events) {
  return new Set(events.filter((event) => event.event === "look.ended" && SHOWED_NOTHING.has(event.how)).map((event) => event.line));
}

// Looks that were opened and showed something, and those that only a declared fork of the ledger holds.
export function looksUsed(events) {
  const unseen = unseenLooks(events);
  const here = events.filter((event) => event.event === "look.opened" && !unseen.has(event.n)).length;
  const forks = events.filter((event) => event.event === "fork.declared");
  const named = new Set(forks.flatMap((fork) => fork.looks ?? []));
  const unnamed = forks.filter((fork) => fork.looks === undefined).reduce((total, fork) => total + (fork.held?.["look.opened"] ?? 0), 0);
  return here + named.size + unnamed;
}
