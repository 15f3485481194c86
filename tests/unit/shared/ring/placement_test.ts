// Placement over fixed seeds: balance, zones, movement, and that every node computes the same.

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { createHash } from "node:crypto";
import { asNodeId, asSlot, type NodeId } from "../../../../shared/base/ids.ts";
import { GiB, MiB, placementSlack, slotCount } from "../../../../shared/base/limits.ts";
import { createPrng } from "../../../../shared/base/prng.ts";
import { balanceOf } from "../../../../shared/ring/balance.ts";
import { allSlots, decidersOf, placement } from "../../../../shared/ring/placement.ts";
import type { Member } from "../../../../shared/ring/roster.ts";
import { fairCopies } from "../../../../shared/ring/spread.ts";

const seeds = Array.from({ length: 20 }, (_, index) => index + 1);
const replicas = 3;

interface Shape {
  readonly count: number;
  readonly seed: number;
  readonly capacity?: (index: number) => number;
  readonly zone?: (index: number) => string;
}

function membersOf(shape: Shape): Member[] {
  const prng = createPrng(shape.seed);
  return Array.from({ length: shape.count }, (_, index) => ({
    id: asNodeId(`12D3KooW${prng.int(2 ** 40).toString(36)}${index}`),
    since: index + 1,
    capacity: shape.capacity?.(index) ?? 10 * GiB,
    zone: shape.zone?.(index) ?? "here",
  }));
}

function ownersOfAll(members: readonly Member[]): (readonly NodeId[])[] {
  const placed = placement({ members });
  return allSlots().map((slot) => placed.ownersOf(slot, replicas));
}

/** Copies that nodes have afterwards and did not have before. */
function copiesMoved(before: (readonly NodeId[])[], after: (readonly NodeId[])[]): number {
  let moved = 0;
  for (const [slot, owners] of after.entries()) {
    moved += owners.filter((id) => !before[slot]?.includes(id)).length;
  }
  return moved;
}

/** Worst factor of one join and the same leave, against the copies of the node itself. */
function movement(members: readonly Member[]): number {
  const joiner = members[members.length - 1] as Member;
  const before = ownersOfAll(members.slice(0, -1));
  const after = ownersOfAll(members);
  const least = after.flat().filter((id) => id === joiner.id).length;
  return Math.max(copiesMoved(before, after), copiesMoved(after, before)) / least;
}

Deno.test("placement() keeps equal nodes within 15 % of the mean, 5 to 50 nodes", () => {
  let worst = 0;
  for (const seed of seeds) {
    for (const count of [5, 7, 12, 24, 50]) {
      for (const share of placement({ members: membersOf({ count, seed }) }).shares(3).values()) {
        worst = Math.max(worst, Math.abs(share * count - 1));
      }
    }
  }
  console.log(`worst share off the mean: ${(worst * 100).toFixed(1)} %`);
  ok(worst <= 0.15);
});

Deno.test("placement() gives shares by capacity when zones are equal", () => {
  const capacities = [5, 10, 15, 10, 20];
  for (const seed of seeds) {
    const members = membersOf({
      count: 15,
      seed,
      capacity: (index) => (capacities[index % 5] as number) * GiB,
      zone: (index) => `zone ${Math.floor(index / 5)}`,
    });
    const balance = balanceOf(placement({ members }), replicas);
    strictEqual(balance.slotsBelow, 0);
    for (const { share, fair } of balance.nodes.values()) ok(Math.abs(share / fair - 1) < 0.2);
    for (const zone of balance.zones.values()) {
      ok(Math.abs(zone.share - 1 / 3) < 1e-9);
      strictEqual(zone.tooSmall, false);
    }
  }
});

Deno.test("placement() fills a small zone to its share, and balanceOf() says so", () => {
  for (const seed of seeds) {
    const members = membersOf({
      count: 9,
      seed,
      capacity: (index) => index === 0 ? 2 * GiB : 10 * GiB,
      zone: (index) => index === 0 ? "tiny" : `large ${index % 2}`,
    });
    const balance = balanceOf(placement({ members }), replicas);
    const tiny = balance.zones.get("tiny");
    ok(tiny !== undefined && tiny.tooSmall);
    ok(tiny.share <= tiny.fair * (1 + placementSlack) + 0.001, "not beyond its share");
    ok(tiny.share >= tiny.fair, "up to its share");
    ok(balance.slotsBelow > 0.8 && balance.slotsBelow < 1);
    for (const [zone, part] of balance.zones) strictEqual(part.tooSmall, zone === "tiny");
  }
});

Deno.test("placement() never puts all copies in one zone when another holds its part", () => {
  for (const seed of seeds.slice(0, 5)) {
    const members = membersOf({
      count: 8,
      seed,
      zone: (index) => index < 4 ? "large" : index < 6 ? "left" : "right",
    });
    const zoneOf = new Map(members.map((member) => [member.id, member.zone]));
    for (const owners of ownersOfAll(members)) {
      strictEqual(new Set(owners).size, replicas);
      ok(new Set(owners.map((id) => zoneOf.get(id))).size >= 2);
    }
  }
});

