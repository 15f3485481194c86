// "Persist, then send" for the agreement machine: one FIFO of outputs. A `persist` becomes one
// transaction; everything after it, of its own or of later steps, waits until it is durable.
// Transactions go to the database at once and in order, so many share one sync.

import type { AgreementOutput, AgreementWrite } from "../../shared/record/agreement_port.ts";
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
  /** Transactions that are not durable yet. */
  unsynced(): number;
  /** Resolves when all that was put is durable and released. */
  idle(): Promise<void>;
}

/** An outbox over a database; `failed` is called once, after which nothing leaves any more. */
export function createOutbox(options: {
  readonly database: Database;
  readonly table: RegisterTable;
  readonly release: (output: Released) => void;
  readonly failed: (error: unknown) => void;
}): Outbox {
  const { database, table } = options;
  const waiting: { readonly output: Released; readonly after: number }[] = [];
  let written = 0;
  let durable = 0;
  let broken = false;
  let idlers: (() => void)[] = [];

  function persist(writes: readonly AgreementWrite[]): void {
    written += 1;
    const transaction = written;
    table.show(writes, transaction);
    database.write(statementsOf(writes)).then(() => {
      durable = Math.max(durable, transaction);
      table.settled(durable);
      release();
    }, (thrown) => {
      // Promises may be half kept on disk: nothing may be said any more (agreement.md section 2).
      if (broken) return;
      broken = true;
      options.failed(thrown);
      release();
    });
  }

  function release(): void {
    while (!broken && (waiting[0]?.after ?? Infinity) <= durable) {
      const next = waiting.shift();
      if (next !== undefined) options.release(next.output);
    }
    if (!broken && (waiting.length > 0 || durable < written)) return;
    const ready = idlers;
    idlers = [];
    for (const resolve of ready) resolve();
  }

  return {
    put(outputs) {
      for (const output of outputs) {
        if (broken) return;
        if (output.kind === "persist") persist(output.writes);
        else waiting.push({ output, after: written });
      }
      release();
    },
    unsynced: () => written - durable,
    idle: () =>
      broken || (waiting.length === 0 && durable >= written)
        ? Promise.resolve()
        : new Promise((resolve) => idlers.push(resolve)),
  };
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
