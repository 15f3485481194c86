// Collecting in the whole pool, as a job: this node and every member that answers remove now what
// nothing references. Begun again after a restart it finds less to do.

import { messageOf, SkyringError } from "../../shared/base/errors.ts";
import type { NodeId } from "../../shared/base/ids.ts";
import type { Control } from "./control.ts";
import type { JobRun } from "./jobs.ts";

export interface CollectPorts {
  readonly self: NodeId;
  readonly control: Control;
  /** Members that can be asked, this node left out. */
  readonly peers: () => readonly NodeId[];
  readonly collect: (
    signal: AbortSignal,
  ) => Promise<{ readonly blocks: number; readonly freedBytes: number }>;
}

/** A member walks all its files first. */
const collectMsMax = 600_000;

/** Runs it. @throws {SkyringError} the first refusal, once all members have answered */
export async function collectAll(run: JobRun, ports: CollectPorts): Promise<void> {
  const { signal } = run;
  const peers = ports.peers();
  const freed = { nodes: 0, blocks: 0, bytes: 0 };
  const add = (done: { readonly blocks: number; readonly freedBytes: number }) => {
    freed.nodes += 1;
    freed.blocks += done.blocks;
    freed.bytes += done.freedBytes;
    run.report({
      note: `${freed.blocks} blocks (${freed.bytes} bytes) removed on ${freed.nodes} of ` +
        `${peers.length + 1} nodes`,
      blocks: { done: freed.blocks, total: freed.blocks },
      bytes: { done: freed.bytes, total: freed.bytes },
    });
  };
  const work = [
    ports.collect(signal).then(add),
    ...peers.map(async (peer) => {
      const options = { timeoutMs: collectMsMax, signal };
      const reply = await ports.control.ask(peer, { kind: "collect" }, options);
      if (reply.kind === "collected") add(reply);
    }),
  ];
  const failures = (await Promise.allSettled(work))
    .flatMap((one) => one.status === "rejected" ? [one.reason] : []);
  signal.throwIfAborted();
  const [first] = failures;
  if (first === undefined) return;
  const code = first instanceof SkyringError ? first.code : "internal";
  throw new SkyringError(
    code,
    `Cannot collect on ${failures.length} of ${peers.length + 1} nodes: ${messageOf(first)}`,
    { cause: first },
  );
}
