// Names of files by how they begin, and by words that they hold. Words are looked for in a list of
// bare names, some thousand at a time with the event loop running in between, so that a search of
// every name there is delays nobody; a request ends after a bounded number of names, found or not,
// and its `next` goes on from there.

import { searchNamesAtOnce, searchNamesMax } from "../../shared/base/limits.ts";
import { foldName } from "../../shared/base/name.ts";
import { fileKey } from "../../shared/record/file_record.ts";
import type { CatalogEntry } from "../../shared/record/catalog_entry.ts";
import type { Catalog } from "./catalog.ts";

/** What is looked for; `after` is the name before the page. */
export interface NameQuery {
  readonly prefix: string;
  readonly words: readonly string[];
  readonly after: string | undefined;
  readonly limit: number;
}

/** Names looked at for one list of folders: a folder of files alone ends it there. */
const folderStepsMax = 200;

/** Folders right below `prefix` in byte order, each with its slash. @throws never */
export function foldersBelow(
  catalog: Pick<Catalog, "namesOnly">,
  { prefix, limit }: { readonly prefix: string; readonly limit: number },
): string[] {
  const folders: string[] = [];
  let after: string | undefined;
  for (let step = 0; step < folderStepsMax && folders.length < limit; step++) {
    const [name] = catalog.namesOnly("file", { prefix, after, limit: 1 });
    if (name === undefined) break;
    const slash = name.indexOf("/", prefix.length);
    const folder = name.slice(0, slash + 1);
    if (slash !== -1) folders.push(folder);
    // The last code point stands behind every name of the folder.
    after = slash === -1 ? name : `${folder}\u{10FFFF}`;
  }
  return folders;
}

/** A page of live files in byte order of their names; `next` is null at the end. @throws never */
export async function findNames(
  catalog: Pick<Catalog, "names" | "namesOnly" | "get">,
  { prefix, words, after, limit }: NameQuery,
): Promise<{ readonly entries: readonly CatalogEntry[]; readonly next: string | null }> {
  const folded = words.map(foldName).filter((word) => word !== "");
  if (folded.length === 0) {
    const entries = catalog.names("file", { prefix, after, limit: limit + 1 });
    const shown = entries.slice(0, limit);
    return { entries: shown, next: entries.length > limit ? shown.at(-1)?.key.name ?? null : null };
  }
  const found: CatalogEntry[] = [];
  let last = after;
  for (let looked = 0; looked < searchNamesMax; looked += searchNamesAtOnce) {
    const names = catalog.namesOnly("file", { prefix, after: last, limit: searchNamesAtOnce });
    for (const name of names) {
      last = name;
      const text = foldName(name);
      if (!folded.every((word) => text.includes(word))) continue;
      const entry = catalog.get(fileKey(name));
      if (entry !== undefined) found.push(entry);
      if (found.length === limit) return { entries: found, next: name };
    }
    if (names.length < searchNamesAtOnce) return { entries: found, next: null };
    await new Promise((resolve) => setTimeout(resolve));
  }
  return { entries: found, next: last ?? null };
}
