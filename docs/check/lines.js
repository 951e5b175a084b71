// One line of the list: a promise, and whether it holds. `faults` are {where, found, promised}; `note` says what was left out.

export const STATES = ["changed", "missing", "unchecked", "holds"];

export function line(link, what, faults, note = "") {
  const states = faults.map((fault) => fault.state);
  const state = STATES.find((one) => states.includes(one)) ?? "holds";
  return { link, what, state, faults, note };
}

export const holds = (link, what, note = "") => ({ link, what, state: "holds", faults: [], note });
export const unchecked = (link, what, note) => ({ link, what, state: "unchecked", faults: [], note });

// A check that should have been made and was not: nobody may read the list as if it had been.
export const unmade = (link, what, note) => ({ ...unchecked(link, what, note), isOwed: true });

export const changed = (where, found, promised) => ({ state: "changed", where, found: String(found), promised: String(promised) });
export const unknown = (where, found, promised) => ({ state: "unchecked", where, found: String(found), promised: String(promised) });

// A file that is not here: missing, or unseen where a cap cut the list of files short or the folder was not dropped.
export function absent(study, where, promised, isDropped = true) {
  const state = study.isCut || !isDropped ? "unchecked" : "missing";
  return { state, where, found: state === "missing" ? "no such file" : "not among the files dropped", promised: String(promised) };
}

// Compare the bytes of one file with a promised digest.
export async function compared(study, path, promised, isDropped = true) {
  if (study.file(path) === undefined) {
    return [absent(study, path, `sha256 ${promised}`, isDropped)];
  }
  try {
    const digest = await study.digest(path);
    return digest === promised ? [] : [changed(path, `sha256 ${digest}`, `sha256 ${promised}`)];
  } catch (error) {
    return [unknown(path, error.message, `sha256 ${promised}`)];
  }
}
