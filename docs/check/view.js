// The list as a person reads it. Whatever comes from the files is written as text, never as markup.

const HIDDEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ud800-\udfff\ufeff]/gu;
const LINKS = { lock: "Lock", plan: "Plan", code: "Code", ledger: "Ledger", data: "Sealed data", report: "Report", results: "Results", page: "Page", numbers: "Numbers" };
export const WORDS = { holds: "holds", changed: "changed", missing: "missing", unchecked: "cannot be checked here" };
const SIGNS = { holds: "✓", changed: "✗", missing: "✗", unchecked: "–" };
const BROKEN = new Set(["changed", "missing"]);
const MOST_FAULTS = 20;

// Characters that would hide or reorder others are spelled out; a very long text is cut.
export function safe(text) {
  const shown = String(text).replace(HIDDEN, (c) => `⟨U+${c.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}⟩`);
  return shown.length > 400 ? `${shown.slice(0, 400)} …` : shown;
}

export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    made.setAttribute(name, value);
  }
  made.append(...children.map((child) => (typeof child === "string" ? safe(child) : child)));
  return made;
}

// One study, filled in as lines come; open while it is read, and afterwards where something does not hold or it is alone.
export class StudyView {
  constructor(study, number) {
    this.name = study.name;
    this.id = `study-${number}`;
    this.groups = new Map();
    this.counts = { holds: 0, changed: 0, missing: 0, unchecked: 0 };
    this.broken = new Set();
    this.owed = new Set();
    this.verdict = element("p", { class: "verdict" });
    this.facts = element("dl", { class: "facts" });
    this.section = element("details", { class: "study", id: this.id, open: "" }, element("summary", {}, element("h2", {}, study.name)), this.verdict, this.facts);
    if (study.root) {
      this.addFact("found in", study.root);
    }
  }

  // What a reader compares with a copy from elsewhere: lock id, last line of the ledger.
  addFact(name, value) {
    this.facts.append(element("dt", {}, name), element("dd", {}, element("code", {}, value)));
  }

  add(line) {
    this.counts[line.state] += 1;
    if (BROKEN.has(line.state)) {
      this.broken.add(LINKS[line.link]);
    }
    if (line.isOwed) {
      this.owed.add(LINKS[line.link]);
    }
    if (!this.groups.has(line.link)) {
      const list = element("ul", { class: "lines" });
      this.groups.set(line.link, list);
      this.section.append(element("h3", {}, LINKS[line.link]), list);
    }
    this.groups.get(line.link).append(entry(line));
  }

  addRows(rows) {
    if (rows.length) {
      this.section.append(table(rows));
    }
  }

  get isBroken() {
    return this.broken.size > 0;
  }

  get isCut() {
    return this.owed.size > 0;
  }

  close(isAlone) {
    const named = [...this.broken].join(", ").toLowerCase();
    this.section.classList.add(this.isBroken || this.isCut ? "broken" : "sound");
    this.section.open = this.isBroken || this.isCut || isAlone;
    this.verdict.append(element("strong", {}, this.isBroken ? `Something does not hold: ${named}.` : this.isCut ? `Not everything could be checked: ${[...this.owed].join(", ").toLowerCase()}.` : "All that was checked here holds."), ` ${tally(this.counts)}.`);
    this.section.querySelector("summary").append(element("span", { class: "brief" }, this.isBroken ? `${SIGNS.changed} does not hold: ${named}` : `${this.isCut ? SIGNS.unchecked : SIGNS.holds} ${tally(this.counts)}`));
  }
}

export function tally(counts) {
  return Object.entries(WORDS).filter(([state]) => counts[state]).map(([state, words]) => `${counts[state]} ${counts[state] === 1 || state === "unchecked" ? words : { holds: "hold" }[state] ?? words}`).join(", ");
}

function entry(line) {
  const state = element("span", { class: "state" }, element("span", { "aria-hidden": "true" }, SIGNS[line.state]), ` ${WORDS[line.state]}`);
  const item = element("li", { class: line.state }, state, element("span", { class: "what" }, line.what));
  if (line.note) {
    item.append(element("p", { class: "note" }, line.note));
  }
  if (line.faults.length) {
    const faults = line.faults.slice(0, MOST_FAULTS).map((fault) => element("li", {}, element("code", {}, fault.where), element("dl", {},
      element("dt", {}, "found"), element("dd", {}, element("code", {}, fault.found)), element("dt", {}, "promised"), element("dd", {}, element("code", {}, fault.promised)))));
    const more = line.faults.length > MOST_FAULTS ? [element("li", {}, `and ${line.faults.length - MOST_FAULTS} more`)] : [];
    item.append(element("ul", { class: "faults" }, ...faults, ...more));
  }
  return item;
}

const digits = (value) => (Math.abs(value) >= 1e-4 || value === 0 ? String(Number(value.toPrecision(5))) : value.toExponential(3)).replace("-", "\u2212");
const numbers = (found) => (found ? `${digits(found.estimate)} [${digits(found.ci[0])}, ${digits(found.ci[1])}]` : "–");

// What was recomputed, a row a hypothesis.
function table(rows) {
  const head = ["Hypothesis", "Method", "Computed here", "In results.json", "Relative difference", ""];
  const body = rows.map((row) => {
    const why = row.why ? `: ${row.why}` : "";
    const apart = row.apart === null ? "–" : Number.isFinite(row.apart) ? (row.apart === 0 ? "0" : row.apart.toExponential(1)) : "other units";
    const cells = [row.id, row.test, numbers(row.mine), row.state === "holds" ? "the same" : numbers(row.found), apart, `${SIGNS[row.state]} ${WORDS[row.state]}${why}`];
    return element("tr", { class: row.state }, ...cells.map((cell, i) => element(i ? "td" : "th", i ? { "data-label": head[i] } : { scope: "row" }, cell)));
  });
  return element("div", { class: "scroll", role: "group", tabindex: "0", "aria-label": "Recomputed headline numbers" }, element("table", {},
    element("caption", {}, "Estimate and interval of each hypothesis, from the sealed rows"),
    element("thead", {}, element("tr", {}, ...head.map((name) => element("th", { scope: "col" }, name || "Result")))), element("tbody", {}, ...body)));
}
