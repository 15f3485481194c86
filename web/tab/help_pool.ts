// The job "help the pool": takes the blocks with the fewest copies first, as its node names them,
// until the space it may use is full. A seed of its own spreads tabs over blocks that are equally
// rare.

import { messageOf } from "../../shared/base/errors.ts";
import { toTake } from "./file_list.ts";
import type { NodeApi } from "./node_api.ts";
import type { TabStore } from "./tab_store.ts";
import type { Taker } from "./taker.ts";
import { waitFor } from "../wait.ts";

const askedMax = 256;
/** When all that was named is here: rarity changes slowly. */
const contentMs = 15_000;
const againMs = 3_000;

/** What the job says of itself. */
export interface HelpWord {
  coming: number;
  note: string;
}

/** Helps until `signal` aborts. Never rejects. */
export async function helpPool(options: {
  readonly api: NodeApi;
  readonly store: TabStore;
  readonly taker: Taker;
  readonly seed: number;
  readonly word: HelpWord;
  readonly onChange: () => void;
}, signal: AbortSignal): Promise<void> {
  const { api, store, taker, seed, word } = options;
  const say = (note: string) => {
    word.note = note;
    options.onChange();
  };
  while (!signal.aborted) {
    let restMs = againMs;
    try {
      const rare = await api.rare({ limit: askedMax, seed }, signal);
      const missing = rare.filter(({ cid }) => !store.has(cid));
      const room = store.roomFor("pool");
      const fitting = missing.filter(({ size }) => size <= room);
      let found = 0;
      let full = missing.length > 0 && fitting.length === 0;
      word.coming = fitting.length;
      if (fitting.length > 0) say("");
      await taker.takeAll(fitting.map(({ cid }) => toTake(cid)), {
        signal,
        anyWay: false,
        onEach(_block, taken) {
          word.coming = Math.max(0, word.coming - 1);
          if (taken === "held") found += 1;
          full ||= taken === "full";
          options.onChange();
          return taken === "full" ? "enough" : "go on";
        },
      });
      if (full) say("no room for more");
      else say("");
      // Nothing named: the node has not looked through its files yet.
      const content = full || (rare.length > 0 && missing.length === 0);
      restMs = content ? contentMs : found === 0 ? againMs : 0;
    } catch (error) {
      if (!signal.aborted) say(messageOf(error));
    }
    word.coming = 0;
    await waitFor(restMs, signal);
  }
}
