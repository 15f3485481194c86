// What the page of one file is made of. Shapes only.

import type { FileRow, PieceRow } from "./pool_view.ts";

/** A link to one version of a file. `expires` in ms since the epoch. */
export interface ShareLink {
  readonly url: string;
  readonly expires: number;
}

/** How a file can be shown in a page. */
export type PreviewKind = "image" | "audio" | "video" | "text" | "pdf" | "none";

export interface FileView {
  readonly now: number;
  readonly file: FileRow;
  /** One window of the block map, and the index it begins at. */
  readonly pieces: readonly PieceRow[];
  readonly from: number;
  readonly windowBlocks: number;
  /** Names of nodes by id, and which of them answer. */
  readonly nodes: ReadonlyMap<string, { readonly name: string; readonly answers: boolean }>;
  /** Whether holders could be asked: a node that has just started has not heard from them yet. */
  readonly copiesKnown: boolean;
  readonly preview: PreviewKind;
  readonly canShare: boolean;
  readonly share: ShareLink | null;
  /** Why the last form was refused. */
  readonly refusal: string | null;
  /** Leaves under one inner block. */
  readonly links: number;
}
