// Two processes never share a data folder: `lock` in it is held by an OS lock for as long as the
// process lives, so that kill -9 frees it. `node.json` beside it says who holds it and where it
// can be reached: a second node on the machine and the command line client find it there.
//
// The lock alone decides. node.json without a held lock is stale, whatever pid it names.

import { join } from "node:path";
import * as v from "valibot";
import { SkyringError } from "../../shared/base/errors.ts";
import { readIfThere, writeDurably } from "./durable_file.ts";

const lockFile = "lock";
const infoFile = "node.json";
/** An onlooker in isHeld() has the lock for an instant: it must not be taken for a holder. */
const triesMax = 4;
const retryMs = 25;

const infoSchema = v.object({
  pid: v.number(),
  /** Drawn anew at each start. */
  bootId: v.string(),
  name: v.string(),
  group: v.string(),
  /** Peer id. */
  id: v.string(),
  /** HTTP base URL as a client on this machine reaches it; null while starting. */
  http: v.nullable(v.string()),
  /** Multiaddrs with `/p2p/`; empty while starting. */
  p2p: v.array(v.string()),
  /** Line protocol address, if it listens. */
  line: v.nullable(v.string()),
  /** Milliseconds since the epoch. */
  startedAt: v.number(),
});

/** Who holds a data folder, and where it can be reached. */
export type FolderInfo = v.InferOutput<typeof infoSchema>;

/** A live holder, with the folder that it holds. */
export interface Holder extends FolderInfo {
  readonly folder: string;
}

/** A held data folder. */
export interface FolderLock {
  readonly folder: string;
  /** Replaces what node.json says. @throws {SkyringError} disk_failed */
  publish(info: FolderInfo): Promise<void>;
  /** Frees the folder and takes node.json away. May be called twice. */
  release(): Promise<void>;
}

/**
 * Takes a data folder, making it (mode 0700) when missing; undefined when another process has it.
 * @throws {SkyringError} disk_failed when it cannot be made or opened
 */
export async function tryLockFolder(folder: string): Promise<FolderLock | undefined> {
  const file = await openLock(folder);
  for (let tries = 1; !file.tryLockSync(true); tries++) {
    if (tries === triesMax) {
      file.close();
      return undefined;
    }
    await new Promise((resolve) => setTimeout(resolve, retryMs));
  }
  // For people: `kill "$(cat data/node-1/lock)"`. The lock is what counts.
  file.truncateSync(0);
  file.writeSync(new TextEncoder().encode(`${Deno.pid}\n`));
  let held = true;
  return {
    folder,
    publish: (info) => {
      const text = JSON.stringify(info, undefined, 2) + "\n";
      return writeDurably(join(folder, infoFile), new TextEncoder().encode(text), { mode: 0o600 });
    },
    release: async () => {
      if (!held) return;
      held = false;
      await removeInfo(folder);
      file.close();
    },
  };
}

/** Takes a data folder. @throws {SkyringError} locked, naming the holder; disk_failed */
export async function lockFolder(folder: string): Promise<FolderLock> {
  const lock = await tryLockFolder(folder);
  if (lock) return lock;
  const holder = await readInfo(folder);
  const who = holder ? `node ${holder.name} (pid ${holder.pid})` : "another process";
  throw new SkyringError("locked", `Cannot use data folder ${folder}: ${who} has it`, {
    data: { folder, pid: holder?.pid ?? 0 },
  });
}

/** What the live holder of a folder says of itself; undefined when nobody holds it. */
export async function holderOf(folder: string): Promise<FolderInfo | undefined> {
  return await isHeld(folder) ? await readInfo(folder) : undefined;
}

/** Whether a live process holds the folder. @throws {SkyringError} disk_failed */
export async function isHeld(folder: string): Promise<boolean> {
  let file: Deno.FsFile;
  try {
    file = await Deno.open(join(folder, lockFile), { read: true });
  } catch (error) {
    if (isAbsence(error)) return false;
    throw failed(folder, error);
  }
  try {
    // A shared lock: two onlookers do not take each other for a holder.
    return !file.tryLockSync(false);
  } finally {
    file.close();
  }
}

/** Live holders of the folders in `root`, by name of folder. @throws {SkyringError} disk_failed */
export async function holdersIn(root: string): Promise<Holder[]> {
  const names: string[] = [];
  try {
    for await (const entry of Deno.readDir(root)) if (entry.isDirectory) names.push(entry.name);
  } catch (error) {
    if (isAbsence(error)) return [];
    throw failed(root, error);
  }
  names.sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
  const holders: Holder[] = [];
  for (const name of names) {
    const folder = join(root, name);
    const holder = await holderOf(folder);
    if (holder) holders.push({ ...holder, folder });
  }
  return holders;
}

async function openLock(folder: string): Promise<Deno.FsFile> {
  try {
    await Deno.mkdir(folder, { recursive: true, mode: 0o700 });
    return await Deno.open(join(folder, lockFile), {
      read: true,
      write: true,
      create: true,
      mode: 0o600,
    });
  } catch (error) {
    throw failed(folder, error);
  }
}

async function readInfo(folder: string): Promise<FolderInfo | undefined> {
  const bytes = await readIfThere(join(folder, infoFile));
  if (!bytes) return undefined;
  try {
    return v.parse(infoSchema, JSON.parse(new TextDecoder().decode(bytes)));
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof v.ValiError) return undefined;
    throw error;
  }
}

async function removeInfo(folder: string): Promise<void> {
  try {
    await Deno.remove(join(folder, infoFile));
  } catch (error) {
    if (!isAbsence(error)) throw failed(folder, error);
  }
}

function isAbsence(error: unknown): boolean {
  return error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory;
}

function failed(folder: string, cause: unknown): SkyringError {
  return new SkyringError("disk_failed", `Cannot use data folder ${folder}: the disk refused`, {
    cause,
    data: { folder },
  });
}
