// The job "add from this tab": cuts a file into blocks and hashes them here, so that it is seeded
// from the first block on, then has a node name it; the nodes fetch the blocks from this tab, and
// the answer comes when they have their copies: from then on the file outlives the tab.

import { messageOf, SkyringError } from "../../shared/base/errors.ts";
import type { Cid } from "../../shared/base/ids.ts";
import { chunkBytesDefault, linksMaxDefault } from "../../shared/base/limits.ts";
import { formatSize } from "../../shared/base/units.ts";
import type { BlockKind } from "../../shared/block/block_store.ts";
import { createChunker } from "../../shared/block/chunker.ts";
import { cidOfDigest } from "../../shared/block/cid.ts";
import { createDagBuilder } from "../../shared/block/dag_builder.ts";
import { type FileEntry, toTake } from "./file_list.ts";
import type { KeepPorts } from "./keep_file.ts";
import type { TabHash } from "./tab_hash.ts";
import { waitFor } from "../wait.ts";

/** Inner blocks beside the bytes of a file: one of 10 KiB for 44 MiB. */
const innerShare = 0.001;
/** Blocks being written while the next ones are cut: 8 MiB. */
const writesMax = 32;
const namingTries = 5;
const namingWaitMs = 3_000;

/** What adding needs beside what keeping does. */
export interface AddPorts extends KeepPorts {
  readonly hash: TabHash;
}

/** Cuts and seeds a file, then names it. Never rejects: the entry says how it went. */
export async function addFile(
  entry: FileEntry,
  file: Blob,
  options: { readonly ports: AddPorts; readonly signal: AbortSignal },
): Promise<void> {
  const { ports, signal } = options;
  entry.size = file.size;
  try {
    const needed = Math.ceil(file.size * (1 + innerShare));
    const room = ports.store.roomFor("kept");
    if (needed > room) {
      const note = `it needs ${formatSize(needed)}, and ${formatSize(Math.max(0, room))} are left`;
      throw new SkyringError("full", note);
    }
    await cut(entry, file, options);
  } catch (error) {
    // Interrupted before it was whole: nobody could name it, and its bytes are with its owner.
    if (signal.aborted) await ports.files.drop(entry.name);
    else fail(entry, ports, error);
    return;
  }
  await nameFile(entry, ports, signal);
}

/** Has a node name what was added here. Never rejects. */
export async function nameFile(
  entry: FileEntry,
  ports: AddPorts,
  signal: AbortSignal,
): Promise<void> {
  const { root } = entry;
  if (root === undefined) return;
  for (let left = namingTries - 1; !signal.aborted; left--) {
    entry.phase = "naming";
    entry.note = "";
    ports.onChange();
    try {
      await ports.api.store(entry.name, root, signal);
      Object.assign(entry, { phase: "whole", stored: true });
      await ports.files.save(entry);
      return ports.onChange();
    } catch (error) {
      if (signal.aborted) return;
      const again = left > 0 && !(error instanceof SkyringError && !error.retriable);
      if (!again) {
        entry.phase = "unnamed";
        entry.note = messageOf(error);
        await ports.files.save(entry);
        return ports.onChange();
      }
      await waitFor(namingWaitMs, signal);
    }
  }
}

async function cut(
  entry: FileEntry,
  file: Blob,
  options: { readonly ports: AddPorts; readonly signal: AbortSignal },
): Promise<void> {
  const { ports, signal } = options;
  const { store, hash } = ports;
  const chunker = createChunker({ chunkBytes: chunkBytesDefault });
  const builder = createDagBuilder({ linksMax: linksMaxDefault, hash: hash.now });
  const found = new Set<Cid>();
  const writes = new Set<Promise<void>>();

  const write = async (cid: Cid, bytes: Uint8Array, kind: BlockKind) => {
    found.add(cid);
    store.keep([cid]);
    const outcome = await store.put(cid, bytes, kind);
    if (!outcome.ok) throw new SkyringError("full", "the space it may use is full");
  };
  const begin = (...block: Parameters<typeof write>) => {
    const task: Promise<void> = write(...block).finally(() => writes.delete(task));
    task.catch(() => undefined); // told by Promise.all below
    writes.add(task);
    return task;
  };
  const all: Promise<void>[] = [];
  const take = async (chunks: readonly Uint8Array[]) => {
    const digests = await Promise.all(chunks.map((chunk) => hash.whole(chunk)));
    for (const [index, chunk] of chunks.entries()) {
      const cid = cidOfDigest(digests[index] as Uint8Array, "raw");
      all.push(begin(cid, chunk, "leaf"));
      for (const inner of builder.add({ cid, size: chunk.length })) {
        all.push(begin(inner.cid, inner.bytes, "inner"));
      }
      entry.cut += chunk.length;
    }
    while (writes.size > writesMax) await Promise.race(writes);
    ports.onChange();
  };

  const reader = file.stream().getReader();
  for (;;) {
    const { done, value } = await reader.read();
    signal.throwIfAborted();
    if (done) break;
    await take(chunker.push(value));
  }
  const last = chunker.end();
  if (last !== undefined) await take([last]);
  const dag = builder.finish();
  for (const inner of dag.inner) all.push(begin(inner.cid, inner.bytes, "inner"));
  await Promise.all(all);
  entry.root = dag.root;
  entry.blocks = [...found].map(toTake);
  entry.phase = "naming";
  await ports.files.save(entry);
}

function fail(entry: FileEntry, ports: AddPorts, error: unknown): void {
  entry.phase = "stuck";
  entry.note = messageOf(error);
  ports.onChange();
}
