// The queue before the database's worker: transactions wait here while one commit is under way
// and go together into the next. So a hundred writers cost one sync, and one writer waits for none.
//
// Invariants: order of calls is order of commits; at most one message is under way; the queue is
// bounded in statements and bytes; after a failure every write rejects with the same error.

import { assert } from "../../shared/base/assert.ts";
import { SkyringError } from "../../shared/base/errors.ts";
import {
  commitBytesMax,
  commitStatementsMax,
  queuedBytesMax,
  queuedStatementsMax,
  sqlTextsMax,
  transactionBytesMax,
  transactionStatementsMax,
} from "../../shared/base/limits.ts";
import type {
  DatabaseSizes,
  Failure,
  FromWorker,
  PackedStatement,
  PackedValue,
  SqlValue,
  Statement,
  ToWorker,
} from "./database_messages.ts";

export interface CommitQueue {
  /** @throws as Database.write() */
  write(statements: readonly Statement[]): Promise<void>;
  sizes(): DatabaseSizes;
  /** Takes no more writes; resolves when those queued are settled. Never throws. */
  drain(): Promise<void>;
  /** Closes the worker's database cleanly, unless it failed. Never throws. */
  close(): Promise<void>;
}

export interface CommitQueueOptions {
  readonly worker: Worker;
  readonly sizes: DatabaseSizes;
  readonly errorOf: (failure: Failure) => SkyringError;
  readonly onFailed: (error: SkyringError) => void;
}

interface Waiting {
  readonly statements: readonly Statement[];
  readonly bytes: number;
  readonly resolve: () => void;
  readonly reject: (error: SkyringError) => void;
}

/** The queue of an opened worker. @throws never */
export function createCommitQueue(options: CommitQueueOptions): CommitQueue {
  return new Queue(options);
}

class Queue implements CommitQueue {
  readonly #options: CommitQueueOptions;
  readonly #textNumbers = new Map<string, number>();
  #waiting: Waiting[] = [];
  #waitingStatements = 0;
  #waitingBytes = 0;
  #underWay: readonly Waiting[] | undefined;
  #flushPlanned = false;
  #sizes: DatabaseSizes;
  #failed: SkyringError | undefined;
  #stopping = false;
  #onIdle: (() => void)[] = [];
  #onClosed: (() => void) | undefined;

  constructor(options: CommitQueueOptions) {
    this.#options = options;
    this.#sizes = options.sizes;
    options.worker.onmessage = (event: MessageEvent<FromWorker>) => this.#receive(event.data);
    options.worker.onerror = (event) => {
      event.preventDefault();
      this.#fail({ kind: "disk", message: `the database worker died: ${event.message}` });
    };
  }

