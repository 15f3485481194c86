// The ring as pages draw it: slots grouped by their first owner, counted by how many of their
// owners answer; and where a name or a block lies on it. The placement is read once an epoch and
// the counts made anew only when somebody's state changes, because 16,384 slots are too many to
// walk for every poll of every page.

import { asCid } from "../../shared/base/ids.ts";
import { checkName } from "../../shared/base/name.ts";
import { slotOfCid, slotOfKey } from "../../shared/ring/slot.ts";
import type { NodeSnapshot } from "../../shared/status.ts";
import { signOf } from "../../web/charts/glyph.ts";
import type { RingArc } from "../../web/charts/ring_layout.ts";
import type { RingView } from "../../web/pages/pool_view.ts";
import type { RingAnswer, RingRow } from "../../web/pages/ring_page.tsx";
import { sinceText } from "../../web/pages/words.ts";
import type { RingSnapshot } from "./services.ts";

/** Slots owned first by one node, by number of owners that answer. */
type Counts = Map<string, Map<number, number>>;

export interface RingReader {
  /** Null while there is no roster. */
  view(nodes: readonly NodeSnapshot[], at: { epoch: number; now: number }): RingView | null;
  rows(): readonly RingRow[];
  /** Slot and owners of a name or CID; undefined when `key` can be neither. */
  lookup(key: string): RingAnswer | undefined;
}

/** A reader over `read`, which may be slow. @throws never */
export function createRingReader(read: () => RingSnapshot): RingReader {
  let snapshot: RingSnapshot | undefined;
  let names = "";
  let counted = { key: "", counts: new Map() as Counts };
  return {
    view(nodes, { epoch, now }) {
      const known = nodes.map(({ id, name }) => `${id} ${name}`).join();
      if (snapshot === undefined || snapshot.epoch !== epoch || known !== names) {
        snapshot = read();
        names = known;
        counted = { key: "", counts: new Map() };
      }
      if (snapshot.nodes.length === 0) return null;
      const alive = new Set(nodes.filter(({ state }) => state === "alive").map(({ id }) => id));
      const key = [...alive].sort().join();
      if (counted.key !== key) counted = { key, counts: countSlots(snapshot, alive) };
      return ringView(snapshot, { nodes, now, counts: counted.counts });
    },
    rows: () => snapshot === undefined ? [] : rowsOf(snapshot, counted.counts),
    lookup: (text) => snapshot === undefined ? undefined : answerOf(snapshot, text),
  };
}

function countSlots(ring: RingSnapshot, alive: ReadonlySet<string>): Counts {
  const counts: Counts = new Map();
  for (const { from, to, owners } of ring.slots) {
    const [first] = owners;
    if (first === undefined) continue;
    const mine = counts.get(first) ?? new Map<number, number>();
    const answering = owners.filter((owner) => alive.has(owner)).length;
    mine.set(answering, (mine.get(answering) ?? 0) + to - from + 1);
    counts.set(first, mine);
  }
  return counts;
}

function ringView(
  ring: RingSnapshot,
  options: {
    readonly nodes: readonly NodeSnapshot[];
    readonly now: number;
    readonly counts: Counts;
  },
): RingView {
  const { nodes, now, counts } = options;
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const tally = new Map<number, number>();
  for (const mine of counts.values()) {
    for (const [owners, slots] of mine) tally.set(owners, (tally.get(owners) ?? 0) + slots);
  }
  const arcs = ring.nodes.map(({ id, name }): RingArc => {
    const slots = counts.get(id) ?? new Map<number, number>();
    const own = [...slots.values()].reduce((sum, count) => sum + count, 0);
    const node = byId.get(id);
    const sign = node === undefined ? "dead" : signOf(node.state, node.phase.phase);
    const capacity = Math.max(1, node?.capacity ?? 1);
    const { wanted = 0, held = 0 } = node?.blocks ?? {};
    const mean = held > 0 && node !== undefined ? node.used / held : 256 * 1024;
    return {
      id,
      name,
      share: own / ring.slotCount,
      full: node === undefined ? 0 : Math.min(1, node.used / capacity),
      wanted: node?.state === "alive" ? Math.min(1, wanted * mean / capacity) : 0,
      sign,
      note: noteOf(node, now),
      slots,
    };
  });
  const replicas = Math.max(1, ...ring.slots.slice(0, 1).map(({ owners }) => owners.length));
  return { epoch: ring.epoch, slotCount: ring.slotCount, arcs, tally, replicas };
}

/** Nothing while it seeds: then the picture shows how full it is. */
function noteOf(node: NodeSnapshot | undefined, now: number): string {
  if (node === undefined) return "not known here";
  if (node.state === "alive") return node.phase.phase === "seeding" ? "" : node.phase.phase;
  if (node.state === "left") return "stopped";
  const word = node.state === "suspect" ? "silent" : node.state;
  return node.lastSeenAt > 0 ? `${word} ${sinceText(now - node.lastSeenAt)}` : word;
}

function rowsOf(ring: RingSnapshot, counts: Counts): RingRow[] {
  const nameOf = (id: string | null) =>
    id === null ? "itself" : ring.nodes.find((node) => node.id === id)?.name ?? id;
  return ring.nodes.map(({ id, name, position, tokens, predecessor, successor }) => ({
    id,
    name,
    position,
    tokens,
    firstSlots: [...(counts.get(id)?.values() ?? [])].reduce((sum, slots) => sum + slots, 0),
    predecessor: nameOf(predecessor),
    successor: nameOf(successor),
  }));
}

function answerOf(ring: RingSnapshot, text: string): RingAnswer | undefined {
  const isBlock = /^baf(kre|ybe)i[a-z2-7]{52}$/.test(text);
  const check = checkName(text);
  if (!isBlock && !check.ok) return undefined;
  const slot = isBlock
    ? slotOfCid(asCid(text))
    : slotOfKey({ kind: "file", name: check.ok ? check.name : text });
  const owners = ring.slots.find(({ from, to }) => from <= slot && slot <= to)?.owners ?? [];
  const [first] = owners;
  let before = 0;
  let own = 0;
  for (const { from, to, owners: [owner] } of ring.slots) {
    if (owner !== first) continue;
    own += to - from + 1;
    if (from <= slot) before += Math.min(to, slot) - from + 1;
  }
  const arc = ring.nodes.findIndex(({ id }) => id === first);
  return { what: isBlock ? "block" : "name", slot, owners, arc, part: before / Math.max(1, own) };
}
