// The value of one register, as it is decided, stored and copied into the catalog.
// Layout and rules: ARCHITECTURE.md, "Agreement".

import { fromString } from "uint8arrays/from-string";
import type { NodeId } from "../base/ids.ts";

/** Register ballot `[epoch, round, node, boot]`, compared left to right. */
export type Ballot = readonly [epoch: number, round: number, node: NodeId, boot: number];

/** What kind of thing a record names; part of its key, so the kinds never collide. */
export type RecordKind = "file" | "set" | "member" | "key";

/** A record's key: kind and name. Its slot is that of SHA-256(`kind` NUL `name`). */
export interface RecordKey {
  readonly kind: RecordKind;
  readonly name: string;
}

/** Hybrid logical clock: orders changes across keys, for people. [ms since the epoch, counter] */
export type Stamp = readonly [wallMs: number, counter: number];

/** A decided (or proposed) value. */
export interface Value {
  /** Ballot of the attempt that made the change; kept when re-accepted: the ETag of a record. */
  readonly version: Ballot;
  /** Number of changes so far, this one included. */
  readonly n: number;
  readonly stamp: Stamp;
  /** A delete is a value like any other (T1). */
  readonly deleted: boolean;
  /** Versions of the last 8 changes, newest last, its own included. */
  readonly recent: readonly Ballot[];
  /** Encoded body (see file_record.ts); of a deleted file what it was, so that it can come back. */
  readonly body: Uint8Array;
}

/** The bytes whose SHA-256 places a record on the ring: kind, NUL, name in UTF-8. */
export function recordKeyBytes({ kind, name }: RecordKey): Uint8Array {
  return fromString(`${kind}\0${name}`, "utf8");
}
