// Tabs at a node's network: what good ones give, also through other nodes, and what bad ones
// cost. Real hosts, real WebSockets.

import assert from "node:assert/strict";
import type { Stream } from "@libp2p/interface";
import type { Cid, NodeId } from "../../../../shared/base/ids.ts";
import { KiB, MiB } from "../../../../shared/base/limits.ts";
import { tabAsksBurst, tabAsksPerSecond } from "../../../../shared/base/tab_limits.ts";
import type { BlockStore } from "../../../../shared/block/block_store.ts";
import { createMemoryStore } from "../../../../shared/block/memory_store.ts";
import { systemClock } from "../../../../server/engine/clock.ts";
import { TabBlocks } from "../../../../server/engine/tab_blocks.ts";
import { type BlockDriver, createBlockDriver } from "../../../../server/net/block_driver.ts";
import type { Host } from "../../../../server/net/host.ts";
import {
  blockFrame,
  decodeHave,
  encodeCredit,
  encodeHave,
  encodeHeld,
} from "../../../../shared/wire/block_message.ts";
import { createFrameGatherer, encodeFrame, type Frame } from "../../../../shared/wire/frame.ts";
import { createLink, type Link } from "../../../../web/peer/link.ts";
import { standingStill } from "../../../e2e/until.ts";
import { makeBlock } from "./made_block.ts";
import { connectTab, type RawTab, type RawTabOptions } from "./raw_tab.ts";
import { addressOf, listenHttp, type TestHostOptions, until, withHosts } from "./test_hosts.ts";

const options = { timeoutMs: 5_000 };

interface Node {
  readonly host: Host;
  readonly store: BlockStore;
  readonly driver: BlockDriver;
  readonly tabs: TabBlocks;
  readonly ws: string;
}

type Connect = (node: Node, more?: Partial<RawTabOptions>) => Promise<RawTab>;

/** Runs a test with nodes that let tabs in, and tabs; all end with it. */
async function withNodes(
  run: (make: (options?: TestHostOptions) => Promise<Node>, connect: Connect) => Promise<void>,
): Promise<void> {
  const ends: (() => unknown)[] = [];
  try {
    await withHosts(async (make) => {
      const tabs: RawTab[] = [];
      try {
        await run(
          (hostOptions) => makeNode(make, { hostOptions, ends }),
          async (node, more) => {
            const tab = await connectTab({
              ...{ group: "test", address: node.ws },
              ticket: (peer) => node.host.issueTicket(peer),
              ...more,
            });
            tabs.push(tab);
            await until(() => node.tabs.has(tab.id), { what: "the node lets the tab in" });
            return tab;
          },
        );
      } finally {
        for (const tab of tabs) await tab.stop();
      }
    });
  } finally {
    for (const end of ends) end();
  }
}

async function makeNode(
  make: Parameters<Parameters<typeof withHosts>[0]>[0],
  { hostOptions, ends }: {
    readonly hostOptions: TestHostOptions | undefined;
    readonly ends: (() => unknown)[];
  },
): Promise<Node> {
  const { server, port } = await listenHttp();
  ends.push(() => (server.closeAllConnections(), server.close()));
  const upgrade = { server, allows: () => true };
  const { host } = await make({
    ...{ secrets: ["s"], upgrade, admissionDeadlineMs: 10_000 },
    ...hostOptions,
  });
  const store = createMemoryStore({ capacityBytes: 256 * MiB, now: Date.now });
  const tabs = new TabBlocks({
    exchange: {
      want: (...given) => driver.want(...given),
      have: (...given) => driver.have(...given),
    },
    clock: systemClock,
    drop: (tab, reason) => host.punish(tab, reason),
  });
  host.onPeer((event) => {
    if (event.kind === "admitted" && event.role === "tab") tabs.add(event.id);
    if (event.kind === "gone") tabs.remove(event.id);
  });
  const driver = createBlockDriver({
    ...{ streams: host.streams, group: "test", store, public: false, tabs },
    onLie: (peer) => tabs.lied(peer),
    onFault: (peer, reason) => tabs.offended(peer, reason),
  });
  await host.start();
  return { host, store, driver, tabs, ws: `/ip4/127.0.0.1/tcp/${port}/ws` };
}

