// One connection of the line protocol: pieces in, one at a time and no faster than they are
// taken; bytes out with back-pressure; a clean end that the client sees, and a reset.
//
// Half-open in both directions: the end of what the client sends is not the end of what it gets,
// and the other way round. Invariant: every wait ends, by bytes, an end, a limit or destroy().

import type { Socket } from "node:net";
import { lineLingerBytesMax, lineLingerMs, lineStallMs } from "../../shared/base/limits.ts";

/** What read() found: bytes, the client's end, or nothing in time. */
export type Piece = Uint8Array | "end" | "idle";

/** One client's socket, read by the piece. */
export class LineSocket {
  readonly #socket: Socket;
  readonly #waiting: Uint8Array[] = [];
  readonly #gone = new AbortController();
  #ended = false;
  #wake: () => void = () => undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.pause();
    socket.on("data", (bytes: Uint8Array) => {
      socket.pause();
      this.#waiting.push(bytes);
      this.#wake();
    });
    socket.on("end", () => {
      this.#ended = true;
      this.#wake();
    });
    // What failed does not matter: the connection is over, and close follows.
    socket.on("error", () => this.#leave());
    socket.on("close", () => this.#leave());
  }

  /** Aborts when the connection is over in both directions. */
  get signal(): AbortSignal {
    return this.#gone.signal;
  }

  get remoteAddress(): string {
    return this.#socket.remoteAddress ?? "";
  }

  /** The next bytes, waited for at most `idleMs`. @throws never */
  async read(idleMs: number): Promise<Piece> {
    const next = this.#waiting.shift();
    if (next !== undefined) return next;
    if (this.#ended || this.#gone.signal.aborted) return "end";
    const how = await this.#woken(idleMs);
    if (how === "idle" && this.#waiting.length === 0 && !this.#ended) return "idle";
    return this.#waiting.shift() ?? "end";
  }

  /** Writes, and waits while the client takes nothing. @returns false once it is gone */
  async write(bytes: Uint8Array | string): Promise<boolean> {
    if (this.#gone.signal.aborted || this.#socket.writableEnded) return false;
    if (this.#socket.write(bytes)) return true;
    return await new Promise((resolve) => {
      const done = (open: boolean) => () => {
        clearTimeout(timer);
        this.#socket.off("drain", drained);
        this.#gone.signal.removeEventListener("abort", left);
        resolve(open);
      };
      const drained = done(true);
      const left = done(false);
      const timer = setTimeout(() => this.reset(), lineStallMs);
      this.#socket.on("drain", drained);
      this.#gone.signal.addEventListener("abort", left);
    });
  }

  /** Sends what is left, then ends; what the client still sends is read and dropped a while. */
  async end(): Promise<void> {
    if (this.#gone.signal.aborted) return;
    let bytes = 0;
    this.#waiting.length = 0;
    this.#socket.on("data", (piece: Uint8Array) => {
      bytes += piece.length;
      this.#waiting.length = 0;
      if (bytes > lineLingerBytesMax) this.#socket.destroy();
      else this.#socket.resume();
    });
    this.#socket.resume();
    await new Promise<void>((resolve) => {
      this.#gone.signal.addEventListener("abort", () => resolve());
      this.#socket.end(() => {
        if (this.#ended) return void this.#socket.destroy();
        const timer = setTimeout(() => this.#socket.destroy(), lineLingerMs);
        this.#gone.signal.addEventListener("abort", () => clearTimeout(timer));
        this.#socket.once("end", () => this.#socket.destroy());
      });
    });
  }

  /** Breaks the connection so that the client cannot take it for an end (RST). */
  reset(): void {
    this.#socket.resetAndDestroy();
    this.#leave();
  }

  /** Closes at once. */
  destroy(): void {
    this.#socket.destroy();
    this.#leave();
  }

  #leave(): void {
    this.#gone.abort();
    this.#wake();
  }

  #woken(idleMs: number): Promise<"woken" | "idle"> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve("idle"), idleMs);
      this.#wake = () => {
        clearTimeout(timer);
        resolve("woken");
      };
      this.#socket.resume();
    });
  }
}
