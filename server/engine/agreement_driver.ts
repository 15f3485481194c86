// Runs the agreement machine of one node: its clock, its disk, its two channels, and promises for
// those who read and change records. The machine decides everything; this file only carries:
// inputs are taken one at a time, outputs leave through the outbox after what they rest on is
// durable. While its disk is full it is as if cut off: operations end, nothing is promised.

import type { NodeId, Slot } from "../../shared/base/ids.ts";
import { sha256Text } from "../../shared/base/hash.ts";
import { operationDeadlineMs, slotCount } from "../../shared/base/limits.ts";
import { createPrng } from "../../shared/base/prng.ts";
import { agreementSettings, createAgreement } from "../../shared/record/agreement.ts";
import type {
  Agreement,
  AgreementInput,
  AgreementMessage,
  AgreementSettings,
  AgreementStatus,
  Change,
  ListingPage,
  Outcome,
  Placement,
  Proposal,
} from "../../shared/record/agreement_port.ts";
import { stampIsPlausible } from "../../shared/record/clock.ts";
import { compareKeys } from "../../shared/record/listing.ts";
import { recordKeyOf, registerKey } from "../../shared/record/register_key.ts";
import type { RecordKey, Stamp, Value } from "../../shared/record/value.ts";
import { decidersOf } from "../../shared/ring/placement.ts";
import type { Roster } from "../../shared/ring/roster.ts";
import { slotOfDigest } from "../../shared/ring/slot.ts";
import type { DecodedMessage } from "../../shared/wire/roster_message.ts";
import type { Database } from "../disk/database.ts";
import { createRegisterTable } from "../disk/register_rows.ts";
import { loadAgreement } from "../disk/roster_table.ts";
import type { Network } from "../net/network.ts";
import { openAgreementChannels } from "./agreement_channels.ts";
import { createOutbox, type Released } from "./agreement_outbox.ts";

/** What others believe of the members; asked about once a second. */
export interface AgreementOpinions {
  /** Peers to talk to: members believed alive, and admitted peers not in the roster yet. */
  alive(): readonly NodeId[];
  /**
   * Members believed dead for longer than `--grace`, all the while that this node was in touch
   * with the council, which it has been for `inTouchMs`: who comes back from the smaller side of
   * a cut believes the others dead, and must hear of them before it may expel anyone.
   */
  overdue(inTouchMs: number): readonly NodeId[];
  /** What members said of themselves: lets history be trimmed. */
  reports(): readonly {
    readonly id: NodeId;
    readonly epoch: number;
    readonly arriving: number;
  }[];
}

export interface AgreementDriverOptions {
  readonly self: NodeId;
  /** This start's number, durable already: see roster_table.ts. */
  readonly boot: number;
  readonly database: Database;
  readonly network: Pick<Network, "channel">;
  readonly opinions: AgreementOpinions;
  readonly now: () => number;
  /** Seed of the pacing randomness. */
  readonly seed: number;
  readonly settings?: Partial<AgreementSettings>;
  /** The disk has no room for what this node should promise; it is tried again. */
  readonly onNoRoom?: () => void;
  /** A write failed: the node must stop. */
  readonly onFailed: (error: unknown) => void;
  /** A peer sent what is no message. */
  readonly onBadMessage?: (from: NodeId, reason: string) => void;
}

/** How a node with an empty disk begins. Ignored when the disk holds a roster. */
export type AgreementBeginning =
  | {
    readonly kind: "found";
    readonly capacity: number;
    readonly zone: string;
    /** 16 random bytes, hex. */
    readonly salt: string;
  }
  | { readonly kind: "join"; readonly capacity: number; readonly zone: string }
  /** Goes on leaving: the one beginning that does not ask to be a member. */
  | { readonly kind: "leave" };

export interface AgreementDriver {
  /** Begins, or goes on from what the disk holds. Call once, after the network's channels exist. */
  start(beginning: AgreementBeginning): void;
  /** One operation on a register. Never rejects: an outcome is a value. */
  operate(
    key: RecordKey,
    change: Change,
    options?: { readonly deadlineMs?: number },
  ): Promise<Outcome>;
  /** One page of a slot's registers, exact per key (T3); undefined without a quorum. */
  list(slot: Slot, after: string): Promise<SlotPage | undefined>;
  propose(proposal: Proposal): void;
  roster(): Roster | undefined;
  /** Rosters as kept, oldest first. */
  history(): readonly Roster[];
  status(): AgreementStatus;
  /** Whether this node answers for the slot's registers. */
  answers(slot: Slot): boolean;
  onRoster(listener: (roster: Roster) => void): void;
  /** Values that this node saw decided. */
  onDecided(listener: (key: RecordKey, value: Value) => void): void;
  /** Whether this node can promise and decide nothing: its disk is full. */
  stuck(): boolean;
  /** Resolves when all that was decided or accepted here so far is durable and was sent. */
  flushed(): Promise<void>;
  /** Ends operations (unknown, or nothing written), lets writes finish. Never rejects. */
  stop(): Promise<void>;
}

