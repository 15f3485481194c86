// H2: where the walk over earlier configurations stops, for each mix of answers.

import assert from "node:assert/strict";
import { asNodeId, asSlot, type NodeId } from "../../../../shared/base/ids.ts";
import { createPrng } from "../../../../shared/base/prng.ts";
import { agreementSettings } from "../../../../shared/record/agreement.ts";
import { type Core, createCore } from "../../../../shared/record/agreement_core.ts";
import type { RegisterRows } from "../../../../shared/record/agreement_port.ts";
import { createHandover, type Handover } from "../../../../shared/record/handover.ts";
import { foundingRoster } from "../../../../shared/ring/roster_change.ts";
import type { Roster } from "../../../../shared/ring/roster.ts";

const id = asNodeId;
const slot = asSlot(0);
const noRows: RegisterRows = {
  get: () => undefined,
  scan: () => [],
  empty: () => true,
  floor: () => null,
  tombstones: () => [],
};

interface Walk {
  readonly core: Core;
  readonly handover: Handover;
  readonly arrived: () => boolean;
  /** Answers the question about configuration `last`. */
  say(from: string, last: number, yes: boolean): void;
  /** Configuration that each is asked about, newest question of each. */
  asked(): Record<string, number>;
  wait(ms: number): void;
}

/** Deciders: epoch 1 [A], epoch 2 and 3 [B C D], from epoch 4 on [E F G]; E reads. */
function walk(lost: readonly string[] = []): Walk {
  const decidersOf = ({ epoch }: Roster) =>
    (epoch === 1 ? ["A"] : epoch < 4 ? ["B", "C", "D"] : ["E", "F", "G"]).map(id);
  const founding = { founder: id("A"), foundedAt: 1, salt: "0".repeat(32), capacity: 1, zone: "" };
  const first = foundingRoster(founding);
  const rosters = [1, 2, 3, 4].map((epoch): Roster => ({
    ...first,
    epoch,
    members: [..."ABCDEFG"].map((name) => ({ id: id(name), since: 1, capacity: 1, zone: "" })),
    lost: epoch === 4 ? lost.map(id) : [],
  }));
  const core = createCore({
    ...{ self: id("E"), boot: 1, prng: createPrng(1), settings: agreementSettings },
    mutants: new Set(),
    placement: { slotCount: 1, slotOf: () => slot, decidersOf: (of) => decidersOf(of as Roster) },
    disk: {
      saved: {
        ...{ lane: 0, leaving: false, council: null },
        lanes: [{ lane: 0, rosters, slots: [] }],
      },
      rows: () => noRows,
    },
  });
  let arrived = false;
  const asked: Record<string, number> = {};
  const handover = createHandover(core, {
    lane: () => core.live,
    arrived: () => {
      arrived = true;
    },
  });
  const look = () => {
    for (const output of core.flush()) {
      if (output.kind !== "send" || output.message.body.kind !== "slot-read") continue;
      for (const question of output.message.body.slots) asked[output.to] = question.last;
    }
  };
  handover.begin([slot], () => 3);
  look();
  return {
    ...{ core, handover, arrived: () => arrived, asked: () => asked },
    say(from, last, yes) {
      const answer = { slot, last, after: "", yes, rows: [], next: null };
      handover.rows(id(from), { kind: "slot-rows", ask: 0, slots: [answer] });
      look();
    },
    wait(ms) {
      core.now += ms;
      handover.tick();
      look();
    },
  };
}

Deno.test("createHandover() asks all of the newest earlier configuration first", () => {
  assert.deepEqual(walk().asked(), { B: 3, C: 3, D: 3 });
});

Deno.test("createHandover() stops when a majority says yes", () => {
  const reader = walk();
  reader.say("B", 3, true);
  assert.equal(reader.arrived(), false);
  reader.say("D", 3, true);
  assert.equal(reader.arrived(), true);
});

Deno.test("createHandover() goes on to the older one when all answered and few said yes", () => {
  const reader = walk();
  reader.say("B", 3, true);
  reader.say("C", 3, false);
  reader.say("D", 3, false);
  assert.equal(reader.asked().A, 1);
  assert.equal(reader.arrived(), false);
  reader.say("A", 1, true);
  assert.equal(reader.arrived(), true);
});

Deno.test("createHandover() goes on with a majority of answers once its patience is over", () => {
  const reader = walk();
  reader.say("B", 3, true);
  reader.say("C", 3, false);
  assert.equal(reader.asked().A, undefined);
  reader.wait(agreementSettings.handoverPatienceMs);
  assert.equal(reader.asked().A, 1);
});

Deno.test("createHandover() waits for as long as a majority does not answer", () => {
  const reader = walk();
  reader.say("B", 3, true);
  for (let second = 0; second < 100; second++) reader.wait(1_000);
  assert.equal(reader.arrived(), false);
  assert.equal(reader.asked().A, undefined);
  const [waiting] = reader.handover.waiting(1);
  assert.deepEqual(waiting?.for, ["C", "D"] satisfies string[] as NodeId[]);
});

Deno.test("createHandover() does not wait for lost disks, and reads what is older then", () => {
  const reader = walk(["C", "D"]);
  assert.deepEqual(reader.asked(), { B: 3 });
  reader.say("B", 3, true);
  assert.equal(reader.asked().A, 1);
  reader.say("A", 1, true);
  assert.equal(reader.arrived(), true);
});

Deno.test("createHandover() counts each responder once when answers are doubled", () => {
  const reader = walk();
  reader.say("B", 3, true);
  reader.say("B", 3, true);
  reader.say("X", 3, true);
  assert.equal(reader.arrived(), false);
});
