// The block protocol as engines see it: put and want by CID on one peer. The driver pipelines
// them on one long-lived stream per peer and direction, with credits; bytes that arrive are
// hashed once, at the door, before the promise resolves.

import type { BlockKind } from "../../shared/block/block_store.ts";
import type { Cid, NodeId } from "../../shared/base/ids.ts";

/** What a peer answered to a want. */
export type WantOutcome =
  | { readonly ok: true; readonly bytes: Uint8Array }
  | {
    readonly ok: false;
    readonly code: "dont_have" | "busy" | "bad_block" | "unreachable" | "timeout";
  };

/** What a peer answered to a put: `ok` means durable there. */
export type OfferOutcome =
  | { readonly ok: true }
  | {
    readonly ok: false;
    readonly code: "full" | "busy" | "refused" | "unreachable" | "timeout";
  };

export interface ExchangeOptions {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

/** Blocks to and from other peers. No method throws for a peer's fault: outcomes are returned. */
export interface BlockExchange {
  want(peer: NodeId, cid: Cid, options: ExchangeOptions): Promise<WantOutcome>;
  put(
    peer: NodeId,
    block: { readonly cid: Cid; readonly bytes: Uint8Array; readonly kind: BlockKind },
    options: ExchangeOptions,
  ): Promise<OfferOutcome>;
  /** Which of these blocks the peer holds durably; a call with `lease` renews their leases. */
  have(
    peer: NodeId,
    cids: readonly Cid[],
    options: ExchangeOptions & { readonly lease: boolean },
  ): Promise<
    { readonly ok: true; readonly held: readonly boolean[] } | {
      readonly ok: false;
      readonly code: "busy" | "unreachable" | "timeout";
    }
  >;
  /** Smoothed bytes a second and milliseconds of waiting, for choosing among holders. */
  rating(
    peer: NodeId,
  ): { readonly bytesPerSecond: number; readonly latencyMs: number; readonly inFlight: number };
}
