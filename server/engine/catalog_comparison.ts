// The asking side of a comparison of two catalogs: finds in what they differ, takes what we lack,
// and tells the other what it lacks. Who has next to nothing copies everything, and a copy that
// broke off goes on behind its last page.

import { SkyringError } from "../../shared/base/errors.ts";
import type { Lineage, NodeId } from "../../shared/base/ids.ts";
import { catalogDigestEntriesMax, catalogPageEntriesMax } from "../../shared/base/limits.ts";
import type { CatalogEntry, EntryMark } from "../../shared/record/catalog_entry.ts";
import {
  claimsAfterCopy,
  type ComparisonStep,
  followAnswers,
  openingClaim,
  type RangeAnswer,
  type RangeClaim,
} from "../../shared/record/reconcile.ts";
import type { RecordKey } from "../../shared/record/value.ts";
import {
  type CatalogReply,
  type CatalogRequest,
  claimsMax,
  decodeCatalogReply,
  encodeCatalogRequest,
} from "../../shared/wire/catalog_message.ts";
import type { Channel } from "../net/network.ts";
import type { Catalog } from "./catalog.ts";

export interface CatalogComparisonOptions {
  readonly catalog: Catalog;
  readonly channel: Channel;
  /** Our roster's lineage; undefined before the first roster. */
  readonly lineage: () => Lineage | undefined;
}

const requestTimeoutMs = 10_000;

/** Compares this node's catalog with those of others. */
export class CatalogComparison {
  readonly #options: CatalogComparisonOptions;
  /** A copy of everything that broke off: it goes on behind this key, from whichever peer. */
  #brokenOff: { readonly after: RecordKey; readonly era: number } | undefined;
  /** In which era everything was copied from a peer: it is not done again. */
  readonly #copied = new Map<NodeId, number>();
  #isCopying = false;

  constructor(options: CatalogComparisonOptions) {
    this.#options = options;
  }

