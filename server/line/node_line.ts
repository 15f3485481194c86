// The line protocol of a node: over its pool, its netmap and its ring.

import { SkyringError } from "../../shared/base/errors.ts";
import type { Cid } from "../../shared/base/ids.ts";
import { linePageFiles } from "../../shared/base/limits.ts";
import type { NodeSnapshot } from "../../shared/status.ts";
import type { HealLine } from "../engine/heal.ts";
import type { Pool } from "../engine/pool.ts";
import { firstLeafOf } from "./first_leaf.ts";
import type { LineFile, LineService } from "./line_service.ts";

export interface NodeLineOptions {
  readonly self: string;
  readonly pool: Pool;
  readonly nodes: () => readonly NodeSnapshot[];
  /** Ids in the order of the ring. */
  readonly ring: () => readonly string[];
  /** First owner of a block under the present roster. */
  readonly ownerOf: (cid: Cid) => string | null;
  readonly discover: () => void;
  /** Checks and repairs all; the last line is the report. */
  readonly heal: (signal: AbortSignal) => AsyncIterable<HealLine>;
}

/** The service of one node. @throws never */
export function createNodeLine(options: NodeLineOptions): LineService {
  const { pool } = options;
  return {
    view: () =>
      Promise.resolve({
        self: options.self,
        members: options.nodes(),
        ring: options.ring(),
      }),
    discover: () => {
      options.discover();
      return Promise.resolve();
    },
    heal: async ({ signal }) => {
      let report: Extract<HealLine, { kind: "report" }> | undefined;
      for await (const line of options.heal(signal)) if (line.kind === "report") report = line;
      if (report === undefined) throw new SkyringError("stopped", "Cannot heal network: no report");
      if (report.blocksLost > 0) throw lossOf(report.blocksLost);
    },
    push: async (body, { name, size, signal }) => {
      const { info } = await pool.push(body, { name, contentLength: size, signal });
      return { blocks: info.blocks };
    },
    pull: async (name, { signal }) => {
      const { info, read } = await pool.open(name, signal);
      return { size: info.size, bytes: read({ start: 0, end: info.size }, signal) };
    },
    list: ({ signal }) => listFiles(options, signal),
    remove: (name) => pool.remove(name),
    stat: async (name) => {
      const { cid, size, replicas: { least, wanted } } = await pool.stat(name);
      return { cid, size, least, wanted };
    },
  };
}

/** What is said when healing found blocks that nobody has. @throws never */
export function lossOf(lost: number): SkyringError {
  const what = lost === 1 ? "1 block is" : `${lost} blocks are`;
  return new SkyringError("unavailable", `Cannot heal network: ${what} lost`, { data: { lost } });
}

async function* listFiles(
  options: NodeLineOptions,
  signal: AbortSignal,
): AsyncGenerator<LineFile> {
  const { pool } = options;
  let after: string | undefined;
  do {
    const fresh = after === undefined;
    const page = await pool.list({ prefix: "", after, limit: linePageFiles, fresh });
    for (const { name, size, cid } of page.items) {
      if (signal.aborted) return;
      yield { name, size, firstOwner: await firstOwnerOf(options, { cid, size }) };
    }
    after = page.next ?? undefined;
  } while (after !== undefined);
}

async function firstOwnerOf(
  { pool, ownerOf }: NodeLineOptions,
  file: { readonly cid: Cid; readonly size: number },
): Promise<string | null> {
  try {
    const leaf = await firstLeafOf(file, (cid) => pool.block(cid));
    return leaf === undefined ? null : ownerOf(leaf);
  } catch (error) {
    // Its first inner block cannot be reached: the row stays, without its place.
    if (error instanceof SkyringError) return null;
    throw error;
  }
}
