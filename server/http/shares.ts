// Share links: /s/<grant>/<name> gives one version of a file to whoever has the link, without a
// token, until it expires. A grant is `<cid>.<expiry, seconds in base 36>.<mac>`; the MAC covers
// the name too, so that a link cannot be made to show content under another name. The key comes
// from the group, so any of its nodes answers.
//
// Invariant: a link opens exactly the content it was made for, read-only, and nothing after it.

import { Buffer } from "node:buffer";
import { createHmac, timingSafeEqual } from "node:crypto";
import * as v from "valibot";
import { SkyringError } from "../../shared/base/errors.ts";
import type { Cid } from "../../shared/base/ids.ts";
import { shareLifetimeMsMax } from "../../shared/base/limits.ts";
import { checkName, encodeName } from "../../shared/base/name.ts";
import { sendFile } from "./file_pull.ts";
import { contentHeaders } from "./media_types.ts";
import {
  decodeSegments,
  nameFromPath,
  parseCid,
  readJson,
  refuseServiceWorker,
} from "./requests.ts";
import { jsonResponse } from "./responses.ts";
import type { App } from "./routes.ts";
import type { Services } from "./services.ts";

/** `expires`: milliseconds since the epoch, or a date and time of ISO 8601. */
const shareBody = v.strictObject({
  name: v.string(),
  expires: v.union([v.number(), v.string()]),
});

/** What a link grants. */
export interface Grant {
  readonly cid: Cid;
  readonly expiresAt: number;
  readonly name: string;
}

/** Adds the routes, when the node has a key for links. @throws never */
export function routeShares(app: App, services: Services): void {
  const { shareKey, pool } = services;
  if (shareKey === undefined) return;
  app.post("/api/shares", async (context) => {
    const body = await readJson(context.req.raw, shareBody);
    const check = checkName(body.name);
    if (!check.ok) throw new SkyringError("bad_name", check.message);
    const expiresAt = expiryOf(body.expires, services.now());
    const { cid } = await pool.stat(check.name);
    const url = sharePath({ cid, expiresAt, name: check.name }, shareKey());
    return jsonResponse({ url, cid, expires: expiresAt }, {
      status: 201,
      headers: { location: url },
    });
  });
  app.get("/s/*", async (context) => {
    const request = context.req.raw;
    refuseServiceWorker(request.headers);
    const [text = ""] = decodeSegments(request.url, 1);
    const name = nameFromPath(request.url, 2);
    const grant = openGrant(text, { name, key: shareKey(), now: services.now() });
    const file = await pool.openCid(grant.cid, request.signal);
    const download = new URL(request.url).searchParams.has("download");
    const headers = { ...contentHeaders(name, { download }), "cache-control": "private, no-cache" };
    return sendFile(file, { request, headers });
  });
}

/** Path of a link that opens one version of the file `name`. @throws never */
export function sharePath(grant: Grant, key: Uint8Array): string {
  const name = grant.name.slice(grant.name.lastIndexOf("/") + 1);
  return `/s/${signGrant({ ...grant, name }, key)}/${encodeName(name)}`;
}

/** The grant as one path segment; `expiresAt` is cut to whole seconds. @throws never */
export function signGrant(grant: Grant, key: Uint8Array): string {
  const expiry = Math.floor(grant.expiresAt / 1_000).toString(36);
  return `${grant.cid}.${expiry}.${macOf({ ...grant, expiry }, key)}`;
}

/** Checks a grant. @throws {SkyringError} forbidden when forged, expired or of another name */
export function openGrant(
  text: string,
  options: { readonly name: string; readonly key: Uint8Array; readonly now: number },
): Grant {
  const [cidText = "", expiry = "", mac = "", ...rest] = text.split(".");
  const { name, key } = options;
  const wanted = macOf({ cid: cidText, expiry, name }, key);
  if (rest.length > 0 || !isSame(mac, wanted)) {
    throw new SkyringError("forbidden", "Cannot open link: it was not made here");
  }
  const expiresAt = parseInt(expiry, 36) * 1_000;
  if (options.now >= expiresAt) {
    throw new SkyringError("forbidden", "Cannot open link: it has expired", {
      data: { expires: expiresAt },
    });
  }
  return { cid: parseCid(cidText), expiresAt, name };
}

/** Compared as bytes: a forged text of the same length may have more of them. */
function isSame(given: string, wanted: string): boolean {
  const [left, right] = [Buffer.from(given), Buffer.from(wanted)];
  return left.length === right.length && timingSafeEqual(left, right);
}

function macOf(
  grant: { readonly cid: string; readonly expiry: string; readonly name: string },
  key: Uint8Array,
): string {
  // The name comes last: only it may hold any character.
  const text = `skyring share\n${grant.cid}\n${grant.expiry}\n${grant.name}`;
  return createHmac("sha256", key).update(text).digest("base64url");
}

function expiryOf(expires: number | string, now: number): number {
  const at = typeof expires === "number" ? expires : Date.parse(expires);
  if (at > now && at <= now + shareLifetimeMsMax) return at;
  throw new SkyringError("bad_setting", "Cannot use expires: expected a time to come", {
    data: { latest: now + shareLifetimeMsMax },
  });
}
