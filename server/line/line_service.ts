// What the line protocol needs of whoever serves it: a node (node_line.ts) gives it from its own
// parts, a gateway (gateway_line.ts) over HTTP from any node. The session turns it into text.

import type { Liveness } from "../../shared/status.ts";

/** A member of the netmap as the line protocol shows it. */
export interface LineMember {
  readonly id: string;
  /** `host:port` of its line protocol; null when it has none or is not known. */
  readonly line: string | null;
  readonly state: Liveness;
}

/** The pool as one node sees it. */
export interface LineView {
  /** Id of the node that sees it so. */
  readonly self: string;
  readonly members: readonly LineMember[];
  /** Ids in the order of the ring. */
  readonly ring: readonly string[];
}

/** One row of `FILE LIST`. */
export interface LineFile {
  readonly name: string;
  readonly size: number;
  /** Id of the first owner of the first block, when it is known. */
  readonly firstOwner: string | null;
}

/** An opened file. */
export interface LineDownload {
  readonly size: number;
  /** All bytes in order; throws midway rather than end short. */
  readonly bytes: AsyncIterable<Uint8Array>;
}

/** A file's facts. */
export interface LineStat {
  readonly cid: string;
  readonly size: number;
  readonly least: number;
  readonly wanted: number;
}

/** All methods throw SkyringError; `token` is what the client gave with AUTH, if anything. */
export interface LineService {
  view(token: string | undefined): Promise<LineView>;
  /** Probes every node afresh; does not wait for the answers. */
  discover(token: string | undefined): Promise<void>;
  /** Heals the network and resolves when it is done. @throws {SkyringError} what was lost */
  heal(options: LineCall): Promise<void>;
  push(
    body: AsyncIterable<Uint8Array>,
    options: LineCall & { readonly name: string; readonly size: number },
  ): Promise<{ readonly blocks: number }>;
  pull(name: string, options: LineCall): Promise<LineDownload>;
  list(options: LineCall): AsyncIterable<LineFile>;
  remove(name: string, token: string | undefined): Promise<void>;
  stat(name: string, token: string | undefined): Promise<LineStat>;
}

export interface LineCall {
  readonly token: string | undefined;
  readonly signal: AbortSignal;
}
