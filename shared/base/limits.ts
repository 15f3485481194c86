// Every limit of Skyring in one place, each with its reason. A new queue, cache, frame, name or
// body gets its line here first. Relations between limits are asserted at the end.

import { assert } from "./assert.ts";

export const KiB = 1024;
export const MiB = 1024 * KiB;
export const GiB = 1024 * MiB;

/** Equal arcs of the ring: fine enough that 50 nodes stay within 11 % of the mean share. */
export const slotCount = 16_384;

/** Tokens a node gets for `tokenCapacityUnitBytes` of capacity: a constant of every roster. */
export const tokensPerUnit = 512;
export const tokenCapacityUnitBytes = 10 * GiB;
/** A tiny node still gets slots; a huge one does not swamp the token table. */
export const tokensMin = 16;
export const tokensMax = 8_192;

/** Nodes in one roster: the mesh is full, and the cluster command stops here too. */
export const rosterMembersMax = 256;
/** Copies of a block. */
export const replicasMax = 9;
export const replicasDefault = 3;
/** Deciders of a register in a roster of three or more (agreement.md, section 1). */
export const decidersMax = 3;
export const councilMax = 7;

/** Default leaf size, and the number of links of an inner node (kubo's classic settings). */
export const chunkBytesDefault = 256 * KiB;
export const linksMaxDefault = 174;
/** The IPFS profile unixfs-v1-2025 (IPIP-499). */
export const chunkBytesLarge = 1 * MiB;
export const linksMaxLarge = 1_024;
/** Largest block stored or sent; other systems refuse over 2 MiB. */
export const blockBytesMax = 1 * MiB;
/** Blocks up to here live in SQLite: faster than files there (64 against 18 MiB/s at 4 KiB). */
export const smallBlockBytesMax = 16 * KiB;
/** Depth of a DAG: 174^5 leaves of 256 KiB are 37 PiB. */
export const dagDepthMax = 8;

/** File names, keys: long enough for any path, short enough for an index. */
export const nameBytesMax = 1 * KiB;
export const keyBytesMax = 1 * KiB;
export const valueBytesMax = 1 * MiB;

/** A frame holds one block and its header, or one message. */
export const frameBytesMax = 2 * MiB;
/** Control messages (liveness, roster): far below a block, so that they never hold up a stream. */
export const controlMessageBytesMax = 512 * KiB;
/** Record messages carry one value at most, or one page of rows. */
export const recordMessageBytesMax = valueBytesMax + 256 * KiB;

/** Bytes unsent on one connection: what a liveness frame may have to wait behind. */
export const connectionUnsentBytesMax = 1 * MiB;
/** Blocks asked of one peer at once. */
export const wantsPerPeerMax = 32;
/** Blocks in flight for one pull or push: bounds its memory to 8 to 16 MiB of leaves. */
export const pullWindowBlocks = 48;
export const pushWindowBlocks = 48;

/** Metadata (records, inner blocks, write-ahead log): a tenth of the capacity, or this. */
export const metadataShare = 0.1;
export const metadataBytesMin = 1 * GiB;
/** A full node takes blocks again below this share. */
export const fullEndsBelow = 0.9;

/** Deadline of one register operation (agreement.md, section 9). */
export const operationDeadlineMs = 5_000;
/** A step later than this after the last one is a pause. */
export const pauseMs = 2_000;

assert(chunkBytesLarge <= blockBytesMax, "the largest leaf must be a block");
assert(blockBytesMax + 4 * KiB <= frameBytesMax, "a frame must hold a block");
assert(recordMessageBytesMax <= frameBytesMax, "a frame must hold a record message");
assert(controlMessageBytesMax <= connectionUnsentBytesMax, "liveness must not wait for control");
