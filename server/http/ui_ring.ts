// The ring as pages draw it: slots grouped by their first owner, counted by their copies, as far as
// every node's own word tells them: an owner that does not answer has none, and one that lacks so
// many blocks lacks them anywhere among its slots, since hashes are spread evenly. And where a name
// or a block lies on it. The placement is read once an epoch and the counts made anew only when
// somebody's state changes, because 16,384 slots are too many to walk for every poll of every page.

import { asCid } from "../../shared/base/ids.ts";
import { checkName } from "../../shared/base/name.ts";
import { slotOfCid, slotOfKey } from "../../shared/ring/slot.ts";
import type { NodeSnapshot } from "../../shared/status.ts";
import type { RingArc } from "../../web/charts/ring_layout.ts";
import type { RingView } from "../../web/pages/pool_view.ts";
import type { RingAnswer, RingRow } from "../../web/pages/ring_page.tsx";
import { answers, isAwaited, ringNote, type Seen, signIn } from "../../web/pages/node_sign.ts";
import type { RingSnapshot } from "./services.ts";

/** Slots owned first by one node, by number of copies. */
type Counts = ReadonlyMap<string, ReadonlyMap<number, number>>;
/** Slots by how many of their owners answer. */
type Tally = RingView["tally"];

export interface RingReader {
  /** Null while there is no roster. */
  view(nodes: readonly NodeSnapshot[], at: RingMoment): RingView | null;
  rows(): readonly RingRow[];
  /** Slot and owners of a name or CID; undefined when `key` can be neither. */
  lookup(key: string): RingAnswer | undefined;
}

/** What a view is drawn with beside the nodes. */
export interface RingMoment extends Seen {
  readonly epoch: number;
  readonly now: number;
}

/** A reader over `read`, which may be slow. @throws never */
export function createRingReader(read: () => RingSnapshot): RingReader {
  let snapshot: RingSnapshot | undefined;
  let names = "";
  let counted = { key: "", ...noCounts };
  return {
    view(nodes, at) {
      const { epoch } = at;
      const known = nodes.map(({ id, name }) => `${id} ${name}`).join();
      if (snapshot === undefined || snapshot.epoch !== epoch || known !== names) {
        snapshot = read();
        names = known;
        counted = { key: "", ...noCounts };
      }
      if (snapshot.nodes.length === 0) return null;
      // Who was not heard yet is not counted out before somebody has had time to miss it.
      const usable = nodes.filter((node) => answers(node, at) || isAwaited(node, at));
      const alive = new Set(usable.map(({ id }) => id));
      const lacks = new Map(nodes.map(({ id, blocks }) => [id, blocks.wanted]));
      const key = [...alive].sort().map((id) => `${id} ${lacks.get(id) ?? 0}`).join();
      if (counted.key !== key) {
        const tally = tallyOf(snapshot, alive);
        counted = { key, tally, counts: countSlots(snapshot, { alive, lacks }) };
      }
      return ringView(snapshot, { nodes, at, ...counted });
    },
    rows: () => snapshot === undefined ? [] : rowsOf(snapshot, counted.counts),
    lookup: (text) => snapshot === undefined ? undefined : answerOf(snapshot, text),
  };
}

const noCounts: { readonly tally: Tally; readonly counts: Counts } = {
  tally: new Map(),
  counts: new Map(),
};

function tallyOf(ring: RingSnapshot, alive: ReadonlySet<string>): Tally {
  const tally = new Map<number, number>();
  for (const { from, to, owners } of ring.slots) {
    const answering = owners.filter((owner) => alive.has(owner)).length;
    if (owners.length > 0) tally.set(answering, (tally.get(answering) ?? 0) + to - from + 1);
  }
  return tally;
}

function countSlots(
  ring: RingSnapshot,
  nodes: {
    readonly alive: ReadonlySet<string>;
    /** Blocks that each node owns and lacks. */
    readonly lacks: ReadonlyMap<string, number>;
  },
): Counts {
  const chances = missingChances(ring, nodes);
  const expected = new Map<string, Map<number, number>>();
  for (const { from, to, owners } of ring.slots) {
    const [first] = owners;
    if (first === undefined) continue;
    const mine = expected.get(first) ?? new Map<number, number>();
    copyChances(owners.map((owner) => chances.get(owner) ?? 1)).forEach((chance, copies) => {
      if (chance > 0) mine.set(copies, (mine.get(copies) ?? 0) + chance * (to - from + 1));
    });
    expected.set(first, mine);
  }
  return new Map([...expected].map(([id, slots]) => [id, wholeSlots(slots)]));
}

/** How likely a node lacks some block of one of its slots; 1 when it does not answer. */
function missingChances(
  ring: RingSnapshot,
  { alive, lacks }: Parameters<typeof countSlots>[1],
): ReadonlyMap<string, number> {
  const owned = new Map<string, number>();
  for (const { from, to, owners } of ring.slots) {
    for (const owner of owners) owned.set(owner, (owned.get(owner) ?? 0) + to - from + 1);
  }
  return new Map([...owned].map(([id, slots]) => {
    const missing = 1 - (1 - 1 / slots) ** (lacks.get(id) ?? 0);
    return [id, alive.has(id) ? missing : 1];
  }));
}

/** Chance of each number of copies, from the chances of each owner to lack its own. */
function copyChances(missing: readonly number[]): readonly number[] {
  return missing.reduce<number[]>((chances, lack) => {
    const next = [...chances.map((chance) => chance * lack), 0];
    chances.forEach((chance, copies) => {
      next[copies + 1] = (next[copies + 1] ?? 0) + chance * (1 - lack);
    });
    return next;
  }, [1]);
}

/** Expected counts as whole slots with the same sum; what rounds to none is not shown. */
function wholeSlots(expected: ReadonlyMap<number, number>): Map<number, number> {
  const sum = Math.round([...expected.values()].reduce((total, slots) => total + slots, 0));
  const rounded = [...expected].map(([copies, slots]) => [copies, Math.round(slots)] as const)
    .sort(([, left], [, right]) => right - left);
  const rest = sum - rounded.reduce((total, [, slots]) => total + slots, 0);
  return new Map(
    rounded.map(([copies, slots], index) => [copies, index === 0 ? slots + rest : slots] as const)
      .filter(([, slots]) => slots > 0),
  );
}

function ringView(
  ring: RingSnapshot,
  options: {
    readonly nodes: readonly NodeSnapshot[];
    readonly at: RingMoment;
    readonly tally: Tally;
    readonly counts: Counts;
  },
): RingView {
  const { nodes, at, tally, counts } = options;
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const arcs = ring.nodes.map(({ id, name }): RingArc => {
    const slots = counts.get(id) ?? new Map<number, number>();
    const own = [...slots.values()].reduce((sum, count) => sum + count, 0);
    const node = byId.get(id);
    const capacity = Math.max(1, node?.capacity ?? 1);
    const { wanted = 0, held = 0 } = node?.blocks ?? {};
    const mean = held > 0 && node !== undefined ? node.used / held : 256 * 1024;
    return {
      id,
      name,
      share: own / ring.slotCount,
      full: node === undefined ? 0 : Math.min(1, node.used / capacity),
      wanted: node?.state === "alive" ? Math.min(1, wanted * mean / capacity) : 0,
      sign: node === undefined ? "dead" : signIn(node, at),
      note: node === undefined ? "not known here" : ringNote(node, at),
      slots,
    };
  });
  const replicas = Math.max(1, ...ring.slots.slice(0, 1).map(({ owners }) => owners.length));
  return { epoch: ring.epoch, slotCount: ring.slotCount, arcs, tally, replicas };
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
