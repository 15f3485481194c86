import assert from "node:assert/strict";
import { mock } from "node:test";
import { type Stream, StreamMessageEvent } from "@libp2p/interface";
import { streamPair } from "@libp2p/utils";
import { Uint8ArrayList } from "uint8arraylist";
import { createFrameGatherer, encodeFrame, type Frame } from "../../../../shared/wire/frame.ts";
import { createLink } from "../../../../web/peer/link.ts";
import { until } from "../../server/net/test_hosts.ts";

async function makePair(options: { queueMax?: number; deadlineMs?: number } = {}) {
  const [near, far] = await streamPair();
  const frames: Frame[] = [];
  const closings: string[] = [];
  const faults: string[] = [];
  const link = createLink(near, {
    sink: createFrameGatherer({ onFrame: (frame) => frames.push(frame) > 0 }),
    payloadBytesMax: 1_024,
    queueMax: options.queueMax ?? 8,
    deadlineMs: options.deadlineMs ?? 5_000,
    onFault: (reason) => void faults.push(reason),
    onClosed: (reason) => closings.push(reason),
  });
  return { link, far, frames, closings, faults };
}

const frame = encodeFrame({ kind: 1, id: 2, payload: new Uint8Array(100) });

Deno.test("createLink() closes once, with the reason, when a frame does not end in time", async () => {
  const { link, far, closings } = await makePair({ deadlineMs: 50 });
  far.send(frame.subarray(0, 60));
  await until(() => closings.length > 0, { what: "closed" });
  link.close("again");
  assert.deepEqual(closings, ["a frame did not end in time"]);
  assert.equal(link.open, false);
  assert.equal(link.send(frame), false);
});

Deno.test("createLink() stays open for slow frames that do end, each in its own time", () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  try {
    const stream = new SlowStream();
    const closings: string[] = [];
    let frames = 0;
    const link = createLink(stream as unknown as Stream, {
      sink: createFrameGatherer({ onFrame: () => (frames++, true) }),
      payloadBytesMax: 1_024,
      queueMax: 1,
      deadlineMs: 1_000,
      onClosed: (reason) => closings.push(reason),
    });
    const arrive = (piece: Uint8Array) =>
      stream.dispatchEvent(new StreamMessageEvent(new Uint8ArrayList(piece)));
    for (let round = 0; round < 4; round++) {
      arrive(frame.subarray(0, 50));
      mock.timers.tick(999);
      arrive(frame.subarray(50));
    }
    assert.deepEqual([frames, closings, link.open], [4, [], true]);
    arrive(frame.subarray(0, 50));
    mock.timers.tick(1_000);
    assert.deepEqual(closings, []); // its own deadline, not the rest of an earlier one
    mock.timers.tick(1_000);
    assert.deepEqual(closings, ["a frame did not end in time"]);
  } finally {
    mock.timers.reset();
  }
});

Deno.test("send() refuses beyond queueMax, and sends what it took in order", async () => {
  const { link, far } = await makePair({ queueMax: 3 });
  const received: Uint8Array[] = [];
  far.addEventListener("message", ({ data }) => void received.push(data.subarray()));
  const taken = [1, 2, 3, 4, 5].map((id) =>
    link.send(encodeFrame({ kind: 1, id, payload: new Uint8Array(4) }))
  );
  assert.deepEqual(taken, [true, true, true, false, false]);
  const bytes = () => received.reduce((sum, each) => sum + each.length, 0);
  await until(() => bytes() === 3 * 13, { what: "three frames" });
  assert.equal(link.queued, 0);
  link.close("done");
});

Deno.test("createLink() ends when the peer ends its side, or sends what is no frame", async () => {
  const ended = await makePair();
  await ended.far.close();
  await until(() => ended.closings.length === 1, { what: "closed by peer" });
  const garbled = await makePair();
  garbled.far.send(new Uint8Array(16).fill(0xff));
  await until(() => garbled.closings.length === 1, { what: "closed" });
  assert.deepEqual(garbled.closings, ["frame_too_large"]);
  assert.deepEqual([ended.faults, garbled.faults], [[], ["frame_too_large"]]);
});

/** A stream that takes one send, and the next only when the test says so. */
class SlowStream extends EventTarget {
  readonly status = "open";
  readonly readStatus = "readable";
  readonly writeStatus = "writable";
  readonly writeBufferLength = 0;
  writableNeedsDrain = false;

  send(): boolean {
    this.writableNeedsDrain = true;
    return false;
  }

  drain(): void {
    this.writableNeedsDrain = false;
    this.dispatchEvent(new Event("drain"));
  }

  abort(): void {}

  pause(): void {}

  resume(): void {}
}

Deno.test("createLink() ends with a fault when nothing leaves for stallMs, and not before", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const stream = new SlowStream();
  const faults: string[] = [];
  const link = createLink(stream as unknown as Stream, {
    sink: createFrameGatherer({ onFrame: () => true }),
    payloadBytesMax: 1_024,
    queueMax: 100,
    stallMs: 500,
    onClosed: () => undefined,
    onFault: (reason) => void faults.push(reason),
  });
  const large = encodeFrame({ kind: 1, id: 2, payload: new Uint8Array(100_000) });
  for (let frames = 0; frames < 12; frames++) link.send(large);
  try {
    for (let round = 0; round < 7; round++) {
      await Promise.resolve(); // what waits is handed over in a microtask
      mock.timers.tick(499); // slow, yet something leaves
      stream.drain();
    }
    assert.deepEqual([faults, link.open], [[], true]);
    // The last left just before a look; the next one finds that nothing has since.
    await Promise.resolve();
    mock.timers.tick(7);
    mock.timers.tick(499);
    assert.deepEqual(faults, []);
    mock.timers.tick(1);
    assert.deepEqual(faults, ["nothing of what was sent is being read"]);
    assert.equal(link.open, false);
  } finally {
    mock.timers.reset();
  }
});

Deno.test("pause() holds back what came in the same message, and resume() gives it in order", () => {
  const stream = new SlowStream();
  const ids: number[] = [];
  const link = createLink(stream as unknown as Stream, {
    sink: createFrameGatherer({
      onFrame: ({ id }) => {
        ids.push(id);
        if (id % 3 === 0) link.pause();
        if (id === 6) link.resume(); // from within: nothing is read twice or out of order
        return true;
      },
    }),
    payloadBytesMax: 1_024,
    queueMax: 1,
    onClosed: () => undefined,
  });
  const frames = Array.from(
    { length: 10 },
    (_, index) => encodeFrame({ kind: 1, id: index + 1, payload: new Uint8Array(5) }),
  );
  stream.dispatchEvent(new StreamMessageEvent(new Uint8ArrayList(...frames)));
  assert.deepEqual(ids, [1, 2, 3]);
  link.resume();
  assert.deepEqual(ids, [1, 2, 3, 4, 5, 6, 7, 8, 9]);
  link.resume();
  assert.deepEqual(ids, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
});
