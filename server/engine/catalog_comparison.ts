// The asking side of a comparison of two catalogs: finds in what they differ, takes what we lack,
// and tells the other what it lacks. Who has next to nothing copies everything, and a copy that
// broke off goes on behind its last page.

import { SkyringError } from "../../shared/base/errors.ts";
import type { Lineage, NodeId } from "../../shared/base/ids.ts";
import { catalogDigestEntriesMax, catalogPageEntriesMax } from "../../shared/base/limits.ts";
import type { CatalogEntry, EntryMark } from "../../shared/record/catalog_entry.ts";
import {
  claimsAfterCopy,
  followAnswers,
  openingClaim,
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
  #copied: { readonly after: RecordKey; readonly era: number } | undefined;

  constructor(options: CatalogComparisonOptions) {
    this.#options = options;
  }

  /**
   * One whole comparison: what the peer has and we lack is taken when it resolves.
   * @returns entries taken. @throws as Channel.request(); {SkyringError} not_ready: one of the two
   * does not know the other's lineage yet; bad_message: the peer breaks the protocol
   */
  async run(peer: NodeId, signal: AbortSignal | undefined): Promise<number> {
    const { catalog } = this.#options;
    let claims: RangeClaim[] = [openingClaim(catalog)];
    let taken = 0;
    let copies = 0;
    if (this.#copied?.era === catalog.era) {
      taken += await this.#copy(peer, signal);
      claims = claimsAfterCopy(catalog);
    }
    while (claims.length > 0) {
      const request: CatalogRequest = { kind: "compare", claims: claims.slice(0, claimsMax) };
      const reply = await this.#ask(peer, { request, expect: "answers", signal });
      const next = followAnswers(catalog, reply.answers);
      claims = [...claims.slice(claimsMax), ...next.compare];
      taken += await this.fetch(peer, next.fetch, signal);
      this.#offer(peer, next.offer);
      if (!next.copy || ++copies > 1) continue;
      taken += await this.#copy(peer, signal);
      claims = claimsAfterCopy(catalog);
    }
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

  /** Copies all that a peer has, asking for each page while the two before it are written. */
  async #copy(peer: NodeId, signal: AbortSignal | undefined): Promise<number> {
    const { catalog } = this.#options;
    const { era } = catalog;
    let after = this.#copied?.era === era ? this.#copied.after : null;
    let taken = 0;
    let more = true;
    let [older, newer] = [Promise.resolve(), Promise.resolve()];
    while (more) {
      const request: CatalogRequest = { kind: "copy", after };
      const page = await this.#ask(peer, { request, expect: "page", signal });
      await older;
      [older, newer] = [newer, this.#takePage(page.entries, era)];
      taken += page.entries.length;
      after = page.entries.at(-1)?.key ?? after;
      more = page.more && page.entries.length > 0;
    }
    await Promise.all([older, newer]);
    this.#copied = undefined;
    return taken;
  }

  /** Writes a page of a copy, which goes on behind it should it break off later. */
  #takePage(entries: readonly CatalogEntry[], era: number): Promise<void> {
    const last = entries.at(-1);
    const written = this.#options.catalog.merge(entries, era).then(() => {
      if (last !== undefined) this.#copied = { after: last.key, era };
    });
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
      throw new SkyringError("bad_message", `Cannot compare catalogs: ${peer} answered otherwise`, {
        data: { peer, asked: request.kind, answered: reply?.kind ?? "garbage" },
        retriable: true,
      });
    }
    return reply as Extract<CatalogReply, { kind: Kind }>;
  }
}

function notReady(peer: NodeId, lineage: Lineage | null): SkyringError {
  const state = lineage === null ? "has no roster yet" : "is of another lineage";
  return new SkyringError("not_ready", `Cannot compare catalogs: ${peer} ${state}`, {
    data: { peer, lineage: lineage ?? "none" },
    retriable: true,
  });
}
