// What the page of wanted blocks shows: the first of them, why each is wanted, and who holds it.
// Asking everyone who holds what costs a message each, so an answer is shared for some seconds.

import type { Cid } from "../../shared/base/ids.ts";
import { repairRetryMs } from "../../shared/base/limits.ts";
import type { WantedRow, WantedView } from "../../web/pages/wanted.tsx";
import type { Services } from "./services.ts";
import type { Views } from "./ui_views.ts";

const shownMax = 100;
const keptMs = 4_000;

type Holders = readonly (readonly string[])[];

/** A reader of the page's view. @throws never; it fails as the pool's views do */
export function createWantedReader(
  services: Services,
  views: Views,
  wanted: NonNullable<Services["wanted"]>,
): () => Promise<WantedView> {
  let kept: { readonly key: string; readonly at: number; holders: Promise<Holders> } | undefined;
  const holdersOf = (cids: readonly Cid[]): Promise<Holders> => {
    const key = cids.join();
    const now = services.now();
    if (kept?.key === key && now - kept.at < keptMs) return kept.holders;
    const holders = services.holders?.(cids) ?? Promise.resolve([]);
    kept = { key, at: now, holders };
    holders.catch(() => kept = undefined);
    return holders;
  };
  return async () => {
    const { items, next } = wanted(undefined, shownMax);
    const now = services.now();
    const pool = views.pool();
    const members = views.members();
    const nameOf = (id: string) => members.get(id)?.name ?? `${id.slice(0, 8)}…`;
    const self = services.status().id;
    const holders = items.length === 0 ? [] : await holdersOf(items.map(({ cid }) => cid));
    const rows = items.map(({ cid, file, kind, replicas, triedAt, lost }, index): WantedRow => ({
      ...{ cid, file, kind, replicas, lost },
      slot: views.ring?.lookup(cid)?.slot ?? null,
      from: (holders[index] ?? []).filter((id) => id !== self).map(nameOf),
      againAt: triedAt === null ? null : Math.max(now, triedAt + repairRetryMs),
    }));
    return { pool, items: rows, more: next !== null };
  };
}
