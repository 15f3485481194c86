import assert from "node:assert/strict";
import { asNodeId } from "../../../../shared/base/ids.ts";
import { tabPenaltiesMax, tabPenaltyMs } from "../../../../shared/base/tab_limits.ts";
import { Penalties } from "../../../../server/net/penalties.ts";

Deno.test("a penalty lasts its time, and a new one begins anew", () => {
  const penalties = new Penalties();
  const peer = asNodeId("a");
  assert.equal(penalties.leftMs(peer, 0), 0);
  penalties.add(peer, 0);
  assert.equal(penalties.leftMs(peer, 1), tabPenaltyMs - 1);
  penalties.add(peer, 100);
  assert.equal(penalties.leftMs(peer, tabPenaltyMs), 100);
  assert.equal(penalties.leftMs(peer, tabPenaltyMs + 100), 0);
  assert.equal(penalties.size, 0);
});

Deno.test("penalties are bounded: the oldest and those that are over go first", () => {
  const penalties = new Penalties();
  for (let peer = 0; peer < tabPenaltiesMax + 5; peer++) penalties.add(asNodeId(`p${peer}`), 1);
  assert.equal(penalties.size, tabPenaltiesMax);
  assert.equal(penalties.leftMs(asNodeId("p4"), 2), 0);
  assert.ok(penalties.leftMs(asNodeId("p5"), 2) > 0);
  penalties.add(asNodeId("late"), 2 * tabPenaltyMs);
  assert.equal(penalties.size, 1);
});
