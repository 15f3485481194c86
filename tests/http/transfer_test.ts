// Files over real sockets: what a client that leaves, a short body and a lost block do to the
// pool behind the app.

import assert from "node:assert/strict";
import { createHttpServer } from "../../server/http/server.ts";
import type { Pool } from "../../server/engine/pool.ts";
import { until } from "../e2e/until.ts";
import { createFixture } from "./app_fixture.ts";
import { createMemoryPool, type MemoryPool } from "./memory_pool.ts";
import { rawSocket } from "./socket.ts";

async function withPool(
  make: (inner: MemoryPool) => Pool,
  use: (port: number, pool: MemoryPool) => Promise<void>,
): Promise<void> {
  const inner = createMemoryPool();
  const { app } = createFixture({}, { pool: make(inner) });
  const server = createHttpServer(
    async (request, connection) => await app.fetch(request, connection),
    { host: "127.0.0.1", port: 0, log: () => undefined },
  );
  const port = await server.start();
  try {
    await use(port, inner);
  } finally {
    await server.stop();
  }
}

const url = (port: number, path: string) => `http://127.0.0.1:${port}${path}`;

Deno.test("GET stops reading from the pool, and aborts it, when the client leaves", async () => {
  let reading = 0;
  let aborted = false;
  const endless = (inner: MemoryPool): Pool => ({
    ...inner,
    async open(name) {
      const file = await inner.open(name);
      async function* read(_range: unknown, signal?: AbortSignal) {
        signal?.addEventListener("abort", () => aborted = true);
        reading++;
        try {
          for (;;) yield new Uint8Array(65_536);
        } finally {
          reading--;
        }
      }
      return { info: { ...file.info, size: Number.MAX_SAFE_INTEGER }, read };
    },
  });
  await withPool(endless, async (port) => {
    await (await fetch(url(port, "/api/files/x"), { method: "PUT", body: "x" })).text();
    const clients = await Promise.all(Array.from({ length: 8 }, () => rawSocket(port)));
    for (const client of clients) {
      client.write(`GET /api/files/x HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`);
      await client.until(/\r\n\r\n/);
    }
    assert.equal(reading, 8);
    clients.forEach((client) => client.socket.destroy());
    await until("all reads ended", () => reading === 0 && aborted, { withinMs: 5_000 });
  });
});

Deno.test("PUT that ends short leaves the old version and answers nothing good", async () => {
  await withPool((inner) => inner, async (port, pool) => {
    await (await fetch(url(port, "/api/files/x"), { method: "PUT", body: "old" })).text();
    const before = pool.files.get("x")?.cid;
    for (const framing of ["Content-Length: 500000", "Transfer-Encoding: chunked"]) {
      const client = await rawSocket(port);
      const head = `PUT /api/files/x HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n${framing}\r\n\r\n`;
      client.write(`${head}5\r\nhello\r\n`);
      client.socket.end();
      assert.doesNotMatch(await client.closed(), /^HTTP\/1\.1 2/);
      assert.equal(pool.files.get("x")?.cid, before);
    }
  });
});

Deno.test("curl fails on a file that loses a block midway, and gets an early refusal", async () => {
  await withPool((inner) => inner, async (port, pool) => {
    const body = new Uint8Array(2_000_000).map((_, index) => index >> 12);
    await (await fetch(url(port, "/api/files/x"), { method: "PUT", body })).text();
    const map = await (await fetch(url(port, "/api/files/x?view=blocks"))).json();
    pool.blockMap.delete(map.items[5].cid);
    const pulled = await new Deno.Command("curl", {
      args: ["-sS", "-m", "20", "-o", "/dev/null", url(port, "/api/files/x")],
    }).output();
    assert.notEqual(pulled.code, 0);
    const refused = await fetch(url(port, "/api/files/x"), {
      method: "PUT",
      body: new Uint8Array(8_000_000),
      headers: { "if-none-match": "*" },
    });
    assert.equal(refused.status, 412);
    await refused.body?.cancel();
  });
});
