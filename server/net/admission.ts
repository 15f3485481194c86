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
import { tabConnectionsMax, tabsMax } from "../../shared/base/tab_limits.ts";
import {
  admissionProtocol,
  isRestored,
  ownSpeech,
  type RefusalReason,
  type Speaks,
  type StartMark,
  type Ticket,
} from "../../shared/wire/admission.ts";
import { type DialContext, dialExchange } from "../../web/peer/admission_dial.ts";
import type { ExchangeOutcome } from "../../web/peer/admission_words.ts";
import type { PeerRole } from "../../web/peer/caller.ts";
import { createMailbox } from "../../web/peer/mailbox.ts";
import { type AcceptContext, acceptExchange } from "./admission_accept.ts";
import { equalInConstantTime, type GroupKeys } from "./group_keys.ts";
import type { PeerEvent } from "./network.ts";
import { Penalties } from "./penalties.ts";
import { watchFloods } from "./stream_floods.ts";

/** What a connection has been found to be. */
export type Standing =
  | { readonly kind: "pending" }
  | { readonly kind: "admitted"; readonly role: PeerRole; readonly bootId: string }
  | { readonly kind: "stranger" }
  | {
    readonly kind: "refused";
    readonly reason: RefusalReason;
    readonly by: "us" | "them";
    /** The reason in full, where there is more to say. */
    readonly detail?: string;
  };

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
  /** What this program speaks; replaced in tests only. */
  readonly speaks?: Speaks;
  /** Starts that this node has counted, and those that it met. */
  readonly starts?: number;
  readonly marks?: StartMarks;
  /** Whether a connection still answers; asked of the older of two boot ids. */
  readonly answers: (connection: Connection) => Promise<boolean>;
  readonly onEvent: (event: PeerEvent) => void;
}

/** The last start of each member that was met. */
export interface StartMarks {
  last(id: NodeId): StartMark | undefined;
  /** Notes one that was admitted. Never throws. */
  note(id: NodeId, mark: StartMark): void;
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
  /** Tabs that are admitted now. */
  tabs(): number;
  /** Ends all connections of a tab, and lets it in no more for a while. Others are left alone. */
  punish(peer: NodeId, reason: string): void;
  /** Milliseconds for which a tab is still kept out. */
  penaltyMs(peer: NodeId): number;
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
  return new AdmissionDriver(options);
}

class AdmissionDriver implements Admission {
  readonly #options: AdmissionOptions;
  readonly #entries = new Map<Connection, Entry>();
  readonly #admitted = new Map<NodeId, Connection[]>();
  readonly #refusals = new Map<RefusalReason, number>();
  readonly #penalties = new Penalties();
  readonly #protocol: string;

  constructor(options: AdmissionOptions) {
    this.#options = options;
    this.#protocol = admissionProtocol(options.group);
  }