  write(statements: readonly Statement[]): Promise<void> {
    if (this.#failed !== undefined) return Promise.reject(this.#failed);
    if (this.#stopping) {
      return Promise.reject(new SkyringError("stopped", "Cannot write: database is stopped"));
    }
    const bytes = bytesOf(statements);
    assert(statements.length <= transactionStatementsMax, "a transaction has too many statements");
    assert(bytes <= transactionBytesMax, "a transaction has too many bytes");
    if (
      this.#waitingStatements + statements.length > queuedStatementsMax ||
      this.#waitingBytes + bytes > queuedBytesMax
    ) return Promise.reject(this.#busy());
    this.#waitingStatements += statements.length;
    this.#waitingBytes += bytes;
    return new Promise((resolve, reject) => {
      this.#waiting.push({ statements, bytes, resolve, reject });
      this.#planFlush();
    });
  }

  sizes(): DatabaseSizes {
    return this.#sizes;
  }

  drain(): Promise<void> {
    this.#stopping = true;
    if (this.#idle()) return Promise.resolve();
    return new Promise((resolve) => this.#onIdle.push(resolve));
  }

  close(): Promise<void> {
    if (this.#failed !== undefined) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onClosed = resolve;
      this.#options.worker.postMessage({ kind: "stop" } satisfies ToWorker);
    });
  }

  #idle(): boolean {
    return this.#underWay === undefined && this.#waiting.length === 0;
  }

  #busy(): SkyringError {
    return new SkyringError("busy", "Cannot write: too many writes are waiting", {
      data: { statements: this.#waitingStatements, statementsMax: queuedStatementsMax },
      retriable: true,
    });
  }

  /** At the end of this turn, so that writes of one turn share a commit. */
  #planFlush(): void {
    if (this.#flushPlanned || this.#underWay !== undefined) return;
    this.#flushPlanned = true;
    queueMicrotask(() => {
      this.#flushPlanned = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (this.#underWay !== undefined || this.#failed !== undefined) return;
    if (this.#waiting.length === 0) return;
    let count = 0;
    let statements = 0;
    let bytes = 0;
    for (const each of this.#waiting) {
      statements += each.statements.length;
      bytes += each.bytes;
      if (count > 0 && (statements > commitStatementsMax || bytes > commitBytesMax)) break;
      count++;
    }
    const group = this.#waiting.splice(0, count);
    this.#underWay = group;
    const message = this.#pack(group);
    this.#options.worker.postMessage(message, [message.blobs]);
  }

  #pack(group: readonly Waiting[]): Extract<ToWorker, { kind: "commit" }> {
    const blobs = new Uint8Array(group.reduce((sum, each) => sum + each.bytes, 0));
    const texts: string[] = [];
    let offset = 0;
    const packValue = (value: SqlValue): PackedValue => {
      if (!(value instanceof Uint8Array)) return value;
      blobs.set(value, offset);
      offset += value.length;
      return [offset - value.length, value.length];
    };
    const packStatement = ({ sql, params }: Statement): PackedStatement => {
      let number = this.#textNumbers.get(sql);
      if (number === undefined) {
        number = this.#textNumbers.size;
        assert(number < sqlTextsMax, "too many SQL texts: put the values into parameters");
        this.#textNumbers.set(sql, number);
        texts.push(sql);
      }
      return [number, ...params.map(packValue)];
    };
    const transactions = group.map(({ statements }) => statements.map(packStatement));
    return { kind: "commit", texts, transactions, blobs: blobs.buffer };
  }

  #receive(message: FromWorker): void {
    if (message.kind === "committed") this.#settle(message);
    else if (message.kind === "failed") this.#fail(message.failure);
    else if (message.kind === "stopped") this.#onClosed?.();
  }

  #settle(message: Extract<FromWorker, { kind: "committed" }>): void {
    const group = this.#underWay ?? [];
    this.#underWay = undefined;
    this.#sizes = message.sizes;
    this.#flush();
    for (const [index, each] of group.entries()) {
      this.#release(each);
      const failure = message.failures[index];
      if (failure === undefined) each.resolve();
      else each.reject(this.#options.errorOf(failure));
    }
    this.#tellIdle();
  }

  #fail(failure: Failure): void {
    if (this.#failed !== undefined) return;
    const error = this.#options.errorOf(
      failure.kind === "corrupt" ? failure : { kind: "disk", message: failure.message },
    );
    this.#failed = error;
    const all = [...this.#underWay ?? [], ...this.#waiting];
    this.#underWay = undefined;
    this.#waiting = [];
    for (const each of all) {
      this.#release(each);
      each.reject(error);
    }
    this.#options.onFailed(error);
    this.#onClosed?.();
    this.#tellIdle();
  }

  #release(each: Waiting): void {
    this.#waitingStatements -= each.statements.length;
    this.#waitingBytes -= each.bytes;
  }

  #tellIdle(): void {
    if (!this.#idle()) return;
    for (const resolve of this.#onIdle) resolve();
    this.#onIdle = [];
  }
}

function bytesOf(statements: readonly Statement[]): number {
  let bytes = 0;
  for (const { params } of statements) {
    for (const value of params) if (value instanceof Uint8Array) bytes += value.length;
  }
  return bytes;
}
