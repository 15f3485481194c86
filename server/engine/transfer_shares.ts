// What one node keeps in memory for all transfers together. Each has a window of blocks in
// flight; alone it may use all of it, together they divide it. A window shrinks as others join
// and grows as they leave, at the transfer's next step: nobody waits for a lock, so nobody can
// wait for two.
//
// Invariant: all windows together hold the node's bytes, or every transfer its least window.

import { assert } from "../../shared/base/assert.ts";
import { transferWindowBytes, transferWindowBytesMin } from "../../shared/base/limits.ts";

/** One transfer's part. Call leave() at its end, whatever happened. */
export interface TransferShare {
  /** Bytes that it may have in flight now. */
  windowBytes(): number;
  /** Idempotent. */
  leave(): void;
}

/** The transfers of one node. */
export interface TransferShares {
  join(): TransferShare;
}

/** Shares of a node without transfers. @throws never */
export function createTransferShares(): TransferShares {
  const transfers = new Set<TransferShare>();
  return {
    join() {
      const share: TransferShare = {
        windowBytes: () => {
          assert(transfers.has(share), "a transfer that has ended moves nothing");
          return Math.max(transferWindowBytesMin, transferWindowBytes / transfers.size);
        },
        leave: () => void transfers.delete(share),
      };
      transfers.add(share);
      return share;
    },
  };
}
