// The page's one conversation: files in, a list out. The same script serves as the worker that reads Parquet.

import { checkStudy } from "./check.js";
import { fromDrop, fromInput } from "./files.js";
import { findStudies } from "./study.js";
import { serveTables } from "./tables.js";
import { element, safe, StudyView, tally } from "./view.js";

const MOST_STUDIES = 100;
let turn = 0;

function start() {
  const script = document.currentScript.textContent;
  const zone = document.getElementById("drop");
  const take = (collecting) => run(collecting, script);
  for (const input of document.querySelectorAll("input[type=file]")) {
    input.addEventListener("change", () => {
      take(fromInput([...input.files]));
      input.value = "";
    });
  }
  for (const kind of ["dragenter", "dragover"]) {
    window.addEventListener(kind, (event) => {
      event.preventDefault();
      zone.classList.add("over");
    });
  }
  window.addEventListener("dragleave", (event) => event.relatedTarget === null && zone.classList.remove("over"));
  window.addEventListener("drop", (event) => {
    event.preventDefault();
    zone.classList.remove("over");
    take(fromDrop(event.dataTransfer.items));
  });
}

async function run(collecting, script) {
  turn += 1;
  const mine = turn;
  const status = document.getElementById("status");
  const results = document.getElementById("results");
  const say = (text) => mine === turn && status.replaceChildren(safe(text));
  document.body.setAttribute("aria-busy", "true");
  results.replaceChildren();
  say("Looking at the files …");
  try {
    const found = await collecting;
    const studies = findStudies(found);
    const locked = studies.filter((study) => study.isLocked || study.hasReport);
    const views = [];
    results.append(...notes(found, studies, locked));
    for (const study of locked.slice(0, MOST_STUDIES)) {
      const view = new StudyView(study, views.length + 1);
      views.push(view);
      results.append(view.section);
      const progress = (what) => say(`${study.name}: ${what} (study ${views.length} of ${locked.length})`);
      for await (const line of checkStudy(study, script, progress)) {
        if (mine !== turn) {
          return;
        }
        if (line.rows) {
          view.addRows(line.rows);
        } else if (line.fact) {
          view.addFact(line.fact, line.value);
        } else {
          view.add(line);
        }
        await new Promise((go) => setTimeout(go));
      }
      view.close(locked.length === 1);
    }
    say(summary(views, found));
  } catch (error) {
    say(`These files cannot be checked: ${error?.message ?? error}`);
  } finally {
    if (mine === turn) {
      document.body.removeAttribute("aria-busy");
      document.body.dataset.done = String(mine);
    }
  }
}

function notes(found, studies, locked) {
  const planned = studies.filter((study) => !study.isLocked && !study.hasReport).map((study) => study.name);
  const said = [...found.notes];
  if (planned.length) {
    said.push(`Plans without a lock, which promise nothing yet: ${[...new Set(planned)].slice(0, 20).join(", ")}.`);
  }
  if (locked.length > MOST_STUDIES) {
    said.push(`Only the first ${MOST_STUDIES} studies were checked.`);
  }
  return said.map((text) => element("p", { class: "note" }, text));
}

function summary(views, found) {
  if (!views.length) {
    return `No lock and no report among these ${found.files.size} files. Drop the folder of a repository that holds lockfiles/, reports/ and prereg/, or an archive made by seedlock export.`;
  }
  const counts = { holds: 0, changed: 0, missing: 0, unchecked: 0 };
  views.forEach((view) => Object.keys(counts).forEach((state) => { counts[state] += view.counts[state]; }));
  const broken = views.filter((view) => view.isBroken).length;
  const studies = views.length === 1 ? "1 study" : `${views.length} studies`;
  return `${studies} checked: ${tally(counts)}. ${broken ? `Something does not hold${views.length > 1 ? ` in ${broken} of them` : ""}.` : views.some((view) => view.isCut) ? "Not everything could be checked." : "All that was checked here holds."}`;
}

if (typeof document === "undefined") {
  serveTables(globalThis);
} else {
  start();
}
