// What a node takes when it starts: a name, a data folder with its lock, ports, and the secrets
// that its addresses call for. What the user did not ask for is chosen: the first node-N whose
// folder is free and that no running node under data/ is called, the next free ports, and as nodes
// to join those that run beside it under data/.
//
// Of two nodes that start together the later waits until the earlier can be reached, so that
// they never found two groups.

import { hostname } from "node:os";
import { basename, dirname, join } from "node:path";
import { SkyringError } from "../shared/base/errors.ts";
import { sha256Text, toHex } from "../shared/base/hash.ts";
import type { Config } from "./config.ts";
import { makeRoomToStart } from "./disk/disk_space.ts";
import {
  type FolderInfo,
  type FolderLock,
  holdersIn,
  lockFolder,
  tryLockFolder,
} from "./disk/folder_lock.ts";
import { ensureSecret, readSecret, type SecretName, writeSecret } from "./disk/secret_file.ts";

const defaultPort = 8080;
const defaultP2pPort = 10_090;
const lastPort = 65_535;
/** Nodes of one machine that are tried for a free name or port. */
const seatsMax = 100;
const neighbourWaitMs = 10_000;
const neighbourPollMs = 100;

/** Everything a node holds before it opens a socket. */
export interface Seat {
  readonly name: string;
  readonly lock: FolderLock;
  readonly port: number;
  readonly p2pPort: number;
  readonly linePort: number | undefined;
  readonly zone: string;
  /** Given with --join, or the nodes beside it; a fresh node with any never founds a group. */
  readonly join: readonly string[];
  /** Newest first; undefined: admits loopback peers only. */
  readonly secrets: readonly string[] | undefined;
  readonly token: string | undefined;
  /** True when the token was made now: it is printed once. */
  readonly tokenMade: boolean;
  /** What node.json said at the lock: publish it again with addresses once they are known. */
  readonly info: FolderInfo;
}

/**
 * Takes a seat. `now` in ms since the epoch.
 * @throws {SkyringError} locked, bad_setting, disk_failed
 */
export async function takeSeat(config: Config, now: () => number): Promise<Seat> {
  const { name, index, lock } = await takeFolder(config);
  try {
    const info: FolderInfo = {
      pid: Deno.pid,
      // Replaced by the identity's; until then it tells this start from others.
      bootId: crypto.randomUUID(),
      name,
      group: config.group,
      id: "",
      http: null,
      p2p: [],
      line: null,
      startedAt: now(),
    };
    await makeRoomToStart(lock.folder);
    await lock.publish(info);
    const port = choosePort("port", config.port, { host: config.host, from: defaultPort + index });
    return {
      name,
      lock,
      port,
      p2pPort: choosePort("p2p-port", config.p2pPort, {
        host: config.host,
        from: defaultP2pPort + index,
        taken: port,
      }),
      linePort: config.linePort === undefined
        ? undefined
        : choosePort("line-port", config.linePort, { host: config.lineHost, from: 0 }),
      zone: config.zone ?? toHex(sha256Text(hostname())).slice(0, 12),
      join: config.join.length > 0 ? config.join : await findNeighbours(config, info),
      ...await takeSecrets(config, lock.folder),
      info,
    };
  } catch (error) {
    await lock.release();
    throw error;
  }
}

async function takeFolder(
  config: Config,
): Promise<{ name: string; index: number; lock: FolderLock }> {
  if (config.data !== undefined) {
    const name = config.name ?? nameOfFolder(config.data);
    return { name, index: 0, lock: await lockFolder(config.data) };
  }
  if (config.name !== undefined) {
    const lock = await lockFolder(join(config.dataRoot, config.name));
    return { name: config.name, index: 0, lock };
  }
  // A cluster's nodes lie in folders that are not called by their names.
  const elsewhere = new Set(
    (await holdersIn(config.dataRoot)).filter(({ name, folder }) => name !== basename(folder))
      .map(({ name }) => name),
  );
  let index = 0;
  for (let count = 1; index < seatsMax; count++) {
    const name = `node-${count}`;
    if (elsewhere.has(name)) continue;
    const lock = await tryLockFolder(join(config.dataRoot, name));
    if (lock) return { name, index, lock };
    index++;
  }
  throw new SkyringError("locked", `Cannot start node: ${seatsMax} run on this machine already`);
}

