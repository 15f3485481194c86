import assert from "node:assert/strict";
import fc from "fast-check";
import {
  createFrameGatherer,
  createFrameScanner,
  encodeFrame,
  encodeFrameHeader,
  type Frame,
  type FrameFault,
} from "../../../../shared/wire/frame.ts";

const payloadBytesMax = 1_000;

/** Everything a scanner makes of some pieces. */
function scan(pieces: readonly Uint8Array[], accept = (_: number) => true) {
  const frames: Frame[] = [];
  const scanner = createFrameScanner(
    createFrameGatherer({
      onFrame: (frame) => frames.push(frame) > 0,
      accept: ({ kind }) => accept(kind),
    }),
    { payloadBytesMax },
  );
  let fault: FrameFault | undefined;
  for (const piece of pieces) fault = scanner.push(piece);
  return { frames, fault, partial: scanner.partial };
}

const frameArbitrary = fc.record({
  kind: fc.integer({ min: 0, max: 255 }),
  id: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
  payload: fc.uint8Array({ maxLength: payloadBytesMax }),
}, { noNullPrototype: true });

/** Cuts bytes at the given places, taken modulo what is left. */
function cut(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  let from = 0;
  for (const place of places) {
    const next = Math.min(bytes.length, from + place);
    pieces.push(bytes.subarray(from, next));
    from = next;
  }
  return [...pieces, bytes.subarray(from)];
}

function join(pieces: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(pieces.flatMap((piece) => [...piece]));
}

Deno.test("createFrameScanner() gives back every frame however its bytes are cut", () => {
  fc.assert(fc.property(
    fc.array(frameArbitrary, { maxLength: 6 }),
    fc.array(fc.nat(40), { maxLength: 60 }),
    (frames, places) => {
      const seen = scan(cut(join(frames.map(encodeFrame)), places));
      assert.deepEqual(seen, { frames, fault: undefined, partial: false });
    },
  ));
});

Deno.test("createFrameScanner() takes any garbage without more than one payload of memory", () => {
  fc.assert(fc.property(fc.array(fc.uint8Array({ maxLength: 64 })), (pieces) => {
    const { frames, fault } = scan(pieces);
    const bytes = pieces.reduce((sum, piece) => sum + piece.length, 0);
    assert.ok(frames.every((frame) => frame.payload.length <= payloadBytesMax));
    assert.ok(frames.length * 9 <= bytes);
    assert.ok(fault === undefined || fault.startsWith("frame_"));
  }));
});

Deno.test("createFrameScanner() refuses a length at its fourth byte, before any body", () => {
  const fault = (counted: number) => {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setUint32(0, counted);
    return scan([bytes]).fault;
  };
  assert.equal(fault(0), "frame_too_short");
  assert.equal(fault(4), "frame_too_short");
  assert.equal(fault(5), undefined);
  assert.equal(fault(5 + payloadBytesMax), undefined);
  assert.equal(fault(6 + payloadBytesMax), "frame_too_large");
  assert.equal(fault(2 ** 32 - 1), "frame_too_large");
});

Deno.test("createFrameScanner() stays broken after a fault", () => {
  const good = encodeFrame({ kind: 1, id: 2, payload: new Uint8Array(3) });
  const seen = scan([new Uint8Array(4), good, good]);
  assert.deepEqual(seen.frames, []);
  assert.equal(seen.fault, "frame_too_short");
});

Deno.test("createFrameScanner() breaks when the sink refuses a frame", () => {
  const frame = (kind: number) => encodeFrame({ kind, id: 0, payload: new Uint8Array(2) });
  const seen = scan([frame(1), frame(2), frame(1)], (kind) => kind === 1);
  assert.equal(seen.frames.length, 1);
  assert.equal(seen.fault, "frame_refused");
});

Deno.test("encodeFrameHeader() is the start of encodeFrame()", () => {
  const payload = new Uint8Array(300).fill(1);
  const header = encodeFrameHeader({ kind: 7, id: 0xdeadbeef, payloadBytes: payload.length });
  assert.deepEqual(join([header, payload]), encodeFrame({ kind: 7, id: 0xdeadbeef, payload }));
});

Deno.test("createFrameScanner() makes no frame of the public hostile byte strings", () => {
  const { frames }: { frames: { hex: string; what: string }[] } = JSON.parse(
    Deno.readTextFileSync(new URL("../../../golden/hostile_frames.json", import.meta.url)),
  );
  for (const { hex, what } of frames) {
    const bytes = new Uint8Array(hex.match(/../g)?.map((pair) => parseInt(pair, 16)) ?? []);
    assert.deepEqual(scan([bytes]).frames, [], what);
  }
});
