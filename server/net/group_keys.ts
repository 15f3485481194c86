// The keys that stand for a group's secrets: scrypt of each, made once at start, newest first.
// The secret itself is not kept. Without a secret there is no key, and only this machine's own
// addresses are admitted; tickets for tabs are then made with a key that anyone here could make.

import { scrypt, timingSafeEqual } from "node:crypto";
import { SkyringError } from "../../shared/base/errors.ts";
import { sha256Text } from "../../shared/base/hash.ts";
import { groupKeyBytes, secretsMax } from "../../shared/wire/admission.ts";

/** About 60 ms and 32 MiB: dear for a guesser, once for a node. Source: RFC 7914 */
const cost = { N: 2 ** 15, r: 8, p: 1, maxmem: 64 * 1024 * 1024 };

/** Keys of one group. `proofs` is empty without a secret; `tickets` never is. */
export interface GroupKeys {
  readonly proofs: readonly Uint8Array[];
  readonly tickets: readonly Uint8Array[];
}

/**
 * Derives the keys of `group` from its secrets, newest first.
 * @throws {SkyringError} bad_setting when there are more than two, or an empty one
 */
export async function deriveGroupKeys(
  group: string,
  secrets: readonly string[],
): Promise<GroupKeys> {
  if (secrets.length > secretsMax || secrets.some((secret) => secret === "")) {
    throw new SkyringError("bad_setting", `Cannot use ${secrets.length} secrets: one or new,old`, {
      data: { given: secrets.length, max: secretsMax },
    });
  }
  const proofs = await Promise.all(secrets.map((secret) => derive(group, secret)));
  if (proofs.length > 0) return { proofs, tickets: proofs };
  return { proofs, tickets: [sha256Text(`skyring group without secret: ${group}`)] };
}

function derive(group: string, secret: string): Promise<Uint8Array> {
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
  scrypt(secret.normalize("NFC"), `skyring/${group}`, groupKeyBytes, cost, (error, key) => {
    if (error) reject(error);
    else resolve(key);
  });
  return promise;
}

/** Compares without telling by its time where two arrays differ. */
export function equalInConstantTime(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && timingSafeEqual(left, right);
}
