// Bytes and their digests; JSON in its one canonical spelling (RFC 8785); JSON pointers (RFC 6901).

export async function sha256(bytes) {
  if (!globalThis.crypto?.subtle) {
    throw new Error("this browser offers hashing only to local files and https pages");
  }
  const digest = await crypto.subtle.digest("SHA-256", bytes);
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export function text(bytes) {
  return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
}

// JSON.stringify writes numbers and strings as RFC 8785 asks; keys are sorted by UTF-16 code units.
export function canonical(value) {
  if (Array.isArray(value)) {
    return `[${value.map(canonical).join(",")}]`;
  }
  if (value !== null && typeof value === "object") {
    const keys = Object.keys(value).sort();
    return `{${keys.map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`).join(",")}}`;
  }
  return JSON.stringify(value);
}

// A key that stands twice, or another spelling of a number, does not survive the way back.
export function isCanonical(written, value) {
  return canonical(value) === written;
}

export function resolve(document, pointer) {
  if (pointer !== "" && !pointer.startsWith("/")) {
    throw new Error(`a JSON pointer starts with "/": ${pointer}`);
  }
  let value = document;
  for (const part of pointer.split("/").slice(1)) {
    const key = part.replaceAll("~1", "/").replaceAll("~0", "~");
    const known = Array.isArray(value) ? /^\d+$/.test(key) && Number(key) < value.length : isObject(value) && Object.hasOwn(value, key);
    if (!known) {
      throw new Error(`${pointer} leads nowhere in results.json`);
    }
    value = value[key];
  }
  return value;
}

export function isObject(value) {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}