function nameOfFolder(folder: string): string {
  const name = basename(folder);
  return /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/.test(name) ? name : "node-1";
}

/** The port asked for, if it is free; else the first free one. */
function choosePort(
  setting: string,
  asked: number | undefined,
  options: { readonly host: string; readonly from: number; readonly taken?: number },
): number {
  if (asked !== undefined) {
    const port = openPort(options.host, asked);
    if (port !== undefined) return port;
    throw new SkyringError(
      "bad_setting",
      `Cannot listen on ${setting} ${asked} of ${options.host}: the port is in use`,
      { data: { setting, port: asked, host: options.host } },
    );
  }
  const last = Math.min(lastPort, options.from + seatsMax);
  for (let candidate = options.from; candidate <= last; candidate++) {
    if (candidate === options.taken) continue;
    const port = openPort(options.host, candidate);
    if (port !== undefined) return port;
  }
  throw new SkyringError(
    "bad_setting",
    `Cannot choose ${setting}: none from ${options.from} to ${last} is free`,
  );
}

/** The port, or a free one for 0, if it could be opened just now; undefined when it is in use. */
function openPort(hostname: string, port: number): number | undefined {
  try {
    const listener = Deno.listen({ hostname, port });
    const found = listener.addr.port;
    listener.close();
    return found;
  } catch (error) {
    if (error instanceof Deno.errors.AddrInUse) return undefined;
    throw new SkyringError("bad_setting", `Cannot listen on ${hostname}:${port}: not possible`, {
      cause: error,
      data: { host: hostname, port },
    });
  }
}

/** P2p addresses of nodes of the group under data/, once those that started earlier have some. */
async function findNeighbours(config: Config, own: FolderInfo): Promise<readonly string[]> {
  const besideOthers = config.data === undefined || dirname(config.data) === config.dataRoot;
  if (!besideOthers) return [];
  const deadline = performance.now() + neighbourWaitMs;
  while (true) {
    const others = (await holdersIn(config.dataRoot))
      .filter((other) => other.group === config.group && other.bootId !== own.bootId);
    const waiting = others.some((other) => other.p2p.length === 0 && startedEarlier(other, own));
    if (!waiting || performance.now() > deadline) return others.flatMap((other) => other.p2p);
    await new Promise((resolve) => setTimeout(resolve, neighbourPollMs));
  }
}

function startedEarlier(other: FolderInfo, own: FolderInfo): boolean {
  return other.startedAt < own.startedAt ||
    (other.startedAt === own.startedAt && other.name < own.name);
}

async function takeSecrets(
  config: Config,
  folder: string,
): Promise<Pick<Seat, "secrets" | "token" | "tokenMade">> {
  const beyond = !isLoopback(config.host) || config.join.some((address) => !joinsLoopback(address));
  const secret = await takeSecret(folder, "secret", { given: config.secrets?.[0], beyond });
  const token = await takeSecret(folder, "token", {
    given: config.token,
    beyond: !isLoopback(config.host) ||
      (config.linePort !== undefined && !isLoopback(config.lineHost)),
  });
  return {
    secrets: config.secrets ?? (secret.text === undefined ? undefined : [secret.text]),
    token: token.text,
    tokenMade: token.made,
  };
}

async function takeSecret(
  folder: string,
  name: SecretName,
  options: { readonly given: string | undefined; readonly beyond: boolean },
): Promise<{ text: string | undefined; made: boolean }> {
  if (options.given !== undefined) {
    if (await readSecret(folder, name) !== options.given) {
      await writeSecret(folder, name, options.given);
    }
    return { text: options.given, made: false };
  }
  if (options.beyond) return await ensureSecret(folder, name);
  return { text: await readSecret(folder, name), made: false };
}

/** Whether a host name or address is this machine alone. @throws never */
export function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[|\]$/g, "").toLowerCase();
  return bare === "localhost" || bare.endsWith(".localhost") || bare === "::1" ||
    /^(?:::ffff:)?127(?:\.\d{1,3}){3}$/.test(bare);
}

function joinsLoopback(address: string): boolean {
  if (address.startsWith("/")) return isLoopback(address.split("/")[2] ?? "");
  return URL.canParse(address) && isLoopback(new URL(address).hostname);
}