async function hold(store: BlockStore, ...seeds: number[]): Promise<Cid[]> {
  const blocks = seeds.map((seed) => makeBlock(256 * KiB, seed));
  for (const { cid, bytes } of blocks) await store.put(cid, bytes, "leaf");
  return blocks.map(({ cid }) => cid);
}

const relay = (node: Node, cid: Cid) => node.tabs.relay(cid, new AbortController().signal);

const isGone = (node: Node, tab: { readonly id: NodeId }) =>
  until(() => !node.host.peers().some(({ id }) => id === tab.id), { what: "the tab is gone" });

/** The node's frames on one of its streams to a bad tab, and a way to answer them. */
function answering(answer: (frame: Frame, link: Link) => void): (stream: Stream) => void {
  return (stream) => {
    const link: Link = createLink(stream, {
      sink: createFrameGatherer({ onFrame: (frame) => (answer(frame, link), true) }),
      payloadBytesMax: 2 * MiB,
      queueMax: 10_000,
      onClosed: () => undefined,
    });
  };
}

const say = (link: Link, frame: Frame) => void link.send(encodeFrame(frame));

/** Claims to hold everything. */
function claim(frame: Frame, link: Link): void {
  const cids = decodeHave(frame.payload)?.cids ?? [];
  say(link, { kind: blockFrame.held, id: frame.id, payload: encodeHeld(cids.map(() => true)) });
}

Deno.test("a tab's blocks are found and given, also to a member without a connection to it", () =>
  withNodes(async (make, connect) => {
    const [near, far] = [await make(), await make()];
    await far.host.dial(addressOf(near.host));
    const tab = await connect(near);
    const [first, second, absent] = [
      ...await hold(tab.store, 1, 2),
      makeBlock(8, 9).cid,
    ] as [Cid, Cid, Cid];
    assert.deepEqual(await near.tabs.seek([first, absent, second]), [true, false, true]);
    assert.equal((await relay(near, first))?.length, 256 * KiB);
    assert.equal(await relay(near, absent), undefined);
    const sought = await far.driver.seek(near.host.self, [absent, second], options);
    assert.deepEqual(sought, { ok: true, held: [false, true] });
    const relayed = await far.driver.relay(near.host.self, second, options);
    assert.ok(relayed.ok && relayed.bytes.length === 256 * KiB);
    const none = await far.driver.relay(near.host.self, absent, options);
    assert.deepEqual(none, { ok: false, code: "dont_have" });
    // A have tells of the node's own store alone: a tab's copy is no copy of the pool's.
    const have = await far.driver.have(near.host.self, [first], { ...options, lease: false });
    assert.deepEqual(have, { ok: true, held: [false] });
    assert.deepEqual(await far.driver.want(near.host.self, first, options), {
      ok: false,
      code: "dont_have",
    });
  }));

Deno.test("relay() of a block that the node holds itself gives it", () =>
  withNodes(async (make) => {
    const [near, far] = [await make(), await make()];
    await far.host.dial(addressOf(near.host));
    const [cid] = await hold(near.store, 5) as [Cid];
    const relayed = await far.driver.relay(near.host.self, cid, options);
    assert.ok(relayed.ok && relayed.bytes.length === 256 * KiB);
  }));

Deno.test("relay() moves many blocks of one tab through one member at once", () =>
  withNodes(async (make, connect) => {
    const [near, far] = [await make(), await make()];
    await far.host.dial(addressOf(near.host));
    const tab = await connect(near);
    const cids = await hold(tab.store, ...Array.from({ length: 40 }, (_, seed) => seed + 1));
    const ask = { timeoutMs: 30_000 };
    const outcomes = await Promise.all(
      cids.map((cid) => far.driver.relay(near.host.self, cid, ask)),
    );
    assert.ok(outcomes.every((outcome) => outcome.ok));
  }));

