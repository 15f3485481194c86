// Whom a node asks among its tabs, and what it does about those that do not keep their word; on
// a clock of the test, with tabs that are functions.

import assert from "node:assert/strict";
import { asNodeId, type Cid, type NodeId } from "../../../../shared/base/ids.ts";
import {
  tabForgiveMs,
  tabHavesMax,
  tabOffencesMax,
  tabRestMs,
  tabTriesMax,
  tabWantsMax,
  tabWantsWaitingMax,
  tabWordMs,
  tabWordsMax,
} from "../../../../shared/base/tab_limits.ts";
import { TabBlocks } from "../../../../server/engine/tab_blocks.ts";
import { TabWords } from "../../../../server/engine/tab_words.ts";
import type { WantOutcome } from "../../../../web/peer/block_exchange.ts";
import { makeBlock } from "../net/made_block.ts";

interface Manner {
  has(cid: Cid): boolean | "timeout";
  give(cid: Cid): WantOutcome | Promise<WantOutcome>;
}

const bytesOf = (length: number) => new Uint8Array(length);
const good = (cids: readonly Cid[]): Manner => ({
  has: (cid) => cids.includes(cid),
  give: (cid) =>
    cids.includes(cid) ? { ok: true, bytes: bytesOf(4) } : { ok: false, code: "dont_have" },
});
const failing = (code: Exclude<WantOutcome, { ok: true }>["code"]): Manner => ({
  has: () => true,
  give: () => ({ ok: false, code }),
});

function world(manners: Record<string, Manner>) {
  const state = { now: 1_000_000, haves: 0, havesNow: 0, havesPeak: 0 };
  const wants: string[] = [];
  const dropped: string[] = [];
  const tabs = new TabBlocks({
    clock: { now: () => state.now },
    drop: (tab, reason) => {
      dropped.push(`${tab} ${reason}`);
      tabs.remove(tab);
    },
    exchange: {
      have: async (peer, cids) => {
        state.haves += 1;
        state.havesPeak = Math.max(state.havesPeak, ++state.havesNow);
        await Promise.resolve();
        state.havesNow -= 1;
        const said = cids.map((cid) => manners[peer]?.has(cid) ?? false);
        if (said.includes("timeout")) return { ok: false, code: "timeout" };
        return { ok: true, held: said.map((one) => one === true) };
      },
      want: async (peer, cid) => {
        wants.push(peer);
        return await manners[peer]?.give(cid) ?? { ok: false, code: "unreachable" };
      },
    },
  });
  for (const id of Object.keys(manners)) tabs.add(asNodeId(id));
  const relay = (cid: Cid) => tabs.relay(cid, new AbortController().signal);
  return { tabs, state, wants, dropped, relay };
}

const { cid: a } = makeBlock(8, 1);
const { cid: b } = makeBlock(8, 2);

Deno.test("relay() asks a tab that gave a block before for the next one, without asking around", async () => {
  const { relay, state, wants } = world({ x: good([]), y: good([a, b]) });
  assert.ok(await relay(a));
  const before = state.haves;
  assert.ok(await relay(b));
  assert.equal(state.haves, before);
  assert.deepEqual(wants, ["y", "y"]);
});

Deno.test("seek() asks again once a word is old, and not before", async () => {
  const { tabs, state } = world({ x: good([a]) });
  assert.deepEqual(await tabs.seek([a]), [true]);
  assert.deepEqual(await tabs.seek([a]), [true]);
  assert.equal(state.haves, 1);
  state.now += tabWordMs;
  assert.deepEqual(await tabs.seek([a]), [true]);
  assert.equal(state.haves, 2);
});

Deno.test("seek() asks few tabs at once, and stops when each block has one", async () => {
  const names = Array.from({ length: 100 }, (_, index) => `t${index}`);
  const all = world(Object.fromEntries(names.map((name) => [name, good([])])));
  assert.deepEqual(await all.tabs.seek([a]), [false]);
  assert.equal(all.state.haves, 100);
  await Promise.all(Array.from({ length: 5 }, () => all.tabs.seek([a])));
  assert.equal(all.state.havesPeak, tabHavesMax);
  const some = world(Object.fromEntries(names.map((name) => [name, good([a])])));
  await some.tabs.seek([a]);
  assert.equal(some.state.haves, tabHavesMax);
});