Deno.test("placement() moves at most 1.25 times the minimum when one node joins or leaves", () => {
  let worst = 0;
  for (const seed of seeds) {
    for (const count of [4, 6, 13, 31, 51]) {
      worst = Math.max(worst, movement(membersOf({ count, seed })));
      if (count < 20) {
        worst = Math.max(worst, movement(membersOf({ count, seed, zone: (at) => `host ${at}` })));
      }
    }
  }
  console.log(`copies moved on a join or leave, against the minimum: ${worst.toFixed(3)}`);
  ok(worst <= 1.25);
});

Deno.test("placement() moves little when zones are uneven", () => {
  const factors = seeds.flatMap((seed) =>
    [6, 7, 9, 13].map((count) => movement(membersOf({ count, seed, zone: (at) => `z${at % 3}` })))
  );
  factors.sort((one, other) => one - other);
  const median = factors[factors.length >> 1] as number;
  const worst = factors[factors.length - 1] as number;
  console.log(`three uneven zones: median ${median.toFixed(3)}, worst ${worst.toFixed(3)}`);
  ok(median <= 1.25 && worst <= 1.5);
});

Deno.test("placement() depends on the members alone, not on their order", () => {
  const members = membersOf({ count: 12, seed: 3, zone: (index) => `z${index % 5}` });
  deepStrictEqual(ownersOfAll(createPrng(9).shuffle(members)), ownersOfAll(members));
});

Deno.test("placement() gives the owners that every version must give", () => {
  const members = Array.from({ length: 7 }, (_, index): Member => ({
    id: asNodeId(`12D3KooWGoldenMember${index}`),
    since: 1 + index,
    capacity: (index + 1) * 2 * GiB,
    zone: `zone ${index % 3}`,
  }));
  const text = ownersOfAll(members).map((owners) => owners.map((id) => id.slice(-1)).join(""));
  deepStrictEqual(text.filter((_, slot) => slot % 2_731 === 0), golden.some);
  strictEqual(createHash("sha256").update(text.join(",")).digest("hex"), golden.digest);
});

Deno.test("ownersOf() of fewer replicas is a prefix, walk() begins with them and names all", () => {
  const members = membersOf({ count: 11, seed: 5, zone: (index) => `z${index % 4}` });
  const placed = placement({ members });
  for (const slot of [0, 77, 8191, slotCount - 1].map(asSlot)) {
    const walked = [...placed.walk(slot)];
    strictEqual(new Set(walked).size, 11);
    for (let copies = 1; copies <= 9; copies++) {
      deepStrictEqual(placed.ownersOf(slot, copies), walked.slice(0, copies));
    }
    for (const [place, id] of walked.entries()) {
      strictEqual(placed.isOwner(id, { slot, replicas: 3 }), place < 3);
      strictEqual(placed.slotsOf(id, 3).includes(slot), place < 3);
    }
  }
});

Deno.test("decidersOf() is the eldest alone below three members, else three owners", () => {
  const members = membersOf({ count: 4, seed: 8 });
  const slot = asSlot(4242);
  deepStrictEqual(decidersOf({ members: members.slice(0, 1) }, slot), [members[0]?.id]);
  const two = [members[1], members[0]] as Member[];
  deepStrictEqual(decidersOf({ members: two }, slot), [members[0]?.id]);
  for (const count of [3, 4]) {
    const roster = { members: members.slice(0, count) };
    deepStrictEqual(decidersOf(roster, slot), placement(roster).ownersOf(slot, 3));
  }
});

Deno.test("fairCopies() sums to the copies, never over one a node", () => {
  deepStrictEqual([...fairCopies([60, 20, 20], 2)], [1, 0.5, 0.5]);
  deepStrictEqual([...fairCopies([10, 10], 3)], [1, 1]);
  deepStrictEqual([...fairCopies([0, 0], 1)], [0.5, 0.5]);
});

Deno.test("placement() of the largest roster holds 2 million tokens and is balanced", () => {
  const members = membersOf({ count: 256, seed: 1, capacity: () => 200 * GiB });
  const start = performance.now();
  const placed = placement({ members });
  const shares = placed.shares(3);
  const mid = performance.now();
  placement({ members: membersOf({ count: 5, seed: 1, capacity: () => 64 * MiB }) })
    .ownersOf(asSlot(0), 3);
  const [large, small] = [mid - start, performance.now() - mid];
  console.log(
    `256 members of 8,192 tokens: ${large.toFixed(0)} ms; 5 small: ${small.toFixed(0)} ms`,
  );
  strictEqual(placed.tokenCountOf((members[0] as Member).id), 8_192);
  for (const share of shares.values()) ok(Math.abs(share * 256 - 1) < 0.4);
});

/** Changing these moves every block of every pool: only with a new roster rule. */
const golden = {
  some: ["045", "546", "345", "654", "516", "126"],
  digest: "f09c2298f6ccf439954891f2fcb883c5f4dfd31f62e0db7a3178cf8533f35adf",
};
