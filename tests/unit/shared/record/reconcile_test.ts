// Two catalogs compared through their real messages, counted in bytes, against a plain set
// difference as the oracle.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import fc from "fast-check";
import { toHex } from "../../../../shared/base/hash.ts";
import { asLineage, asNodeId } from "../../../../shared/base/ids.ts";
import {
  type CatalogEntry,
  type EntryMark,
  markOf,
} from "../../../../shared/record/catalog_entry.ts";
import {
  FingerprintTree,
  pointsOfRange,
  rangeOfPoint,
  sameFingerprint,
  treeDepth,
  type TreeRange,
} from "../../../../shared/record/fingerprint_tree.ts";
import {
  answerClaims,
  type CatalogView,
  claimsAfterCopy,
  followAnswers,
  openingClaim,
  type RangeClaim,
} from "../../../../shared/record/reconcile.ts";
import {
  claimsMax,
  decodeCatalogReply,
  decodeCatalogRequest,
  encodeCatalogReply,
  encodeCatalogRequest,
} from "../../../../shared/wire/catalog_message.ts";

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest();
const lineage = asLineage("ab".repeat(32));

function entry(name: string, round: number): CatalogEntry {
  const version = [1, round, asNodeId("node"), 1] as const;
  return {
    key: { kind: "file", name },
    value: {
      version,
      n: 1,
      stamp: [0, 0],
      deleted: false,
      recent: [version],
      body: new Uint8Array(200),
    },
  };
}

type Oracle = CatalogView & { readonly marks: readonly EntryMark[] };

const catalogOf = (entries: readonly CatalogEntry[]) =>
  catalogOfMarks(entries.map((one) => markOf(one, sha256)));

