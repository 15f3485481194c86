// The job "keep this file": asks what the name stands for, walks its DAG (each inner block is
// taken and checked like any other), then takes what is missing, and looks again from time to
// time, because names move and a tab comes and goes.

import { messageOf } from "../../shared/base/errors.ts";
import type { Cid } from "../../shared/base/ids.ts";
import { createDagWalk } from "../../shared/block/dag_reader.ts";
import { type FileEntry, type FileList, toTake } from "./file_list.ts";
import type { NodeApi } from "./node_api.ts";
import type { TabStore } from "./tab_store.ts";
import type { Taken, Taker, ToTake } from "./taker.ts";
import { waitFor } from "../wait.ts";

/** A whole file is compared with its name again after this time; one that is not, sooner. */
const wholeMs = 5 * 60_000;
const againMs = 3_000;

export interface KeepPorts {
  readonly api: NodeApi;
  readonly store: TabStore;
  readonly taker: Taker;
  readonly files: FileList;
  readonly onChange: () => void;
}

/** Works on one file until `signal` aborts. Never rejects. */
export async function keepFile(
  entry: FileEntry,
  ports: KeepPorts,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    try {
      await round(entry, ports, signal);
    } catch (error) {
      if (signal.aborted) return;
      say(entry, ports, { phase: "stuck", note: messageOf(error) });
    }
    await waitFor(entry.phase === "whole" ? wholeMs : againMs, signal);
  }
}

async function round(entry: FileEntry, ports: KeepPorts, signal: AbortSignal): Promise<void> {
  const { api, store, taker, files } = ports;
  const file = await api.file(entry.name, signal);
  if (file === undefined) {
    const note = entry.root === undefined
      ? "there is no file of this name"
      : "no longer in the pool under this name; its blocks stay here";
    return say(entry, ports, { phase: "stuck", note });
  }
  if (file.cid !== entry.root || entry.blocks.length === 0) {
    const blocks = await walk(file, ports, signal);
    entry.root = file.cid;
    entry.size = file.size;
    entry.blocks = blocks;
    store.setKept(files.kept());
    await files.save(entry);
  }
  const missing = entry.blocks.filter(({ cid }) => !store.has(cid));
  const ends: Record<Taken, number> = { held: 0, full: 0, absent: 0 };
  if (missing.length > 0) say(entry, ports, { phase: "taking", note: "" });
  await taker.takeAll(missing, {
    signal,
    anyWay: true,
    onEach(_block, taken) {
      ends[taken] += 1;
      ports.onChange();
      return taken === "full" ? "enough" : "go on";
    },
  });
  if (signal.aborted) return;
  if (ends.full > 0) say(entry, ports, { phase: "stuck", note: "the space it may use is full" });
  else if (ends.absent > 0) {
    const note = `${ends.absent} blocks were not found; they are asked for again`;
    say(entry, ports, { phase: "stuck", note });
  } else say(entry, ports, { phase: "whole", note: "" });
}

/** All blocks of a file, each once, in its order; the inner ones are here afterwards. */
async function walk(
  file: { readonly cid: Cid; readonly size: number },
  ports: KeepPorts,
  signal: AbortSignal,
): Promise<ToTake[]> {
  const { store, taker } = ports;
  const found = new Set<Cid>([file.cid]);
  const steps = createDagWalk({ root: file.cid, size: file.size, start: 0, end: file.size });
  for (let step = steps.next(); step.kind !== "end"; step = steps.next()) {
    if (step.kind === "refused") throw new Error(`Cannot read file: ${step.code}`);
    if (step.kind === "leaf") found.add(step.cid);
    if (step.kind !== "inner") continue;
    found.add(step.cid);
    store.keep([step.cid]);
    const taken = await taker.take(toTake(step.cid), { signal, anyWay: true });
    const bytes = taken === "held" ? await store.get(step.cid) : undefined;
    if (bytes === undefined) {
      const why = taken === "full" ? "the space it may use is full" : "a block was not found";
      throw new Error(`Cannot read file: ${why}`);
    }
    steps.supply(step.cid, bytes);
  }
  return [...found].map(toTake);
}

function say(
  entry: FileEntry,
  ports: KeepPorts,
  words: { readonly phase: FileEntry["phase"]; readonly note: string },
): void {
  Object.assign(entry, words);
  ports.onChange();
}
