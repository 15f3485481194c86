// What the API says about files, checked as it comes in: names from a node become local paths
// and terminal lines, so none is trusted.

import * as v from "valibot";
import { checkName, encodeName } from "../../shared/base/name.ts";
import type { ApiClient } from "./api_client.ts";
import { CliFailure, exitCodes } from "./cli_failure.ts";

const schema = v.object({
  name: v.string(),
  cid: v.pipe(v.string(), v.regex(/^[A-Za-z0-9]{1,128}$/)),
  size: v.pipe(v.number(), v.integer(), v.minValue(0)),
  blocks: v.number(),
  replicas: v.object({ wanted: v.number(), least: v.number(), zones: v.number() }),
  modifiedAt: v.optional(v.number(), 0),
  writer: v.optional(v.string(), ""),
});

/** A file as the API describes it. Bytes; ms since the epoch. */
export type RemoteFile = v.InferOutput<typeof schema>;

/** What a node that has not heard from all others says beside an answer. */
export interface Doubts {
  /** Files may be missing. */
  incomplete: boolean;
  /** Copies are those of this node alone. */
  copiesUnknown: boolean;
}

const pageSize = 1_000;

/** Reads one description. @throws {CliFailure} when it is none */
export function parseRemoteFile(value: unknown): RemoteFile {
  const parsed = v.safeParse(schema, value);
  if (parsed.success) return parsed.output;
  throw new CliFailure(exitCodes.failed, "Cannot read the answer: it describes no file");
}

/** Path of a file in the API. @throws {CliFailure} usage, for a name that breaks the rules */
export function filePath(name: string): string {
  return `/api/files/${encodeName(checkedName(name))}`;
}

/** A name in NFC. @throws {CliFailure} usage */
export function checkedName(name: string): string {
  const check = checkName(name);
  if (check.ok) return check.name;
  throw new CliFailure(exitCodes.usage, check.message);
}

/** Before any answer. @throws never */
export function noDoubts(): Doubts {
  return { incomplete: false, copiesUnknown: false };
}

/** What the node knows of one file. @throws {CliFailure} not found says when it is a folder */
export async function statFile(
  client: ApiClient,
  name: string,
  doubts?: Doubts,
): Promise<RemoteFile> {
  try {
    const { value, headers } = await client.readJson(`${filePath(name)}?view=info`);
    if (doubts !== undefined) noteDoubts(doubts, headers);
    return parseRemoteFile(value);
  } catch (error) {
    throw await orFolder(client, { name, error });
  }
}

/** A failure that tells of the folder, where there is one in place of the file. */
export async function orFolder(
  client: ApiClient,
  { name, error }: { readonly name: string; readonly error: unknown },
): Promise<unknown> {
  if (!(error instanceof CliFailure) || error.exitCode !== exitCodes.notFound) return error;
  const bare = name.replace(/\/+$/, "");
  const query = new URLSearchParams({ limit: "1", prefix: `${bare}/` });
  const { items } = await client.callJson("GET", `/api/files?${query}`);
  if (!Array.isArray(items) || items.length === 0) return error;
  const message = `Cannot find file ${name}: it is a folder, use -r where a command has it`;
  return new CliFailure(exitCodes.notFound, message, { cause: error });
}

function noteDoubts(doubts: Doubts, headers: Headers): void {
  if (headers.get("skyring-stale") === "1") doubts.incomplete = true;
  if (headers.get("skyring-copies") === "unknown") doubts.copiesUnknown = true;
}

/** All files whose names begin with `prefix` and hold all `words`. @throws {CliFailure} */
export async function* listFiles(
  client: ApiClient,
  prefix: string,
  { words = "", doubts }: { readonly words?: string; readonly doubts?: Doubts } = {},
): AsyncGenerator<RemoteFile> {
  let cursor: string | undefined;
  do {
    const query = new URLSearchParams({ limit: String(pageSize) });
    if (prefix !== "") query.set("prefix", prefix);
    if (words !== "") query.set("words", words);
    if (cursor !== undefined) query.set("cursor", cursor);
    const { value: page, headers } = await client.readJson(`/api/files?${query}`);
    if (doubts !== undefined) noteDoubts(doubts, headers);
    const items = page["items"];
    if (!Array.isArray(items)) {
      throw new CliFailure(exitCodes.failed, "Cannot read the answer: it is no list of files");
    }
    for (const item of items) yield parseRemoteFile(item);
    cursor = typeof page["next"] === "string" ? page["next"] : undefined;
  } while (cursor !== undefined);
}

/** All files below a folder, `DIR` or `DIR/`. @throws {CliFailure} not found when there are none */
export async function filesBelow(client: ApiClient, folder: string): Promise<RemoteFile[]> {
  const bare = checkedName(folder.replace(/\/+$/, ""));
  const files: RemoteFile[] = [];
  for await (const file of listFiles(client, `${bare}/`)) files.push(file);
  if (files.length > 0) return files;
  throw new CliFailure(exitCodes.notFound, `Cannot find folder ${bare}/: no file lies in it`);
}
