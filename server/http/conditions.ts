// Entity tags and the conditional headers. Every tag of Skyring is a CID in quotes, strong.
// Source: RFC 9110, 8.8.3 and 13.1

import { SkyringError } from "../../shared/base/errors.ts";
import { asCid, type Cid } from "../../shared/base/ids.ts";
import type { WriteCondition } from "../engine/pool.ts";

/** A CID as an entity tag. @throws never */
export function etagOf(cid: string): string {
  return `"${cid}"`;
}

interface TagList {
  readonly any: boolean;
  readonly strong: readonly string[];
  readonly weak: readonly string[];
}

/** @throws {SkyringError} bad_request */
function parseTags(header: string, name: string): TagList {
  if (header.trim() === "*") return { any: true, strong: [], weak: [] };
  const [strong, weak]: [string[], string[]] = [[], []];
  const pattern = /\s*(W\/)?"([\x21\x23-\x7e\x80-\xff]*)"\s*(,|$)/gy;
  let read = 0;
  for (let match = pattern.exec(header); match !== null; match = pattern.exec(header)) {
    (match[1] === undefined ? strong : weak).push(match[2] ?? "");
    read = pattern.lastIndex;
    if (read >= header.length) break;
  }
  if (read < header.length || read === 0) {
    throw new SkyringError("bad_request", `Cannot read ${name}: entity tags are CIDs in quotes`);
  }
  return { any: false, strong, weak };
}

/** Outcome of the conditions of a GET or HEAD. */
export type ReadOutcome = "go_on" | "not_modified" | "failed";

/**
 * Judges If-Match, then If-None-Match, against the current tag.
 * @throws {SkyringError} bad_request
 */
export function judgeRead(headers: Headers, cid: string): ReadOutcome {
  const match = headers.get("if-match");
  if (match !== null) {
    const tags = parseTags(match, "If-Match");
    if (!tags.any && !tags.strong.includes(cid)) return "failed";
  }
  const none = headers.get("if-none-match");
  if (none === null) return "go_on";
  const tags = parseTags(none, "If-None-Match");
  // Weak comparison: a cache may have weakened the tag.
  const known = tags.any || tags.strong.includes(cid) || tags.weak.includes(cid);
  return known ? "not_modified" : "go_on";
}

/** Whether Range applies: no If-Range, or one that names the current version. @throws never */
export function rangeApplies(headers: Headers, cid: string): boolean {
  const header = headers.get("if-range");
  return header === null || header.trim() === etagOf(cid);
}

/** The condition of a write, if any. @throws {SkyringError} bad_request */
export function writeCondition(headers: Headers): WriteCondition | undefined {
  const none = headers.get("if-none-match");
  const match = headers.get("if-match");
  if (none !== null && match !== null) {
    throw new SkyringError("bad_request", "Cannot take If-Match and If-None-Match together");
  }
  if (none !== null) {
    if (none.trim() === "*") return { kind: "absent" };
    throw new SkyringError(
      "bad_request",
      "Cannot take If-None-Match of a write: only * is allowed",
    );
  }
  if (match === null) return undefined;
  const tags = parseTags(match, "If-Match");
  const cids: readonly Cid[] = tags.strong.map(asCid);
  return { kind: "matches", cids: tags.any ? "*" : cids };
}
