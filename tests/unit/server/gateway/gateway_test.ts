// The gateway over small nodes that die as told: what the client gets, and what nodes are asked.

import assert from "node:assert/strict";
import { connect } from "node:net";
import { SkyringError } from "../../../../shared/base/errors.ts";
import type { Pool } from "../../../../server/engine/pool.ts";
import { type GatewayOptions, startGateway } from "../../../../server/gateway/gateway.ts";
import { createLog } from "../../../../server/log.ts";
import type { MemoryPool } from "../../../http/memory_pool.ts";
import { rawSocket } from "../../../http/socket.ts";
import { type FakeNode, type FakeOptions, freePort, startFake } from "./fake_node.ts";

interface Bench {
  readonly base: string;
  readonly port: number;
  readonly linePort: number;
  readonly nodes: readonly FakeNode[];
}

const quiet = createLog({
  ...{ format: "text", level: "error", now: () => 0 },
  write: (line) => assert.fail(line),
});

async function withGateway(
  fakes: readonly FakeOptions[],
  use: (bench: Bench) => Promise<void>,
  options: Partial<GatewayOptions> = {},
): Promise<void> {
  const nodes = await Promise.all(fakes.map(startFake));
  const port = freePort();
  const linePort = freePort();
  const gateway = await startGateway({
    ...{ host: "127.0.0.1", port, lineHost: "127.0.0.1", linePort, token: null, allowHosts: [] },
    ...{ isPublic: false, hasSecret: false, nodes: nodes.map(({ base }) => base), log: quiet },
    ...options,
  });
  try {
    await use({ base: gateway.http, port, linePort, nodes });
  } finally {
    await gateway.stop();
    for (const node of nodes) await node.stop();
  }
}

function randomBytes(length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  for (let at = 0; at < length; at += 65_536) {
    crypto.getRandomValues(bytes.subarray(at, Math.min(length, at + 65_536)));
  }
  return bytes;
}

async function store(nodes: readonly FakeNode[], name: string, bytes: Uint8Array) {
  for (const { pool } of nodes) {
    await pool.push(ReadableStream.from([bytes]), { name });
  }
}

/** Reads break after so many bytes, each time a file is opened by name. */
function breaking(afterBytes: number): (pool: MemoryPool) => Partial<Pool> {
  return (pool) => ({
    open: async (name) => {
      const file = await pool.open(name);
      return {
        ...file,
        read: async function* ({ start, end }) {
          yield* file.read({ start, end: Math.min(end, start + afterBytes) });
          if (start + afterBytes < end) throw new SkyringError("unavailable", "died");
        },
      };
    },
  });
}

const noName = (): Partial<Pool> => ({
  open: () => Promise.reject(new SkyringError("not_found", "Cannot find file")),
});

Deno.test("a download goes on from another node at the same byte when its node dies", async () => {
  const bytes = randomBytes(3_000_000);
  const dying = { change: breaking(1_300_000) };
  await withGateway([dying, dying, dying], async ({ base, nodes }) => {
    await store(nodes, "f", bytes);
    const response = await fetch(`${base}/api/files/f`);
    assert.equal(response.headers.get("content-length"), "3000000");
    assert.deepEqual(new Uint8Array(await response.arrayBuffer()), bytes);
    const rest = nodes.flatMap(({ asked }) => asked).filter(({ path }) =>
      path.startsWith("/ipfs/")
    );
    assert.equal(rest.length, 1);
    assert.match(
      rest[0]?.headers.get("range") ?? "",
      /^bytes=13\d{5}-2999999$|^bytes=1\d{6}-2999999$/,
    );
    const part = await fetch(`${base}/api/files/f`, { headers: { range: "bytes=500000-2499999" } });
    assert.equal(part.status, 206);
    assert.deepEqual(new Uint8Array(await part.arrayBuffer()), bytes.subarray(500_000, 2_500_000));
  });
});

Deno.test("a download never goes on with another version of its name", async () => {
  const bytes = randomBytes(2_000_000);
  await withGateway(
    [{ change: breaking(700_000) }, {}],
    async ({ base, nodes: [first, second] }) => {
      assert.ok(first !== undefined && second !== undefined);
      await store([first, second], "f", bytes);
      await store([second], "f", randomBytes(2_000_000));
      for (let round = 0; round < 4; round++) {
        const response = await fetch(`${base}/api/files/f`);
        const old = response.headers.get("etag") === `"${(await first.pool.stat("f")).cid}"`;
        const got = new Uint8Array(await response.arrayBuffer());
        if (old) assert.deepEqual(got, bytes);
      }
      assert.ok(first.asked.length > 0);
    },
  );
});

