// What the files' pages show: a page of names, one file with a window of its block map. Counting
// copies asks other nodes, so a window is kept for some seconds: ten open pages cost one answer.

import { linksMaxDefault, linksMaxLarge } from "../../shared/base/limits.ts";
import { chunkBytesLarge } from "../../shared/base/limits.ts";
import type { FileView, ShareLink } from "../../web/pages/file_view.ts";
import type { DeletedView } from "../../web/pages/deleted.tsx";
import type { FilesView } from "../../web/pages/files.tsx";
import type { PieceRow } from "../../web/pages/pool_view.ts";
import type { FileInfo, Pool } from "../engine/pool.ts";
import { previewKind } from "./ui_preview.ts";
import { wordsCharactersMax, wordsOf } from "./file_views.ts";
import { encodeCursor, pageOf } from "./requests.ts";
import type { Services } from "./services.ts";
import type { Views } from "./ui_views.ts";

/** Blocks in one window: half a gigabyte of 256 KiB leaves, and a bar that still has a grain. */
const windowBlocks = 2_000;
const pageBlocks = 1_000;
/** Deleted names on one page, and folders above a list. */
const deletedShown = 200;
const foldersShown = 48;
const keptMs = 4_000;
const keptMax = 16;

export interface FileViews {
  list(request: Request): Promise<FilesView>;
  /** What can be brought back. */
  deleted(): Promise<DeletedView>;
  /** @throws {SkyringError} not_found and others of the pool */
  one(name: string, options: {
    readonly from: number;
    readonly share?: ShareLink;
    readonly refusal?: string;
  }): Promise<FileView>;
}

/** The views of a node's files. @throws never */
export function createFileViews(services: Services, views: Views): FileViews {
  const { pool } = services;
  const kept = new Map<string, { readonly at: number; readonly rows: Promise<PieceRow[]> }>();

  /** One window, shared by everyone who asks within some seconds. */
  function windowOf(info: FileInfo, from: number): Promise<PieceRow[]> {
    const key = `${info.cid} ${info.replicas.wanted} ${from} ${info.name}`;
    const now = services.now();
    const known = kept.get(key);
    if (known !== undefined && now - known.at < keptMs) return known.rows;
    const rows = readWindow(pool, info.name, from);
    kept.delete(key);
    kept.set(key, { at: now, rows });
    for (const old of [...kept.keys()].slice(0, Math.max(0, kept.size - keptMax))) kept.delete(old);
    // A failure is told to those who wait for it, and not kept.
    rows.catch(() => kept.delete(key));
    return rows;
  }

  return {
    async list(request) {
      const asked = new URL(request.url).searchParams;
      const prefix = (asked.get("prefix") ?? "").normalize("NFC").slice(0, 1_024);
      const query = (asked.get("q") ?? "").trim().slice(0, wordsCharactersMax);
      const words = wordsOf(request.url, "q");
      const page = await pool.list({ prefix, words, pieces: true, ...pageOf(request.url) });
      return {
        now: services.now(),
        prefix,
        query,
        cursor: asked.get("cursor"),
        items: page.items,
        pieces: page.pieces ?? [],
        folders: query === "" && asked.get("cursor") === null
          ? await pool.folders(prefix, foldersShown)
          : [],
        deleted: await pool.deleted(1),
        next: encodeCursor(page.next),
        total: services.fileCount?.() ?? null,
        nodes: views.members().size,
        room: views.room(),
        copiesKnown: views.copiesKnown(),
        writable: services.status().writable,
      };
    },
    async deleted() {
      const items = await pool.deleted(deletedShown + 1);
      const more = items.length > deletedShown;
      return { now: services.now(), items: items.slice(0, deletedShown), more };
    },
    async one(name, { from, share, refusal }) {
      const file = await pool.stat(name);
      const start = Math.min(from, Math.max(0, file.blocks - 1));
      const rows = await windowOf(file, start);
      return {
        now: services.now(),
        file,
        pieces: rows,
        from: start,
        windowBlocks,
        nodes: views.members(),
        copiesKnown: views.copiesKnown(),
        preview: previewKind(file.name, file.size),
        canShare: services.shareKey !== undefined,
        share: share ?? null,
        refusal: refusal ?? null,
        links: file.chunkBytes >= chunkBytesLarge ? linksMaxLarge : linksMaxDefault,
      };
    },
  };
}

async function readWindow(pool: Pool, name: string, from: number): Promise<PieceRow[]> {
  const rows: PieceRow[] = [];
  let after: number | null = from - 1;
  while (after !== null && rows.length < windowBlocks) {
    const page: Awaited<ReturnType<Pool["blocks"]>> = await pool.blocks(name, {
      after,
      limit: pageBlocks,
    });
    rows.push(...page.items);
    after = page.next;
  }
  return rows;
}