  /**
   * One whole comparison: what the peer has and we lack is taken when it resolves.
   * @returns entries taken. @throws as Channel.request(); {SkyringError} not_ready: one of the two
   * does not know the other's lineage yet, or a copy of everything is under way, or the catalog
   * was emptied meanwhile; bad_message: the peer breaks the protocol
   */
  async run(peer: NodeId, signal: AbortSignal | undefined): Promise<number> {
    const { catalog } = this.#options;
    if (this.#isCopying) throw notNow("everything is being copied");
    const opening = openingClaim(catalog);
    const first = await this.#compare(peer, [opening], signal);
    const isFuller = entriesToldOf(first.answers) > opening.fingerprint.count;
    const mayResume = this.#brokenOff?.era === catalog.era && isFuller;
    let taken = 0;
    let claims: readonly RangeClaim[];
    if (mayResume || first.step.copy && this.#copied.get(peer) !== catalog.era) {
      taken += await this.#copy(peer, signal);
      claims = claimsAfterCopy(catalog);
    } else if (first.step.copy) claims = claimsAfterCopy(catalog);
    else {
      taken += await this.#take(peer, first.step, signal);
      claims = first.step.compare;
    }
    while (claims.length > 0) {
      const { step } = await this.#compare(peer, claims.slice(0, claimsMax), signal);
      if (step.copy) throw strangeAnswer(peer, { asked: "compare", answered: "copy of a part" });
      taken += await this.#take(peer, step, signal);
      claims = [...claims.slice(claimsMax), ...step.compare];
    }
    return taken;
  }

  async #compare(peer: NodeId, claims: readonly RangeClaim[], signal: AbortSignal | undefined) {
    const request: CatalogRequest = { kind: "compare", claims };
    const { answers } = await this.#ask(peer, { request, expect: "answers", signal });
    return { answers, step: followAnswers(this.#options.catalog, answers) };
  }

  /** Fetches what we lack, and tells what the peer lacks. */
  async #take(peer: NodeId, step: ComparisonStep, signal: AbortSignal | undefined) {
    const taken = await this.fetch(peer, step.fetch, signal);
    this.#offer(peer, step.offer);
    return taken;
  }

  /** Takes the entries under these marks. @returns entries taken. @throws as run() */
  async fetch(
    peer: NodeId,
    marks: readonly EntryMark[],
    signal: AbortSignal | undefined,
  ): Promise<number> {
    let taken = 0;
    let wanted = marks;
    while (wanted.length > 0) {
      const now = wanted.slice(0, catalogPageEntriesMax);
      const { era } = this.#options.catalog;
      const request: CatalogRequest = { kind: "fetch", marks: now };
      const reply = await this.#ask(peer, { request, expect: "entries", signal });
      await this.#options.catalog.merge(reply.entries, era);
      taken += reply.entries.length;
      // A page is cut at its byte limit: ask again for the rest, unless nothing came.
      const rest = this.#options.catalog.missing(now);
      const stuck = reply.entries.length === 0 || rest.length === now.length;
      wanted = [...(stuck ? [] : rest), ...wanted.slice(catalogPageEntriesMax)];
    }
    return taken;
  }

  /** Copies all that a peer has, or what is behind the page at which a copy broke off. */
  async #copy(peer: NodeId, signal: AbortSignal | undefined): Promise<number> {
    if (this.#isCopying) throw notNow("everything is being copied");
    const { era } = this.#options.catalog;
    const from = this.#brokenOff?.era === era ? this.#brokenOff.after : null;
    this.#isCopying = true;
    this.#brokenOff = undefined;
    let written = from;
    try {
      const onWritten = (last: RecordKey) => written = last;
      const taken = await this.#copyPages(peer, { from, signal, onWritten });
      this.#copied.set(peer, era);
      return taken;
    } catch (error) {
      if (written !== null) this.#brokenOff = { after: written, era };
      throw error;
    } finally {
      this.#isCopying = false;
    }
  }

  /** Asks for each page while the two before it are written; all are when it ends. */
  async #copyPages(peer: NodeId, options: {
    readonly from: RecordKey | null;
    readonly signal: AbortSignal | undefined;
    readonly onWritten: (last: RecordKey) => void;
  }): Promise<number> {
    const { catalog } = this.#options;
    const { era } = catalog;
    const { signal, onWritten } = options;
    let after = options.from;
    let taken = 0;
    let more = true;
    let [older, newer] = [Promise.resolve(), Promise.resolve()];
    try {
      while (more) {
        const request: CatalogRequest = { kind: "copy", after };
        const { entries, more: isMore } = await this.#ask(peer, {
          request,
          expect: "page",
          signal,
        });
        await older;
        if (catalog.era !== era) throw notNow("it was emptied meanwhile");
        const last = entries.at(-1)?.key;
        if (last === undefined) break;
        [older, newer] = [newer, this.#write(entries, { era, onWritten: () => onWritten(last) })];
        taken += entries.length;
        after = last;
        more = isMore;
      }
    } finally {
      await Promise.all([older, newer]);
    }
    return taken;
  }

  #write(
    entries: readonly CatalogEntry[],
    { era, onWritten }: { readonly era: number; readonly onWritten: () => void },
  ): Promise<void> {
    const written = this.#options.catalog.merge(entries, era).then(onWritten);
    written.catch(() => undefined); // awaited two pages later: it must not count as unheard before
    return written;
  }

  /** Tells a peer what it lacks; it fetches what it wants. */
  #offer(peer: NodeId, marks: readonly EntryMark[]): void {
    const lineage = this.#options.lineage();
    if (lineage === undefined || marks.length === 0) return;
    const all = this.#options.catalog.fingerprint({ depth: 0, index: 0 });
    for (let start = 0; start < marks.length; start += catalogDigestEntriesMax) {
      const some = marks.slice(start, start + catalogDigestEntriesMax);
      const request: CatalogRequest = { kind: "digest", marks: some, all };
      this.#options.channel.notify(peer, encodeCatalogRequest({ lineage, request }));
    }
  }

  async #ask<Kind extends CatalogReply["kind"]>(
    peer: NodeId,
    question: { request: CatalogRequest; expect: Kind; signal: AbortSignal | undefined },
  ): Promise<Extract<CatalogReply, { kind: Kind }>> {
    const lineage = this.#options.lineage();
    if (lineage === undefined) {
      throw new SkyringError("not_ready", "Cannot compare catalogs: there is no roster yet", {
        retriable: true,
      });
    }
    const { request, expect, signal } = question;
    const bytes = await this.#options.channel.request(
      peer,
      encodeCatalogRequest({ lineage, request }),
      { timeoutMs: requestTimeoutMs, ...(signal === undefined ? {} : { signal }) },
    );
    const reply = decodeCatalogReply(bytes);
    // Only who sees another lineage than the one that was asked under may refuse.
    if (reply?.kind === "refused" && reply.lineage !== lineage) throw notReady(peer, reply.lineage);
    if (reply?.kind !== expect) {
      throw strangeAnswer(peer, { asked: request.kind, answered: reply?.kind ?? "garbage" });
    }
    return reply as Extract<CatalogReply, { kind: Kind }>;
  }
}

/** Entries of the answerer, as far as its answers to the opening claim tell. */
function entriesToldOf(answers: readonly RangeAnswer[]): number {
  const [answer] = answers;
  if (answer?.kind === "copy") return answer.count;
  if (answer?.kind !== "split") return 0;
  return answer.children.reduce((sum, { count }) => sum + count, 0);
}

function strangeAnswer(
  peer: NodeId,
  data: { readonly asked: string; readonly answered: string },
): SkyringError {
  return new SkyringError("bad_message", `Cannot compare catalogs: ${peer} answered otherwise`, {
    data: { peer, ...data },
    retriable: true,
  });
}

function notNow(why: string): SkyringError {
  return new SkyringError("not_ready", `Cannot compare catalogs: ${why}`, { retriable: true });
}

function notReady(peer: NodeId, lineage: Lineage | null): SkyringError {
  const state = lineage === null ? "has no roster yet" : "is of another lineage";
  return new SkyringError("not_ready", `Cannot compare catalogs: ${peer} ${state}`, {
    data: { peer, lineage: lineage ?? "none" },
    retriable: true,
  });
}
