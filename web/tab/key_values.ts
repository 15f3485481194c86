// Where a tab keeps things: an IndexedDB database of its own, or memory where the browser gives
// none (private modes). Both as one small port, so that what is above neither knows nor cares.

import { clear, createStore, delMany, get, keys, setMany, update, type UseStore } from "idb-keyval";

/** Values by text; a resolved change has been committed. */
export interface KeyValues {
  get(key: string): Promise<unknown>;
  /** All or none. @throws when the browser has no room (QuotaExceededError) or lost the database */
  setMany(entries: readonly (readonly [string, unknown])[]): Promise<void>;
  delMany(keys: readonly string[]): Promise<void>;
  keys(): Promise<string[]>;
  /** Changes one value; nothing comes between the read and the write, in any tab. */
  update(key: string, change: (old: unknown) => unknown): Promise<void>;
  clear(): Promise<void>;
  readonly kept: "indexeddb" | "memory";
}

/** IndexedDB under this name, or memory when it cannot be used. Never rejects. */
export async function openKeyValues(name: string): Promise<KeyValues> {
  try {
    const store = createStore(name, "values");
    const values = databaseValues(store);
    // Opens it: some private modes fail only here, or at the first write.
    await values.setMany([["probe", 1]]);
    await values.delMany(["probe"]);
    return values;
  } catch {
    return memoryValues(); // what it means is shown to people by `kept`
  }
}

function databaseValues(store: UseStore): KeyValues {
  return {
    kept: "indexeddb",
    get: (key) => get<unknown>(key, store),
    setMany: (entries) => setMany(entries.map(([key, value]) => [key, value]), store),
    delMany: (some) => delMany([...some], store),
    keys: () => keys<string>(store),
    update: (key, change) => update<unknown>(key, change, store),
    clear: () => clear(store),
  };
}

/** The same in memory; gone with the tab. */
export function memoryValues(): KeyValues {
  const values = new Map<string, unknown>();
  const done = Promise.resolve();
  return {
    kept: "memory",
    get: (key) => Promise.resolve(values.get(key)),
    setMany(entries) {
      for (const [key, value] of entries) values.set(key, value);
      return done;
    },
    delMany(some) {
      for (const key of some) values.delete(key);
      return done;
    },
    keys: () => Promise.resolve([...values.keys()]),
    update(key, change) {
      values.set(key, change(values.get(key)));
      return done;
    },
    clear() {
      values.clear();
      return done;
    },
  };
}
