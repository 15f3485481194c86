// The tabs of a node, as far as other members may use them: what they hold, asked and passed on.
// These copies are extra: nobody counts them among the copies of a block.

import type { Cid } from "../../shared/base/ids.ts";

/** What tabs that are connected to this node hold. Neither method rejects. */
export interface TabCopies {
  /** Which of these some tab says that it holds, in the order of the CIDs. */
  seek(cids: readonly Cid[]): Promise<readonly boolean[]>;
  /** A block's bytes from a tab, matching its CID. */
  relay(cid: Cid, signal: AbortSignal): Promise<Uint8Array | undefined>;
}
