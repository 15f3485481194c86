// Errors as RFC 9457 problems: the one table from error codes to HTTP statuses and titles.
// A SkyringError carries its code, message and data to the client; anything else is a bug and
// shows nothing of itself: no message, no stack, only `internal` (the log has the rest).

import { type ErrorCode, SkyringError } from "../../shared/base/errors.ts";
import { bytesResponse } from "./responses.ts";

interface ProblemKind {
  readonly status: number;
  readonly title: string;
  readonly retryAfterSeconds?: number;
}

const kinds: Readonly<Record<ErrorCode, ProblemKind>> = {
  bad_request: { status: 400, title: "Malformed request" },
  bad_name: { status: 422, title: "Invalid name" },
  bad_cid: { status: 400, title: "Not a CID that can be stored here" },
  bad_setting: { status: 422, title: "Invalid value" },
  bad_block: { status: 422, title: "Bytes do not match their CID" },
  bad_message: { status: 400, title: "Malformed message" },
  short_body: { status: 400, title: "Body ended early" },
  digest_mismatch: { status: 400, title: "Digest does not match" },
  unauthorized: { status: 401, title: "Token needed" },
  forbidden: { status: 403, title: "Not allowed" },
  not_found: { status: 404, title: "Not found" },
  exists: { status: 412, title: "Exists already" },
  precondition_failed: { status: 412, title: "Precondition failed" },
  conflict: { status: 409, title: "Conflict" },
  too_large: { status: 413, title: "Too large" },
  range_unsatisfiable: { status: 416, title: "Range outside the file" },
  busy: { status: 429, title: "Busy", retryAfterSeconds: 1 },
  no_quorum: { status: 503, title: "No quorum", retryAfterSeconds: 2 },
  outcome_unknown: { status: 503, title: "Outcome unknown", retryAfterSeconds: 2 },
  too_few_copies: { status: 503, title: "Too few copies", retryAfterSeconds: 5 },
  read_only: { status: 503, title: "Read-only", retryAfterSeconds: 5 },
  not_ready: { status: 503, title: "Not ready", retryAfterSeconds: 2 },
  clock_off: { status: 503, title: "Clock off", retryAfterSeconds: 5 },
  unavailable: { status: 504, title: "Holders did not answer" },
  full: { status: 507, title: "Full" },
  metadata_full: { status: 507, title: "Metadata limit reached" },
  disk_failed: { status: 500, title: "Disk failed" },
  corrupt: { status: 500, title: "Corrupt data" },
  locked: { status: 409, title: "Locked" },
  copied_identity: { status: 409, title: "Copied identity" },
  restored_disk: { status: 409, title: "Restored data folder" },
  not_admitted: { status: 403, title: "Not admitted" },
  unreachable: { status: 504, title: "Cannot reach node" },
  timeout: { status: 504, title: "Timed out" },
  stopped: { status: 503, title: "Stopping", retryAfterSeconds: 5 },
  internal: { status: 500, title: "Internal error" },
};

/** The HTTP status of an error code. @throws never */
export function statusOf(code: ErrorCode): number {
  return kinds[code].status;
}

/**
 * The problem document of anything thrown, `application/problem+json`.
 * Data fields of a SkyringError become members beside the five of RFC 9457. @throws never
 */
export function problemResponse(thrown: unknown, status?: number): Response {
  const error = thrown instanceof SkyringError
    ? thrown
    : new SkyringError("internal", "Cannot answer: an internal error was logged");
  const kind = kinds[error.code];
  const used = status ?? kind.status;
  const problem = {
    ...error.data,
    type: `urn:skyring:problem:${error.code.replaceAll("_", "-")}`,
    title: kind.title,
    status: used,
    detail: error.message,
    code: error.code,
  };
  const headers: Record<string, string> = { "content-type": "application/problem+json" };
  if (kind.retryAfterSeconds !== undefined) headers["retry-after"] = `${kind.retryAfterSeconds}`;
  if (used === 401) headers["www-authenticate"] = 'Bearer realm="skyring"';
  return bytesResponse(new TextEncoder().encode(JSON.stringify(problem)), {
    status: used,
    headers,
  });
}
