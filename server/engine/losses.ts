// What the pool may have lost with nodes that do not come back: blocks that no member which
// answers holds, the files they belong to, and slots of records whose deciding majority is gone.

import { SkyringError } from "../../shared/base/errors.ts";
import type { Cid, NodeId } from "../../shared/base/ids.ts";
import { haveCidsMax, slotCount } from "../../shared/base/limits.ts";
import { decodeFileRecord } from "../../shared/record/file_record.ts";
import { allSlots, decidersOf } from "../../shared/ring/placement.ts";
import { majority } from "../../shared/ring/roster_change.ts";
import type { Roster } from "../../shared/ring/roster.ts";
import type { Catalog } from "./catalog.ts";
import { type CopyCountPorts, holdersOf } from "./copy_count.ts";
import { blocksOf } from "./dag_blocks.ts";

/** What may be lost; counts of blocks are exact as long as `complete`. */
export interface Losses {
  readonly blocksChecked: number;
  readonly blocksLost: number;
  /** Names of files with such blocks, the first of them. */
  readonly files: readonly string[];
  readonly filesLost: number;
  /** Slots whose records cannot be decided without the nodes, of how many. */
  readonly slotsUndecided: number;
  readonly slots: number;
  /** False when there were more blocks, or it took longer, than an answer may wait for. */
  readonly complete: boolean;
}

export interface LossesPorts extends CopyCountPorts {
  readonly catalog: Catalog;
  readonly loadInner: (cid: Cid) => Promise<Uint8Array>;
}

const blocksCheckedMax = 200_000;
const namesMax = 100;
const pageFiles = 500;

/** Looks for them until the signal; `gone` are the nodes given up. @throws as the catalog */
export async function lossesOf(
  ports: LossesPorts,
  { roster, gone, signal }: {
    readonly roster: Roster;
    readonly gone: ReadonlySet<NodeId>;
    readonly signal: AbortSignal;
  },
): Promise<Losses> {
  const found = { blocksChecked: 0, blocksLost: 0, filesLost: 0, complete: true };
  const files: string[] = [];
  let after: string | undefined;
  while (found.complete) {
    const page = ports.catalog.names("file", { prefix: "", after, limit: pageFiles });
    for (const { key, value } of page) {
      const file = decodeFileRecord(value.body);
      if (file === undefined) continue;
      const lost = await lostBlocks(ports, file, { gone, signal });
      // Who was not waited for did not say that it holds nothing.
      if (signal.aborted) {
        found.complete = false;
        break;
      }
      found.blocksChecked += file.blocks;
      found.blocksLost += lost;
      if (lost > 0) {
        found.filesLost += 1;
        if (files.length < namesMax) files.push(key.name);
      }
      if (found.blocksChecked > blocksCheckedMax) found.complete = false;
    }
    after = page.at(-1)?.key.name;
    if (page.length < pageFiles) break;
  }
  const slotsUndecided = allSlots().filter((slot) => {
    const deciders = decidersOf(roster, slot);
    const left = deciders.filter((id) => !gone.has(id)).length;
    return left < majority(deciders.length);
  }).length;
  return { ...found, files, slotsUndecided, slots: slotCount };
}

async function lostBlocks(
  ports: LossesPorts,
  file: { readonly cid: Cid; readonly size: number },
  { gone, signal }: { readonly gone: ReadonlySet<NodeId>; readonly signal: AbortSignal },
): Promise<number> {
  let lost = 0;
  let batch: Cid[] = [];
  const flush = async () => {
    const holders = await holdersOf(ports, batch, { lease: false, signal });
    lost += holders.filter((ids) => ids.every((id) => gone.has(id))).length;
    batch = [];
  };
  try {
    for await (const { cid } of blocksOf({ root: file.cid, size: file.size }, ports.loadInner)) {
      batch.push(cid);
      if (batch.length === haveCidsMax) await flush();
    }
  } catch (error) {
    // An inner block that nobody has takes everything below it along: it counts as one.
    if (!(error instanceof SkyringError)) throw error;
    lost += 1;
  }
  await flush();
  return lost;
}
