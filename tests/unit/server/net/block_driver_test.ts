import assert from "node:assert/strict";
import type { Connection } from "@libp2p/interface";
import { CID } from "multiformats/cid";
import { asNodeId } from "../../../../shared/base/ids.ts";
import { KiB, MiB } from "../../../../shared/base/limits.ts";
import type { BlockStore } from "../../../../shared/block/block_store.ts";
import { createMemoryStore } from "../../../../shared/block/memory_store.ts";
import { blockFrame, encodeCredit } from "../../../../shared/wire/block_message.ts";
import { encodeFrame } from "../../../../shared/wire/frame.ts";
import { type BlockDriver, createBlockDriver } from "../../../../server/net/block_driver.ts";
import type { Host } from "../../../../server/net/host.ts";
import { makeBlock } from "./made_block.ts";
import { makeRawPeer, rawDial, record } from "./raw_peer.ts";
import { addressOf, type TestHostOptions, until, withHosts } from "./test_hosts.ts";

const protocol = "/skyring/test/block/1.0.0";
const options = { timeoutMs: 5_000 };

interface Node {
  readonly host: Host;
  readonly store: BlockStore;
  readonly driver: BlockDriver;
}

/** Runs a test with started nodes that have block drivers over memory stores. */
async function withNodes(
  run: (
    make: (
      options?: TestHostOptions & { wrap?: (store: BlockStore) => BlockStore; capacity?: number },
    ) => Promise<Node>,
  ) => Promise<void>,
): Promise<void> {
  const drivers: BlockDriver[] = [];
  await withHosts(async (make) => {
    try {
      await run(async ({ wrap, capacity, ...hostOptions } = {}) => {
        const { host } = await make(hostOptions);
        const plain = createMemoryStore({ capacityBytes: capacity ?? 1024 * MiB, now: Date.now });
        const store = wrap?.(plain) ?? plain;
        const driver = createBlockDriver({
          streams: host.streams,
          group: "test",
          store,
          public: hostOptions.public ?? false,
        });
        drivers.push(driver);
        await host.start();
        return { host, store, driver };
      });
    } finally {
      for (const driver of drivers) driver.stop();
    }
  });
}

Deno.test("want() gives the block's bytes, dont_have of others, at every size", () =>
  withNodes(async (make) => {
    const [a, b] = [await make(), await make()];
    await a.host.dial(addressOf(b.host));
    const sizes = [4, 5, 4_096, 65_536, 256 * KiB - 1, 256 * KiB, MiB];
    const blocks = sizes.map((size, index) => makeBlock(size, index + 1));
    for (const block of blocks) await b.store.put(block.cid, block.bytes, "leaf");
    for (const block of blocks) {
      const outcome = await a.driver.want(b.host.self, block.cid, options);
      assert.ok(outcome.ok);
      assert.deepEqual(outcome.bytes, block.bytes);
    }
    const missing = await a.driver.want(b.host.self, makeBlock(9, 99).cid, options);
    assert.deepEqual(missing, { ok: false, code: "dont_have" });
    const rating = a.driver.rating(b.host.self);
    assert.ok(rating.bytesPerSecond > 0 && rating.latencyMs > 0 && rating.inFlight === 0);
  }));

Deno.test("want() moves many times the credit window, with every block verified", () =>
  withNodes(async (make) => {
    const [a, b] = [await make(), await make()];
    await a.host.dial(addressOf(b.host));
    const blocks = Array.from({ length: 64 }, (_, index) => makeBlock(256 * KiB + index, index));
    for (const block of blocks) await b.store.put(block.cid, block.bytes, "leaf");
    const outcomes = await Promise.all(
      blocks.map((block) => a.driver.want(b.host.self, block.cid, options)),
    );
    outcomes.forEach((outcome, index) => {
      assert.ok(outcome.ok);
      assert.deepEqual(outcome.bytes.length, blocks[index]?.bytes.length);
    });
  }));

