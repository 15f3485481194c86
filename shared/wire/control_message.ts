// Messages of the control protocol `/skyring/<group>/control/1.0.0`: one member tells another to
// leave, to stop or to offer another capacity, asks about its jobs, its turn and its clock.
//
//   request   {version, body: {kind, ...}}        reply   {version, body: {kind, ...}}
//
// A request of another version is refused by name, so that the operator reads which node to
// update. Job ids are random; whoever is admitted may ask about any job.

import { decode, encode } from "cborg";
import * as v from "valibot";
import type { ErrorCode, ErrorData } from "../base/errors.ts";
import { controlJobsMax, controlMessageBytesMax } from "../base/limits.ts";
import type { JobSnapshot, MovePlan } from "../job.ts";
import { whole } from "./register_value.ts";

/** Version of these messages; the first field of each. */
export const controlVersion = 1;

/** What a member asks of another. */
export type ControlRequest =
  | { readonly kind: "leave"; readonly dryRun: boolean; readonly force: boolean }
  | { readonly kind: "stop"; readonly dryRun: boolean }
  | {
    readonly kind: "resize";
    readonly bytes: number;
    readonly dryRun: boolean;
    readonly force: boolean;
  }
  /** May the asker begin to leave now? */
  | { readonly kind: "turn" }
  /** Jobs of the asked node; of one id when given. */
  | { readonly kind: "jobs"; readonly id: string | null }
  | { readonly kind: "cancel"; readonly id: string }
  /** News of a job of the asker. */
  | { readonly kind: "told"; readonly job: JobSnapshot }
  | { readonly kind: "time" }
  /** Remove now what nothing references. */
  | { readonly kind: "collect" };

export type ControlReply =
  | { readonly kind: "plan"; readonly plan: MovePlan }
  | { readonly kind: "job"; readonly job: JobSnapshot }
  | { readonly kind: "jobs"; readonly jobs: readonly JobSnapshot[] }
  | { readonly kind: "turn"; readonly free: boolean }
  | { readonly kind: "time"; readonly at: number }
  | { readonly kind: "done" }
  | { readonly kind: "collected"; readonly blocks: number; readonly freedBytes: number }
  | {
    readonly kind: "refused";
    readonly code: ErrorCode;
    readonly message: string;
    readonly data: ErrorData;
  };

export type Decoded<T> =
  | { readonly ok: true; readonly body: T }
  | { readonly ok: false; readonly reason: string };

/** Codes that cross the wire; any other is told as `internal`. */
const codes = [
  "bad_request",
  "bad_setting",
  "bad_message",
  "forbidden",
  "not_found",
  "conflict",
  "busy",
  "no_quorum",
  "too_few_copies",
  "read_only",
  "not_ready",
  "unavailable",
  "full",
  "disk_failed",
  "unreachable",
  "timeout",
  "stopped",
  "clock_off",
  "internal",
] as const satisfies readonly ErrorCode[];

const text = (most: number) => v.pipe(v.string(), v.maxLength(most));
const jobId = v.pipe(v.string(), v.regex(/^[0-9a-f]{16}$/));
const amount = v.strictObject({ done: whole, total: whole });
const job = v.strictObject({
  id: jobId,
  kind: text(32),
  what: text(256),
  node: text(128),
  name: text(128),
  state: v.picklist(["waiting", "running", "done", "failed", "cancelled"]),
  note: text(512),
  blocks: amount,
  bytes: amount,
  timeLeftMs: v.nullable(whole),
  error: v.nullable(v.strictObject({ code: text(32), detail: text(1_024) })),
  cancellable: v.boolean(),
  startedAt: whole,
  updatedAt: whole,
  endedAt: v.nullable(whole),
});

const plan = v.strictObject({
  action: v.picklist(["leave", "stop", "capacity"]),
  node: text(128),
  remaining: whole,
  held: whole,
  heldBytes: whole,
  blocks: whole,
  bytes: whole,
  below: whole,
  lost: whole,
  neededBytes: whole,
  freeBytes: whole,
  keptBytes: whole,
});

