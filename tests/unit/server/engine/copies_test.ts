import assert from "node:assert/strict";
import fc from "fast-check";
import { asNodeId, type NodeId } from "../../../../shared/base/ids.ts";
import { cidOfDigest } from "../../../../shared/block/cid.ts";
import { hashBlockNow } from "../../../../server/engine/block_hash.ts";
import { CopyLedger, weakestOf } from "../../../../server/engine/copies.ts";

const cidAt = (row: number) =>
  cidOfDigest(hashBlockNow(new Uint8Array([row, row >> 8])), row % 7 === 0 ? "dag-pb" : "raw");
const peerAt = (index: number) => asNodeId(`node-${index}`);
const zoneOf = (id: NodeId) => `zone-${Number(id.slice(5)) % 3}`;

Deno.test("CopyLedger equals a map of sets, whatever is confirmed and revoked", () => {
  const action = fc.record({
    row: fc.nat(30),
    peer: fc.nat(3),
    confirm: fc.boolean(),
  });
  fc.assert(fc.property(fc.array(action, { maxLength: 200 }), (actions) => {
    const ledger = new CopyLedger(5);
    const oracle = Array.from({ length: 31 }, () => new Set<NodeId>());
    for (let row = 0; row <= 30; row++) assert.equal(ledger.add(cidAt(row)), row);
    for (const { row, peer, confirm } of actions) {
      const id = peerAt(peer);
      if (confirm) ledger.confirm(row, id);
      else ledger.revoke(row, id);
      if (confirm) oracle[row]?.add(id);
      else oracle[row]?.delete(id);
    }
    for (const [row, holders] of oracle.entries()) {
      assert.equal(ledger.cidAt(row), cidAt(row));
      assert.deepEqual(ledger.holdersOf(row).sort(), [...holders].sort());
      assert.equal(ledger.countOf(row), holders.size);
      for (let peer = 0; peer < 4; peer++) {
        assert.equal(ledger.has(row, peerAt(peer)), holders.has(peerAt(peer)));
      }
    }
    assert.deepEqual(weakestOf(ledger, zoneOf), {
      least: Math.min(...oracle.map((holders) => holders.size)),
      zones: Math.min(...oracle.map((holders) => new Set([...holders].map(zoneOf)).size)),
    });
  }));
});

Deno.test("CopyLedger only undercounts when a row is full, and keeps rows over many segments", () => {
  const ledger = new CopyLedger(2);
  for (let row = 0; row < 20_000; row++) ledger.add(cidAt(row));
  for (let peer = 0; peer < 4; peer++) ledger.confirm(19_999, peerAt(peer));
  assert.deepEqual(ledger.holdersOf(19_999), [peerAt(0), peerAt(1)]);
  for (const row of [0, 8_191, 8_192, 16_384, 19_999]) assert.equal(ledger.cidAt(row), cidAt(row));
});
