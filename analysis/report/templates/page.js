"use strict";
(() => {
  const promised = JSON.parse(document.getElementById("promised").textContent);
  const zone = document.getElementById("drop");
  const input = document.getElementById("files");
  const verdicts = document.getElementById("verdicts");
  const largest = 1900000000;

  const hex = (bytes) => Array.from(new Uint8Array(bytes), (b) => b.toString(16).padStart(2, "0")).join("");
  const baseName = (path) => path.split("/").pop();

  async function judge(file) {
    if (!globalThis.crypto || !crypto.subtle) {
      return ["unchecked", "this browser offers hashing only to local files and https pages"];
    }
    if (file.size > largest) {
      return ["unchecked", "too large for a browser; use sha256sum"];
    }
    const digest = hex(await crypto.subtle.digest("SHA-256", await file.arrayBuffer()));
    const same = promised.filter((entry) => entry.sha256 === digest);
    if (same.length) {
      return ["holds", same.map((entry) => `${entry.path} (${entry.what})`).join(", "), digest];
    }
    const named = promised.filter((entry) => baseName(entry.path) === file.name);
    if (named.length) {
      return ["changed", `this page promises ${named[0].sha256} for ${named[0].path}`, digest];
    }
    return ["unknown", "no file of this lock or report has this digest or name", digest];
  }

  function row(name, verdict) {
    const [state, words, digest] = verdict;
    const line = document.createElement("p");
    line.className = `file ${state}`;
    const label = document.createElement("strong");
    label.textContent = { holds: "✓ holds", changed: "✗ changed", unknown: "? unknown", unchecked: "– not checked" }[state];
    const file = document.createElement("code");
    file.textContent = name;
    line.append(label, " ", file, ": ", words);
    if (digest) {
      const found = document.createElement("code");
      found.textContent = digest;
      line.append(document.createElement("br"), found);
    }
    return line;
  }

  async function take(files) {
    const taken = Array.from(files);
    verdicts.replaceChildren();
    for (const file of taken) {
      let verdict;
      try {
        verdict = await judge(file);
      } catch (error) {
        verdict = ["unchecked", `could not be read: ${error.message}`];
      }
      verdicts.append(row(file.name, verdict));
    }
  }

  input.addEventListener("change", () => take(input.files));
  for (const kind of ["dragenter", "dragover"]) {
    zone.addEventListener(kind, (event) => { event.preventDefault(); zone.classList.add("over"); });
  }
  for (const kind of ["dragleave", "drop"]) {
    zone.addEventListener(kind, () => zone.classList.remove("over"));
  }
  zone.addEventListener("drop", (event) => { event.preventDefault(); take(event.dataTransfer.files); });
  for (const kind of ["dragover", "drop"]) {
    window.addEventListener(kind, (event) => event.preventDefault());
  }
  window.addEventListener("beforeprint", () => {
    for (const details of document.querySelectorAll("details:not(.whole)")) { details.open = true; }
  });
  if (location.hash) {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const details = target && target.querySelector("details");
    if (details) { details.open = true; }
  }
})();
