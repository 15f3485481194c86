// "Persist, then send" for the agreement machine: one FIFO of outputs. A `persist` becomes one
// transaction; everything after it, of its own or of later steps, waits until it is durable.
// All that waits while one write is under way goes into the next, so many steps share one sync,
// and a write that the database has no room for just now is tried again before any later one.
// A full disk is no failure: nothing was written, so nothing was half promised; until there is
// room again this node says nothing, as if it were cut off.

import type { AgreementOutput, AgreementWrite } from "../../shared/record/agreement_port.ts";
import { SkyringError } from "../../shared/base/errors.ts";
import {
  agreementUnsyncedBytesMax,
  agreementUnsyncedMax,
  transactionBytesMax,
  transactionStatementsMax,
} from "../../shared/base/limits.ts";
import type { Database, Statement } from "../disk/database.ts";
import {
  joins,
  registerStatements,
  type RegisterTable,
  type RegisterWrite,
} from "../disk/register_rows.ts";
import { rosterStatements } from "../disk/roster_table.ts";

/** What leaves once it may: everything but `persist`. */
export type Released = Exclude<AgreementOutput, { kind: "persist" }>;

export interface Outbox {
  put(outputs: readonly AgreementOutput[]): void;
  /** Whether so much waits for the disk that nothing new should be begun. */
  full(): boolean;
  /** Whether what waits was refused for want of room on the disk. */
  stuck(): boolean;
  /** Resolves when all that was put so far is durable and released, or never will be. */
  flushed(): Promise<void>;
  /** The same, but waits for no room: what has none is dropped, as by a crash. */
  end(): Promise<void>;
}

export interface OutboxOptions {
  readonly database: Pick<Database, "write">;
  readonly table: Pick<RegisterTable, "show" | "settled">;
  readonly release: (output: Released) => void;
  /** A write found the disk full; it will be tried again. */
  readonly noRoom: () => void;
  /** A write failed, once: nothing leaves any more. */
  readonly failed: (error: unknown) => void;
}

interface Waiting {
  readonly statements: readonly Statement[];
  readonly bytes: number;
  readonly transaction: number;
}

/** How long a full database queue is given before the same write is tried again. */
const busyRetryMs = 20;
const fullRetryMs = 500;

/** An outbox over a database. @throws never */
export function createOutbox(options: OutboxOptions): Outbox {
  return new Fifo(options);
}