Deno.test("a download breaks off when no other node has its content", async () => {
  const bytes = randomBytes(2_000_000);
  await withGateway(
    [{ change: breaking(700_000) }, { change: noName }],
    async ({ base, nodes }) => {
      const [first] = nodes;
      await store(first === undefined ? [] : [first], "f", bytes);
      first?.pool.blockMap.delete(
        (await first.pool.blocks("f", { after: 4, limit: 1 })).items[0]?.cid ?? "" as never,
      );
      let broken = 0;
      for (let round = 0; round < 4; round++) {
        const response = await fetch(`${base}/api/files/f`);
        if (response.status !== 200) {
          await response.body?.cancel();
          continue;
        }
        await assert.rejects(response.arrayBuffer());
        broken += 1;
      }
      assert.ok(broken > 0);
    },
  );
});

Deno.test("lookups go to another node when one dies or is not ready, and load is spread", async () => {
  const dead: FakeOptions = {
    before: (request) => {
      if (request.url.includes("/api/")) throw new Error("died");
    },
  };
  const starting: FakeOptions = {
    services: { ready: () => ({ ready: false, reason: "starting" }) },
  };
  await withGateway([{}, starting, {}], async ({ base, nodes }) => {
    await store(nodes, "f", randomBytes(10));
    for (let round = 0; round < 6; round++) {
      assert.equal((await (await fetch(`${base}/api/files/f`)).bytes()).length, 10);
    }
    assert.deepEqual(nodes.map(({ asked }) => asked.length), [3, 0, 3]);
    await nodes[0]?.stop();
    for (let round = 0; round < 3; round++) {
      assert.equal((await (await fetch(`${base}/api/status`)).json()).name, "node-1");
    }
  });
  await withGateway([dead], async ({ base }) => {
    const response = await fetch(`${base}/api/status`);
    assert.deepEqual([response.status, (await response.json()).code], [503, "not_ready"]);
  });
  await withGateway([], async ({ base }) => {
    const response = await fetch(`${base}/api/status`);
    assert.deepEqual([response.status, (await response.json()).code], [503, "not_ready"]);
    assert.equal((await fetch(`${base}/health`)).status, 200);
    assert.equal((await fetch(`${base}/ready`)).status, 503);
  });
});

/** Dies once when it has read the whole body of a change, before it answers. */
function dyingOnce(http: () => FakeNode | undefined): FakeOptions {
  let died = false;
  return {
    change: (pool) => ({
      push: async (body, options) => {
        if (died) return await pool.push(body, options);
        for await (const _ of body) continue;
        died = true;
        http()?.http.node.closeAllConnections();
        return await new Promise<never>(() => undefined);
      },
    }),
  };
}

Deno.test("a small upload is sent again to another node, a large one fails in clear words", async () => {
  let nodes: readonly FakeNode[] = [];
  const fakes = [dyingOnce(() => nodes[0]), dyingOnce(() => nodes[1]), {}];
  await withGateway(fakes, async (bench) => {
    nodes = bench.nodes;
    const { base } = bench;
    const small = await fetch(`${base}/api/files/small`, {
      method: "PUT",
      body: randomBytes(5_000),
    });
    assert.equal(small.status, 201);
    await small.body?.cancel();
  });
  const again = [dyingOnce(() => nodes[0])];
  await withGateway(again, async (bench) => {
    nodes = bench.nodes;
    const put = (headers: Record<string, string>, size: number) =>
      fetch(`${bench.base}/api/files/f`, { method: "PUT", body: randomBytes(size), headers });
    const response = await put({}, 3_000_000);
    const problem = await response.json();
    assert.deepEqual([response.status, problem.code], [503, "outcome_unknown"]);
    assert.match(problem.detail, /Cannot tell whether PUT \/api\/files\/f was done: node http/);
  });
  await withGateway([dyingOnce(() => nodes[0]), {}], async (bench) => {
    nodes = bench.nodes;
    let unknown = 0;
    for (let round = 0; round < 2; round++) {
      const response = await fetch(`${bench.base}/api/files/g${round}`, {
        ...{ method: "PUT", body: randomBytes(10), headers: { "if-none-match": "*" } },
      });
      if ((await response.json()).code === "outcome_unknown") unknown += 1;
    }
    assert.equal(unknown, 1);
  });
});

Deno.test("an upload whose node dies in the middle of its body stored nothing", async () => {
  let nodes: readonly FakeNode[] = [];
  const dying: FakeOptions = {
    change: () => ({
      push: async (body) => {
        for await (const _ of body) nodes[0]?.http.node.closeAllConnections();
        return await new Promise<never>(() => undefined);
      },
    }),
  };
  await withGateway([dying], async (bench) => {
    nodes = bench.nodes;
    const socket = await rawSocket(bench.port);
    socket.write(`PUT /api/files/f HTTP/1.1\r\nHost: 127.0.0.1:${bench.port}\r\n`);
    socket.write("Content-Length: 9000000\r\n\r\n");
    socket.write(randomBytes(1_000_000));
    const text = await socket.until(/"code":"[a-z_]+"/);
    assert.match(text, /^HTTP\/1\.1 504 /);
    assert.match(text, /broke off in the middle, nothing was stored/);
    socket.socket.destroy();
  });
});

