// Relays asked for on one stream: blocks that are taken from a tab of this node and passed on.
// They wait apart from the wants, since a tab may take seconds; few run at once, and none starts
// before the asker has granted credit for the largest block there is.

import type { Cid } from "../../shared/base/ids.ts";
import { blockBytesMax, exchangePendingMax } from "../../shared/base/limits.ts";
import { relaysPerPeerMax } from "../../shared/base/tab_limits.ts";

/** What a relay needs of the stream that asked for it. */
export interface RelayPorts {
  /** The block's bytes from a tab, matching its CID; undefined when none gives it. */
  readonly fetch: (cid: Cid, signal: AbortSignal) => Promise<Uint8Array | undefined>;
  /** Takes credit; false when there is not enough now. */
  readonly reserve: (bytes: number) => boolean;
  /** Gives back credit that was not used, which may start what waits for it. */
  readonly release: (bytes: number) => void;
  /** Answers; `bytes` undefined says absent. `onSent` when the answer was handed on. */
  readonly answer: (id: number, bytes: Uint8Array | undefined, onSent: () => void) => void;
}

/** The relays of one stream. No method throws. */
export class RelayQueue {
  readonly #ports: RelayPorts;
  readonly #waiting: { readonly id: number; readonly cid: Cid }[] = [];
  readonly #running = new Map<number, AbortController>();
  #closed = false;

  constructor(ports: RelayPorts) {
    this.#ports = ports;
  }

  /** @returns false when too many wait */
  add(id: number, cid: Cid): boolean {
    if (this.#waiting.length >= exchangePendingMax) return false;
    this.#waiting.push({ id, cid });
    this.next();
    return true;
  }

  /** Nobody waits for this one any more. It is answered all the same. */
  cancel(id: number): void {
    this.#running.get(id)?.abort();
    const index = this.#waiting.findIndex((each) => each.id === id);
    if (index < 0) return;
    this.#waiting.splice(index, 1);
    this.#ports.answer(id, undefined, () => undefined);
  }

  /** Starts what may start: called again when credit came. */
  next(): void {
    while (!this.#closed && this.#running.size < relaysPerPeerMax) {
      const [relay] = this.#waiting;
      if (relay === undefined || !this.#ports.reserve(blockBytesMax)) return;
      this.#waiting.shift();
      void this.#run(relay);
    }
  }

  /** The stream has ended: nothing more is answered. */
  close(): void {
    this.#closed = true;
    this.#waiting.length = 0;
    for (const running of this.#running.values()) running.abort();
  }

  async #run({ id, cid }: { readonly id: number; readonly cid: Cid }): Promise<void> {
    const over = new AbortController();
    this.#running.set(id, over);
    const bytes = await this.#ports.fetch(cid, over.signal);
    if (this.#closed) return;
    this.#ports.release(blockBytesMax - (bytes?.length ?? 0));
    this.#ports.answer(id, bytes, () => {
      this.#running.delete(id);
      this.next();
    });
  }
}