Deno.test("a tab that sends wrong bytes is dropped, kept out, and given no ticket", () =>
  withNodes(async (make, connect) => {
    const node = await make();
    const { cid } = makeBlock(64, 3);
    const liar = await connect(node, {
      serve: answering((frame, link) => {
        if (frame.kind === blockFrame.have) claim(frame, link);
        if (frame.kind !== blockFrame.want) return;
        say(link, { kind: blockFrame.block, id: frame.id, payload: new Uint8Array(64) });
      }),
    });
    const ticket = node.host.issueTicket(liar.id);
    const honest = await connect(node);
    await honest.store.put(cid, makeBlock(64, 3).bytes, "leaf");
    assert.deepEqual(await relay(node, cid), makeBlock(64, 3).bytes);
    await relay(node, makeBlock(64, 4).cid);
    await isGone(node, liar);
    assert.throws(() => node.host.issueTicket(liar.id), { code: "busy" });
    const back = connect(node, {
      privateKey: (liar.peer as unknown as { components: { privateKey: never } })
        .components.privateKey,
      ticket: () => ticket,
    });
    await assert.rejects(back, /penalty/);
    assert.equal(node.host.refusals().get("penalty"), 2);
    assert.ok(node.tabs.has(honest.id));
  }));

Deno.test("a tab that claims blocks and gives none is left alone, and others are asked", () =>
  withNodes(async (make, connect) => {
    const node = await make();
    let wants = 0;
    await connect(node, {
      serve: answering((frame, link) => {
        if (frame.kind === blockFrame.have) claim(frame, link);
        if (frame.kind !== blockFrame.want) return;
        wants += 1;
        say(link, { kind: blockFrame.absent, id: frame.id, payload: new Uint8Array(0) });
      }),
    });
    const honest = await connect(node);
    const cids = await hold(honest.store, ...Array.from({ length: 30 }, (_, seed) => seed + 1));
    for (const cid of cids) assert.ok(await relay(node, cid) !== undefined);
    assert.ok(wants <= 3, `${wants} wants went to the tab that gives nothing`);
  }));

Deno.test("a block that nobody asked for ends the stream, and the tab is only left alone for a while", () =>
  withNodes(async (make, connect) => {
    const node = await make();
    const unasked = encodeFrame({ kind: blockFrame.block, id: 77, payload: new Uint8Array(1_024) });
    const tab = await connect(node, {
      serve: (stream) => void stream.send(unasked),
    });
    const { cid } = makeBlock(64, 3);
    assert.equal(await relay(node, cid), undefined);
    assert.ok(node.tabs.has(tab.id), "once may be bad luck");
    assert.deepEqual(node.driver.rating(tab.id).inFlight, 0);
  }));

Deno.test("a put or a seek of a tab ends its stream, and stores nothing", () =>
  withNodes(async (make, connect) => {
    const node = await make();
    const tab = await connect(node);
    const { cid } = makeBlock(64, 3);
    for (const kind of [blockFrame.put, blockFrame.seek, blockFrame.relay]) {
      const stream = await tab.open();
      const ended = new Promise((resolve) => stream.addEventListener("close", resolve));
      const payload = kind === blockFrame.seek
        ? encodeHave({ lease: false, cids: [cid] })
        : new Uint8Array(kind === blockFrame.put ? 37 : 36);
      stream.send(encodeFrame({ kind, id: 1, payload }));
      await ended;
    }
    assert.equal(node.store.use().blocks, 0);
  }));

Deno.test("a tab that opens streams without end is dropped", () =>
  withNodes(async (make, connect) => {
    const node = await make();
    const tab = await connect(node);
    const endless = async () => {
      while (tab.connection.status === "open") {
        const stream = await tab.open();
        stream.abort(new Error("next"));
      }
    };
    await assert.rejects(Promise.race([endless(), isGone(node, tab).then(() => assert.fail())]));
    await isGone(node, tab);
    assert.throws(() => node.host.issueTicket(tab.id), { code: "busy" });
  }));