Deno.test("put() stores at the peer, both at once with want() over one connection", () =>
  withNodes(async (make) => {
    const [a, b] = [await make(), await make()];
    await a.host.dial(addressOf(b.host));
    const blocks = Array.from({ length: 40 }, (_, index) => makeBlock(256 * KiB, index));
    const outcomes = await Promise.all(
      blocks.map((block) => a.driver.put(b.host.self, { ...block, kind: "leaf" }, options)),
    );
    assert.ok(outcomes.every((outcome) => outcome.ok));
    assert.ok(blocks.every((block) => b.store.has(block.cid)));
    const held = await a.driver.have(
      b.host.self,
      [makeBlock(8, 7).cid, ...blocks.slice(0, 9).map((block) => block.cid)],
      { ...options, lease: true },
    );
    assert.deepEqual(held, { ok: true, held: [false, ...Array(9).fill(true)] });
  }));

Deno.test("put() says full when the peer's store is", () =>
  withNodes(async (make) => {
    const [a, b] = [await make(), await make({ capacity: 300 * KiB })];
    await a.host.dial(addressOf(b.host));
    const put = (seed: number) =>
      a.driver.put(b.host.self, { ...makeBlock(256 * KiB, seed), kind: "leaf" }, options);
    assert.deepEqual(await put(1), { ok: true });
    assert.deepEqual(await put(2), { ok: false, code: "full" });
  }));

Deno.test("want() of a peer whose bytes do not match is bad_block, and the peer is noted", () =>
  withNodes(async (make) => {
    const [a, b] = [
      await make(),
      await make({
        wrap: (store) => ({
          ...store,
          get: async (cid) => (await store.get(cid))?.map((byte, index) => index ? byte : byte ^ 1),
        }),
      }),
    ];
    await a.host.dial(addressOf(b.host));
    const block = makeBlock(256 * KiB, 5);
    await b.store.put(block.cid, block.bytes, "leaf");
    assert.deepEqual(await a.driver.want(b.host.self, block.cid, options), {
      ok: false,
      code: "bad_block",
    });
    assert.equal(a.driver.lies().get(b.host.self), 1);
  }));

Deno.test("put() of bytes that do not match is refused and not stored", () =>
  withNodes(async (make) => {
    const [a, b] = [await make(), await make()];
    await a.host.dial(addressOf(b.host));
    const block = { cid: makeBlock(100, 1).cid, bytes: new Uint8Array(100), kind: "leaf" as const };
    const outcome = await a.driver.put(b.host.self, block, options);
    assert.deepEqual(outcome, { ok: false, code: "refused" });
    assert.equal(b.store.has(block.cid), false);
    assert.equal(b.driver.lies().get(a.host.self), 1);
  }));

Deno.test("want() is timeout of a peer that stalls, and the link goes on", () =>
  withNodes(async (make) => {
    const release = Promise.withResolvers<void>();
    const [a, b] = [
      await make(),
      await make({
        wrap: (store) => ({
          ...store,
          get: async (cid) => {
            await release.promise;
            return await store.get(cid);
          },
        }),
      }),
    ];
    await a.host.dial(addressOf(b.host));
    const block = makeBlock(64 * KiB, 1);
    await b.store.put(block.cid, block.bytes, "leaf");
    const late = await a.driver.want(b.host.self, block.cid, { timeoutMs: 100 });
    assert.deepEqual(late, { ok: false, code: "timeout" });
    release.resolve();
    assert.equal((await a.driver.want(b.host.self, block.cid, options)).ok, true);
    const aborted = AbortSignal.abort();
    const given = await a.driver.want(b.host.self, block.cid, { ...options, signal: aborted });
    assert.deepEqual(given, { ok: false, code: "timeout" });
  }));

Deno.test("want() is unreachable when the peer vanishes with wants under way", () =>
  withNodes(async (make) => {
    const [a, b] = [
      await make(),
      await make({ wrap: (store) => ({ ...store, get: () => new Promise(() => {}) }) }),
    ];
    await a.host.dial(addressOf(b.host));
    const blocks = Array.from({ length: 20 }, (_, index) => makeBlock(KiB, index));
    for (const block of blocks) await b.store.put(block.cid, block.bytes, "leaf");
    const asked = blocks.map((block) => a.driver.want(b.host.self, block.cid, options));
    await until(() => a.driver.rating(b.host.self).inFlight === 20, { what: "all asked" });
    await b.host.stop();
    for (const outcome of await Promise.all(asked)) {
      assert.deepEqual(outcome, { ok: false, code: "unreachable" });
    }
  }));

