// Messages of the repair protocol `/skyring/<group>/repair/1.0.0`: small questions between
// members, each with one answer. CBOR arrays; every list has its limit; what does not fit its
// closed shape is refused whole.
//
//   vouch   [0, lineage, epoch, [[cid, replicas], ...]]   -> [0, [mine, ...]]
//   heal    [1, begin]          walk and repair now        -> [1, done, wanted, restored, lost]
//   pushes  [2]                 what may still be written  -> [2, oldest push, quiet pass: ms ago]

import { decode, encode } from "cborg";
import * as v from "valibot";
import { SkyringError } from "../base/errors.ts";
import { asLineage, type Cid, type Lineage } from "../base/ids.ts";
import { lostCidsMax, repairMessageBytesMax, replicasMax, vouchBlocksMax } from "../base/limits.ts";
import { cidToBytes, parseCidBytes } from "../block/cid.ts";

/** A block asked about: at how many copies the asker knows it. */
export interface VouchBlock {
  readonly cid: Cid;
  readonly replicas: number;
}

/** A question to a member. */
export type RepairRequest =
  | {
    readonly kind: "vouch";
    readonly lineage: Lineage;
    readonly epoch: number;
    readonly blocks: readonly VouchBlock[];
  }
  /** `begin`: walk all files and repair now; else only tell how far that is. */
  | { readonly kind: "heal"; readonly begin: boolean }
  | { readonly kind: "pushes" };

/** How far a node is with healing. Counts are blocks. */
export interface HealState {
  /** The walk asked for has ended, and nothing that can be had is wanted. */
  readonly done: boolean;
  readonly wanted: number;
  /** Brought since healing began. */
  readonly restored: number;
  /** Wanted, and nobody who answered has them: the first `lostCidsMax`. */
  readonly lost: readonly Cid[];
}

/** An answer. */
export type RepairReply =
  /** In the order of the question: whether it is held, verified and the answerer's own. */
  | { readonly kind: "vouched"; readonly mine: readonly boolean[] }
  | { readonly kind: "healing"; readonly state: HealState }
  /**
   * Milliseconds since the oldest running push began (0 when none runs), and since the beginning
   * of the last pass over its registers after which its catalog had all they held (null: none).
   */
  | { readonly kind: "pushing"; readonly oldestMs: number; readonly quietMs: number | null };

const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const cid = v.pipe(
  v.instance(Uint8Array),
  v.rawTransform(({ dataset, addIssue, NEVER }) => {
    const parsed = parseCidBytes(dataset.value);
    if (parsed.ok) return parsed.cid;
    addIssue({ message: parsed.code });
    return NEVER;
  }),
);
const copies = v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(replicasMax));
const lineage = v.pipe(v.string(), v.maxLength(128), v.transform(asLineage));
const block = v.strictTuple([cid, copies]);

const request = v.union([
  v.strictTuple([
    v.literal(0),
    lineage,
    count,
    v.pipe(v.array(block), v.maxLength(vouchBlocksMax)),
  ]),
  v.strictTuple([v.literal(1), v.boolean()]),
  v.strictTuple([v.literal(2)]),
]);
const reply = v.union([
  v.strictTuple([v.literal(0), v.pipe(v.array(v.boolean()), v.maxLength(vouchBlocksMax))]),
  v.strictTuple([
    v.literal(1),
    v.boolean(),
    count,
    count,
    v.pipe(v.array(cid), v.maxLength(lostCidsMax)),
  ]),
  v.strictTuple([v.literal(2), count, v.nullable(count)]),
]);

/** A question as bytes, at most `repairMessageBytesMax`. @throws never */
export function encodeRepairRequest(asked: RepairRequest): Uint8Array {
  switch (asked.kind) {
    case "vouch": {
      const blocks = asked.blocks.map((one) => [cidToBytes(one.cid), one.replicas]);
      return encode([0, asked.lineage, asked.epoch, blocks]);
    }
    case "heal":
      return encode([1, asked.begin]);
    case "pushes":
      return encode([2]);
  }
}

/** A question from bytes. @throws {SkyringError} bad_message */
export function decodeRepairRequest(bytes: Uint8Array): RepairRequest {
  const parts = parsed(request, bytes);
  switch (parts[0]) {
    case 0: {
      const blocks = parts[3].map(([id, replicas]) => ({ cid: id, replicas }));
      return { kind: "vouch", lineage: parts[1], epoch: parts[2], blocks };
    }
    case 1:
      return { kind: "heal", begin: parts[1] };
    case 2:
      return { kind: "pushes" };
  }
}

/** An answer as bytes. @throws never */
export function encodeRepairReply(answer: RepairReply): Uint8Array {
  switch (answer.kind) {
    case "vouched":
      return encode([0, answer.mine]);
    case "healing": {
      const { done, wanted, restored, lost } = answer.state;
      return encode([1, done, wanted, restored, lost.slice(0, lostCidsMax).map(cidToBytes)]);
    }
    case "pushing":
      return encode([2, answer.oldestMs, answer.quietMs]);
  }
}

/** An answer from bytes. @throws {SkyringError} bad_message */
export function decodeRepairReply(bytes: Uint8Array): RepairReply {
  const parts = parsed(reply, bytes);
  switch (parts[0]) {
    case 0:
      return { kind: "vouched", mine: parts[1] };
    case 1: {
      const [, done, wanted, restored, lost] = parts;
      return { kind: "healing", state: { done, wanted, restored, lost } };
    }
    case 2:
      return { kind: "pushing", oldestMs: parts[1], quietMs: parts[2] };
  }
}

function parsed<Schema extends v.GenericSchema>(
  schema: Schema,
  bytes: Uint8Array,
): v.InferOutput<Schema> {
  if (bytes.length > repairMessageBytesMax) throw badMessage("too long");
  let decoded: unknown;
  try {
    decoded = decode(bytes, { useMaps: false });
  } catch (cause) {
    throw badMessage("not CBOR", cause);
  }
  const outcome = v.safeParse(schema, decoded);
  if (!outcome.success) throw badMessage(outcome.issues[0].message);
  return outcome.output;
}

function badMessage(state: string, cause?: unknown): SkyringError {
  return new SkyringError("bad_message", `Cannot read repair message: ${state}`, { cause });
}
