// With --public: tells the DHT which roots this group has, so that peers outside the netmap find
// them. Each root is announced by its owners, when it is new and again before records expire.

import type { Cid } from "../../shared/base/ids.ts";
import { slotOfCid } from "../../shared/ring/slot.ts";
import { decodeFileRecord } from "../../shared/record/file_record.ts";
import type { Providers } from "../net/providers.ts";
import type { Catalog } from "./catalog.ts";
import type { RingView } from "./place.ts";
import type { StepReport, Workers } from "./workers.ts";

export interface ProvideOptions {
  readonly catalog: Catalog;
  readonly providers: Pick<Providers, "provide">;
  readonly ring: RingView;
  readonly workers: Workers;
  readonly now: () => number;
}

const everyMs = 5_000;
/** libp2p's provider records live 48 h and are refreshed every 22 h (kad-dht specification). */
const againMs = 22 * 3_600_000;
const provideTimeoutMs = 30_000;
const pageFiles = 100;
const newRootsMax = 10_000;

/** Starts the loop. */
export function startProviding(options: ProvideOptions): void {
  const fresh = new Set<Cid>();
  let after: string | undefined;
  let passAt = 0;
  const provide = async (cid: Cid, signal: AbortSignal) => {
    const { ring } = options;
    const slot = slotOfCid(cid);
    if (!ring.placement().ownersOf(slot, 3).includes(ring.self)) return;
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(provideTimeoutMs)]);
    await options.providers.provide(cid, deadline);
  };
  const step = async (signal: AbortSignal): Promise<StepReport> => {
    for (const cid of [...fresh].slice(0, pageFiles)) {
      await provide(cid, signal);
      fresh.delete(cid);
    }
    if (fresh.size > 0) return { more: true, progress: `${fresh.size} new roots to announce` };
    if (options.now() < passAt) return { more: false, progress: "all roots announced" };
    const page = options.catalog.names("file", { prefix: "", after, limit: pageFiles });
    for (const { value } of page) {
      const file = decodeFileRecord(value.body);
      if (file !== undefined) await provide(file.cid, signal);
    }
    after = page.length === pageFiles ? page.at(-1)?.key.name : undefined;
    if (after === undefined) passAt = options.now() + againMs;
    return { more: after !== undefined, progress: "announcing roots" };
  };
  const { wake } = options.workers.start({ name: "provide", everyMs, step });
  options.catalog.onChange((changes) => {
    for (const { entry } of changes) {
      const file = decodeFileRecord(entry.value.body);
      if (file !== undefined && fresh.size < newRootsMax) fresh.add(file.cid);
    }
    wake();
  });
}
