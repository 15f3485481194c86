import assert from "node:assert/strict";
import fc from "fast-check";
import { foldName } from "../../../../shared/base/name.ts";
import { searchNamesMax } from "../../../../shared/base/limits.ts";
import type { CatalogEntry } from "../../../../shared/record/catalog_entry.ts";
import { findNames } from "../../../../server/engine/name_search.ts";

/** A catalog of names alone; sorted, as the table is. */
function shelf(names: readonly string[]) {
  const sorted = [...new Set(names)].sort();
  const entry = (name: string) => ({ key: { kind: "file", name } }) as CatalogEntry;
  let looked = 0;
  const page = ({ prefix, after, limit }: { prefix: string; after?: string; limit: number }) =>
    sorted.filter((name) => name.startsWith(prefix) && (after === undefined || name > after))
      .slice(0, limit);
  return {
    looked: () => looked,
    names: (_kind: unknown, query: Parameters<typeof page>[0]) => page(query).map(entry),
    namesOnly: (_kind: unknown, query: Parameters<typeof page>[0]) => {
      const names = page(query);
      looked += names.length;
      return names;
    },
    get: ({ name }: { name: string }) => entry(name),
  } as unknown as Parameters<typeof findNames>[0] & { looked(): number };
}

async function all(
  catalog: ReturnType<typeof shelf>,
  query: { prefix: string; words: string[] },
): Promise<string[]> {
  const found: string[] = [];
  let after: string | undefined;
  for (;;) {
    const { entries, next } = await findNames(catalog, { ...query, after, limit: 3 });
    found.push(...entries.map(({ key }) => key.name));
    if (next === null) return found;
    after = next;
  }
}

Deno.test("findNames() finds what a walk over all names finds, each once, in order", async () => {
  const name = fc.string({ unit: fc.constantFrom("a", "B", "é", "ß", "/", "1"), minLength: 1 });
  const query = fc.record({ names: fc.array(name, { maxLength: 30 }), word: name, prefix: name });
  await fc.assert(fc.asyncProperty(query, async ({ names, word, prefix }) => {
    const catalog = shelf(names);
    const sorted = [...new Set(names)].sort();
    const holds = (text: string) => foldName(text).includes(foldName(word));
    assert.deepEqual(await all(catalog, { prefix: "", words: [word] }), sorted.filter(holds));
    assert.deepEqual(
      await all(catalog, { prefix, words: [] }),
      sorted.filter((text) => text.startsWith(prefix)),
    );
  }));
});

Deno.test("findNames() takes every word, and no notice of capitals and accents", async () => {
  const catalog = shelf(["Photos/Été 2025.JPG", "photos/hiver 2025.jpg", "été.txt"]);
  const find = (...words: string[]) => all(catalog, { prefix: "", words });
  assert.deepEqual(await find("ETE", "jpg"), ["Photos/Été 2025.JPG"]);
  assert.deepEqual(await find("2025"), ["Photos/Été 2025.JPG", "photos/hiver 2025.jpg"]);
  assert.deepEqual(await find("%"), []);
});

Deno.test("findNames() ends after a bounded number of names and goes on from there", async () => {
  const names = Array.from({ length: searchNamesMax + 1_000 }, (_, index) => String(1e6 + index));
  // Sorted already: filtering all of them for every page would take the oracle's time, not ours.
  const catalog = {
    namesOnly: (_kind: unknown, { after, limit }: { after?: string; limit: number }) => {
      const from = after === undefined ? 0 : Number(after) - 1e6 + 1;
      return names.slice(from, from + limit);
    },
    get: ({ name }: { name: string }) => ({ key: { kind: "file", name } }),
  } as unknown as Parameters<typeof findNames>[0];
  const query = { prefix: "", words: [String(1e6 + searchNamesMax + 7)], limit: 10 };
  const first = await findNames(catalog, { ...query, after: undefined });
  assert.deepEqual([first.entries.length, first.next], [0, names[searchNamesMax - 1]]);
  const second = await findNames(catalog, { ...query, after: first.next ?? undefined });
  assert.equal(second.entries.length, 1);
});
