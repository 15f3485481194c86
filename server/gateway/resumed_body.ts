// A download that outlives its node: what was not sent yet is read from another node, from the
// same byte of the same content. The content is pinned by the CID in the first answer's ETag and
// never asked for by name again, so that two versions cannot mix.
//
// A named file goes on at /ipfs/{cid}; what is addressed by CID or by a signed link already goes
// on at its own path. Either way the answer must be 206 with the same tag, the same total and
// exactly the missing range, else it is not used.

import { SkyringError } from "../../shared/base/errors.ts";
import { gatewayResumesMax } from "../../shared/base/limits.ts";
import { bytesOf, type UpstreamAnswer } from "./upstream.ts";

/** Bytes [start, end) of a content of `total` bytes. */
export interface Pin {
  readonly tag: string;
  readonly path: string;
  readonly start: number;
  readonly end: number;
  readonly total: number;
}

/** What of an answer could go on elsewhere; undefined when it is not pinned. @throws never */
export function pinOf(url: URL, answer: UpstreamAnswer): Pin | undefined {
  const { headers, status } = answer;
  const tag = headers.get("etag") ?? "";
  const cid = /^"(baf[a-z2-7]{20,120})"$/.exec(tag)?.[1];
  const length = Number(headers.get("content-length") ?? NaN);
  if (cid === undefined || !Number.isSafeInteger(length) || length === 0) return undefined;
  const named = url.pathname.startsWith("/api/files/");
  if (!named && !/^\/(ipfs|s)\//.test(url.pathname)) return undefined;
  if (named && url.searchParams.has("view")) return undefined;
  const path = named ? `/ipfs/${cid}` : url.pathname + url.search;
  if (status === 200) return { tag, path, start: 0, end: length, total: length };
  const range = status === 206 ? rangeOf(headers) : undefined;
  if (range === undefined || range.end - range.start !== length) return undefined;
  return { tag, path, ...range };
}

/** Header fields that ask for the rest, and for nothing else. @throws never */
export function restHeaders(pin: Pin, at: number): Record<string, string> {
  return { range: `bytes=${at}-${pin.end - 1}`, "if-match": pin.tag };
}

/** Whether an answer is the rest of the pinned content from `at`. @throws never */
export function isRest(answer: UpstreamAnswer, pin: Pin, at: number): boolean {
  const range = answer.status === 206 ? rangeOf(answer.headers) : undefined;
  return range !== undefined && answer.headers.get("etag") === pin.tag &&
    range.start === at && range.end === pin.end && range.total === pin.total;
}

function rangeOf(headers: Headers): { start: number; end: number; total: number } | undefined {
  const match = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(headers.get("content-range") ?? "");
  if (match === null) return undefined;
  return { start: Number(match[1]), end: Number(match[2]) + 1, total: Number(match[3]) };
}

/**
 * The pinned bytes, from one node after another. `reopen` gives the answer of another node for
 * the rest, or undefined when it got none that fits.
 * @throws {SkyringError} unavailable: no node gave the rest
 */
export async function* resumedBytes(
  first: UpstreamAnswer,
  options: {
    readonly pin: Pin;
    readonly signal: AbortSignal;
    readonly reopen: (at: number) => Promise<UpstreamAnswer | undefined>;
    readonly onResume: (at: number) => void;
  },
): AsyncGenerator<Uint8Array> {
  const { pin, signal } = options;
  let source: UpstreamAnswer | undefined = first;
  let at = pin.start;
  for (let tries = 0; tries <= gatewayResumesMax; tries++) {
    const before = at;
    if (source !== undefined) {
      try {
        for await (const bytes of bytesOf(source.message)) {
          // More than announced would be another content's bytes.
          if (at + bytes.length > pin.end) break;
          at += bytes.length;
          yield bytes;
        }
      } catch (error) {
        if (signal.aborted) throw error;
      }
    }
    if (at === pin.end) return;
    if (at > before) tries = 0;
    if (signal.aborted) break;
    options.onResume(at);
    source = await options.reopen(at);
  }
  throw new SkyringError("unavailable", `Cannot go on at byte ${at}: no node gave the rest`, {
    data: { at, total: pin.total },
  });
}
