// A client that lists slots page by page (ARCHITECTURE.md T3). A listing is exact per key, so each
// key of a page is judged as a read of that key: the version shown, or nothing where the page
// passes over the key. Keys that the page leaves open tell nothing.

import { asSlot, type Slot } from "../../shared/base/ids.ts";
import type { ListingPage } from "../../shared/record/agreement_port.ts";
import { simKeys } from "./clients.ts";
import { historyOf, versionText } from "./history.ts";
import { feed, type SimNode } from "./sim_node.ts";
import { simDeadlineMs } from "./sim_settings.ts";
import { bodyText, upNodes, type World } from "./world.ts";

/** Mean milliseconds between two listings. */
const pauseMs = 700;

/** Lists random slots at random nodes until `until`. */
export function startLister(world: World, until: number): void {
  const wait = -Math.log(1 - world.prng.next()) * pauseMs;
  world.queue.put(world.queue.now + wait, () => {
    if (world.queue.now >= until) return;
    const node = world.prng.pick(upNodes(world).filter(({ isPaused }) => !isPaused));
    const slot = asSlot(world.prng.int(world.placement.slotCount));
    if (node !== undefined) listPage(world, { node, slot, after: "" });
    startLister(world, until);
  });
}

interface PageRequest {
  readonly node: SimNode;
  readonly slot: Slot;
  readonly after: string;
}

function listPage(world: World, { node, slot, after }: PageRequest): void {
  const id = ++world.counts.operations;
  const invoked = ++world.counts.moments;
  world.listings.set(`${node.id}/${id}`, (page) => {
    if (page === undefined) return;
    notePage(world, { slot, after, invoked, page });
    const { next } = page;
    if (next === null) return;
    // Asked in an event of its own: a node is never fed while it hands out its outputs.
    world.queue.put(world.queue.now, () => {
      if (node.machine !== undefined) listPage(world, { node, slot, after: next });
    });
  });
  const deadlineAt = world.queue.now + simDeadlineMs;
  feed(world, node, { kind: "list", id, slot, after, deadlineAt });
}

function notePage(
  world: World,
  { slot, after, invoked, page }: {
    readonly slot: Slot;
    readonly after: string;
    readonly invoked: number;
    readonly page: ListingPage;
  },
): void {
  world.counts.listed += 1;
  const responded = ++world.counts.moments;
  for (const key of simKeys) {
    const isPassed = key > after && (page.next === null || key <= page.next);
    if (world.placement.slotOf(key) !== slot || !isPassed || page.open.includes(key)) continue;
    const value = page.decided.find((row) => row.key === key)?.value ?? null;
    historyOf(world.history, key).operations.push({
      id: ++world.counts.operations,
      key,
      kind: "get",
      condition: { kind: "none" },
      body: "",
      invoked,
      responded,
      outcome: "ok",
      version: value === null ? null : versionText(value.version),
      seen: value === null || value.deleted ? null : bodyText(value),
      final: false,
    });
  }
}