  async attach(node: Libp2p): Promise<void> {
    node.addEventListener("connection:open", ({ detail: connection }) => {
      this.#track(connection);
      watchFloods(connection, {
        now: this.#options.now,
        onFlood: () => this.#onFlood(connection),
      });
      if (connection.direction === "outbound") void this.#ask(connection);
    });
    node.addEventListener("connection:close", ({ detail }) => this.#untrack(detail));
    const limits = { maxInboundStreams: 1, maxOutboundStreams: 1 };
    await node.handle(this.#protocol, (stream, from) => this.#accept(stream, from), limits);
  }

  standing(connection: Connection): Standing {
    return this.#entries.get(connection)?.standing ?? { kind: "pending" };
  }

  settled(connection: Connection): Promise<Standing> {
    return this.#track(connection).settled.promise;
  }

  asked(connection: Connection): boolean {
    return this.#entries.get(connection)?.asked ?? false;
  }

  connectionsOf(peer: NodeId): readonly Connection[] {
    return (this.#admitted.get(peer) ?? []).filter(({ status }) => status === "open");
  }

  connections(): readonly Connection[] {
    return [...this.#entries.keys()];
  }

  refusals(): ReadonlyMap<RefusalReason, number> {
    return this.#refusals;
  }

  tabs(): number {
    const isTab = ({ standing }: Entry) => standing.kind === "admitted" && standing.role === "tab";
    const all = [...this.#entries].filter(([, entry]) => isTab(entry));
    return new Set(all.map(([connection]) => connection.remotePeer.toString())).size;
  }

  punish(peer: NodeId, reason: string): void {
    const connections = this.#admitted.get(peer) ?? [];
    if (!connections.some((each) => this.#roleOf(each) === "tab")) return;
    this.#penalties.add(peer, this.#options.now());
    this.#refusals.set("penalty", (this.#refusals.get("penalty") ?? 0) + 1);
    this.#options.onEvent({ kind: "refused", id: peer, reason: `dropped: ${reason}` });
    for (const connection of connections) {
      connection.abort(new Error(`Cannot keep tab: ${reason}`));
    }
  }

  penaltyMs(peer: NodeId): number {
    return this.#penalties.leftMs(peer, this.#options.now());
  }

  #roleOf(connection: Connection): PeerRole | undefined {
    const standing = this.#entries.get(connection)?.standing;
    return standing?.kind === "admitted" ? standing.role : undefined;
  }

  /** Members may open as many streams as they like: those of the DHT come in numbers. */
  #onFlood(connection: Connection): void {
    const role = this.#roleOf(connection);
    if (role === "member" || connection.status !== "open") return;
    if (role === "tab") return this.punish(peerOf(connection), "it opens streams without end");
    connection.abort(new Error("Cannot keep connection: too many streams"));
  }

  stop(): void {
    for (const connection of [...this.#entries.keys()]) this.#untrack(connection);
  }

  #settle(connection: Connection, standing: Standing): void {
    const entry = this.#entries.get(connection);
    if (entry === undefined || entry.standing.kind !== "pending") return;
    clearTimeout(entry.timer);
    entry.standing = standing;
    if (standing.kind === "admitted") {
      const peer = peerOf(connection);
      const others = this.#admitted.get(peer) ?? [];
      this.#admitted.set(peer, [...others, connection]);
      if (others.length === 0) {
        this.#options.onEvent({ kind: "admitted", id: peer, role: standing.role });
      }
    }
    entry.settled.resolve(standing);
  }

  #turnAway(
    connection: Connection,
    why: { reason: RefusalReason; by: "us" | "them"; detail?: string },
  ) {
    const entry = this.#entries.get(connection);
    if (entry === undefined || entry.standing.kind !== "pending") return;
    this.#refusals.set(why.reason, (this.#refusals.get(why.reason) ?? 0) + 1);
    this.#settle(connection, { kind: "refused", ...why });
    const text = why.detail ?? why.reason;
    this.#options.onEvent({
      kind: "refused",
      id: peerOf(connection),
      reason: why.by === "us" ? text : `refused by peer: ${text}`,
    });
    connection.close().catch((error) => connection.abort(error));
  }

  #onDeadline(connection: Connection): void {
    // Taken up after its close was told: nobody would take it out again.
    if (connection.status !== "open") return this.#untrack(connection);
    const strangers = [...this.#entries.values()].filter((each) =>
      each.standing.kind === "stranger"
    );
    const entry = this.#entries.get(connection);
    if (this.#options.public && entry?.asked === false && strangers.length < strangersMax) {
      return this.#settle(connection, { kind: "stranger" });
    }
    this.#turnAway(connection, { reason: "timeout", by: "us" });
    entry?.over.abort();
  }

  #track(connection: Connection): Entry {
    const known = this.#entries.get(connection);
    if (known !== undefined) return known;
    const entry: Entry = {
      standing: { kind: "pending" },
      asked: false,
      settled: Promise.withResolvers(),
      over: new AbortController(),
      timer: setTimeout(
        () => this.#onDeadline(connection),
        this.#options.deadlineMs ?? admissionDeadlineMs,
      ),
    };
    this.#entries.set(connection, entry);
    return entry;
  }

  #untrack(connection: Connection): void {
    const entry = this.#entries.get(connection);
    if (entry === undefined) return;
    const wasAdmitted = entry.standing.kind === "admitted";
    this.#settle(connection, { kind: "refused", reason: "timeout", by: "them" });
    this.#entries.delete(connection);
    entry.over.abort();
    if (!wasAdmitted) return;
    const peer = peerOf(connection);
    const rest = (this.#admitted.get(peer) ?? []).filter((each) => each !== connection);
    if (rest.length > 0) return void this.#admitted.set(peer, rest);
    this.#admitted.delete(peer);
    this.#options.onEvent({ kind: "gone", id: peer });
  }

  /** An older connection under another boot id: a copy if it answers, else a life that is over. */
  async #isCopied(connection: Connection, bootId: string): Promise<boolean> {
    for (const older of this.#admitted.get(peerOf(connection)) ?? []) {
      const standing = this.#entries.get(older)?.standing;
      if (standing?.kind !== "admitted" || standing.bootId === bootId) continue;
      if (await this.#options.answers(older)) return true;
      older.abort(new Error("Cannot keep connection: its peer has started again"));
    }
    return false;
  }

  #contextOf(connection: Connection): AcceptContext & DialContext {
    return {
      ...this.#options,
      ...this.#options.keys,
      equal: equalInConstantTime,
      remoteId: peerOf(connection),
      loopback: this.#options.isLoopback(connection.remoteAddr),
      isCopied: (bootId) => this.#isCopied(connection, bootId),
      isRestored: (start) => isRestored(start, this.#options.marks?.last(peerOf(connection))),
      refusalOf: (role) => this.#refusalOf(peerOf(connection), role),
    };
  }

  #refusalOf(peer: NodeId, role: PeerRole): RefusalReason | undefined {
    const open = (this.#admitted.get(peer) ?? []).length;
    if (role === "member") {
      return open < connectionsPerPeerMax ? undefined : "too_many_connections";
    }
    if (this.penaltyMs(peer) > 0) return "penalty";
    const fits = open === 0 ? this.tabs() < tabsMax : open < tabConnectionsMax;
    return fits ? undefined : "too_many_connections";
  }

  #conclude(connection: Connection, outcome: ExchangeOutcome): void {
    if (outcome.ok) {
      const { role, bootId, starts } = outcome;
      const peer = peerOf(connection);
      // Asked again: others may have been let in since this one was welcomed.
      const isInbound = connection.direction === "inbound";
      const refusal = isInbound ? this.#refusalOf(peer, role) : undefined;
      if (refusal !== undefined) return this.#turnAway(connection, { reason: refusal, by: "us" });
      if (role === "member" && starts !== undefined) {
        this.#options.marks?.note(peer, { boot: bootId, starts });
      }
      return this.#settle(connection, { kind: "admitted", role, bootId });
    }
    const { reason, by, speaks } = outcome;
    // Only who knows the secret, or sits on this machine where there is none, is believed here.
    const believed = outcome.proven || this.#options.keys.proofs.length === 0;
    if (by === "them" && believed && (reason === "copied_identity" || reason === "restored_disk")) {
      this.#options.onEvent({ kind: reason, address: connection.remoteAddr.toString() });
    }
    const own = this.#options.speaks ?? ownSpeech;
    const detail = reason === "other_version" ? { detail: otherVersion(own, speaks) } : {};
    this.#turnAway(connection, { reason, by, ...detail });
  }

