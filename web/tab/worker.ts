// The worker of a tab: a thread of its own, since background pages are slowed down. Of all workers
// of a browser one runs the peer; the others show its state and pass orders on to it, and one of
// them goes on when it ends.

import { messageOf } from "../../shared/base/errors.ts";
import type { Cipher } from "./cipher.ts";
import { type KeyValues, openKeyValues } from "./key_values.ts";
import type { RoomWord, Served, TabOrder, TabState, WorkerWord } from "./messages.ts";
import { openTab, type Tab } from "./tab.ts";
import { whileLocked } from "./tab_lock.ts";

const roomName = "skyring-tab";
/** States go out at most so often. */
const stateMs = 200;
const hereMs = 2_000;
/** A worker not heard of for this long is gone. */
const goneMs = 5_000;

const id = [...crypto.getRandomValues(new Uint8Array(8))].join("-");
const others = new Map<string, number>();
let tab: Tab | undefined;
let cipher: Promise<Cipher> | undefined;
let cipherFailures = 0;
let room: BroadcastChannel | undefined;
let lateState: ReturnType<typeof setTimeout> | undefined;
/** Orders that came before it was known who runs the peer. */
const early: TabOrder[] = [];

const say = (word: WorkerWord) => self.postMessage(word);
const tell = (word: RoomWord) => room?.postMessage(word);

self.addEventListener("message", ({ data }: MessageEvent<TabOrder>) => {
  if (tab !== undefined) void obey(tab, data);
  else if (room === undefined) early.push(data);
  else tell({ t: "order", order: data });
});
self.addEventListener("online", () => tab?.wake());

/** Begins; called by the few lines that the node serves as the worker's script. Never rejects. */
export function start(served: Served): void {
  run(served).catch((error) => say({ t: "failed", why: messageOf(error) }));
}

async function run(served: Served): Promise<void> {
  const [values, blocks] = await Promise.all([
    openKeyValues("skyring-tab"),
    openKeyValues("skyring-tab-blocks"),
  ]);
  // Without a common database every tab is a peer of its own.
  if (values.kept === "indexeddb") join();
  const locks = self.isSecureContext ? navigator.locks : undefined;
  for (;;) {
    const options = { values, id, ...(locks === undefined ? {} : { locks }) };
    await whileLocked(options, (lost) => lead(served, { values, blocks, lost }));
  }
}

/** Talks with the other workers of this browser. */
function join(): void {
  room = new BroadcastChannel(roomName);
  room.addEventListener("message", ({ data }: MessageEvent<RoomWord>) => {
    switch (data.t) {
      case "here":
        return void others.set(data.id, performance.now());
      case "state":
        if (tab === undefined) say({ t: "state", state: data.state, mine: false });
        return;
      case "order":
        return void (tab && obey(tab, data.order));
      default:
        return data satisfies never;
    }
  });
  tell({ t: "here", id });
  setInterval(() => tell({ t: "here", id }), hereMs);
}

/** Runs the peer until the lock is lost. */
async function lead(served: Served, { values, blocks, lost }: {
  readonly values: KeyValues;
  readonly blocks: KeyValues;
  readonly lost: AbortSignal;
}): Promise<void> {
  const running = await openTab({
    values,
    blocks,
    origin: new URL(self.location.href),
    reach: new Set(served.reach),
    loadCipher: () => loadCipher(served.cipher),
    secure: self.isSecureContext,
    storage: self.isSecureContext ? navigator.storage : undefined,
    tabs: countTabs,
    onChange: showSoon,
    onBeyond: (urls) => say({ t: "beyond", urls }),
  });
  tab = running;
  show();
  for (const order of early.splice(0)) void obey(running, order);
  const { promise, resolve } = Promise.withResolvers<void>();
  lost.addEventListener("abort", () => resolve(), { once: true });
  if (lost.aborted) resolve();
  await promise;
  tab = undefined;
  await running.stop();
}

/** One for all networks of this worker; after a failure it may be asked for again. */
function loadCipher(address: string): Promise<Cipher> {
  cipher ??= makeCipher(address).catch((error) => {
    cipher = undefined;
    cipherFailures += 1;
    throw error;
  });
  return cipher;
}

async function makeCipher(address: string): Promise<Cipher> {
  // Browsers remember a script that did not come, and say so again for the same address.
  const retry = cipherFailures === 0 ? "" : `&retry=${cipherFailures}`;
  const script: typeof import("./cipher.ts") = await import(`${address}${retry}`);
  return await script.createCipher();
}

async function obey(running: Tab, order: TabOrder): Promise<void> {
  try {
    await running.order(order);
  } catch (error) {
    say({ t: "failed", why: messageOf(error) });
  }
}

function countTabs(): number {
  const now = performance.now();
  for (const [other, heardAt] of others) if (now - heardAt > goneMs) others.delete(other);
  return others.size + 1;
}

function showSoon(): void {
  lateState ??= setTimeout(show, stateMs);
}

function show(): void {
  clearTimeout(lateState);
  lateState = undefined;
  const state: TabState | undefined = tab?.state();
  if (state === undefined) return;
  say({ t: "state", state, mine: true });
  tell({ t: "state", state });
}
