// Cuts arriving pieces of any size into chunks of one fixed size.
// A piece that holds a whole chunk is handed on as a view, never copied; a chunk made of several
// pieces is gathered in one buffer of its own, because block store and wire take one array.
// A lone short piece is kept as it came, so that a small file costs no chunk-sized buffer.
//
// Invariants: the chunks concatenated are the input; all but the last have exactly `chunkBytes`;
// the empty input is one empty chunk, which is how `ipfs add` stores the empty file.
// Pieces are taken over: who pushed one must not write to it again.

import { assert } from "../base/assert.ts";

/** Cuts a stream; use one per file. */
export interface Chunker {
  /** Takes a piece. @returns the chunks that it completed, in order, often none */
  push(piece: Uint8Array): Uint8Array[];
  /** Ends the input. @returns the last chunk, or undefined when the input ended on a boundary */
  end(): Uint8Array | undefined;
}

export interface ChunkerOptions {
  /** Bytes of every chunk but the last, at least 1. */
  readonly chunkBytes: number;
  /** Where gathered chunks live; a platform may give memory that is not zeroed first. */
  readonly allocate?: (bytes: number) => Uint8Array;
}

/** A chunker for one input. @throws {AssertionError} a chunk size below 1 */
export function createChunker(options: ChunkerOptions): Chunker {
  const { chunkBytes } = options;
  assert(Number.isSafeInteger(chunkBytes) && chunkBytes > 0, "a chunk has at least one byte");
  const allocate = options.allocate ?? ((bytes: number) => new Uint8Array(bytes));
  let lone: Uint8Array | undefined;
  let gathered: Uint8Array | undefined;
  let filled = 0;
  let chunks = 0;

  const keep = (piece: Uint8Array) => {
    if (filled === 0) {
      lone = piece;
    } else {
      if (gathered === undefined) {
        gathered = allocate(chunkBytes);
        if (lone !== undefined) gathered.set(lone, 0);
        lone = undefined;
      }
      gathered.set(piece, filled);
    }
    filled += piece.length;
  };
  const take = (): Uint8Array => {
    const chunk = lone ?? gathered?.subarray(0, filled) ?? new Uint8Array(0);
    lone = undefined;
    gathered = undefined;
    filled = 0;
    chunks++;
    return chunk;
  };

  return {
    push(piece) {
      const done: Uint8Array[] = [];
      let at = 0;
      while (at < piece.length) {
        const end = Math.min(piece.length, at + chunkBytes - filled);
        keep(at === 0 && end === piece.length ? piece : piece.subarray(at, end));
        if (filled === chunkBytes) done.push(take());
        at = end;
      }
      return done;
    },
    end() {
      if (filled === 0 && chunks > 0) return undefined;
      // A short tail must not hold a chunk-sized buffer for as long as it is kept.
      const tail = take();
      return tail.length * 2 < tail.buffer.byteLength ? tail.slice() : tail;
    },
  };
}
