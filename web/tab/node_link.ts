// One admitted connection to a node, both ways: what the node asks of the tab is answered from the
// tab's store, and what the tab asks goes over one long-lived stream, opened when first needed.

import type { Connection, Stream } from "@libp2p/interface";
import { asNodeId, type Cid, type NodeId } from "../../shared/base/ids.ts";
import { creditWindowBytes } from "../../shared/base/limits.ts";
import { tabWantsMax } from "../../shared/base/tab_limits.ts";
import { type Answer, BlockAsker } from "../peer/block_asker.ts";
import type { StartHash } from "../peer/block_hash.ts";
import { serveBlocks, type ServedBlocks } from "../peer/block_server.ts";
import type { Link } from "../peer/link.ts";

/** Opening a stream on a connection that stands: a round trip, and what a busy node needs. */
const openMs = 10_000;
const closeMs = 1_000;

export interface NodeLinkOptions {
  readonly connection: Connection;
  readonly protocol: string;
  readonly store: ServedBlocks;
  readonly startHash: StartHash;
  /** Bytes are about to be given to the node. */
  readonly onGiven: (bytes: number) => void;
}

/** One node to give to and take from; made once it is admitted. */
export class NodeLink {
  readonly id: NodeId;
  readonly address: string;
  readonly since: number;
  readonly #options: NodeLinkOptions;
  readonly #servers = new Set<Link>();
  #asker: BlockAsker | undefined;
  #opening: Promise<BlockAsker | undefined> | undefined;

  constructor(options: NodeLinkOptions, now: number) {
    this.#options = options;
    this.id = asNodeId(options.connection.remotePeer.toString());
    this.address = options.connection.remoteAddr.toString();
    this.since = now;
  }

  get open(): boolean {
    return this.#options.connection.status === "open";
  }

  /** Wants under way. */
  get inFlight(): number {
    return this.#asker?.inFlight ?? 0;
  }

  /** Asks for a block; bytes that come were verified. Never rejects. */
  async want(
    cid: Cid,
    options: { readonly timeoutMs: number; readonly signal: AbortSignal },
  ): Promise<Answer> {
    const open = this.#asker?.open === true ? this.#asker : await this.#openAsker();
    return open === undefined ? { kind: "closed" } : await open.want(cid, options);
  }

  /** Serves a stream that the node opened. */
  serve(stream: Stream): void {
    const { store, startHash, onGiven } = this.#options;
    const server = serveBlocks(stream, {
      // To the serving end a node is like a tab: it reads; it neither stores here nor leases.
      caller: { id: this.id, role: "tab" },
      store,
      startHash,
      readsMax: tabWantsMax,
      pace(bytes) {
        onGiven(bytes);
        return Promise.resolve(() => undefined);
      },
      // The store answers for itself; what it cannot read is not here.
      onFailure: () => undefined,
      onLie: () => undefined,
      onClosed: () => this.#servers.delete(server),
    });
    this.#servers.add(server);
  }

  /** Ends both streams and the connection; politely when the node is quick. Never rejects. */
  async close(reason: string): Promise<void> {
    const { connection } = this.#options;
    this.#asker?.close(reason);
    for (const server of [...this.#servers]) server.close(reason);
    try {
      await connection.close({ signal: AbortSignal.timeout(closeMs) });
    } catch {
      connection.abort(new Error(`Cannot keep connection: ${reason}`));
    }
  }

  #openAsker(): Promise<BlockAsker | undefined> {
    this.#opening ??= this.#open().finally(() => this.#opening = undefined);
    return this.#opening;
  }

  async #open(): Promise<BlockAsker | undefined> {
    const { connection, protocol, startHash } = this.#options;
    try {
      const signal = AbortSignal.timeout(openMs);
      const stream = await connection.newStream(protocol, { signal });
      this.#asker = new BlockAsker(stream, {
        peer: this.id,
        windowBytes: creditWindowBytes,
        startHash,
        // A node that lies gives nothing; its other answers are verified just the same.
        onLie: () => undefined,
      });
      return this.#asker;
    } catch {
      return undefined; // the connection is going: whoever wanted asks another node
    }
  }
}