Deno.test("a tab that claims and gives nothing offends once a rest, and is dropped in the end", async () => {
  const { relay, state, wants, dropped } = world({ liar: failing("dont_have") });
  for (let offence = 1; offence <= tabOffencesMax; offence++) {
    for (let block = 0; block < 10; block++) {
      assert.equal(await relay(makeBlock(8, block + 10).cid), undefined);
    }
    assert.equal(wants.length, offence, "left alone after each");
    state.now += tabRestMs;
  }
  assert.deepEqual(dropped, []);
  await relay(a);
  assert.deepEqual(dropped, ["liar it names blocks that it does not give"]);
});

Deno.test("offences are forgiven with time", async () => {
  const { relay, state, dropped } = world({ unlucky: failing("dont_have") });
  for (let offence = 0; offence < 5 * tabOffencesMax; offence++) {
    await relay(a);
    state.now += tabForgiveMs;
  }
  assert.deepEqual(dropped, []);
});

Deno.test("a tab that gave lately and is slow now is left alone, never dropped for it", async () => {
  const manner = { ...good([a, b]) };
  const { relay, state, dropped } = world({ throttled: manner });
  assert.ok(await relay(a));
  manner.give = () => ({ ok: false, code: "timeout" });
  for (let block = 0; block < 3; block++) {
    await relay(b);
    state.now += tabRestMs;
  }
  assert.deepEqual(dropped, []);
});

Deno.test("a tab that sent wrong bytes is dropped at once, and the block comes from another", async () => {
  const { relay, dropped } = world({ liar: failing("bad_block"), honest: good([a]) });
  assert.ok(await relay(a));
  assert.deepEqual(dropped, ["liar it sent wrong bytes"]);
});

Deno.test("relay() asks few of the tabs that claim a block and do not give it", async () => {
  const names = Array.from({ length: 10 }, (_, index) => `t${index}`);
  const { relay, wants } = world(
    Object.fromEntries(names.map((name) => [name, failing("timeout")])),
  );
  assert.equal(await relay(a), undefined);
  assert.equal(wants.length, tabTriesMax);
  assert.equal(await relay(b), undefined);
  assert.equal(new Set(wants).size, 2 * tabTriesMax, "the silent ones are left alone");
});

Deno.test("a tab that does not say what it holds is left alone", async () => {
  const silent: Manner = { has: () => "timeout", give: () => ({ ok: false, code: "timeout" }) };
  const { tabs, state } = world({ silent });
  await tabs.seek([a]);
  await tabs.seek([a]);
  assert.equal(state.haves, 1);
  state.now += tabRestMs;
  await tabs.seek([a]);
  assert.equal(state.haves, 2);
});

Deno.test("wants at one tab are few at once, wait in turn, and end when it goes", async () => {
  const { promise: never } = Promise.withResolvers<WantOutcome>();
  const { tabs, relay, wants } = world({ stuck: { has: () => true, give: () => never } });
  const asked = Array.from(
    { length: tabWantsMax + tabWantsWaitingMax + 5 },
    (_, seed) => relay(makeBlock(8, seed + 10).cid),
  );
  assert.equal(await asked.at(-1), undefined, "the queue is full");
  assert.equal(wants.length, tabWantsMax);
  tabs.remove(asNodeId("stuck"));
  assert.equal(await asked[tabWantsMax + 3], undefined);
  assert.equal(wants.length, tabWantsMax);
});

Deno.test("TabWords keeps a bounded number of words, and none of old ones", () => {
  const words = new TabWords();
  const tab = "t" as NodeId;
  for (let seed = 0; seed < tabWordsMax + 100; seed++) words.add(`c${seed}` as Cid, tab, 0);
  assert.equal(words.size, tabWordsMax);
  assert.deepEqual(words.of("c0" as Cid, 1), []);
  assert.deepEqual(words.of("c500" as Cid, 1), [tab]);
  assert.deepEqual(words.of("c500" as Cid, tabWordMs), []);
  assert.equal(words.size, tabWordsMax - 1);
});
