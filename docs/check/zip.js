// An archive's files by its central directory, inflated by the browser. What is out of the ordinary is refused.

const END = 0x06054b50;
const ENTRY = 0x02014b50;
const LOCAL = 0x04034b50;
const MOST_RATIO = 1100;

export async function zipEntries(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = endOf(view);
  const n = view.getUint16(end + 10, true);
  let at = view.getUint32(end + 16, true);
  if (n === 0xffff || at === 0xffffffff) {
    throw new Error("a Zip64 archive, which this page does not read");
  }
  const entries = [];
  const seen = new Set();
  for (let i = 0; i < n; i += 1) {
    if (view.getUint32(at, true) !== ENTRY) {
      throw new Error("its directory is damaged");
    }
    const [nameLength, extra, comment] = [28, 30, 32].map((offset) => view.getUint16(at + offset, true));
    const path = new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(at + 46, at + 46 + nameLength));
    const [packed, size, start] = [20, 24, 42].map((offset) => view.getUint32(at + offset, true));
    const method = view.getUint16(at + 10, true);
    at += 46 + nameLength + extra + comment;
    if (path.endsWith("/")) {
      continue;
    }
    if (seen.has(path) || path.startsWith("/") || path.split("/").includes("..") || path.includes("\\")) {
      throw new Error("a name that stands twice or leads outside");
    }
    seen.add(path);
    entries.push({ path, size, arrayBuffer: () => inflated(bytes, view, { method, packed, size, start }) });
  }
  return entries;
}

function endOf(view) {
  for (let at = view.byteLength - 22; at >= Math.max(0, view.byteLength - 65557); at -= 1) {
    if (view.getUint32(at, true) === END) {
      return at;
    }
  }
  throw new Error("it is no zip archive, or its end is cut off");
}

async function inflated(bytes, view, { method, packed, size, start }) {
  if (start + 30 > view.byteLength || view.getUint32(start, true) !== LOCAL || size > packed * MOST_RATIO + 1024) {
    throw new Error("damaged in the archive");
  }
  const from = start + 30 + view.getUint16(start + 26, true) + view.getUint16(start + 28, true);
  const data = bytes.subarray(from, from + packed);
  if (method === 0) {
    return data.slice();
  }
  if (method !== 8) {
    throw new Error(`compressed by method ${method}, which this page does not read`);
  }
  const out = new Uint8Array(size);
  let filled = 0;
  for await (const part of chunks(new Blob([data]).stream().pipeThrough(new DecompressionStream("deflate-raw")))) {
    if (filled + part.length > size) {
      throw new Error("larger than its archive says");
    }
    out.set(part, filled);
    filled += part.length;
  }
  if (filled !== size) {
    throw new Error("shorter than its archive says");
  }
  return out;
}

async function* chunks(stream) {
  const reader = stream.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) {
      return;
    }
    yield value;
  }
}
