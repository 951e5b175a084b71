// Sealed Parquet as rows. It is read in a worker: a file that is damaged or made to hang is given up after a while.

import { decompress, parquetMetadata, parquetReadObjects } from "./vendored/parquet.js";

const PATIENCE_MS = 60000;
const MOST_ROWS = 3000000;
const MOST_UNPACKED = 1 << 30;
let worker = null;

// In the worker: one file in, its rows out.
export function serveTables(port) {
  port.onmessage = async ({ data }) => {
    try {
      port.postMessage({ rows: await readRows(data.buffer, data.columns) });
    } catch (error) {
      port.postMessage({ error: String(error?.message ?? error).slice(0, 200) });
    }
  };
}

async function readRows(buffer, columns) {
  const metadata = parquetMetadata(buffer);
  const unpacked = metadata.row_groups.flatMap((group) => group.columns).reduce((total, column) => total + Number(column.meta_data.total_uncompressed_size), 0);
  if (Number(metadata.num_rows) > MOST_ROWS || unpacked > MOST_UNPACKED) {
    throw new Error("more rows than this page reads");
  }
  const known = new Set(metadata.schema.slice(1).map((column) => column.name));
  const file = { byteLength: buffer.byteLength, slice: (from, to) => buffer.slice(from, to) };
  const compressors = { ZSTD: (input, size) => decompress(input, new Uint8Array(size)) };
  const rows = await parquetReadObjects({ file, metadata, compressors, columns: columns?.filter((name) => known.has(name)) });
  if (rows.length !== Number(metadata.num_rows)) {
    throw new Error("fewer rows than the file says");
  }
  return rows.map((row) => Object.fromEntries(Object.entries(row).map(([name, value]) => [name, plain(value)])));
}

const plain = (value) => (typeof value === "bigint" ? Number(value) : value ?? null);

// In the page: rows of one file, from the worker; without workers, read here.
export function readTable(bytes, columns, script) {
  const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
  worker ??= new Worker(URL.createObjectURL(new Blob([script], { type: "text/javascript" })));
  return new Promise((done, fail) => {
    const stop = (reason) => {
      worker?.terminate();
      worker = null;
      fail(new Error(reason));
    };
    const patience = setTimeout(() => stop("reading it took too long"), PATIENCE_MS);
    worker.onmessage = ({ data }) => {
      clearTimeout(patience);
      if (data.error) {
        fail(new Error(data.error));
      } else {
        done(data.rows);
      }
    };
    worker.onerror = (event) => {
      clearTimeout(patience);
      event.preventDefault();
      stop("it cannot be read");
    };
    worker.postMessage({ buffer, columns }, [buffer]);
  });
}
