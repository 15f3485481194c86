// Raw sockets for the HTTP tests: bytes as written, bytes as they came, and how it ended.

import { connect, type Socket } from "node:net";

export interface RawSocket {
  readonly socket: Socket;
  write(text: string | Uint8Array): void;
  /** All text so far, as Latin-1. */
  text(): string;
  /** Resolves once `text()` matches or rejects after `timeoutMs`. */
  until(pattern: RegExp, timeoutMs?: number): Promise<string>;
  /** Resolves when the peer closed, with everything it sent. */
  closed(timeoutMs?: number): Promise<string>;
}

/** Connects to a loopback port. */
export async function rawSocket(port: number): Promise<RawSocket> {
  const socket = connect({ host: "127.0.0.1", port });
  let text = "";
  let over = false;
  const waiting = new Set<() => void>();
  const wake = () => waiting.forEach((check) => check());
  socket.on("data", (chunk) => {
    text += chunk.toString("latin1");
    wake();
  });
  socket.on("error", () => undefined); // a reset is one way to be closed
  socket.on("close", () => {
    over = true;
    wake();
  });
  await new Promise<void>((resolve, reject) => {
    socket.once("connect", () => resolve());
    socket.once("error", reject);
  });
  const wait = (done: () => boolean, timeoutMs: number, what: string) =>
    new Promise<string>((resolve, reject) => {
      const timer = setTimeout(() => {
        waiting.delete(check);
        reject(new Error(`not ${what} within ${timeoutMs} ms; got ${JSON.stringify(text)}`));
      }, timeoutMs);
      const check = () => {
        if (!done()) return;
        clearTimeout(timer);
        waiting.delete(check);
        resolve(text);
      };
      waiting.add(check);
      check();
    });
  return {
    socket,
    write: (bytes) => void socket.write(bytes),
    text: () => text,
    until: (pattern, timeoutMs = 5_000) =>
      wait(() => pattern.test(text), timeoutMs, `matching ${pattern}`),
    closed: (timeoutMs = 5_000) => wait(() => over, timeoutMs, "closed"),
  };
}
