// What a server says of the pieces of a body: each is told of once it has left, and none before.

import assert from "node:assert/strict";
import { createHttpServer } from "../../server/http/server.ts";
import { standingStill, until } from "../e2e/until.ts";
import { rawSocket } from "./socket.ts";

const pieceBytes = 256 * 1024;
/** More than the sockets of both sides hold. */
const pieces = 96;

interface Seen {
  readonly produced: Uint8Array[];
  readonly written: Uint8Array[];
  /** The body was given up: its client is known to be gone. */
  readonly cancelled: Promise<void>;
}

/** A server that answers with fresh pieces, each asked for when the last was taken. */
async function withPieces(use: (port: number, seen: Seen) => Promise<void>): Promise<void> {
  const { promise: cancelled, resolve: cancel } = Promise.withResolvers<void>();
  const seen: Seen = { produced: [], written: [], cancelled };
  const pull = (controller: ReadableStreamDefaultController<Uint8Array>) => {
    if (seen.produced.length === pieces) return controller.close();
    const piece = new Uint8Array(pieceBytes);
    seen.produced.push(piece);
    controller.enqueue(piece);
  };
  const server = createHttpServer(
    () => Promise.resolve(new Response(new ReadableStream({ pull, cancel }, { highWaterMark: 0 }))),
    {
      ...{ host: "127.0.0.1", port: 0, log: () => undefined },
      onWritten: (bytes) => void seen.written.push(bytes),
    },
  );
  try {
    await use(await server.start(), seen);
  } finally {
    await server.stop();
  }
}

Deno.test("onWritten() is told of each piece once it has left, in order", async () => {
  await withPieces(async (port, { produced, written }) => {
    const client = await rawSocket(port);
    client.socket.pause();
    client.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    await standingStill("what is produced", () => produced.length);
    assert.ok(produced.length < pieces, "the client reads nothing");
    assert.equal(written.length, produced.length - 1, "the last piece has not left");
    client.socket.resume();
    await until("all pieces left", () => written.length === pieces);
    assert.ok(written.every((piece, at) => piece === produced[at]));
    client.socket.destroy();
  });
});

Deno.test("onWritten() is not told of a piece that a client left behind", async () => {
  await withPieces(async (port, { produced, written, cancelled }) => {
    const client = await rawSocket(port);
    client.socket.pause();
    client.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    await standingStill("what is produced", () => produced.length);
    const left = written.length;
    assert.equal(left, produced.length - 1, "the last piece has not left");
    client.socket.resetAndDestroy();
    await cancelled;
    assert.equal(written.length, left);
  });
});
