// One error type for what may fail at a port (disk, network, quorum) or at a door (bad input).
// Nobody parses messages: the code says what happened, `data` carries the values and limits,
// and one table (server/http/problems.ts) maps codes to HTTP statuses.

/** Every failure that a caller can be told about, by its stable name. */
export type ErrorCode =
  | "bad_request" // malformed: cannot be parsed at all
  | "bad_name" // a file name that breaks the rules
  | "bad_cid" // not a CID that Skyring stores
  | "bad_setting" // a start setting out of range
  | "bad_block" // bytes that do not match their CID
  | "bad_message" // a frame or message that breaks its protocol
  | "short_body" // the body ended before its announced length
  | "digest_mismatch" // Content-Digest or Repr-Digest does not match
  | "unauthorized" // no token or a wrong one
  | "forbidden" // host, origin or role not allowed
  | "not_found" // unknown name, CID, node, job
  | "exists" // If-None-Match: * on an existing name
  | "precondition_failed" // If-Match and the like
  | "conflict" // refused in the present state
  | "too_large" // over a limit
  | "range_unsatisfiable"
  | "busy" // a queue is full: try again later
  | "no_quorum" // not enough deciders answered: nothing was written
  | "outcome_unknown" // a write may or may not have happened
  | "too_few_copies" // a push could not reach its minimum of copies
  | "read_only" // the council cannot be reached
  | "not_ready" // still joining
  | "clock_off" // this node's clock differs from the others'
  | "unavailable" // holders did not answer in time
  | "full" // block capacity reached
  | "metadata_full" // metadata limit reached
  | "disk_failed" // fsync or write failed: the node stops
  | "corrupt" // data on disk is not what was written
  | "locked" // another process has the data folder
  | "copied_identity" // our peer id is alive elsewhere under another boot id
  | "restored_disk" // a member met a later start of this node: its data folder is an older one
  | "not_admitted" // the peer did not prove membership
  | "unreachable" // cannot dial
  | "timeout"
  | "stopped" // the owner is stopping
  | "internal";

/** Values that make an error's message: numbers, limits, names. */
export type ErrorData = Readonly<Record<string, string | number | boolean | readonly string[]>>;

/** A failure with its code and data; `retriable` says whether the same call may succeed later. */
export class SkyringError extends Error {
  override readonly name = "SkyringError";
  readonly code: ErrorCode;
  readonly data: ErrorData;
  readonly retriable: boolean;

  constructor(
    code: ErrorCode,
    message: string,
    options: { data?: ErrorData; cause?: unknown; retriable?: boolean } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.data = options.data ?? {};
    this.retriable = options.retriable ?? false;
  }
}

/** The text of anything thrown, for logs and messages. @throws never */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
