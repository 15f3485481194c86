// Validators of what record messages and stored rows are made of: ids, ballots, values. Everything
// from outside passes here before the core sees it; each list and text has its limit.

import * as v from "valibot";
import { asLineage, asNodeId, asSlot } from "../base/ids.ts";
import { keyBytesMax, nameBytesMax, recentVersionsMax, slotCount } from "../base/limits.ts";
import { valueBytesMax } from "../base/limits.ts";
import type { Ballot, Stamp, Value } from "../record/value.ts";

/** A whole number of 0 or more that is exact in a double. */
export const whole = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
/** A node id; base58 text of a peer id has 52 characters. */
export const nodeIdText = v.pipe(
  v.string(),
  v.minLength(1),
  v.maxLength(128),
  v.transform(asNodeId),
);
/** 64 hex digits, or "" of a node that has no roster. */
export const lineageText = v.pipe(
  v.string(),
  v.regex(/^(?:[0-9a-f]{64})?$/),
  v.transform(asLineage),
);
export const slotNumber = v.pipe(whole, v.maxValue(slotCount - 1), v.transform(asSlot));
/** Register keys: kind NUL name. Counted in characters, each at most three bytes. */
export const keyText = v.pipe(v.string(), v.maxLength(Math.max(nameBytesMax, keyBytesMax) + 16));

export const ballotTuple = v.pipe(
  v.strictTuple([whole, whole, nodeIdText, whole]),
  v.transform(([epoch, round, node, boot]): Ballot => [epoch, round, node, boot]),
);
const stampTuple = v.pipe(
  v.strictTuple([whole, whole]),
  v.transform(([wallMs, counter]): Stamp => [wallMs, counter]),
);
export const registerValue = v.pipe(
  v.strictObject({
    version: ballotTuple,
    n: whole,
    stamp: stampTuple,
    deleted: v.boolean(),
    recent: v.pipe(v.array(ballotTuple), v.maxLength(recentVersionsMax)),
    body: v.pipe(
      v.instance(Uint8Array),
      v.check((body) => body.byteLength <= valueBytesMax),
    ),
  }),
  v.transform((value): Value => value),
);
