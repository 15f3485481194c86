// Files over HTTP for the bench: uploads of bytes that never repeat, downloads that are counted
// and dropped, many small files on kept connections.

const pieceBytes = 256 * 1024;
const pullBufferBytes = 1024 * 1024;

/** A body of `bytes` bytes in which no two blocks are equal; made anew for each `salt`. */
export function bodyOf(bytes: number, salt: number): ReadableStream<Uint8Array> {
  const noise = new Uint8Array(pieceBytes);
  for (let at = 0; at < noise.length; at += 65_536) {
    crypto.getRandomValues(noise.subarray(at, at + 65_536));
  }
  let sent = 0;
  return new ReadableStream({
    pull(controller) {
      const piece = noise.slice(0, Math.min(pieceBytes, bytes - sent));
      new DataView(piece.buffer).setFloat64(0, salt + sent / pieceBytes / 2 ** 20);
      sent += piece.length;
      controller.enqueue(piece);
      if (sent >= bytes) controller.close();
    },
  }, { highWaterMark: 0 });
}

/** Stores a file. @returns seconds */
export async function pushFile(
  file: { readonly url: string; readonly name: string; readonly bytes: number },
  options: { readonly replicas: number },
): Promise<number> {
  const startMs = performance.now();
  const response = await fetch(
    `${file.url}/api/files/${file.name}?replicas=${options.replicas}`,
    { method: "PUT", body: bodyOf(file.bytes, Math.random() * 1_000) },
  );
  const text = await response.text();
  if (!response.ok) throw new Error(`Cannot push ${file.name}: ${response.status} ${text}`);
  return (performance.now() - startMs) / 1_000;
}

/**
 * Reads a whole file over a socket into one buffer, as lean as curl: the bench shares its
 * processors with the nodes, and what it spends is missing there. @returns seconds
 */
export async function pullFile(
  file: { readonly url: string; readonly name: string; readonly bytes: number },
): Promise<number> {
  const startMs = performance.now();
  const { hostname, port, host } = new URL(file.url);
  using socket = await Deno.connect({ hostname, port: Number(port) });
  const ask = `GET /api/files/${file.name} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;
  await socket.write(new TextEncoder().encode(ask));
  const buffer = new Uint8Array(pullBufferBytes);
  let head = "";
  let bytes = -1;
  for (let count = await socket.read(buffer); count !== null; count = await socket.read(buffer)) {
    if (bytes >= 0) bytes += count;
    else {
      head += new TextDecoder("latin1").decode(buffer.subarray(0, count));
      const end = head.indexOf("\r\n\r\n");
      if (end >= 0) bytes = head.length - end - 4;
    }
    if (bytes >= file.bytes) break;
  }
  if (!head.startsWith("HTTP/1.1 200") || bytes !== file.bytes) {
    throw new Error(`Cannot pull ${file.name}: ${bytes} bytes came of ${file.bytes}`);
  }
  return (performance.now() - startMs) / 1_000;
}

/** The leaves of a file and who holds each, from the block map of a node. */
export async function blockMap(
  url: string,
  name: string,
): Promise<{ readonly cid: string; readonly state: string; readonly holders: string[] }[]> {
  const rows: { cid: string; state: string; holders: string[] }[] = [];
  let after = "";
  do {
    const response = await fetch(`${url}/api/files/${name}?view=blocks&limit=1000${after}`);
    const page = await response.json();
    if (!response.ok) throw new Error(`Cannot list blocks: ${JSON.stringify(page)}`);
    rows.push(...page.items);
    after = page.next === null ? "" : `&cursor=${encodeURIComponent(page.next)}`;
  } while (after !== "");
  return rows;
}

/** Milliseconds until headers and the first bytes of a block are there; the rest is read too. */
export async function firstByteMs(url: string, cid: string): Promise<number> {
  const startMs = performance.now();
  const response = await fetch(`${url}/api/blocks/${cid}`);
  const reader = (response.body ?? new ReadableStream()).getReader();
  await reader.read();
  const tookMs = performance.now() - startMs;
  while (!(await reader.read()).done) continue;
  if (!response.ok) throw new Error(`Cannot read block ${cid}: ${response.status}`);
  return tookMs;
}

/** Runs `count` jobs, `lanes` at once. @returns seconds */
export async function inLanes(
  work: { readonly count: number; readonly lanes: number },
  job: (index: number) => Promise<void>,
): Promise<number> {
  const startMs = performance.now();
  let next = 0;
  const lane = async () => {
    while (next < work.count) await job(next++);
  };
  await Promise.all(Array.from({ length: work.lanes }, lane));
  return (performance.now() - startMs) / 1_000;
}

/** Stores one small file of its own content. */
export async function pushSmall(url: string, name: string): Promise<void> {
  const body = new Uint8Array(4_096);
  crypto.getRandomValues(body);
  const response = await fetch(`${url}/api/files/${name}`, { method: "PUT", body });
  const text = await response.text();
  if (!response.ok) throw new Error(`Cannot push ${name}: ${response.status} ${text}`);
}

/** Reads one small file. */
export async function pullSmall(url: string, name: string): Promise<void> {
  const response = await fetch(`${url}/api/files/${name}`);
  const { byteLength } = await response.arrayBuffer();
  if (byteLength !== 4_096) throw new Error(`Cannot pull ${name}: ${response.status}`);
}