class Fifo implements Outbox {
  readonly #options: OutboxOptions;
  #releasing: { readonly output: Released; readonly after: number }[] = [];
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #underWay = false;
  #written = 0;
  #durable = 0;
  #broken = false;
  #stuck = false;
  #ending = false;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #flushing: { readonly after: number; readonly resolve: () => void }[] = [];

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  put(outputs: readonly AgreementOutput[]): void {
    for (const output of outputs) {
      if (this.#broken) return;
      if (output.kind === "persist") this.#persist(output.writes);
      else if (this.#mayWait(output)) this.#releasing.push({ output, after: this.#written });
    }
    this.#release();
  }

  /** A full disk may stay full for hours: messages are lost then, as a cut would lose them (M2). */
  #mayWait(output: Released): boolean {
    return !this.#stuck || output.kind !== "send";
  }

  full(): boolean {
    const transactions = this.#written - this.#durable;
    return transactions >= agreementUnsyncedMax || this.#waitingBytes >= agreementUnsyncedBytesMax;
  }

  stuck(): boolean {
    return this.#stuck;
  }

  end(): Promise<void> {
    this.#ending = true;
    if (this.#stuck) this.#broken = true;
    if (this.#broken) clearTimeout(this.#retry);
    return this.flushed();
  }

  flushed(): Promise<void> {
    return new Promise((resolve) => {
      this.#flushing.push({ after: this.#written, resolve });
      this.#release();
    });
  }

  #persist(writes: readonly AgreementWrite[]): void {
    this.#written += 1;
    this.#options.table.show(writes, this.#written);
    const statements = statementsOf(writes);
    const bytes = bytesOf(statements);
    this.#waiting.push({ statements, bytes, transaction: this.#written });
    this.#waitingBytes += bytes;
    this.#write();
  }

  /** One write at a time: a refused one is tried again before anything later. */
  #write(): void {
    if (this.#underWay || this.#broken) return;
    const group = this.#group();
    const last = group[group.length - 1];
    if (last === undefined) return;
    this.#underWay = true;
    const statements = group.flatMap((one) => one.statements);
    this.#options.database.write(statements).then(() => {
      this.#underWay = false;
      this.#stuck = false;
      this.#waiting = this.#waiting.slice(group.length);
      for (const { bytes } of group) this.#waitingBytes -= bytes;
      this.#durable = last.transaction;
      this.#options.table.settled(this.#durable);
      this.#write();
      this.#release();
    }, (thrown) => this.#refused(thrown));
  }

  /** As many waiting transactions as fit one of the database. */
  #group(): readonly Waiting[] {
    let statements = 0;
    let bytes = 0;
    const end = this.#waiting.findIndex((one) => {
      statements += one.statements.length;
      bytes += one.bytes;
      return statements > transactionStatementsMax || bytes > transactionBytesMax / 2;
    });
    return end < 0 ? this.#waiting.slice() : this.#waiting.slice(0, Math.max(1, end));
  }

  #refused(thrown: unknown): void {
    const code = thrown instanceof SkyringError ? thrown.code : undefined;
    if (code === "metadata_full") {
      this.#stuck = true;
      this.#releasing = this.#releasing.filter(({ output }) => this.#mayWait(output));
      if (this.#ending) this.#broken = true;
      else this.#options.noRoom();
    }
    if (!this.#broken && (code === "metadata_full" || code === "busy")) {
      this.#retry = setTimeout(() => {
        this.#underWay = false;
        this.#write();
      }, code === "busy" ? busyRetryMs : fullRetryMs);
      return;
    }
    if (this.#broken) return this.#release();
    // Promises may be half kept on disk: nothing may be said any more (ARCHITECTURE.md,
    // "Agreement").
    this.#broken = true;
    this.#options.failed(thrown);
    this.#release();
  }

  #release(): void {
    while (!this.#broken && (this.#releasing[0]?.after ?? Infinity) <= this.#durable) {
      const next = this.#releasing.shift();
      if (next !== undefined) this.#options.release(next.output);
    }
    const isOver = ({ after }: { readonly after: number }) =>
      this.#broken || after <= this.#durable;
    for (const { resolve } of this.#flushing.filter(isOver)) resolve();
    this.#flushing = this.#flushing.filter((one) => !isOver(one));
  }
}

function bytesOf(statements: readonly Statement[]): number {
  let bytes = 0;
  for (const { params } of statements) {
    for (const param of params) {
      bytes += typeof param === "string"
        ? param.length * 3
        : param instanceof Uint8Array
        ? param.byteLength
        : 8;
    }
  }
  return bytes;
}

/** One transaction's statements; runs of whole-slot writes become one statement each. */
function statementsOf(writes: readonly AgreementWrite[]): Statement[] {
  const statements: Statement[] = [];
  let run: RegisterWrite[] = [];
  const end = () => {
    statements.push(...registerStatements(run));
    run = [];
  };
  for (const write of writes) {
    const [first] = run;
    if (first !== undefined && !joins(first, write)) end();
    if (isRosterWrite(write)) statements.push(...rosterStatements(write));
    else run.push(write);
  }
  end();
  return statements;
}

function isRosterWrite(write: AgreementWrite): write is Exclude<AgreementWrite, RegisterWrite> {
  return write.kind === "roster" || write.kind === "trim" || write.kind === "council" ||
    write.kind === "slots" || write.kind === "node";
}