  async #converse(
    stream: Stream,
    connection: Connection,
    side: typeof acceptExchange | typeof dialExchange,
  ) {
    const entry = this.#track(connection);
    entry.asked = true;
    const mail = createMailbox(stream, {
      messageBytesMax: admissionMessageBytesMax,
      signal: entry.over.signal,
    });
    const outcome = await side(mail, this.#contextOf(connection));
    await mail.close();
    this.#conclude(connection, outcome);
  }

  async #ask(connection: Connection): Promise<void> {
    const entry = this.#track(connection);
    try {
      const stream = await connection.newStream(this.#protocol, { signal: entry.over.signal });
      await this.#converse(stream, connection, dialExchange);
    } catch (error) {
      const unknown = error instanceof Error && error.name === "UnsupportedProtocolError";
      if (unknown && this.#options.public) return this.#settle(connection, { kind: "stranger" });
      connection.log("admission failed: %s", messageOf(error));
      this.#turnAway(connection, { reason: unknown ? "other_group" : "timeout", by: "us" });
    }
  }

  async #accept(stream: Stream, connection: Connection): Promise<void> {
    const entry = this.#track(connection);
    if (connection.direction !== "inbound" || entry.asked) {
      stream.abort(new Error("Cannot take admission: this side dialled, or it was asked before"));
      return;
    }
    await this.#converse(stream, connection, acceptExchange);
  }
}

/** Both versions in one line. */
function otherVersion(own: Speaks, other: Speaks | undefined): string {
  const { protocol, version } = other ?? { protocol: 1, version: "unknown" };
  return `other_version: it speaks protocol ${protocol} (version ${version}), ` +
    `this node ${own.protocol} (version ${own.version})`;
}

function peerOf(connection: Connection): NodeId {
  return asNodeId(connection.remotePeer.toString());
}
