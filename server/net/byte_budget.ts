// Bytes that several users may hold at once, first come, first served: blocks read for tabs and
// not handed on yet. Who takes gives back exactly once; giving back twice does nothing.

/** Bytes shared by many. */
export class ByteBudget {
  #left: number;
  readonly #max: number;
  readonly #waiting: { readonly bytes: number; readonly start: () => void }[] = [];

  constructor(bytesMax: number) {
    this.#left = bytesMax;
    this.#max = bytesMax;
  }

  /** Bytes held now. */
  get held(): number {
    return this.#max - this.#left;
  }

  /** Waits for its turn. @returns what gives the bytes back; never rejects */
  async take(bytes: number): Promise<() => void> {
    if (this.#waiting.length > 0 || !this.#fits(bytes)) {
      await new Promise<void>((start) => this.#waiting.push({ bytes, start }));
    } else this.#left -= bytes;
    let given = false;
    return () => {
      if (given) return;
      given = true;
      this.#left += bytes;
      this.#startNext();
    };
  }

  /** More than there ever is fits when nothing else is held. */
  #fits(bytes: number): boolean {
    return bytes <= this.#left || this.#left === this.#max;
  }

  #startNext(): void {
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      if (!this.#fits(next.bytes)) return;
      this.#waiting.shift();
      this.#left -= next.bytes;
      next.start();
    }
  }
}
