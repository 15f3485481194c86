// What a browser can do without us: bytes through a plain WebSocket into a worker and out of it,
// and into IndexedDB and back, in the same pieces as a tab's. Nothing is encrypted or hashed.

import { type UnwatchedPage, withUnwatchedPage } from "../browser/unwatched_page.ts";

const pieceBytes = 256 * 1_024;
/** As the tab: 8 MiB in one transaction, 16 reads at once. */
const batchValues = 32;
const readsAtOnce = 16;
const measureMsMax = 120_000;

/** Bytes a second of the browser's own socket and database. */
export interface RawRates {
  readonly toTab: number;
  readonly fromTab: number;
  readonly written: number;
  readonly read: number;
}

/** The rates of a new browser. @throws {Error} when it does not answer */
export async function rawRates(bytes: number): Promise<RawRates> {
  const measured = Promise.withResolvers<RawRates>();
  await withUnwatchedPage(async (page) => measured.resolve(await ratesIn(page, bytes)));
  return await measured.promise;
}

export function meanOf(one: RawRates, other: RawRates): RawRates {
  return {
    toTab: (one.toTab + other.toTab) / 2,
    fromTab: (one.fromTab + other.fromTab) / 2,
    written: (one.written + other.written) / 2,
    read: (one.read + other.read) / 2,
  };
}

async function ratesIn(page: UnwatchedPage, bytes: number): Promise<RawRates> {
  const measured = Promise.withResolvers<RawRates>();
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
    if (request.headers.get("upgrade") !== "websocket") return rawPage(new URL(request.url));
    const { socket, response } = Deno.upgradeWebSocket(request);
    socket.binaryType = "arraybuffer";
    pump(socket, { bytes, onMeasured: measured.resolve });
    return response;
  });
  try {
    await page.goto(`http://127.0.0.1:${server.addr.port}/`);
    const tooLate = setTimeout(() => {
      measured.reject(new Error("Cannot measure the browser: its page does not answer"));
    }, measureMsMax);
    return await measured.promise.finally(() => clearTimeout(tooLate));
  } finally {
    await server.shutdown();
  }
}

/** Sends, waits for the word that all has come, takes as much back, then the database's rates. */
function pump(socket: WebSocket, options: {
  readonly bytes: number;
  readonly onMeasured: (rates: RawRates) => void;
}): void {
  const { bytes } = options;
  let startMs = 0;
  let toTab = 0;
  let fromTab = 0;
  let taken = 0;
  socket.onopen = () => {
    startMs = performance.now();
    const piece = crypto.getRandomValues(new Uint8Array(65_536));
    const message = new Uint8Array(pieceBytes);
    for (let at = 0; at < pieceBytes; at += piece.length) message.set(piece, at);
    let sent = 0;
    const feed = () => {
      while (sent < bytes && socket.bufferedAmount < 4 * 2 ** 20) {
        socket.send(message);
        sent += pieceBytes;
      }
      if (sent < bytes) setTimeout(feed, 1);
    };
    socket.send(JSON.stringify({ bytes }));
    feed();
  };
  socket.onmessage = ({ data }) => {
    const rate = bytes / ((performance.now() - startMs) / 1_000);
    if (typeof data !== "string") {
      taken += data.byteLength;
      if (taken >= bytes) fromTab = rate;
    } else if (fromTab === 0) {
      toTab = rate;
      startMs = performance.now();
    } else {
      const { written, read } = JSON.parse(data) as Pick<RawRates, "written" | "read">;
      options.onMeasured({ toTab, fromTab, written, read });
      socket.close();
    }
  };
}

function rawPage({ pathname }: URL): Response {
  const script = { headers: { "content-type": "text/javascript" } };
  if (pathname === "/worker.js") return new Response(rawWorker, script);
  if (pathname !== "/") return new Response(null, { status: 204 });
  return new Response('<script>new Worker("/worker.js")</script>', {
    headers: { "content-type": "text/html" },
  });
}

const rawWorker = `
const socket = new WebSocket("ws://" + location.host + "/socket");
socket.binaryType = "arraybuffer";
let bytes = 0, taken = 0;
socket.onmessage = ({ data }) => {
  if (typeof data === "string") return bytes = JSON.parse(data).bytes;
  taken += data.byteLength;
  if (taken < bytes) return;
  socket.send("all is here");
  const message = new Uint8Array(${pieceBytes});
  // Of noise: the database packs what it can.
  for (let at = 0; at < message.length; at += 65536) {
    crypto.getRandomValues(message.subarray(at, at + 65536));
  }
  let sent = 0;
  const feed = () => {
    while (sent < bytes && socket.bufferedAmount < 4 * 2 ** 20) {
      socket.send(message);
      sent += message.length;
    }
    if (sent < bytes) setTimeout(feed, 0);
    else database(message).then((rates) => socket.send(JSON.stringify(rates)));
  };
  feed();
};
const ended = (request) => new Promise((resolve, reject) => {
  request.onsuccess = request.oncomplete = () => resolve(request.result);
  request.onerror = request.onabort = () => reject(request.error);
});
async function database(value) {
  const opening = indexedDB.open("raw", 1);
  opening.onupgradeneeded = () => opening.result.createObjectStore("values");
  const opened = await ended(opening);
  const count = bytes / value.length, batch = ${batchValues};
  const rateSince = (start) => bytes / ((performance.now() - start) / 1000);
  let start = performance.now();
  for (let at = 0; at < count; at += batch) {
    const change = opened.transaction("values", "readwrite");
    const done = ended(change);
    for (let key = at; key < Math.min(count, at + batch); key++) {
      change.objectStore("values").put(value, key);
    }
    await done;
  }
  const written = rateSince(start);
  start = performance.now();
  let next = 0;
  await Promise.all(Array.from({ length: ${readsAtOnce} }, async () => {
    while (next < count) {
      await ended(opened.transaction("values").objectStore("values").get(next++));
    }
  }));
  return { written, read: rateSince(start) };
}`;
