// The line protocol over real sockets and a pool in memory: commands, bodies, limits, ends.

import assert from "node:assert/strict";
import { connect } from "node:net";
import fc from "fast-check";
import { SkyringError } from "../../../../shared/base/errors.ts";
import type { HealLine } from "../../../../server/engine/heal.ts";
import type { Pool } from "../../../../server/engine/pool.ts";
import { createLineServer } from "../../../../server/line/line_server.ts";
import { createNodeLine, type NodeLineOptions } from "../../../../server/line/node_line.ts";
import { standingStill } from "../../../e2e/until.ts";
import { createMemoryPool, type MemoryPool } from "../../../http/memory_pool.ts";
import { node } from "../../../http/app_fixture.ts";

interface Bench {
  readonly pool: MemoryPool;
  readonly port: number;
  /** Sends, half-closes, and gives all that came until the end, or "RESET". */
  talk(...parts: (string | Uint8Array)[]): Promise<string>;
}

interface BenchOptions {
  readonly change?: (pool: MemoryPool) => Partial<Pool>;
  readonly token?: string;
  readonly idleMs?: number;
  readonly heal?: NodeLineOptions["heal"];
}

async function withLine(use: (bench: Bench) => Promise<void>, options: BenchOptions = {}) {
  const pool = createMemoryPool();
  const at = (id: string, line: string) => ({ ...node, id, line });
  const server = createLineServer({
    service: createNodeLine({
      self: "A",
      pool: { ...pool, ...options.change?.(pool) },
      nodes: () => [at("A", "127.0.0.1:7100"), { ...at("B", "127.0.0.1:7101"), state: "dead" }],
      ring: () => ["A", "B"],
      ownerOf: () => "B",
      discover: () => undefined,
      heal: options.heal ?? (() => reportOf(0)),
    }),
    host: "127.0.0.1",
    port: 0,
    token: options.token ?? null,
    log: (event, fields) => assert.fail(`${event} ${JSON.stringify(fields)}`),
    ...(options.idleMs === undefined ? {} : { idleMs: options.idleMs }),
  });
  const port = await server.start();
  const talk = (...parts: (string | Uint8Array)[]) => converse(port, parts);
  try {
    await use({ pool, port, talk });
  } finally {
    await server.stop();
  }
}

async function* reportOf(blocksLost: number): AsyncGenerator<HealLine> {
  const done = { nodesDone: 1, nodes: 2, blocksWanted: 0, blocksRestored: 0 };
  yield await Promise.resolve({ kind: "progress", ...done });
  yield { kind: "report", nodesChecked: 2, nodesDead: 0, blocksRestored: 3, blocksLost };
}

function converse(port: number, parts: readonly (string | Uint8Array)[], halfClose = true) {
  return new Promise<string>((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", port, allowHalfOpen: true });
    let text = "";
    const timer = setTimeout(() => {
      socket.destroy();
      reject(new Error(`no end within 10 s; got ${JSON.stringify(text)}`));
    }, 10_000);
    const finish = (result: string) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(result);
    };
    socket.on("data", (bytes) => text += bytes.toString("latin1"));
    socket.on("end", () => finish(text));
    socket.on("error", (error) => finish(/RESET/.test(String(error)) ? "RESET" : String(error)));
    socket.on("close", () => finish("RESET"));
    for (const part of parts) socket.write(part);
    if (halfClose) socket.end();
  });
}

Deno.test("a line session pushes, lists, shows, pulls and deletes, pipelined and half-closed", async () => {
  await withLine(async ({ talk, pool }) => {
    const said = await talk(
      "FILE PUSH 5 a/b.txt\nhello",
      "file push 0 empty\r\nNODE PING\nFILE LIST\nFILE STAT a/b.txt\nFILE DELETE empty\n",
      "FILE DELETE empty\nFILE PULL a/b.txt\nNODE PING\n",
    );
    const { cid } = await pool.stat("a/b.txt");
    assert.equal(
      said,
      "FILE 5 bytes split into 1 chunks and distributed\nOK\n" +
        "FILE 0 bytes split into 1 chunks and distributed\nOK\nPONG\n" +
        "name,start,size\na/b.txt,7101,5\nempty,7101,0\n" +
        `CID ${cid}\nSIZE 5\nREPLICAS 1/3\nOK\nOK\nERR file not found\nhello`,
    );
    assert.equal(await talk("FILE PULL nothing\nNODE PING\n"), "ERR file not found\n");
    assert.equal(
      await talk("NODE STATUS\nNETMAP GET\nTOPOLOGY WALK\nNETMAP DISCOVER\n"),
      "PORT 127.0.0.1:7100\nNEXT 127.0.0.1:7101\nOK\n7100=Alive\n7101=Dead\nOK\n" +
        "7100->7101\n7101->7100\nOK\nOK\n",
    );
  });
});

