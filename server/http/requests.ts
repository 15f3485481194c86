// Reading requests: names from paths, CIDs, numbers, cursors, small JSON bodies. Everything that
// comes from outside is checked here, once, and refused with what was expected.

import { CID } from "multiformats/cid";
import { fromString } from "uint8arrays/from-string";
import { toString } from "uint8arrays/to-string";
import * as v from "valibot";
import { SkyringError } from "../../shared/base/errors.ts";
import { asCid, type Cid } from "../../shared/base/ids.ts";
import { httpJsonBytesMax, nameBytesMax } from "../../shared/base/limits.ts";
import { checkName } from "../../shared/base/name.ts";

const pageLimitMax = 1_000;
const pageLimitDefault = 100;
const codecs: ReadonlySet<number> = new Set([0x55, 0x70]);
const sha256Code = 0x12;

/**
 * Segments of a raw path after the first `skip`, each percent-decoded on its own, so that `%2F`
 * can never make a new segment. @throws {SkyringError} bad_request, bad_name
 */
export function decodeSegments(url: string, skip: number): readonly string[] {
  return new URL(url).pathname.split("/").slice(skip + 1).map((segment) => {
    const plain = decodeSegment(segment);
    if (plain.includes("/")) {
      throw new SkyringError("bad_name", "Cannot use name: a segment holds an encoded slash");
    }
    return plain;
  });
}

function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch (cause) {
    const detail = "Cannot read path: a segment is not percent-encoded UTF-8";
    throw new SkyringError("bad_request", detail, { cause });
  }
}

/** The file name in a path such as /api/files/a/b. @throws {SkyringError} bad_request, bad_name */
export function nameFromPath(url: string, skip: number): string {
  const check = checkName(decodeSegments(url, skip).join("/"));
  if (check.ok) return check.name;
  const data = { fault: check.fault, limit: nameBytesMax };
  throw new SkyringError("bad_name", check.message, { data });
}

/** A CID that Skyring stores, as CIDv1 base32. @throws {SkyringError} bad_cid */
export function parseCid(text: string): Cid {
  const parsed = readCid(text);
  if (parsed === undefined || parsed.multihash.code !== sha256Code || !codecs.has(parsed.code)) {
    throw new SkyringError("bad_cid", "Cannot use CID: expected sha2-256 of raw or dag-pb");
  }
  return asCid(parsed.toV1().toString());
}

function readCid(text: string): CID | undefined {
  if (text.length > 128) return undefined;
  try {
    const cid: CID = CID.parse(text);
    return cid.multihash.digest.length === 32 ? cid : undefined;
  } catch (error) {
    // The library throws on any text that is no CID; which way it failed says nothing more.
    if (error instanceof Error) return undefined;
    throw error;
  }
}

/** A whole number of the query between `min` and `max`. @throws {SkyringError} bad_setting */
export function queryInteger(
  text: string,
  options: { readonly name: string; readonly min: number; readonly max: number },
): number {
  const { name, min, max } = options;
  const value = /^\d{1,15}$/.test(text) ? Number(text) : NaN;
  if (value >= min && value <= max) return value;
  const data = { min, max };
  throw new SkyringError(
    "bad_setting",
    `Cannot use ${name}: expected a whole number from ${min} to ${max}`,
    { data },
  );
}

/** `limit` and `cursor` of a list. @throws {SkyringError} bad_setting, bad_request */
export function pageOf(
  url: string,
): { readonly limit: number; readonly after: string | undefined } {
  const query = new URL(url).searchParams;
  const limit = queryInteger(query.get("limit") ?? String(pageLimitDefault), {
    name: "limit",
    min: 1,
    max: pageLimitMax,
  });
  const cursor = query.get("cursor");
  return { limit, after: cursor === null ? undefined : decodeCursor(cursor) };
}

/** The key of the last item as an opaque cursor; null stays null. @throws never */
export function encodeCursor(key: string | null): string | null {
  return key === null ? null : toString(fromString(`1:${key}`, "utf8"), "base64url");
}

function decodeCursor(cursor: string): string {
  const malformed = (cause?: unknown) =>
    new SkyringError("bad_request", "Cannot read cursor: it is not one of this list", { cause });
  if (cursor.length > 2 * nameBytesMax || !/^[A-Za-z0-9_-]+$/.test(cursor)) throw malformed();
  let text: string;
  try {
    text = toString(fromString(cursor, "base64url"), "utf8");
  } catch (cause) {
    throw malformed(cause);
  }
  if (!text.startsWith("1:")) throw malformed();
  return text.slice(2);
}

/** A JSON body of the given shape. @throws {SkyringError} bad_request, too_large, bad_setting */
export async function readJson<Schema extends v.GenericSchema>(
  request: Request,
  schema: Schema,
): Promise<v.InferOutput<Schema>> {
  const type = (request.headers.get("content-type") ?? "").split(";", 1)[0]?.trim().toLowerCase();
  if (type !== "application/json") {
    throw new SkyringError("bad_request", "Cannot read body: expected application/json");
  }
  const text = new TextDecoder().decode(await readSmall(request, httpJsonBytesMax));
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new SkyringError("bad_request", "Cannot read body: it is not JSON", { cause });
  }
  const result = v.safeParse(schema, value);
  if (result.success) return result.output;
  const issue = result.issues[0];
  const where = issue.path?.map((item) => String(item.key)).join(".") ?? "";
  throw new SkyringError("bad_setting", `Cannot use body: ${where} ${issue.message}`.trim());
}

/** A whole small body, counted as it comes. @throws {SkyringError} too_large */
export async function readSmall(request: Request, bytesMax: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of request.body ?? []) {
    length += chunk.length;
    if (length > bytesMax) {
      const data = { limit: bytesMax };
      throw new SkyringError("too_large", `Cannot read body: over ${bytesMax} bytes`, { data });
    }
    chunks.push(chunk);
  }
  const whole = new Uint8Array(length);
  let offset = 0;
  for (const chunk of chunks) {
    whole.set(chunk, offset);
    offset += chunk.length;
  }
  return whole;
}

/** Refuses to be the script of a service worker. @throws {SkyringError} bad_request */
export function refuseServiceWorker(headers: Headers): void {
  if (headers.get("service-worker") === null) return;
  throw new SkyringError("bad_request", "Cannot serve stored content as a service worker");
}