Deno.test("an upload that waits for consent gets the node's own refusal before it is sent", async () => {
  const full: FakeOptions = {
    change: () => ({
      push: () => Promise.reject(new SkyringError("full", "Cannot store file: full")),
    }),
  };
  await withGateway([full], async ({ port }) => {
    const socket = await rawSocket(port);
    socket.write(`PUT /api/files/f HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n`);
    socket.write("Content-Length: 9000000\r\nExpect: 100-continue\r\n\r\n");
    const text = await socket.until(/HTTP\/1\.1 [2-5]\d\d/);
    assert.match(text, /^HTTP\/1\.1 507 /);
    socket.socket.destroy();
  });
});

Deno.test("the gateway judges Host, Origin and token as a node does", async () => {
  await withGateway([{}], async ({ base, port, nodes }) => {
    const ask = async (path: string, headers: Record<string, string>, method = "GET") => {
      const socket = await rawSocket(port);
      const lines = Object.entries({ host: `127.0.0.1:${port}`, ...headers });
      socket.write(`${method} ${path} HTTP/1.1\r\nConnection: close\r\nContent-Length: 0\r\n`);
      socket.write(`${lines.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`);
      return Number(/^HTTP\/1\.1 (\d+)/.exec(await socket.closed())?.[1]);
    };
    assert.equal(await ask("/api/status", { host: "evil.example" }), 403);
    assert.equal(await ask("/api/files/f", { origin: "http://evil.example" }, "DELETE"), 403);
    assert.equal(await ask("/api/files/f", { "sec-fetch-site": "cross-site" }, "PUT"), 403);
    assert.equal(await ask("/api/status", { "x-forwarded-for": "1.2.3.4" }), 403);
    assert.deepEqual(nodes[0]?.asked, []);
    assert.equal(
      await ask("/api/files/f", { origin: base, "sec-fetch-site": "same-origin" }, "PUT"),
      201,
    );
    assert.equal(await ask("/api/files/../x", {}), 422);
  });
});

Deno.test("a session of the gateway's cookie reaches nodes under their own name", async () => {
  const token = "hush";
  await withGateway([{ config: { token, loopback: false } }], async ({ base, port, nodes }) => {
    assert.equal((await fetch(`${base}/api/status`)).status, 401);
    const login = await fetch(`${base}/login`, {
      ...{ method: "POST", redirect: "manual", body: new URLSearchParams({ token }) },
    });
    const cookie = (login.headers.get("set-cookie") ?? "").split(";")[0] ?? "";
    assert.equal(login.status, 303);
    assert.ok(cookie.startsWith(`skyring-${port}=`), cookie);
    const status = await fetch(`${base}/api/status`, { headers: { cookie } });
    assert.equal(status.status, 200);
    await status.body?.cancel();
    assert.match(
      nodes[0]?.asked.at(-1)?.headers.get("cookie") ?? "",
      new RegExp(`^skyring-${nodes[0]?.port}=`),
    );
    const bearer = await fetch(`${base}/api/status`, {
      headers: { authorization: `Bearer ${token}` },
    });
    assert.equal(bearer.status, 200);
    await bearer.body?.cancel();
  });
});

Deno.test("a gateway with its own token logs in before loopback nodes, and adds no authority", async () => {
  const token = "hush";
  await withGateway(
    [{}, { config: { token: "other", loopback: false } }],
    async ({ base, nodes }) => {
      const proxied = { "x-forwarded-for": "1.2.3.4" };
      assert.equal((await fetch(`${base}/api/status`, { headers: proxied })).status, 401);
      const link = await fetch(`${base}/?token=${token}`, { redirect: "manual", headers: proxied });
      assert.equal(link.status, 303);
      const cookie = (link.headers.get("set-cookie") ?? "").split(";")[0] ?? "";
      const statuses = new Set<number>();
      for (let round = 0; round < 4; round++) {
        const response = await fetch(`${base}/api/files/none`, { headers: { cookie, ...proxied } });
        statuses.add(response.status);
        await response.body?.cancel();
      }
      // The loopback node answers; the one with another token sees no token of the gateway's.
      assert.deepEqual([...statuses].sort(), [401, 404]);
      assert.ok(
        nodes.every(({ asked }) => asked.every(({ headers }) => !headers.has("authorization"))),
      );
      assert.ok(
        nodes.every(({ asked }) => asked.every(({ headers }) => !headers.has("x-forwarded-for"))),
      );
    },
    { token },
  );
});

