// Where a key belongs: its slot and owners under the present roster, and for content who holds it
// now. A key is a CID, or else the name of a file, whose record has one slot and whose content
// another.

import { type Cid, type NodeId, type Slot } from "../../shared/base/ids.ts";
import { decidersMax } from "../../shared/base/limits.ts";
import { decodeFileRecord, fileKey } from "../../shared/record/file_record.ts";
import { slotOfCid, slotOfKey } from "../../shared/ring/slot.ts";
import type { Catalog } from "./catalog.ts";
import { type CopyCountPorts, holdersOf } from "./copy_count.ts";

/** A slot and its owners, first owner first. */
export interface PlaceInRing {
  readonly slot: number;
  readonly owners: readonly NodeId[];
}

/** What is known of content: its place, and who said now that they hold it. */
export interface ContentPlace extends PlaceInRing {
  readonly cid: Cid;
  readonly replicas: number;
  readonly holders: readonly NodeId[];
}

export interface Lookup extends PlaceInRing {
  readonly key: string;
  readonly kind: "block" | "file";
  /** The block itself, or the root of the file of that name; null when there is no such file. */
  readonly content: ContentPlace | null;
}

export interface LookupPorts extends CopyCountPorts {
  readonly catalog: Catalog;
  /** Copies of a block that no file here names. */
  readonly replicas: number;
  readonly replicasOf: (cid: Cid) => number;
}

/** Looks a key up. `cid` is the key as a CID, when it is one. @throws never */
export async function lookup(
  ports: LookupPorts,
  { key, cid }: { readonly key: string; readonly cid: Cid | undefined },
): Promise<Lookup> {
  if (cid !== undefined) {
    const content = await contentPlace(ports, cid, ports.replicasOf(cid) || ports.replicas);
    const { slot, owners } = content;
    return { key, kind: "block", slot, owners, content };
  }
  const record = fileKey(key);
  const body = ports.catalog.get(record)?.value.body;
  const file = body === undefined ? undefined : decodeFileRecord(body);
  const content = file === undefined ? null : await contentPlace(ports, file.cid, file.replicas);
  const place = placeOf(ports, slotOfKey(record), decidersMax);
  return { key, kind: "file", ...place, content };
}

async function contentPlace(
  ports: LookupPorts,
  cid: Cid,
  replicas: number,
): Promise<ContentPlace> {
  const [holders = []] = await holdersOf(ports, [cid], { lease: false });
  return { cid, replicas, ...placeOf(ports, slotOfCid(cid), replicas), holders };
}

function placeOf({ ring }: LookupPorts, slot: Slot, replicas: number): PlaceInRing {
  return { slot, owners: ring.placement().ownersOf(slot, replicas) };
}
