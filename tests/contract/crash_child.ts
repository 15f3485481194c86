// The child of the crash tests: stores blocks in a folder, prints a line when each is
// acknowledged, and goes on until it is killed, its disk fails, or all are stored.
//
//   deno run crash_child.ts FOLDER START COUNT LANES    prints "ready", "ok SEED", "full SEED", ...
//
// Every third block is small, every fifth acknowledged one is removed ("gone SEED").

import { openBlockFiles } from "../../server/disk/block_files.ts";
import { blockMigrations } from "../../server/disk/block_index.ts";
import { openDatabase } from "../../server/disk/database.ts";
import { KiB, reserveRetryMs } from "../../shared/base/limits.ts";
import { testBlock } from "./block_fixture.ts";

/** Exit codes by which the test tells a stop on failure from a crash of the program. */
export const diskFailedExit = 74;

/** The size of the block that a seed stands for: small, or a file. */
export function sizeOfSeed(seed: number): number {
  return seed % 3 === 0 ? 4 * KiB : 64 * KiB;
}

/** Whether the child removes the block of this seed again. */
export function isRemoved(seed: number): boolean {
  return seed % 5 === 0;
}

if (import.meta.main) await main();

async function main(): Promise<void> {
  const [folder, start, count, lanes] = Deno.args;
  if (folder === undefined) throw new Error("Cannot run: FOLDER START COUNT LANES expected");
  const say = (line: string) => Deno.stdout.writeSync(new TextEncoder().encode(`${line}\n`));
  const onFailed = () => Deno.exit(diskFailedExit);
  const database = await openDatabase({
    path: `${folder}/skyring.db`,
    migrations: [blockMigrations],
    onFailed,
  });
  // After a full disk the clock jumps, so that the next put asks the disk again.
  let aheadMs = 0;
  const store = await openBlockFiles({
    database,
    root: `${folder}/blocks`,
    capacityBytes: 1024 * 1024 * KiB,
    now: () => Date.now() + aheadMs,
    onFailed,
  });
  say("ready");
  let next = Number(start);
  const end = next + Number(count);
  const lane = async () => {
    while (next < end) {
      const seed = next++;
      const { cid, bytes, kind } = testBlock(seed, sizeOfSeed(seed));
      const outcome = await store.put(cid, bytes, kind);
      say(outcome.ok ? `ok ${seed}` : `full ${seed}`);
      if (!outcome.ok) aheadMs += reserveRetryMs;
      if (!outcome.ok || !isRemoved(seed)) continue;
      say(`going ${seed}`);
      await store.remove(cid);
      say(`gone ${seed}`);
    }
  };
  await Promise.all(Array.from({ length: Number(lanes) }, lane));
  await store.stop();
  await database.stop();
  say("done");
}