Deno.test("events stream through as they happen, and end when the client leaves", async () => {
  await withGateway([{}], async ({ base }) => {
    const response = await fetch(`${base}/api/events`);
    assert.equal(response.headers.get("content-type"), "text/event-stream");
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    assert.match((await reader?.read())?.value ?? "", /^: skyring/);
    await reader?.cancel();
  });
});

Deno.test("upgrades are joined to a node both ways; foreign pages and proxies are not", async () => {
  await withGateway([{}], async ({ port, nodes }) => {
    nodes[0]?.http.node.on("upgrade", (request, socket) => {
      socket.write(
        `HTTP/1.1 101 Switching Protocols\r\nX-Origin: ${request.headers.origin}\r\n\r\n`,
      );
      socket.on("data", (bytes: Uint8Array) => socket.write(bytes));
      socket.on("end", () => socket.destroy());
      socket.on("error", () => socket.destroy());
    });
    const upgrade = async (headers: string, host = `127.0.0.1:${port}`) => {
      const socket = await rawSocket(port);
      socket.write(`GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\n${headers}`);
      socket.write("Upgrade: websocket\r\n\r\n");
      return socket;
    };
    const own = await upgrade(`Origin: http://127.0.0.1:${port}\r\n`);
    const head = await own.until(/\r\n\r\n/);
    assert.match(
      head,
      new RegExp(`^HTTP/1.1 101 .*X-Origin: http://127.0.0.1:${nodes[0]?.port}`, "s"),
    );
    own.write("echo");
    await own.until(/echo$/);
    own.socket.destroy();
    assert.match(
      await (await upgrade("Origin: http://evil.example\r\n")).closed(),
      /^HTTP\/1\.1 403/,
    );
    assert.match(await (await upgrade("X-Forwarded-For: 1.2.3.4\r\n")).closed(), /^HTTP\/1\.1 403/);
    assert.match(await (await upgrade("", "evil.example")).closed(), /^HTTP\/1\.1 403/);
  });
});

Deno.test("a node that the netmap names is used too", async () => {
  const hidden = await startFake();
  try {
    await store([hidden], "f", randomBytes(10));
    const row = { http: hidden.base, state: "alive" };
    const telling = { services: { nodes: () => [row as never] }, change: noName };
    await withGateway([telling], async ({ base }) => {
      const statuses = new Set<number>();
      for (let round = 0; round < 4; round++) {
        const response = await fetch(`${base}/api/files/f`);
        statuses.add(response.status);
        await response.body?.cancel();
      }
      assert.ok(statuses.has(200));
    });
  } finally {
    await hidden.stop();
  }
});

Deno.test("the gateway speaks the line protocol over its nodes, and pulls outlive them", async () => {
  const line = (id: string, port: number) => ({ id, line: `127.0.0.1:${port}`, state: "alive" });
  const services: FakeOptions["services"] = {
    nodes: () => [line("12D3KooWA", 7_101), line("12D3KooWB", 7_102)] as never,
  };
  const bytes = randomBytes(1_000_000);
  const dying = { services, change: breaking(400_000) };
  await withGateway([dying, dying, dying], async ({ linePort, nodes }) => {
    await store(nodes, "f", bytes);
    const pulled = await talk(linePort, "FILE PULL f\n");
    assert.deepEqual(new Uint8Array(pulled), bytes);
    const said = new TextDecoder().decode(
      await talk(
        linePort,
        "NODE PING\nNETMAP GET\nNETMAP DISCOVER\nFILE PUSH 3 s\nabcFILE PULL none\n",
      ),
    );
    assert.equal(
      said,
      "PONG\n7101=Alive\n7102=Alive\nOK\nOK\n" +
        "FILE 3 bytes split into 1 chunks and distributed\nOK\nERR file not found\n",
    );
    const cid = (await nodes[0]?.pool.stat("f"))?.cid;
    const rest = new TextDecoder().decode(
      await talk(linePort, "FILE STAT f\nFILE DELETE f\nFILE FOO\n"),
    );
    assert.equal(
      rest,
      `CID ${cid}\nSIZE 1000000\nREPLICAS 1/3\nOK\nOK\nERR unknown FILE command\n`,
    );
  });
});

function talk(port: number, text: string): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const parts: Uint8Array[] = [];
    const socket = connect({ host: "127.0.0.1", port, allowHalfOpen: true });
    const timer = setTimeout(() => reject(new Error("no end within 10 s")), 10_000);
    socket.on("data", (bytes) => parts.push(bytes));
    socket.on("error", reject);
    socket.on("close", () => clearTimeout(timer));
    socket.on("end", () => {
      socket.destroy();
      resolve(Uint8Array.from(parts.flatMap((part) => [...part])));
    });
    socket.end(text);
  });
}