/** A public node, and a stranger's raw connection to it. */
async function withStranger(
  run: (node: Node, connection: Connection) => Promise<void>,
): Promise<void> {
  await withNodes(async (make) => {
    const node = await make({ public: true, secrets: ["s"] });
    const peer = await makeRawPeer();
    try {
      await run(node, await rawDial(peer, addressOf(node.host)));
    } finally {
      await peer.stop();
    }
  });
}

Deno.test("hostile frames reset the stream, and the node serves on", () =>
  withStranger(async (node, connection) => {
    const hostile: Uint8Array[] = [
      new Uint8Array(64), // frames of length zero
      new Uint8Array([0xff, 0xff, 0xff, 0xff]), // 4 GiB
      new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n"),
      encodeFrame({ kind: 99, id: 1, payload: new Uint8Array(3) }),
      encodeFrame({ kind: blockFrame.want, id: 1, payload: new Uint8Array(36) }),
      encodeFrame({ kind: blockFrame.want, id: 1, payload: new Uint8Array(35) }),
      encodeFrame({ kind: blockFrame.block, id: 1, payload: new Uint8Array(10) }),
      encodeFrame({ kind: blockFrame.put, id: 1, payload: new Uint8Array(100) }),
      encodeFrame({ kind: blockFrame.have, id: 1, payload: new Uint8Array(40) }),
    ];
    for (const bytes of hostile) {
      const stream = await connection.newStream(protocol);
      const seen = record(stream);
      stream.send(bytes);
      assert.equal(await seen.ended, "reset", `after ${bytes.subarray(0, 12)}`);
    }
    assert.equal(connection.status, "open");
    assert.equal(node.host.connected().length, 0);
  }));

Deno.test("a stranger of a public node gets blocks by CID and can put nothing", () =>
  withNodes(async (make) => {
    const node = await make({ public: true, secrets: ["s"] });
    const stranger = await make({ group: "test", public: true, secrets: ["other"] });
    const outside = await make({ group: "elsewhere", public: true });
    await assert.rejects(stranger.host.dial(addressOf(node.host)), { code: "not_admitted" });
    await outside.host.dial(addressOf(node.host));
    const peer = await makeRawPeer();
    try {
      const connection = await rawDial(peer, addressOf(node.host));
      const block = makeBlock(100 * KiB, 3);
      await node.store.put(block.cid, block.bytes, "leaf");
      const stream = await connection.newStream(protocol);
      const seen = record(stream);
      stream.send(encodeFrame({ kind: blockFrame.credit, id: 0, payload: encodeCredit(MiB) }));
      stream.send(
        encodeFrame({ kind: blockFrame.want, id: 4, payload: CID.parse(block.cid).bytes }),
      );
      await until(() => seen.bytes().length === 9 + block.bytes.length, { what: "the block" });
      assert.deepEqual(seen.bytes().subarray(9), block.bytes);
    } finally {
      await peer.stop();
    }
  }));

Deno.test("a stranger of a node that is not public gets nothing", () =>
  withNodes(async (make) => {
    const node = await make({ secrets: ["s"] });
    const peer = await makeRawPeer();
    try {
      const stream = await (await rawDial(peer, addressOf(node.host))).newStream(protocol);
      const seen = record(stream);
      const { cid } = makeBlock(8, 1);
      stream.send(encodeFrame({ kind: blockFrame.want, id: 1, payload: CID.parse(cid).bytes }));
      await seen.ended;
      assert.equal(seen.bytes().length, 0);
    } finally {
      await peer.stop();
    }
  }));

Deno.test("put() to a peer that is not connected is unreachable", () =>
  withNodes(async (make) => {
    const a = await make();
    const nobody = asNodeId("12D3KooWNobody");
    const block = { ...makeBlock(8, 1), kind: "leaf" as const };
    assert.deepEqual(await a.driver.put(nobody, block, options), {
      ok: false,
      code: "unreachable",
    });
  }));
