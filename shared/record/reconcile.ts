// Comparing two catalogs. The asking side sends fingerprints of ranges; the answering side says
// nothing of equal ones, lists small ones and splits large ones. Each round splits by 16, so a
// comparison ends after `treeDepth` rounds, and its bytes grow with the differences.
//
// Who has next to nothing copies everything instead, in order of the keys and not of the points:
// then both tables are walked from one end to the other. In order of the points each entry lands
// on a page of its own, and a million of them cost 20 times their bytes in disk writes.
//
//   asker                                       answerer
//   compare [all: 100,000 entries, sum]   ->
//                                         <-    split [16 fingerprints]
//   compare [the 3 that differ]           ->
//                                         <-    split, split, list [points, ids] ...
//
// Source: Meyer, "Range-Based Set Reconciliation" (SRDS 2023), section 3.

import { reconcileListMax } from "../base/limits.ts";
import type { EntryMark } from "./catalog_entry.ts";
import {
  childrenOfRange,
  type Fingerprint,
  sameFingerprint,
  treeDepth,
  type TreeRange,
} from "./fingerprint_tree.ts";

/** What a comparison reads of one node's catalog. */
export interface CatalogView {
  fingerprint(range: TreeRange): Fingerprint;
  marksIn(range: TreeRange): readonly EntryMark[];
}

/** One range as the asker has it. */
export interface RangeClaim {
  readonly range: TreeRange;
  readonly fingerprint: Fingerprint;
}

/** What the answerer says of one range that differs. */
export type RangeAnswer =
  | { readonly kind: "split"; readonly range: TreeRange; readonly children: readonly Fingerprint[] }
  | { readonly kind: "list"; readonly range: TreeRange; readonly marks: readonly EntryMark[] }
  /** Everything, because the asker has next to nothing: only ever said of the whole. */
  | { readonly kind: "copy"; readonly count: number };

/** What the asker does next. */
export interface ComparisonStep {
  /** Ranges to compare in the next round. */
  readonly compare: readonly RangeClaim[];
  /** Entries that the answerer has and the asker lacks. */
  readonly fetch: readonly EntryMark[];
  /** Entries that the asker has and the answerer lacks or has in another version. */
  readonly offer: readonly EntryMark[];
  /** Whether to copy all that the answerer has, in pages. */
  readonly copy: boolean;
}

/** Whoever has less than one in so many of the other's entries copies them all. */
const copyBelowShare = 8;
const all: TreeRange = { depth: 0, index: 0 };

/** The claim that begins a comparison: everything. */
export function openingClaim(view: CatalogView): RangeClaim {
  return claimOf(view, all);
}

/** The claims that compare after a copy: the first split of everything, so that it ends. */
export function claimsAfterCopy(view: CatalogView): RangeClaim[] {
  return childrenOfRange(all).map((range) => claimOf(view, range));
}

/** The answers to a round of claims; equal ranges are left out. @throws never */
export function answerClaims(view: CatalogView, claims: readonly RangeClaim[]): RangeAnswer[] {
  const answers: RangeAnswer[] = [];
  for (const { range, fingerprint } of claims) {
    const own = view.fingerprint(range);
    if (sameFingerprint(own, fingerprint)) continue;
    if (own.count <= reconcileListMax || range.depth >= treeDepth) {
      answers.push({ kind: "list", range, marks: view.marksIn(range) });
    } else if (range.depth === 0 && fingerprint.count * copyBelowShare < own.count) {
      answers.push({ kind: "copy", count: own.count });
    } else {
      const children = childrenOfRange(range).map((child) => view.fingerprint(child));
      answers.push({ kind: "split", range, children });
    }
  }
  return answers;
}

/** What follows from one round of answers. @throws never */
export function followAnswers(view: CatalogView, answers: readonly RangeAnswer[]): ComparisonStep {
  const compare: RangeClaim[] = [];
  const fetch: EntryMark[] = [];
  const offer: EntryMark[] = [];
  let copy = false;
  for (const answer of answers) {
    switch (answer.kind) {
      case "split":
        compare.push(...differingChildren(view, answer.range, answer.children));
        break;
      case "list": {
        const own = view.marksIn(answer.range);
        fetch.push(...marksMissing(answer.marks, own));
        offer.push(...marksMissing(own, answer.marks));
        break;
      }
      case "copy":
        copy = true;
        break;
      default:
        answer satisfies never;
    }
  }
  return { compare, fetch, offer, copy };
}

function claimOf(view: CatalogView, range: TreeRange): RangeClaim {
  return { range, fingerprint: view.fingerprint(range) };
}

function differingChildren(
  view: CatalogView,
  range: TreeRange,
  theirs: readonly Fingerprint[],
): RangeClaim[] {
  return childrenOfRange(range).flatMap((child, index) => {
    const own = view.fingerprint(child);
    const their = theirs[index];
    return their === undefined || sameFingerprint(own, their)
      ? []
      : [{ range: child, fingerprint: own }];
  });
}

/** Marks of `wanted` that are not among `had`. */
function marksMissing(wanted: readonly EntryMark[], had: readonly EntryMark[]): EntryMark[] {
  const names = new Set(had.map(nameOfMark));
  return wanted.filter((mark) => !names.has(nameOfMark(mark)));
}

function nameOfMark({ point, id }: EntryMark): string {
  return `${point}:${id.join(",")}`;
}
