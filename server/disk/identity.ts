// Who a node is: an Ed25519 key in the data folder, mode 0600, and the counter of its starts. The
// counter is durable before the first message of a start (ARCHITECTURE.md, "Agreement" carried in
// ARCHITECTURE.md), and is compared with the database's own: a database with fewer starts was
// restored from a backup, and the node must take a new identity.

import { generateKeyPair, privateKeyFromProtobuf, privateKeyToProtobuf } from "@libp2p/crypto/keys";
import type { PrivateKey } from "@libp2p/interface";
import { peerIdFromPrivateKey } from "@libp2p/peer-id";
import { join } from "node:path";
import { fromString } from "uint8arrays/from-string";
import { toString } from "uint8arrays/to-string";
import * as v from "valibot";
import { messageOf, SkyringError } from "../../shared/base/errors.ts";
import { asNodeId, type NodeId } from "../../shared/base/ids.ts";
import { readIfThere, writeDurably } from "./durable_file.ts";

const identityFile = "identity";
const bootsMax = 2 ** 32 - 1;

const schema = v.strictObject({
  version: v.literal(1),
  id: v.string(),
  /** Private key as libp2p protobuf, base64. */
  key: v.string(),
  boot: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(bootsMax)),
});

/** A node's identity in one start of it. */
export interface Identity {
  readonly id: NodeId;
  readonly privateKey: PrivateKey;
  /** Number of this start, from 1: durable in the identity file. */
  readonly boot: number;
  /** 16 random bytes as hex, drawn at this start: two processes with one key differ here. */
  readonly bootId: string;
  /** True when the key was made in this start. */
  readonly fresh: boolean;
}

/**
 * The identity of a locked data folder, made when there is none; its boot is one more than ever.
 * @throws {SkyringError} corrupt, disk_failed
 */
export async function openIdentity(folder: string): Promise<Identity> {
  const path = join(folder, identityFile);
  const bytes = await readIfThere(path);
  if (!bytes) return await makeIdentity(folder);
  const { key, boot } = parseIdentity(bytes, path);
  if (boot >= bootsMax) return await makeIdentity(folder);
  const identity = identityOf(key, { boot: boot + 1, fresh: false });
  await save(folder, identity);
  return identity;
}

/**
 * Starts counted in a folder's identity file, with its peer id; undefined when there is none.
 * @throws {SkyringError} corrupt, disk_failed
 */
export async function readStarts(
  folder: string,
): Promise<{ readonly id: NodeId; readonly starts: number } | undefined> {
  const path = join(folder, identityFile);
  const bytes = await readIfThere(path);
  if (!bytes) return undefined;
  const { key, boot } = parseIdentity(bytes, path);
  return { id: asNodeId(peerIdFromPrivateKey(key).toString()), starts: boot };
}

/** Takes a new identity, durably; the old key is gone. @throws {SkyringError} disk_failed */
export async function renewIdentity(folder: string): Promise<Identity> {
  return await makeIdentity(folder);
}

/**
 * Says that the database beside it lost votes, though it counted as many starts: the next start
 * takes a new identity. @throws {SkyringError} corrupt, disk_failed
 */
export async function disownDatabase(folder: string): Promise<void> {
  const path = join(folder, identityFile);
  const bytes = await readIfThere(path);
  if (!bytes) return;
  const { key, boot } = parseIdentity(bytes, path);
  await save(folder, identityOf(key, { boot: boot + 1, fresh: false }));
}

async function makeIdentity(folder: string): Promise<Identity> {
  const identity = identityOf(await generateKeyPair("Ed25519"), { boot: 1, fresh: true });
  await save(folder, identity);
  return identity;
}

function identityOf(
  privateKey: PrivateKey,
  rest: { readonly boot: number; readonly fresh: boolean },
): Identity {
  const bootId = toString(crypto.getRandomValues(new Uint8Array(16)), "hex");
  return { id: asNodeId(peerIdFromPrivateKey(privateKey).toString()), privateKey, bootId, ...rest };
}

async function save(folder: string, identity: Identity): Promise<void> {
  const content: v.InferOutput<typeof schema> = {
    version: 1,
    id: identity.id,
    key: toString(privateKeyToProtobuf(identity.privateKey), "base64"),
    boot: identity.boot,
  };
  const text = JSON.stringify(content, undefined, 2) + "\n";
  await writeDurably(join(folder, identityFile), fromString(text), { mode: 0o600 });
}

function parseIdentity(bytes: Uint8Array, path: string): { key: PrivateKey; boot: number } {
  try {
    const content = v.parse(schema, JSON.parse(toString(bytes)));
    const key = privateKeyFromProtobuf(fromString(content.key, "base64"));
    if (peerIdFromPrivateKey(key).toString() !== content.id) {
      throw new Error("its key does not belong to its id");
    }
    return { key, boot: content.boot };
  } catch (cause) {
    throw new SkyringError(
      "corrupt",
      `Cannot read identity ${path}: ${messageOf(cause)}; restore it from a backup, or remove ` +
        `the whole data folder to start as a new node`,
      { cause, data: { path } },
    );
  }
}
