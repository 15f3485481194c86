import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import fc from "fast-check";
import { createTabHash } from "../../../../web/tab/tab_hash.ts";

const digestOf = (bytes: Uint8Array) => new Uint8Array(createHash("sha256").update(bytes).digest());

Deno.test("createTabHash() hashes several blocks at once, piece by piece, like anybody", async () => {
  const hash = await createTabHash(undefined);
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 5 }), { maxLength: 4 }),
      async (blocks) => {
        const running = blocks.map(() => hash.start());
        for (let round = 0; round < 5; round++) {
          for (const [index, pieces] of blocks.entries()) {
            const piece = pieces[round];
            if (piece !== undefined) running[index]?.update(piece);
          }
        }
        for (const [index, pieces] of blocks.entries()) {
          const whole = new Uint8Array(pieces.flatMap((piece) => [...piece]));
          assert.deepEqual(await running[index]?.digest(whole), digestOf(whole));
          assert.deepEqual(await hash.whole(whole), digestOf(whole));
          assert.deepEqual(hash.now(whole), digestOf(whole));
        }
      },
    ),
    { numRuns: 30 },
  );
});

Deno.test("createTabHash() uses the browser's own hash where there is one, for all", async () => {
  let asked = 0;
  const subtle = {
    digest(name: string, bytes: Uint8Array<ArrayBuffer>) {
      asked += 1;
      return crypto.subtle.digest(name, bytes);
    },
  } as SubtleCrypto;
  const hash = await createTabHash(subtle);
  const bytes = crypto.getRandomValues(new Uint8Array(1_000));
  assert.deepEqual(await hash.whole(bytes), digestOf(bytes));
  const running = hash.start();
  running.update(bytes);
  assert.deepEqual(await running.digest(bytes), digestOf(bytes));
  assert.equal(asked, 2);
});
