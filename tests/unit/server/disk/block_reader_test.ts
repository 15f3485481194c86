import assert from "node:assert/strict";
import { join } from "node:path";
import { createBlockReader } from "../../../../server/disk/block_reader.ts";
import {
  readsAsideCount,
  readSlowMs,
  readsSlowMax,
  readStallMs,
} from "../../../../shared/base/limits.ts";

/** Reads one file with reads that take the given times; says which were made on this thread. */
async function readsHere(tookMs: readonly number[]): Promise<boolean[]> {
  const folder = await Deno.makeTempDir();
  try {
    const path = join(folder, "block");
    const bytes = new Uint8Array([1, 2, 3]);
    await Deno.writeFile(path, bytes);
    let time = 0;
    let looks = 0;
    let took = 0;
    // The reader looks at the clock before and after a read of its own thread, and at no other.
    const reader = createBlockReader({ now: () => looks++ % 2 === 0 ? time : time += took });
    const here: boolean[] = [];
    for (took of tookMs) {
      const before = looks;
      const read = await reader.read({ path, bytes: bytes.length, headroom: 2 });
      assert.deepEqual(read?.subarray(2), bytes);
      here.push(looks > before);
    }
    return here;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const slow = readSlowMs + 1;
const aside = Array<number>(readsAsideCount).fill(0);

Deno.test("createBlockReader() reads aside after slow reads in a row, then tries again", async () => {
  const inARow = Array<number>(readsSlowMax + 1).fill(slow);
  const here = await readsHere([...inARow, ...aside, 0, 0]);
  assert.deepEqual(here, [
    ...inARow.map(() => true),
    ...aside.map(() => false),
    true,
    true,
  ]);
});

Deno.test("createBlockReader() stays when slow reads come alone", async () => {
  const mixed = [...Array<number>(readsSlowMax).fill(slow), 0];
  const here = await readsHere([...mixed, ...mixed, ...mixed, slow]);
  assert.ok(here.every(Boolean));
});

Deno.test("createBlockReader() reads aside after one stall", async () => {
  assert.deepEqual(await readsHere([readStallMs + 1, 0]), [true, false]);
});

Deno.test("createBlockReader() judges anew after reads aside", async () => {
  const inARow = Array<number>(readsSlowMax + 1).fill(slow);
  const here = await readsHere([...inARow, ...aside, slow, 0, ...inARow, 0]);
  const after = here.slice(inARow.length + aside.length);
  assert.deepEqual(after, [true, true, ...inARow.map(() => true), false]);
});
