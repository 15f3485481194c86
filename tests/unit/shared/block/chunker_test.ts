import assert from "node:assert/strict";
import fc from "fast-check";
import { createChunker } from "../../../../shared/block/chunker.ts";

function cut(pieces: readonly Uint8Array[], chunkBytes: number): Uint8Array[] {
  const chunker = createChunker({ chunkBytes });
  const chunks = pieces.flatMap((piece) => chunker.push(piece));
  const last = chunker.end();
  return last === undefined ? chunks : [...chunks, last];
}

Deno.test("createChunker() cuts any pieces into full chunks and one rest", () => {
  const pieces = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 30 });
  fc.assert(fc.property(pieces, fc.integer({ min: 1, max: 23 }), (input, chunkBytes) => {
    const whole = Buffer.concat(input);
    const chunks = cut(input, chunkBytes);
    assert.deepEqual([...Buffer.concat(chunks)], [...whole]);
    assert.equal(chunks.length, Math.max(1, Math.ceil(whole.length / chunkBytes)));
    for (const chunk of chunks.slice(0, -1)) assert.equal(chunk.length, chunkBytes);
  }));
});

Deno.test("createChunker() gives one empty chunk when nothing came", () => {
  assert.deepEqual(cut([], 4).map((chunk) => chunk.length), [0]);
  assert.deepEqual(cut([new Uint8Array(0)], 4).map((chunk) => chunk.length), [0]);
});

Deno.test("createChunker() hands on a view and copies nothing when a piece holds whole chunks", () => {
  const piece = new Uint8Array(1_024);
  const chunks = cut([piece], 256);
  assert.equal(chunks.length, 4);
  for (const chunk of chunks) assert.equal(chunk.buffer, piece.buffer);
});

Deno.test("createChunker() keeps no chunk-sized buffer alive for a short tail", () => {
  const [tail] = cut([new Uint8Array(10), new Uint8Array(10)], 262_144);
  assert.equal(tail?.length, 20);
  assert.equal(tail?.buffer.byteLength, 20);
});
