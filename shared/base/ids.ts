// The names things go by. Branded, so that a node id is never taken for a CID,
// nor a slot for a plain number. The brands exist only for the compiler.

declare const brand: unique symbol;
type Branded<Base, Name> = Base & { readonly [brand]: Name };

/** A libp2p peer id in its base58 form (`12D3KooW...`), of a node that may enter the roster. */
export type NodeId = Branded<string, "NodeId">;

/** A CIDv1 as base32 text (`bafk...` raw leaves, `bafy...` dag-pb inner nodes), sha2-256 only. */
export type Cid = Branded<string, "Cid">;

/** One of the equal arcs of the ring: an integer in [0, slotCount). */
export type Slot = Branded<number, "Slot">;

/** Hash that names one chain of rosters, as lower-case hex, 64 digits. */
export type Lineage = Branded<string, "Lineage">;

/** Takes text that was checked elsewhere as a node id. @throws never */
export function asNodeId(text: string): NodeId {
  return text as NodeId;
}

/** Takes text that was checked elsewhere as a CID. @throws never */
export function asCid(text: string): Cid {
  return text as Cid;
}

/** Takes an integer that was checked elsewhere as a slot. @throws never */
export function asSlot(index: number): Slot {
  return index as Slot;
}

/** Takes hex text that was checked elsewhere as a lineage. @throws never */
export function asLineage(hex: string): Lineage {
  return hex as Lineage;
}

/** Characters of a peer id's end that tell the nodes of a group apart, for people. */
const endingLength = 8;
/** An end that somebody gives must not match by chance. */
const endingLengthMin = 6;

/** The end of a peer id as people see it; ids begin alike. @throws never */
export function idEnding(id: string): string {
  return id.slice(-endingLength);
}

/** Whether `text` is an end of this id, long enough to mean it. @throws never */
export function endsAs(id: string, text: string): boolean {
  return text.length >= endingLengthMin && id.endsWith(text);
}
