// The group secret and the admin token of a node, as files in its data folder, mode 0600. Made
// from 32 random bytes when they are first needed: as soon as the node listens or joins beyond
// loopback. A given value is stored too, so that a restart without the flag keeps it.

import { join } from "node:path";
import { toString } from "uint8arrays/to-string";
import { readIfThere, writeDurably } from "./durable_file.ts";

/** Which of the two files. */
export type SecretName = "secret" | "token";

/** The stored text, or undefined when there is none. @throws {SkyringError} disk_failed */
export async function readSecret(folder: string, name: SecretName): Promise<string | undefined> {
  const bytes = await readIfThere(join(folder, name));
  const text = bytes && new TextDecoder().decode(bytes).trim();
  return text ? text : undefined;
}

/** Stores a text durably, readable by its owner alone. @throws {SkyringError} disk_failed */
export async function writeSecret(folder: string, name: SecretName, text: string): Promise<void> {
  const bytes = new TextEncoder().encode(`${text}\n`);
  await writeDurably(join(folder, name), bytes, { mode: 0o600 });
}

/** The stored text, made and stored first when there is none. `made` tells to print it once. */
export async function ensureSecret(
  folder: string,
  name: SecretName,
): Promise<{ readonly text: string; readonly made: boolean }> {
  const stored = await readSecret(folder, name);
  if (stored !== undefined) return { text: stored, made: false };
  const text = toString(crypto.getRandomValues(new Uint8Array(32)), "base64url");
  await writeSecret(folder, name, text);
  return { text, made: true };
}
