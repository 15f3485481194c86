import assert from "node:assert/strict";
import fc from "fast-check";
import { transferWindowBytes, transferWindowBytesMin } from "../../../../shared/base/limits.ts";
import {
  createTransferShares,
  type TransferShare,
} from "../../../../server/engine/transfer_shares.ts";

Deno.test("createTransferShares() gives one all, and divides among many", () => {
  const shares = createTransferShares();
  const one = shares.join();
  assert.equal(one.windowBytes(), transferWindowBytes);
  const other = shares.join();
  assert.equal(one.windowBytes(), transferWindowBytes / 2);
  other.leave();
  other.leave();
  assert.equal(one.windowBytes(), transferWindowBytes);
  assert.throws(() => other.windowBytes(), /has ended/);
});

Deno.test("createTransferShares() never gives out more than it has, or the least to each", () =>
  fc.assert(fc.property(fc.array(fc.boolean(), { maxLength: 80 }), (steps) => {
    const shares = createTransferShares();
    const open: TransferShare[] = [];
    for (const joins of steps) {
      if (joins) open.push(shares.join());
      else open.shift()?.leave();
      const given = open.reduce((sum, share) => sum + share.windowBytes(), 0);
      const most = Math.max(transferWindowBytes, open.length * transferWindowBytesMin);
      assert.ok(given <= most + 1, `${given} given to ${open.length}`);
    }
  })));