Deno.test("a tab that grants credit and reads nothing makes the node hold a few blocks", () =>
  withNodes(async (make, connect) => {
    const node = await make();
    const cids = await hold(node.store, ...Array.from({ length: 64 }, (_, seed) => seed + 1));
    let read = 0;
    const get = node.store.get.bind(node.store);
    node.store.get = (cid) => (read++, get(cid));
    const slow = await connect(node);
    const stream = await slow.open();
    stream.pause();
    stream.send(encodeFrame({ kind: blockFrame.credit, id: 0, payload: encodeCredit(2 ** 31) }));
    for (const [index, cid] of [...cids, ...cids].entries()) {
      stream.send(encodeFrame({ kind: blockFrame.want, id: index + 1, payload: wantOf(cid) }));
    }
    await standingStill("what is read", () => read);
    assert.ok(read < 40, `${read} blocks were read for a tab that takes none`);
  }));

const wantOf = (cid: Cid) => encodeHave({ lease: false, cids: [cid] }).slice(1);

Deno.test("a tab that asks without end is read slowly, and answered in the end", () =>
  withNodes(async (make, connect) => {
    const node = await make();
    let looked = 0;
    const has = node.store.has.bind(node.store);
    node.store.has = (cid) => (looked++, has(cid));
    const tab = await connect(node);
    const asker = await tab.open();
    let answers = 0;
    const link = createLink(asker, {
      sink: createFrameGatherer({
        onFrame: ({ kind }) => (answers += kind === blockFrame.held ? 1 : 0, true),
      }),
      payloadBytesMax: 2 * MiB,
      queueMax: 1_000,
      onClosed: () => undefined,
    });
    const cids = Array.from({ length: 1_024 }, (_, seed) => makeBlock(8, seed + 1).cid);
    const asked = 60;
    for (let id = 1; id <= asked; id++) {
      const payload = encodeHave({ lease: false, cids });
      say(link, { kind: blockFrame.have, id, payload });
    }
    const beganMs = performance.now();
    // The last of these is read when all before it are paid for, and no sooner.
    const paid = 6;
    await until(() => answers > paid, { what: "the first answers", withinMs: 20_000 });
    const seconds = (performance.now() - beganMs) / 1_000;
    const least = (paid * cids.length - tabAsksBurst) / tabAsksPerSecond;
    assert.ok(seconds > 0.9 * least, `${answers} were answered within ${seconds} s`);
    const most = tabAsksBurst + tabAsksPerSecond * seconds + 8 * 1_024;
    assert.ok(looked <= most, `${looked} of ${asked * 1_024} blocks were looked up`);
    assert.ok(link.open);
    link.close("done");
  }));

Deno.test("frames that ask for nothing are paid for too", () =>
  withNodes(async (make, connect) => {
    const node = await make();
    const tab = await connect(node);
    const asker = await tab.open();
    let answered = false;
    asker.addEventListener("message", ({ data }) => {
      // Beside the node's own frames: the answer is a frame of this kind.
      answered ||= (data instanceof Uint8Array ? data : data.subarray())[4] === blockFrame.absent;
    });
    const frame = encodeFrame({ kind: blockFrame.cancel, id: 9, payload: new Uint8Array(0) });
    const count = tabAsksBurst + 2 * tabAsksPerSecond;
    const frames = new Uint8Array(count * frame.length);
    for (let index = 0; index < count; index++) frames.set(frame, index * frame.length);
    const beganMs = performance.now();
    asker.send(frames);
    const payload = wantOf(makeBlock(8, 1).cid);
    asker.send(encodeFrame({ kind: blockFrame.want, id: 1, payload: payload.slice(-36) }));
    await until(() => answered, { what: "the answer", withinMs: 20_000 });
    assert.ok(performance.now() - beganMs > 1_000, "the want was read at once");
  }));