Deno.test("a line session drains the body of a push that fails, and goes on", async () => {
  const change = () => ({
    push: () =>
      Promise.reject(new SkyringError("full", "Cannot store", { data: { freeBytes: 10 } })),
  });
  await withLine(async ({ talk }) => {
    const body = new Uint8Array(3_000_000).fill(10);
    assert.equal(
      await talk("FILE PUSH 3000000 big\n", body, "NODE PING\n"),
      "ERR file size is too large (3000000 > 10)\nPONG\n",
    );
    const named = await talk("FILE PUSH 7 a/../b\nNODE\nX\nNODE PING\n");
    assert.match(named, /^ERR Cannot use name "a\/\.\.\/b"[^\n]*\nPONG\n$/);
    assert.equal(
      await talk("FILE PUSH x a\nFOO\n\nNODE PING\n"),
      "ERR invalid size for FILE PUSH\nERR unknown command namespace: 'FOO'\nPONG\n",
    );
  }, { change });
});

Deno.test("a line push whose body ends short stores nothing", async () => {
  await withLine(async ({ talk, pool }) => {
    assert.equal(await talk("FILE PUSH 10 f\nshort"), "ERR body ended 5 bytes short\n");
    assert.equal(pool.files.size, 0);
    assert.equal(await talk("FILE DELETE f"), "ERR last line has no end\n");
  });
});

Deno.test("a line pull that fails midway resets the connection", async () => {
  const change = (pool: MemoryPool): Partial<Pool> => ({
    open: async (name) => {
      const file = await pool.open(name);
      return {
        ...file,
        read: async function* (range) {
          yield* file.read({ start: 0, end: range.end - 1 });
          throw new SkyringError("unavailable", "Cannot go on");
        },
      };
    },
  });
  await withLine(async ({ talk }) => {
    await talk("FILE PUSH 5 f\nhello");
    assert.equal(await talk("FILE PULL f\n"), "RESET");
  }, { change });
});

Deno.test("a line session closes what a web page sends before anything runs", async () => {
  await withLine(async ({ talk, port, pool }) => {
    await talk("FILE PUSH 1 f\nx");
    const body = "FILE DELETE f\nNODE PING\n";
    const requests = [
      `POST / HTTP/1.1\r\nContent-Type: text/plain\r\n\r\n${body}`,
      `Host: 127.0.0.1\r\n\r\n${body}`,
    ];
    for (const request of requests) {
      assert.doesNotMatch(await talk(request), /OK|PONG/);
    }
    // What fetch() itself sends, whatever method a page gives it.
    for (const method of ["POST", "PUT", "FILE"]) {
      await assert.rejects(fetch(`http://127.0.0.1:${port}/`, { method, body }));
    }
    assert.ok(pool.files.has("f"));
  });
});

Deno.test("a line session has limits: a long line, an idle client, a stalled body", async () => {
  await withLine(async ({ port, talk }) => {
    assert.equal(await talk("X".repeat(5_000)), "ERR line is too long\n");
    assert.equal(await converse(port, ["NODE PING\n"], false), "PONG\nERR connection is idle\n");
    assert.equal(await converse(port, ["FILE PUSH 9 f\nabc"], false), "ERR connection is idle\n");
  }, { idleMs: 200 });
});

Deno.test("a line session asks for AUTH first where a token is demanded", async () => {
  await withLine(async ({ talk }) => {
    assert.equal(await talk("NODE PING\n"), "ERR AUTH is needed first\n");
    assert.equal(await talk("FILE PUSH 3 f\nabc"), "ERR AUTH is needed first\n");
    assert.equal(await talk("AUTH wrong\nNODE PING\n"), "ERR wrong token\n");
    assert.equal(await talk("auth hush\nNODE PING\n"), "OK\nPONG\n");
  }, { token: "hush" });
});

Deno.test("NODE HEAL answers when it is done, and says what is lost", async () => {
  const losses = [0, 2];
  const heal = () => reportOf(losses.shift() ?? 0);
  await withLine(async ({ talk }) => {
    assert.equal(
      await talk("NODE HEAL\nNODE HEAL\n"),
      "OK network healed\nERR Cannot heal network: 2 blocks are lost\n",
    );
  }, { heal });
});

Deno.test("a line pull waits for a client that does not read", async () => {
  let given = 0;
  const size = 512 * 1024 * 1024;
  const change = (pool: MemoryPool): Partial<Pool> => ({
    open: async (name) => ({
      info: { ...await pool.stat(name), size },
      read: async function* () {
        for (; given < size; given += 1 << 20) yield await Promise.resolve(new Uint8Array(1 << 20));
      },
    }),
  });
  await withLine(async ({ talk, port }) => {
    await talk("FILE PUSH 5 f\nhello");
    const socket = connect({ host: "127.0.0.1", port });
    socket.pause();
    socket.write("FILE PULL f\n");
    const taken = await standingStill("what is taken", () => given);
    assert.ok(taken < 64 * 1024 * 1024, `${taken} bytes were taken`);
    socket.destroy();
  }, { change });
});

Deno.test("a line session outlives any bytes, and serves the next client", async () => {
  const words = [
    "FILE PUSH 3 a\n",
    "FILE PULL ",
    "NODE PING\r\n",
    "\n",
    "abc",
    "FILE LIST\n",
    "GET",
  ];
  const part = fc.oneof(fc.constantFrom(...words), fc.uint8Array({ maxLength: 40 }));
  await withLine(async ({ talk }) => {
    await fc.assert(
      fc.asyncProperty(fc.array(part, { maxLength: 12 }), async (parts) => {
        await talk(...parts);
      }),
      { numRuns: 60 },
    );
    assert.equal(await talk("NODE PING\n"), "PONG\n");
  });
});