const flag = v.boolean();
const request = v.variant("kind", [
  v.strictObject({ kind: v.literal("leave"), dryRun: flag, force: flag }),
  v.strictObject({ kind: v.literal("stop"), dryRun: flag }),
  v.strictObject({ kind: v.literal("resize"), bytes: whole, dryRun: flag, force: flag }),
  v.strictObject({ kind: v.literal("turn") }),
  v.strictObject({ kind: v.literal("jobs"), id: v.nullable(jobId) }),
  v.strictObject({ kind: v.literal("cancel"), id: jobId }),
  v.strictObject({ kind: v.literal("told"), job }),
  v.strictObject({ kind: v.literal("time") }),
  v.strictObject({ kind: v.literal("collect") }),
]);

const dataValue = v.union([
  text(1_024),
  v.pipe(v.number(), v.finite()),
  v.boolean(),
  v.pipe(v.array(text(1_024)), v.maxLength(256)),
]);
const data = v.pipe(
  v.record(v.pipe(v.string(), v.regex(/^[A-Za-z]{1,32}$/)), dataValue),
  v.check((fields) => Object.keys(fields).length <= 32, "too many fields"),
);
const reply = v.variant("kind", [
  v.strictObject({ kind: v.literal("plan"), plan }),
  v.strictObject({ kind: v.literal("job"), job }),
  v.strictObject({
    kind: v.literal("jobs"),
    jobs: v.pipe(v.array(job), v.maxLength(controlJobsMax)),
  }),
  v.strictObject({ kind: v.literal("turn"), free: flag }),
  v.strictObject({ kind: v.literal("time"), at: whole }),
  v.strictObject({ kind: v.literal("done") }),
  v.strictObject({ kind: v.literal("collected"), blocks: whole, freedBytes: whole }),
  v.strictObject({
    kind: v.literal("refused"),
    code: v.picklist(codes),
    message: text(2_048),
    data,
  }),
]);

/** A request as bytes. @throws never */
export function encodeControlRequest(body: ControlRequest): Uint8Array {
  return encode({ version: controlVersion, body });
}

/** A reply as bytes; a code that does not cross the wire becomes `internal`. @throws never */
export function encodeControlReply(body: ControlReply): Uint8Array {
  const known: ControlReply = body.kind === "refused"
    ? { ...body, code: codes.find((code) => code === body.code) ?? "internal" }
    : body;
  return encode({ version: controlVersion, body: known });
}

/** A request from any bytes. Never throws, whatever the bytes. */
export function decodeControlRequest(bytes: Uint8Array): Decoded<ControlRequest> {
  return decodeBody<ControlRequest>(bytes, request);
}

/** A reply from any bytes. Never throws, whatever the bytes. */
export function decodeControlReply(bytes: Uint8Array): Decoded<ControlReply> {
  return decodeBody<ControlReply>(bytes, reply);
}

const envelope = v.object({ version: whole, body: v.unknown() });

function decodeBody<T>(
  bytes: Uint8Array,
  schema: v.GenericSchema<unknown, T>,
): Decoded<T> {
  if (bytes.length > controlMessageBytesMax) return { ok: false, reason: "it is too long" };
  let decoded: unknown;
  try {
    decoded = decode(bytes, { useMaps: false });
  } catch {
    return { ok: false, reason: "it is not CBOR" };
  }
  const outer = v.safeParse(envelope, decoded);
  if (!outer.success) return { ok: false, reason: "it has no version" };
  const { version, body } = outer.output;
  if (version !== controlVersion) {
    return {
      ok: false,
      reason: `it is of version ${version}, this node speaks ${controlVersion}`,
    };
  }
  const parsed = v.safeParse(schema, body);
  if (parsed.success) return { ok: true, body: parsed.output };
  return { ok: false, reason: parsed.issues[0].message };
}
