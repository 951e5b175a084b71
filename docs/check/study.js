// Which studies lie among the files, and their files by the paths that locks and ledgers use.

import { isCanonical, sha256, text } from "./canonical.js";

const MOST_TEXT = 1 << 26;
const LOCK = /^(.*\/)?lock-\d{4}\.json$/;

// Folders of studies: whole repositories by their layout, single folders by what lies in them.
export function findStudies(found) {
  const places = new Map();
  for (const path of found.files.keys()) {
    const kind = kindOf(path);
    if (kind === null) {
      continue;
    }
    const folder = path.slice(0, path.lastIndexOf("/") + 1);
    const shelf = { locks: "lockfiles/", report: "reports/", plan: "prereg/studies/" }[kind];
    const name = folder.split("/").at(-2) ?? "";
    const home = `${shelf}${name}/`;
    const isHome = name !== "" && (folder === home || folder.endsWith(`/${home}`));
    const root = isHome ? folder.slice(0, folder.length - home.length) : null;
    const key = JSON.stringify([root, name]);
    const place = places.get(key) ?? { name: name || "study", root };
    place[kind] = folder;
    places.set(key, place);
  }
  return joined([...places.values()]).map((place) => new Study(place, found));
}

function kindOf(path) {
  if (/(^|\/)syntheses\//.test(path)) {
    return null; // a synthesis is no study: `seedlock verify` pools it again
  }
  if (LOCK.test(path)) {
    return "locks";
  }
  if (path.endsWith("/ledger.jsonl") || path === "ledger.jsonl") {
    return "locks";
  }
  const file = path.slice(path.lastIndexOf("/") + 1);
  return { "manifest.sha256": "report", "results.json": "report", "plan.toml": "plan" }[file] ?? null;
}

// Folders of one name that were dropped apart from each other are one study.
function joined(places) {
  const whole = places.filter((place) => place.root !== null);
  for (const loose of places.filter((place) => place.root === null)) {
    const host = whole.find((place) => place.name === loose.name && ["locks", "report", "plan"].every((kind) => !(place[kind] && loose[kind])));
    if (host) {
      Object.assign(host, { ...loose, root: host.root, name: host.name });
    } else {
      whole.push(loose);
    }
  }
  return whole.sort((one, other) => (one.name < other.name ? -1 : one.name > other.name ? 1 : (one.root ?? "") < (other.root ?? "") ? -1 : 1));
}

export class Study {
  constructor(place, found) {
    Object.assign(this, { name: place.name, root: place.root, folders: place, found });
    this.digests = new Map();
  }

  // Whether files that are not here may lie where this page did not look.
  get isCut() {
    return this.found.isCut;
  }

  get isLocked() {
    return this.folders.locks !== undefined;
  }

  // Whether the locks of a whole repository lie here, though this study may have none.
  get hasLockfiles() {
    return this.root !== null && [...this.found.files.keys()].some((path) => path.startsWith(`${this.root}lockfiles/`));
  }

  get hasReport() {
    return this.folders.report !== undefined;
  }

  // A file by its path in the repository, as locks write it; undefined where it is not here.
  file(path) {
    for (const [kind, shelf] of [["locks", "lockfiles"], ["report", "reports"], ["plan", "prereg/studies"]]) {
      const home = `${shelf}/${this.name}/`;
      if (path.startsWith(home)) {
        return this.folders[kind] === undefined ? undefined : this.found.files.get(this.folders[kind] + path.slice(home.length));
      }
    }
    return this.root === null ? undefined : this.found.files.get(this.root + path);
  }

  // Paths of all files under a folder, relative to it.
  under(folder) {
    const kind = { [`lockfiles/${this.name}/`]: "locks", [`reports/${this.name}/`]: "report", [`prereg/studies/${this.name}/`]: "plan" }[folder];
    const place = kind ? this.folders[kind] : this.root === null ? undefined : this.root + folder;
    return place === undefined ? [] : [...this.found.files.keys()].filter((path) => path.startsWith(place)).map((path) => path.slice(place.length)).sort();
  }

  async digest(path) {
    if (!this.digests.has(path)) {
      this.digests.set(path, await sha256(await this.file(path).read()));
    }
    return this.digests.get(path);
  }

  async text(path) {
    const bytes = await this.file(path).read();
    if (bytes.length > MOST_TEXT) {
      throw new Error(`${path} is larger than ${MOST_TEXT >> 20} MB`);
    }
    return text(bytes);
  }

  // A canonical JSON file of one line, as this tool writes locks and results.
  async json(path) {
    const written = await this.text(path);
    const value = JSON.parse(written);
    return { value, isCanonical: isCanonical(written.replace(/\n$/, ""), value) && written.endsWith("\n") };
  }
}
