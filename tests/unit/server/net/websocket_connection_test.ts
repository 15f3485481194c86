// Back-pressure of a WebSocket, both ways: who does not read makes the other side wait, and
// neither keeps the bytes meanwhile. Real sockets on loopback.

import assert from "node:assert/strict";
import type { Logger } from "@libp2p/interface";
import { multiaddr } from "@multiformats/multiaddr";
import { Uint8ArrayList } from "uint8arraylist";
// @ts-types="@types/ws"
import { WebSocket, WebSocketServer } from "ws";
import { KiB, MiB, socketMessageBytesMax } from "../../../../shared/base/limits.ts";
import { WebSocketConnection } from "../../../../server/net/websocket_connection.ts";
import { standingStill } from "../../../e2e/until.ts";
import { listenHttp, until } from "./test_hosts.ts";

const silent: Logger = Object.assign(() => undefined, {
  error: () => undefined,
  trace: () => undefined,
  enabled: false,
  newScope: () => silent,
});

/** A connection of a node, and the browser's end of it. */
async function withPair(
  run: (node: WebSocketConnection, socket: WebSocket, browser: WebSocket) => Promise<void>,
): Promise<void> {
  const { server, port } = await listenHttp();
  const sockets = new WebSocketServer({ server, perMessageDeflate: false });
  const accepted = new Promise<WebSocket>((resolve) => sockets.once("connection", resolve));
  const browser = new WebSocket(`ws://127.0.0.1:${port}`, { perMessageDeflate: false });
  try {
    const socket = await accepted;
    const node = new WebSocketConnection({
      socket,
      remoteAddress: multiaddr(`/ip4/127.0.0.1/tcp/${port}/ws`),
      direction: "inbound",
      log: silent,
    });
    if (browser.readyState !== WebSocket.OPEN) {
      await new Promise((resolve) => browser.once("open", resolve));
    }
    await run(node, socket, browser);
  } finally {
    browser.terminate();
    sockets.close();
    server.closeAllConnections();
    server.close();
  }
}

Deno.test("a browser that does not read is sent little more than the sockets hold", () =>
  withPair(async (node, socket, browser) => {
    browser.pause();
    let sent = 0;
    const block = new Uint8Array(256 * KiB);
    while (node.send(new Uint8ArrayList(block)) && sent < 200 * MiB) sent += block.length;
    assert.ok(sent < 64 * MiB, `${sent} bytes were sent to who reads none`);
    assert.ok(socket.bufferedAmount < 1 * MiB, `${socket.bufferedAmount} bytes wait`);
    const drained = new Promise((resolve) => node.addEventListener("drain", resolve));
    browser.resume();
    await drained;
  }));

Deno.test("a node that does not read makes the browser wait, and loses nothing", () =>
  withPair(async (node, _socket, browser) => {
    let read = 0;
    node.addEventListener("message", ({ data }) => read += data.byteLength);
    node.pause();
    const message = new Uint8Array(64 * KiB);
    const all = 800;
    for (let sent = 0; sent < all; sent++) browser.send(message);
    await standingStill("what waits in the browser", () => browser.bufferedAmount);
    assert.ok(read < 2 * MiB, `${read} bytes were read while paused`);
    assert.ok(browser.bufferedAmount > 16 * MiB, `${browser.bufferedAmount} wait in the browser`);
    node.resume();
    await until(() => read === all * message.length, { what: "all is read", withinMs: 20_000 });
  }));

Deno.test("what is sent at once is one message, and a large block is two", () =>
  withPair(async (node, _socket, browser) => {
    const messages: Uint8Array[] = [];
    browser.on("message", (data: Uint8Array) => void messages.push(new Uint8Array(data)));
    const pieces = [new Uint8Array([1, 2]), new Uint8Array(256 * KiB).fill(3), new Uint8Array([4])];
    node.send(new Uint8ArrayList(...pieces));
    await until(() => messages.length > 0, { what: "a message" });
    assert.deepEqual(messages, [new Uint8ArrayList(...pieces).subarray()]);
    const large = new Uint8Array(1 * MiB + 100).fill(5);
    node.send(new Uint8ArrayList(large));
    const taken = () => messages.slice(1).reduce((sum, { length }) => sum + length, 0);
    await until(() => taken() === large.length, { what: "the large block" });
    assert.ok(messages.every(({ length }) => length < socketMessageBytesMax));
    assert.equal(messages.length, 4);
  }));
