// Who stands behind each connection. Every connection starts pending; its dialler opens the
// admission exchange at once, and what has not been admitted by the deadline is closed and
// counted. Nothing but identify, ping and admission is served before. With `public`, a peer that
// never asks to be admitted stays as a stranger, up to a limit.
//
// Invariant: a connection settles once, as admitted, stranger or refused, and never changes.

import type { Connection, Libp2p, Stream } from "@libp2p/interface";
import type { Multiaddr } from "@multiformats/multiaddr";
import { messageOf } from "../../shared/base/errors.ts";
import { asNodeId, type NodeId } from "../../shared/base/ids.ts";
import {
  admissionDeadlineMs,
  admissionMessageBytesMax,
  connectionsPerPeerMax,
  strangersMax,
} from "../../shared/base/limits.ts";
import { admissionProtocol, type RefusalReason, type Ticket } from "../../shared/wire/admission.ts";
import {
  acceptExchange,
  dialExchange,
  type ExchangeContext,
  type ExchangeOutcome,
} from "./admission_exchange.ts";
import type { GroupKeys } from "./group_keys.ts";
import { createMailbox } from "./mailbox.ts";
import type { PeerEvent, PeerRole } from "./network.ts";

/** What a connection has been found to be. */
export type Standing =
  | { readonly kind: "pending" }
  | { readonly kind: "admitted"; readonly role: PeerRole; readonly bootId: string }
  | { readonly kind: "stranger" }
  | { readonly kind: "refused"; readonly reason: RefusalReason; readonly by: "us" | "them" };

export interface AdmissionOptions {
  readonly group: string;
  readonly selfId: NodeId;
  readonly bootId: string;
  readonly keys: GroupKeys;
  readonly public: boolean;
  readonly isLoopback: (address: Multiaddr) => boolean;
  readonly now: () => number;
  readonly deadlineMs?: number;
  /** This side is a tab with this permit. */
  readonly ticket?: Ticket;
  /** Whether a connection still answers; asked of the older of two boot ids. */
  readonly answers: (connection: Connection) => Promise<boolean>;
  readonly onEvent: (event: PeerEvent) => void;
}

/** The standing of every connection, and the admitted ones by peer. */
export interface Admission {
  /** Takes up a libp2p node that has not been started yet. */
  attach(node: Libp2p): Promise<void>;
  standing(connection: Connection): Standing;
  /** The standing once it is no longer pending; at most the deadline away. Never rejects. */
  settled(connection: Connection): Promise<Standing>;
  /** Whether the peer has begun to ask for admission on a pending connection. */
  asked(connection: Connection): boolean;
  /** Open admitted connections of a peer, oldest first. */
  connectionsOf(peer: NodeId): readonly Connection[];
  /** Every open connection. */
  connections(): readonly Connection[];
  /** Connections turned away since the start, by reason. */
  refusals(): ReadonlyMap<RefusalReason, number>;
  stop(): void;
}

interface Entry {
  standing: Standing;
  asked: boolean;
  readonly settled: PromiseWithResolvers<Standing>;
  readonly over: AbortController;
  readonly timer: ReturnType<typeof setTimeout>;
}