/** Live records and tombstones of a slot, ascending by register key. */
export interface SlotPage {
  readonly records: readonly { readonly key: RecordKey; readonly value: Value }[];
  /** `after` of the next page, null at the end. */
  readonly next: string | null;
}

/** Ticks are frequent enough for a back-off of 20 ms to mean something. */
const tickMs = 25;
const opinionsMs = 1_000;

/** Deciders and slots as the product places them. */
export const ringPlacement: Placement = {
  slotCount,
  slotOf: (key) => slotOfDigest(sha256Text(key)),
  decidersOf: (roster, slot) => decidersOf(roster, slot),
};

/** A driver over the database's present content. @throws {SkyringError} corrupt */
export function createAgreementDriver(options: AgreementDriverOptions): AgreementDriver {
  return new Driver(options);
}

class Driver implements AgreementDriver {
  readonly #options: AgreementDriverOptions;
  readonly #machine: Agreement;
  readonly #outbox: ReturnType<typeof createOutbox>;
  readonly #sendTo: ReturnType<typeof openAgreementChannels>;
  readonly #inbox: AgreementInput[] = [];
  readonly #open = new Map<number, (outcome: Outcome) => void>();
  readonly #listing = new Map<number, (page: ListingPage | undefined) => void>();
  readonly #rosterListeners: ((roster: Roster) => void)[] = [];
  readonly #decidedListeners: ((key: RecordKey, value: Value) => void)[] = [];
  #timer: ReturnType<typeof setInterval> | undefined;
  #opinionsAt = 0;
  #inTouchSince: number;
  #nextId = 1;
  #stepping = false;
  #ended = false;
  #stopping: Promise<void> | undefined;