/** A catalog over a sorted array: the dumb oracle of the table. */
function catalogOfMarks(unsorted: readonly EntryMark[]): Oracle {
  const marks = unsorted.toSorted((a, b) => a.point - b.point);
  const tree = new FingerprintTree();
  for (const { point, id } of marks) tree.add(point, id);
  const firstAt = (point: number) => {
    let [low, high] = [0, marks.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((marks[middle]?.point ?? Infinity) < point) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  const marksIn = (range: TreeRange) => {
    const { from, to } = pointsOfRange(range);
    return marks.slice(firstAt(from), firstAt(to));
  };
  return { marks, marksIn, fingerprint: (range) => tree.at(range) };
}

/** Runs a whole comparison of `asker` with `answerer`; bytes counts both directions. */
function compare(from: Oracle, answerer: Oracle) {
  let asker = from;
  let claims: readonly RangeClaim[] = [openingClaim(asker)];
  const found = {
    fetch: [] as EntryMark[],
    offer: [] as EntryMark[],
    bytes: 0,
    rounds: 0,
    copies: 0,
  };
  while (claims.length > 0) {
    found.rounds++;
    const now = claims.slice(0, claimsMax);
    const rest = claims.slice(claimsMax);
    const asked = encodeCatalogRequest({ lineage, request: { kind: "compare", claims: now } });
    const request = decodeCatalogRequest(asked)?.request;
    assert.ok(request?.kind === "compare");
    const answered = encodeCatalogReply({
      kind: "answers",
      answers: answerClaims(answerer, request.claims),
    });
    const reply = decodeCatalogReply(answered);
    assert.ok(reply?.kind === "answers");
    const step = followAnswers(asker, reply.answers);
    found.bytes += asked.length + answered.length;
    found.fetch.push(...step.fetch);
    found.offer.push(...step.offer);
    claims = [...rest, ...step.compare];
    if (!step.copy) continue;
    found.copies++;
    asker = catalogOfMarks([...asker.marks, ...marksMissing(answerer.marks, asker.marks)]);
    claims = claimsAfterCopy(asker);
  }
  return found;
}

function marksMissing(wanted: readonly EntryMark[], had: readonly EntryMark[]): EntryMark[] {
  const known = new Set(names(had));
  return wanted.filter(({ id }) => !known.has(toHex(id)));
}

const names = (marks: readonly EntryMark[]) => marks.map(({ id }) => toHex(id)).sort();

Deno.test("answerClaims() and followAnswers() find exactly the differences of any two catalogs", () => {
  const versions = fc.array(fc.nat(2), { minLength: 0, maxLength: 400 });
  fc.assert(
    fc.property(versions, versions, (left, right) => {
      const make = (rounds: number[]) =>
        catalogOf(rounds.flatMap((round, index) => round === 0 ? [] : [entry(`f${index}`, round)]));
      const [asker, answerer] = [make(left), make(right)];
      const found = compare(asker, answerer);
      const lacking = found.copies > 0 ? [] : marksMissing(answerer.marks, asker.marks);
      assert.deepEqual(names(found.fetch), names(lacking));
      if (asker.marks.length > 0 && answerer.marks.length > 0 && found.rounds === 1) {
        assert.deepEqual(names(found.offer), names(marksMissing(asker.marks, answerer.marks)));
      }
    }),
    { numRuns: 60, seed: 7 },
  );
});

Deno.test("who has next to nothing copies everything once, then finds and offers what is left", () => {
  const full = Array.from({ length: 1_000 }, (_, index) => entry(`file ${index}`, 1));
  const own = entry("only here", 1);
  for (const held of [0, 1, 123]) {
    const asker = catalogOf([...full.slice(0, held), own]);
    const found = compare(asker, catalogOf(full));
    assert.deepEqual([found.copies, names(found.fetch)], [1, []], `${held} held`);
    assert.deepEqual(names(found.offer), names([markOf(own, sha256)]));
  }
  const eighth = compare(catalogOf(full.slice(0, 125)), catalogOf(full));
  assert.deepEqual([eighth.copies, eighth.fetch.length], [0, 875]);
});

Deno.test("a comparison of 100,000 entries of which 10 differ costs bytes of the difference", () => {
  const count = 100_000;
  const left = Array.from({ length: count }, (_, index) => entry(`file ${index}`, 1));
  const right = left.map((one, index) =>
    index % (count / 10) === 7 ? entry(`file ${index}`, 2) : one
  );
  const found = compare(catalogOf(left), catalogOf(right));
  assert.equal(found.fetch.length, 10);
  assert.equal(found.offer.length, 10);
  const marksBytes = count * 24;
  assert.ok(found.bytes < 32_000, `${found.bytes} bytes`);
  assert.ok(found.bytes < marksBytes / 50, "far below the keys' bytes");
  assert.ok(found.rounds <= treeDepth + 1);
});

Deno.test("equal catalogs end after one round of some tens of bytes", () => {
  const same = Array.from({ length: 5_000 }, (_, index) => entry(`file ${index}`, 1));
  const found = compare(catalogOf(same), catalogOf(same.toReversed()));
  assert.deepEqual([found.fetch, found.offer, found.rounds], [[], [], 1]);
  assert.ok(found.bytes < 200, `${found.bytes} bytes`);
});

Deno.test("FingerprintTree remove() takes back what add() did, at every depth", () => {
  const [tree, empty] = [new FingerprintTree(), new FingerprintTree()];
  const marks = Array.from({ length: 500 }, (_, index) => markOf(entry(`x${index}`, 1), sha256));
  for (const { point, id } of marks) tree.add(point, id);
  for (const { point, id } of marks) tree.remove(point, id);
  for (const { point } of marks) {
    for (let depth = 0; depth <= treeDepth; depth++) {
      const range = rangeOfPoint(point, depth);
      assert.ok(sameFingerprint(tree.at(range), empty.at(range)));
    }
  }
});

Deno.test("decodeCatalogRequest() and decodeCatalogReply() refuse any other bytes without throwing", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      decodeCatalogRequest(bytes);
      decodeCatalogReply(bytes);
    }),
    { numRuns: 2_000, seed: 3 },
  );
  const valid = encodeCatalogReply({ kind: "entries", entries: [entry("a", 1), entry("b", 2)] });
  for (let cut = 0; cut < valid.length; cut++) {
    assert.equal(decodeCatalogReply(valid.slice(0, cut)), undefined);
  }
});
