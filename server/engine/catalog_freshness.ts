// A list that sees what was just stored elsewhere. Lists are read from this node's catalog, which
// follows the others by a moment; before a list begins, the catalog is compared with those of all
// members that answer, which costs one small message each when nothing differs. Whatever any of
// them had acknowledged by then is in the list. (T3 of the register protocol reads slots one by
// one, exactly, and is for repair: 16,384 of them are no way to list names.)
//
// Comparisons are shared: whoever asks while one runs waits for the next, since the one that
// runs may have passed what was stored since it began.

import type { NodeId } from "../../shared/base/ids.ts";
import { freshCatalogMs } from "../../shared/base/limits.ts";

export interface FreshnessOptions {
  /** Other members that are believed alive, whether there is a connection or not. */
  readonly peers: () => readonly NodeId[];
  /** One whole comparison. @throws when the peer does not answer */
  readonly compareWith: (peer: NodeId, signal: AbortSignal) => Promise<unknown>;
  /** Told of each comparison that failed: the list only says that it may lack something. */
  readonly onFailed: (peer: NodeId, error: unknown) => void;
}

/**
 * Asks for rounds of comparisons. The function resolves when one that began after its call has
 * ended: true when all who were asked answered, at the latest after freshCatalogMs, twice that
 * behind another round. @throws as `peers` does
 */
export function createFreshness(options: FreshnessOptions): () => Promise<boolean> {
  let running = Promise.resolve(true);
  let next: Promise<boolean> | undefined;

  async function round(): Promise<boolean> {
    const signal = AbortSignal.timeout(freshCatalogMs);
    const compared = options.peers().map((peer) => answered(options, { peer, signal }));
    return (await Promise.all(compared)).every(Boolean);
  }

  return () => {
    const begin = () => {
      next = undefined;
      running = round();
      return running;
    };
    next ??= running.then(begin, begin); // who asked for a round that failed was told
    return next;
  };
}

async function answered(
  { compareWith, onFailed }: FreshnessOptions,
  { peer, signal }: { readonly peer: NodeId; readonly signal: AbortSignal },
): Promise<boolean> {
  try {
    await compareWith(peer, signal);
    return true;
  } catch (error) {
    onFailed(peer, error);
    return false;
  }
}