  constructor(options: AgreementDriverOptions) {
    this.#options = options;
    const { self, boot, database, network, seed } = options;
    this.#inTouchSince = options.now();
    const table = createRegisterTable(database);
    this.#machine = createAgreement({
      ...{ self, boot, prng: createPrng(seed), placement: ringPlacement, mutants: new Set() },
      disk: { saved: loadAgreement(database), rows: (lane) => table.rows(lane) },
      settings: { ...agreementSettings, ...options.settings },
    });
    this.#outbox = createOutbox({
      database,
      table,
      release: (output) => this.#release(output),
      noRoom: () => {
        this.#endOperations(); // results would wait for room behind what was refused
        options.onNoRoom?.();
      },
      failed: (error) => this.#fail(error),
    });
    this.#sendTo = openAgreementChannels(network, (from, decoded) => this.#receive(from, decoded));
  }

  start(beginning: AgreementBeginning): void {
    const { now } = this.#options;
    this.#tellOpinions();
    if (this.roster() === undefined && beginning.kind === "found") {
      this.#input({ ...beginning, foundedAt: Math.floor(now()) });
    } else if (beginning.kind === "leave") {
      this.propose({ kind: "leave" });
    } else {
      const { kind, capacity, zone } = beginning;
      this.propose(kind === "join" ? { kind, capacity, zone } : { kind: "resize", capacity });
    }
    this.#timer = setInterval(() => this.#tick(), tickMs);
  }

  operate(
    key: RecordKey,
    change: Change,
    { deadlineMs = operationDeadlineMs }: { readonly deadlineMs?: number } = {},
  ): Promise<Outcome> {
    if (this.#ended || this.#outbox.stuck()) return Promise.resolve({ kind: "no_quorum" });
    if (this.#outbox.full()) return Promise.resolve({ kind: "busy" });
    const id = this.#nextId++;
    const deadlineAt = this.#options.now() + deadlineMs;
    return new Promise((resolve) => {
      this.#open.set(id, resolve);
      this.#input({ kind: "operation", id, key: registerKey(key), change, deadlineAt });
    });
  }

  async list(slot: Slot, after: string): Promise<SlotPage | undefined> {
    const page = await this.#page(slot, after);
    if (page === undefined) return undefined;
    const decided = page.decided.map(({ key, value }) => ({ key, value: value ?? undefined }));
    const read = await Promise.all(page.open.map((key) => this.#readOne(key)));
    if (read.includes(undefined)) return undefined;
    const records = [...decided, ...read.filter((one) => one !== undefined)]
      .sort((left, right) => compareKeys(left.key, right.key))
      .flatMap(({ key, value }) => {
        const of = recordKeyOf(key);
        return of === undefined || value === undefined ? [] : [{ key: of, value }];
      });
    return { records, next: page.next };
  }

  #page(slot: Slot, after: string): Promise<ListingPage | undefined> {
    if (this.#ended) return Promise.resolve(undefined);
    const id = this.#nextId++;
    const deadlineAt = this.#options.now() + operationDeadlineMs;
    return new Promise((resolve) => {
      this.#listing.set(id, resolve);
      this.#input({ kind: "list", id, slot, after, deadlineAt });
    });
  }

  async #readOne(key: string): Promise<{ key: string; value: Value | undefined } | undefined> {
    const of = recordKeyOf(key);
    if (of === undefined) return { key, value: undefined };
    const outcome = await this.operate(of, { kind: "get" });
    return outcome.kind === "ok" ? { key, value: outcome.value } : undefined;
  }

  propose(proposal: Proposal): void {
    this.#input({ kind: "propose", proposal });
  }

  roster(): Roster | undefined {
    return this.#machine.history().at(-1);
  }

  history(): readonly Roster[] {
    return this.#machine.history();
  }

  status(): AgreementStatus {
    return this.#machine.status();
  }

  answers(slot: Slot): boolean {
    return this.#machine.answers(slot);
  }

  onRoster(listener: (roster: Roster) => void): void {
    this.#rosterListeners.push(listener);
  }

  onDecided(listener: (key: RecordKey, value: Value) => void): void {
    this.#decidedListeners.push(listener);
  }

  readonly stuck = () => this.#outbox.stuck();
  readonly flushed = () => this.#outbox.flushed();

  stop(): Promise<void> {
    return this.#stopping ??= this.#stop();
  }

  async #stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#input({ kind: "stop" });
    this.#ended = true;
    await this.#outbox.end();
    this.#endOperations();
  }

  #tick(): void {
    if (this.#options.now() >= this.#opinionsAt) this.#tellOpinions();
    this.#input({ kind: "tick" });
  }

  #tellOpinions(): void {
    const { opinions, now } = this.#options;
    this.#opinionsAt = now() + opinionsMs;
    this.#input({ kind: "liveness", alive: opinions.alive() });
    this.#input({ kind: "reports", reports: opinions.reports() });
    const { member, readOnly } = this.#machine.status();
    if (!member || readOnly) this.#inTouchSince = now();
    for (const id of opinions.overdue(now() - this.#inTouchSince)) {
      this.propose({ kind: "expel", id });
    }
  }

  #receive(from: NodeId, decoded: DecodedMessage): undefined {
    if (!decoded.ok) {
      this.#options.onBadMessage?.(from, decoded.reason);
      return;
    }
    // A slow disk: messages may be lost, memory may not be.
    if (this.#outbox.full()) return;
    const stamp = ownStamp(from, decoded.message);
    if (stamp !== undefined && !stampIsPlausible(stamp, this.#options.now())) {
      this.#options.onBadMessage?.(from, `clock off: its stamp ${stamp[0]} is far ahead`);
      return;
    }
    this.#input({ kind: "message", from, message: decoded.message });
  }

  /** One input at a time: a released message to oneself waits for the step that released it. */
  #input(input: AgreementInput): void {
    if (this.#ended) return;
    this.#inbox.push(input);
    if (this.#stepping) return;
    this.#stepping = true;
    try {
      for (let next = this.#inbox.shift(); next !== undefined; next = this.#inbox.shift()) {
        this.#outbox.put(this.#machine.step(next, this.#options.now()));
      }
    } catch (thrown) {
      this.#fail(thrown);
    } finally {
      this.#stepping = false;
    }
  }

  #release(output: Released): void {
    switch (output.kind) {
      case "send":
        return this.#send(output.to, output.message);
      case "result":
        this.#open.get(output.id)?.(output.outcome);
        this.#open.delete(output.id);
        return;
      case "listing":
        this.#listing.get(output.id)?.(output.page);
        this.#listing.delete(output.id);
        return;
      case "adopted":
        for (const listener of this.#rosterListeners) listener(output.roster);
        return;
      case "decided": {
        const key = recordKeyOf(output.key);
        if (key === undefined) return;
        for (const listener of this.#decidedListeners) listener(key, output.value);
        return;
      }
      default:
        return output satisfies never;
    }
  }

  #send(to: NodeId, message: AgreementMessage): void {
    if (to === this.#options.self) {
      return this.#input({ kind: "message", from: to, message });
    }
    this.#sendTo(to, message);
  }

  #fail(error: unknown): void {
    if (this.#ended) return;
    this.#ended = true;
    clearInterval(this.#timer);
    this.#endOperations();
    this.#options.onFailed(error);
  }

  #endOperations(): void {
    for (const resolve of this.#open.values()) resolve({ kind: "unknown" });
    this.#open.clear();
    for (const resolve of this.#listing.values()) resolve(undefined);
    this.#listing.clear();
  }
}

/** The stamp of a change that the sender made itself: others may have to write it back. */
function ownStamp(from: NodeId, { body }: AgreementMessage): Stamp | undefined {
  if (body.kind !== "accept" || body.value === null) return undefined;
  return body.value.version[2] === from ? body.value.stamp : undefined;
}