/** The admission driver of one node. */
export function createAdmission(options: AdmissionOptions): Admission {
  const entries = new Map<Connection, Entry>();
  const admitted = new Map<NodeId, Connection[]>();
  const refusals = new Map<RefusalReason, number>();
  const protocol = admissionProtocol(options.group);
  const peerOf = (connection: Connection) => asNodeId(connection.remotePeer.toString());

  function settle(connection: Connection, standing: Standing): void {
    const entry = entries.get(connection);
    if (entry === undefined || entry.standing.kind !== "pending") return;
    clearTimeout(entry.timer);
    entry.standing = standing;
    if (standing.kind === "admitted") {
      const peer = peerOf(connection);
      const others = admitted.get(peer) ?? [];
      admitted.set(peer, [...others, connection]);
      if (others.length === 0) options.onEvent({ kind: "admitted", id: peer, role: standing.role });
    }
    entry.settled.resolve(standing);
  }

  function turnAway(connection: Connection, why: { reason: RefusalReason; by: "us" | "them" }) {
    const entry = entries.get(connection);
    if (entry === undefined || entry.standing.kind !== "pending") return;
    refusals.set(why.reason, (refusals.get(why.reason) ?? 0) + 1);
    settle(connection, { kind: "refused", ...why });
    options.onEvent({
      kind: "refused",
      id: peerOf(connection),
      reason: why.by === "us" ? why.reason : `refused by peer: ${why.reason}`,
    });
    connection.close().catch((error) => connection.abort(error));
  }

  function onDeadline(connection: Connection): void {
    const strangers = [...entries.values()].filter((each) => each.standing.kind === "stranger");
    const entry = entries.get(connection);
    if (options.public && entry?.asked === false && strangers.length < strangersMax) {
      return settle(connection, { kind: "stranger" });
    }
    turnAway(connection, { reason: "timeout", by: "us" });
    entry?.over.abort();
  }

  function track(connection: Connection): Entry {
    const known = entries.get(connection);
    if (known !== undefined) return known;
    const entry: Entry = {
      standing: { kind: "pending" },
      asked: false,
      settled: Promise.withResolvers(),
      over: new AbortController(),
      timer: setTimeout(() => onDeadline(connection), options.deadlineMs ?? admissionDeadlineMs),
    };
    entries.set(connection, entry);
    return entry;
  }

  function untrack(connection: Connection): void {
    const entry = entries.get(connection);
    if (entry === undefined) return;
    const wasAdmitted = entry.standing.kind === "admitted";
    settle(connection, { kind: "refused", reason: "timeout", by: "them" });
    entries.delete(connection);
    entry.over.abort();
    if (!wasAdmitted) return;
    const peer = peerOf(connection);
    const rest = (admitted.get(peer) ?? []).filter((each) => each !== connection);
    if (rest.length > 0) return void admitted.set(peer, rest);
    admitted.delete(peer);
    options.onEvent({ kind: "gone", id: peer });
  }

  /** An older connection under another boot id: a copy if it answers, else a life that is over. */
  async function isCopied(connection: Connection, bootId: string): Promise<boolean> {
    for (const older of admitted.get(peerOf(connection)) ?? []) {
      const standing = entries.get(older)?.standing;
      if (standing?.kind !== "admitted" || standing.bootId === bootId) continue;
      if (await options.answers(older)) return true;
      older.abort(new Error("Cannot keep connection: its peer has started again"));
    }
    return false;
  }

  function contextOf(connection: Connection): ExchangeContext {
    return {
      ...options,
      remoteId: peerOf(connection),
      loopback: options.isLoopback(connection.remoteAddr),
      isCopied: (bootId) => isCopied(connection, bootId),
      hasRoom: () => (admitted.get(peerOf(connection)) ?? []).length < connectionsPerPeerMax,
    };
  }

  function conclude(connection: Connection, outcome: ExchangeOutcome): void {
    if (outcome.ok) {
      return settle(connection, { kind: "admitted", role: outcome.role, bootId: outcome.bootId });
    }
    const { reason, by } = outcome;
    // Only who knows the secret, or sits on this machine where there is none, is believed here.
    const believed = outcome.proven || options.keys.proofs.length === 0;
    if (by === "them" && reason === "copied_identity" && believed) {
      options.onEvent({ kind: "copied_identity", address: connection.remoteAddr.toString() });
    }
    turnAway(connection, { reason, by });
  }

  async function converse(stream: Stream, connection: Connection, side: typeof dialExchange) {
    const entry = track(connection);
    entry.asked = true;
    const mail = createMailbox(stream, {
      messageBytesMax: admissionMessageBytesMax,
      signal: entry.over.signal,
    });
    const outcome = await side(mail, contextOf(connection));
    await mail.close();
    conclude(connection, outcome);
  }

  async function ask(connection: Connection): Promise<void> {
    const entry = track(connection);
    try {
      const stream = await connection.newStream(protocol, { signal: entry.over.signal });
      await converse(stream, connection, dialExchange);
    } catch (error) {
      const unknown = error instanceof Error && error.name === "UnsupportedProtocolError";
      if (unknown && options.public) return settle(connection, { kind: "stranger" });
      connection.log("admission failed: %s", messageOf(error));
      turnAway(connection, { reason: unknown ? "other_group" : "timeout", by: "us" });
    }
  }

  async function accept(stream: Stream, connection: Connection): Promise<void> {
    const entry = track(connection);
    if (connection.direction !== "inbound" || entry.asked) {
      stream.abort(new Error("Cannot take admission: this side dialled, or it was asked before"));
      return;
    }
    await converse(stream, connection, acceptExchange);
  }

  return {
    async attach(node) {
      node.addEventListener("connection:open", ({ detail: connection }) => {
        track(connection);
        if (connection.direction === "outbound") void ask(connection);
      });
      node.addEventListener("connection:close", ({ detail }) => untrack(detail));
      await node.handle(protocol, accept, { maxInboundStreams: 1, maxOutboundStreams: 1 });
    },
    standing: (connection) => entries.get(connection)?.standing ?? { kind: "pending" },
    settled: (connection) => track(connection).settled.promise,
    asked: (connection) => entries.get(connection)?.asked ?? false,
    connectionsOf: (peer) =>
      (admitted.get(peer) ?? []).filter((connection) => connection.status === "open"),
    connections: () => [...entries.keys()],
    refusals: () => refusals,
    stop() {
      for (const connection of [...entries.keys()]) untrack(connection);
    },
  };
}
