// Keeps the mesh whole: every peer that should be connected is dialled, and dialled again with
// jittered exponential back-off, until forgotten. Of two nodes that keep each other the one with
// the lower id dials at once and the other a little later, so that most pairs end with one
// connection; when both dial, both connections are good and streams use either.

import type { NodeId } from "../../shared/base/ids.ts";
import type { PeerEvent } from "./network.ts";

const backOffMinMs = 250;
const backOffMaxMs = 15_000;
/** How long the higher id waits for the lower one's dial. */
const courtesyMs = 1_000;
/** Dials under way at once: a restart of a large group is no storm. */
const dialsMax = 16;

export interface KeepPeers {
  keep(id: NodeId, addresses: readonly string[]): void;
  forget(id: NodeId): void;
  onEvent(event: PeerEvent): void;
  stop(): Promise<void>;
}

interface Kept {
  addresses: readonly string[];
  failures: number;
  timer: ReturnType<typeof setTimeout> | undefined;
  dialling: boolean;
}

/** The keeper of one node. `dial` resolves once the peer is admitted. */
export function createKeepPeers(options: {
  readonly self: NodeId;
  readonly dial: (id: NodeId, addresses: readonly string[], signal: AbortSignal) => Promise<void>;
  /** Whether no dial to these addresses could give a better connection than there is. */
  readonly isConnected: (id: NodeId, addresses: readonly string[]) => boolean;
  readonly random?: () => number;
}): KeepPeers {
  const random = options.random ?? Math.random;
  const kept = new Map<NodeId, Kept>();
  const stopping = new AbortController();
  const running = new Set<Promise<void>>();

  const backOff = (failures: number) => backOffCeiling(failures) * (0.5 + random() / 2);

  function schedule(id: NodeId, delayMs: number): void {
    const peer = kept.get(id);
    if (peer === undefined || peer.dialling || stopping.signal.aborted) return;
    clearTimeout(peer.timer);
    peer.timer = setTimeout(() => {
      const dialling = attempt(id, peer).finally(() => running.delete(dialling));
      running.add(dialling);
    }, delayMs);
  }

  async function attempt(id: NodeId, peer: Kept): Promise<void> {
    if (stopping.signal.aborted || peer.addresses.length === 0) return;
    if (options.isConnected(id, peer.addresses)) return;
    if (running.size > dialsMax) return schedule(id, backOff(0));
    peer.dialling = true;
    // Every failure means the same here: try again later. Admission reports refusals itself.
    await options.dial(id, peer.addresses, stopping.signal).catch(() => undefined);
    peer.dialling = false;
    const reached = options.isConnected(id, peer.addresses);
    peer.failures = reached ? 0 : Math.min(peer.failures + 1, 10);
    if (!reached && kept.get(id) === peer) schedule(id, backOff(peer.failures));
  }

  return {
    keep(id, addresses) {
      if (id === options.self) return;
      const known = kept.get(id);
      if (known !== undefined) {
        const changed = known.addresses.join() !== addresses.join();
        known.addresses = addresses;
        if (!changed || options.isConnected(id, addresses)) return;
        known.failures = 0;
        return schedule(id, 0);
      }
      kept.set(id, { addresses, failures: 0, timer: undefined, dialling: false });
      schedule(id, options.self < id ? 0 : courtesyMs * (0.5 + random() / 2));
    },
    forget(id) {
      clearTimeout(kept.get(id)?.timer);
      kept.delete(id);
    },
    onEvent(event) {
      if (event.kind !== "gone") return;
      const peer = kept.get(event.id);
      if (peer === undefined) return;
      peer.failures = 0;
      schedule(event.id, backOff(options.self < event.id ? 0 : 2));
    },
    async stop() {
      stopping.abort();
      for (const peer of kept.values()) clearTimeout(peer.timer);
      await Promise.allSettled([...running]);
      kept.clear();
    },
  };
}

function backOffCeiling(failures: number): number {
  return Math.min(backOffMaxMs, backOffMinMs * 2 ** failures);
}
