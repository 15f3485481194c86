// What the machine can do without Skyring: hashing in one thread, and writes of single synced
// files of a block's size.

import { createHash, randomBytes } from "node:crypto";
import { join } from "node:path";

const blockBytes = 256 * 1024;

/** SHA-256 of blocks, one thread. @returns bytes a second */
export function hashRate(): number {
  const block = randomBytes(blockBytes);
  const startMs = performance.now();
  let bytes = 0;
  while (performance.now() - startMs < 1_000) {
    createHash("sha256").update(block).digest();
    bytes += block.length;
  }
  return bytes / ((performance.now() - startMs) / 1_000);
}

/** New files of a block each, synced, eight at once. @returns bytes a second */
export async function diskRate(folder: string): Promise<number> {
  const block = randomBytes(blockBytes);
  const root = await Deno.makeTempDir({ dir: folder });
  const startMs = performance.now();
  let files = 0;
  const lane = async () => {
    while (performance.now() - startMs < 3_000) {
      const path = join(root, String(files++));
      const file = await Deno.open(path, { write: true, createNew: true });
      await file.write(block);
      await file.syncData();
      file.close();
    }
  };
  await Promise.all(Array.from({ length: 8 }, lane));
  const rate = files * blockBytes / ((performance.now() - startMs) / 1_000);
  await Deno.remove(root, { recursive: true });
  return rate;
}
