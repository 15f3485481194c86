// The gateway over small nodes that die as told: what the client gets, and what nodes are asked.

import assert from "node:assert/strict";
import { connect } from "node:net";
import { SkyringError } from "../../../../shared/base/errors.ts";
import type { Pool } from "../../../../server/engine/pool.ts";
import type { MemoryPool } from "../../../http/memory_pool.ts";
import { rawSocket } from "../../../http/socket.ts";
import { type FakeNode, type FakeOptions, startFake } from "./fake_node.ts";
import { randomBytes, store, withGateway } from "./gateway_bench.ts";

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

Deno.test("a download goes on from another node when its node hangs", async () => {
  const bytes = randomBytes(3_000_000);
  // As SIGSTOP does: connections stay open, and nothing comes any more.
  const hang = () => new Promise<never>(() => undefined);
  const hanging = (other: () => boolean): FakeOptions => {
    let hangs = false;
    return {
      before: () => hangs ? hang() : undefined,
      change: (pool) => ({
        open: async (name) => {
          const file = await pool.open(name);
          return {
            ...file,
            read: async function* ({ start, end }) {
              yield* file.read({ start, end: Math.min(end, start + 1_300_000) });
              hangs = !other();
              if (hangs) await hang();
              yield* file.read({ start: start + 1_300_000, end });
            },
          };
        },
      }),
    };
  };
  const state = { one: false };
  const first = () => {
    const already = state.one;
    state.one = true;
    return already;
  };
  const fakes = [0, 1, 2].map(() => hanging(first));
  await withGateway(fakes, async ({ base, nodes }) => {
    await store(nodes, "f", bytes);
    const startedAt = performance.now();
    const response = await fetch(`${base}/api/files/f`);
    assert.deepEqual(new Uint8Array(await response.arrayBuffer()), bytes);
    assert.ok(performance.now() - startedAt < 15_000, "it was given up soon");
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
      const rows = await first?.pool.blocks("f", { after: 4, limit: 1 });
      for (const { cid } of rows?.items ?? []) first?.pool.blockMap.delete(cid);
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
    const url = `${base}/api/files/small`;
    const small = await fetch(url, { method: "PUT", body: randomBytes(5_000) });
    assert.equal(small.status, 201);
    await small.body?.cancel();
  });
  const again = [dyingOnce(() => nodes[0])];
  await withGateway(again, async (bench) => {
    nodes = bench.nodes;
    const url = `${bench.base}/api/files/f`;
    const put = (headers: Record<string, string>, size: number) =>
      fetch(url, { method: "PUT", body: randomBytes(size), headers });
    const response = await put({}, 3_000_000);
    const problem = await response.json();
    assert.deepEqual([response.status, problem.code], [503, "outcome_unknown"]);
    assert.match(problem.detail, /Cannot tell whether PUT \/api\/files\/f was done: node http/);
  });
  await withGateway([dyingOnce(() => nodes[0])], async (bench) => {
    nodes = bench.nodes;
    const response = await fetch(`${bench.base}/api/files/g`, {
      ...{ method: "PUT", body: randomBytes(10), headers: { "if-none-match": "*" } },
    });
    assert.equal((await response.json()).code, "outcome_unknown");
    assert.equal(nodes[0]?.asked.length, 1);
  });
});

Deno.test("changes and lists go to one node, so that who stores sees it in the list", async () => {
  await withGateway([{}, {}, {}], async ({ base }) => {
    for (let round = 0; round < 5; round++) {
      const put = await fetch(`${base}/api/files/f${round}`, { method: "PUT", body: "x" });
      assert.equal(put.status, 201, await put.text());
      const { items } = await (await fetch(`${base}/api/files`)).json();
      assert.equal(items.length, round + 1);
    }
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

Deno.test("an upload gets the refusal of a node before it is sent", async () => {
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
    socket.on("data", (bytes: Uint8Array) => parts.push(bytes));
    socket.on("error", reject);
    socket.on("close", () => clearTimeout(timer));
    socket.on("end", () => {
      socket.destroy();
      resolve(Uint8Array.from(parts.flatMap((part) => [...part])));
    });
    socket.end(text);
  });
}
