// What was dropped or chosen, as path -> file. Caps keep a huge folder from hanging the page, and are said.

import { zipEntries } from "./zip.js";

export const MOST_FILES = 20000;
export const MOST_BYTES = 1 << 29;
const MOST_DEPTH = 40;
const SKIPPED = new Set([".git", ".venv", ".tools", "node_modules", "__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache"]);

// `files`: path -> {path, read}. `notes`: what was left out. `isCut`: a cap was reached, so a file may be there unseen.
export function collection() {
  return { files: new Map(), notes: [], isCut: false };
}

// A file is opened when it is read, not before: `open` gives something with a size and bytes.
function add(found, path, open) {
  if (found.files.size >= MOST_FILES) {
    if (!found.isCut) {
      found.notes.push(`More than ${MOST_FILES} files: the rest was not looked at. Drop the folder of the repository alone, or of one study.`);
    }
    found.isCut = true;
    return;
  }
  found.files.set(path, { path, read: async () => bounded(await open()) });
}

async function bounded(file) {
  if (file.size > MOST_BYTES) {
    throw new Error(`larger than ${MOST_BYTES >> 20} MB: too large for this page`);
  }
  return new Uint8Array(await file.arrayBuffer());
}

// Files of <input>, with or without folders.
export async function fromInput(list) {
  const found = collection();
  for (const file of list) {
    const path = file.webkitRelativePath || file.name;
    if (!path.split("/").some((part) => SKIPPED.has(part))) {
      await addFile(found, path, () => file, path === file.name);
    }
    if (found.isCut) {
      break;
    }
  }
  return found;
}

// What was dropped: folders by the browser's handles, or by its older entries where it has no handles. A page that was
// opened as a file may read folders by handles alone in Chromium. Both are asked for before the drop is over.
export function fromDrop(items) {
  const dropped = [...items].filter((item) => item.kind === "file");
  const nodes = dropped.map((item) => item.getAsFileSystemHandle?.().then(ofHandle) ?? Promise.resolve(ofEntry(item.webkitGetAsEntry())));
  return walkAll(nodes);
}

const ofHandle = (handle) => ({
  name: handle.name,
  isFile: handle.kind === "file",
  file: () => handle.getFile(),
  async *children() {
    for await (const inner of handle.values()) {
      yield ofHandle(inner);
    }
  },
});

const ofEntry = (entry) => ({
  name: entry.name,
  isFile: entry.isFile,
  file: () => new Promise((done, fail) => entry.file(done, fail)),
  async *children() {
    const reader = entry.createReader();
    for (;;) {
      const some = await new Promise((done, fail) => reader.readEntries(done, fail));
      if (!some.length) {
        return;
      }
      yield* some.map(ofEntry);
    }
  },
});

// Several that were dropped together may have one name, which browsers number: each stands in a folder of its own here.
async function walkAll(dropped) {
  const found = collection();
  const nodes = await Promise.all(dropped);
  const names = new Set(nodes.map((node) => node.name));
  for (const [i, node] of nodes.entries()) {
    const plain = node.name.replace(/ \(\d+\)$/, "");
    await walk(found, names.has(plain) ? { ...node, name: plain } : node, nodes.length > 1 ? `${i + 1}/` : "", 0);
  }
  return found;
}

async function walk(found, node, folder, depth) {
  if (found.isCut || SKIPPED.has(node.name)) {
    return;
  }
  const path = folder + node.name;
  if (node.isFile) {
    await addFile(found, path, node.file, depth === 0);
  } else if (depth >= MOST_DEPTH) {
    found.isCut = true;
    found.notes.push(`Folders more than ${MOST_DEPTH} deep were not looked at.`);
  } else {
    for await (const inner of node.children()) {
      await walk(found, inner, `${path}/`, depth + 1);
    }
  }
}

// An archive that was dropped or chosen by itself is a folder of its files.
async function addFile(found, path, open, isAlone) {
  if (!isAlone || !path.toLowerCase().endsWith(".zip")) {
    add(found, path, open);
    return;
  }
  try {
    for (const entry of await zipEntries(await bounded(await open()))) {
      add(found, entry.path, () => entry);
    }
  } catch (error) {
    found.notes.push(`The archive ${path} cannot be read: ${error.message}.`);
    found.isCut = true;
  }
}
