// Phases: each from the least facts that make it, in their order of precedence.

import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { createPhaseHolder, type PhaseFacts, phaseOf } from "../../../../server/engine/phases.ts";

const seeding: PhaseFacts = {
  peers: 4,
  members: 5,
  isMember: true,
  leaving: false,
  council: { answering: 5, size: 5 },
  paused: false,
  catalog: { complete: true, records: 10 },
  wantedKnown: true,
  wanted: 0,
  held: 1,
  full: false,
};

Deno.test("phaseOf() gives each phase from what makes it", () => {
  const cases: [Partial<PhaseFacts>, string, string][] = [
    [{}, "seeding", "1 block held, none wanted"],
    [
      { members: 1, peers: 0, council: { answering: 1, size: 1 } },
      "seeding",
      "1 block held, none wanted, the only member",
    ],
    [
      { isMember: false, peers: 0, members: 0 },
      "looking for peers",
      "no member of the group is connected",
    ],
    [{ peers: 0 }, "looking for peers", "none of 4 other members is connected"],
    [{ isMember: false, peers: 1 }, "joining", "asked 1 member to be taken into the roster"],
    [{ catalog: { complete: false, records: 7 } }, "fetching metadata", "7 records so far"],
    [{ wantedKnown: false }, "picking blocks", "computing what it should hold under the roster"],
    [{ wanted: 3 }, "fetching blocks", "3 blocks wanted"],
    [{ full: true }, "full", "its capacity is used up: others stand in for new copies"],
    [{ leaving: true }, "leaving", "told to leave: handing its blocks and records to others"],
    [{ council: { answering: 2, size: 5 } }, "read-only", "2 of 5 council members answer"],
    [{ paused: true }, "read-only", "was paused: comparing with others first"],
  ];
  for (const [facts, phase, because] of cases) {
    deepStrictEqual(phaseOf({ ...seeding, ...facts }), { phase, because });
  }
});

Deno.test("phaseOf() puts leaving before read-only before metadata before blocks", () => {
  const all: PhaseFacts = {
    ...seeding,
    leaving: true,
    council: { answering: 1, size: 3 },
    catalog: { complete: false, records: 0 },
    full: true,
    wanted: 9,
  };
  strictEqual(phaseOf(all).phase, "leaving");
  const staying = { ...all, leaving: false };
  strictEqual(phaseOf(staying).phase, "read-only");
  const writable = { ...staying, council: { answering: 2, size: 3 } };
  strictEqual(phaseOf(writable).phase, "fetching metadata");
  strictEqual(phaseOf({ ...writable, catalog: seeding.catalog }).phase, "full");
});

Deno.test("update() keeps since while the word stays, and tells only when it changes", () => {
  const holder = createPhaseHolder(100);
  strictEqual(holder.now().phase, "looking for peers");
  strictEqual(holder.update({ ...seeding, wanted: 5 }, 200)?.phase, "fetching blocks");
  strictEqual(holder.update({ ...seeding, wanted: 4 }, 300), undefined);
  deepStrictEqual(holder.now(), {
    phase: "fetching blocks",
    since: 200,
    because: "4 blocks wanted",
  });
  strictEqual(holder.update(seeding, 400)?.since, 400);
});
