// What page and worker say to each other, and the tabs of one browser among themselves: orders go
// to the one worker that runs the peer, its state goes to every page.

/** What the node that serves the worker gives it. */
export interface Served {
  /** WebSocket addresses that the worker's policy allows. */
  readonly reach: readonly string[];
  /** Where the script of the faster cipher is. */
  readonly cipher: string;
}

/** What somebody at a page wants. Files pass between tabs as handles, not as bytes. */
export type TabOrder =
  | { readonly t: "start" }
  | { readonly t: "pause" }
  | { readonly t: "forget" }
  | { readonly t: "quota"; readonly bytes: number }
  | { readonly t: "help"; readonly on: boolean }
  | { readonly t: "keep"; readonly name: string }
  | { readonly t: "drop"; readonly name: string }
  | { readonly t: "add"; readonly name: string; readonly file: File }
  /** Names again what was added and could not be named. */
  | { readonly t: "name"; readonly was: string; readonly name: string };

/** What a worker says to its page. */
export type WorkerWord =
  | { readonly t: "state"; readonly state: TabState; readonly mine: boolean }
  | { readonly t: "failed"; readonly why: string }
  /** Living nodes that this worker's policy does not know: one loaded now could dial them. */
  | { readonly t: "beyond"; readonly urls: readonly string[] };

/** What workers of one browser say to all others. */
export type RoomWord =
  | { readonly t: "here"; readonly id: string }
  | { readonly t: "state"; readonly state: TabState }
  | { readonly t: "order"; readonly order: TabOrder };

/** How blocks of a file lie in this tab: runs in the order of the file. */
export type CellRun = readonly ["tab" | "wanted" | "off", number];

/** One file of this tab. */
export interface TabFile {
  readonly name: string;
  readonly size: number;
  /** Blocks in all, 0 while nobody knows, and those that are here. */
  readonly blocks: number;
  readonly held: number;
  readonly cells: readonly CellRun[];
  /** `cutting`, `naming` and `unnamed` are files that were added here. */
  readonly phase: "asking" | "cutting" | "naming" | "unnamed" | "taking" | "whole" | "stuck";
  /** Bytes cut, of an added file. */
  readonly cut: number;
  /** What there is to say beside the phase. */
  readonly note: string;
  /** Added here, and named: the nodes have their copies. */
  readonly stored: boolean;
}

/** A node that this tab is connected to. `since` is ms since the epoch. */
export interface TabNode {
  readonly id: string;
  readonly name: string;
  readonly address: string;
  readonly since: number;
}

/** Everything a page shows. Bytes are bytes, rates bytes a second, times ms since the epoch. */
export interface TabState {
  readonly at: number;
  readonly mode: "off" | "running" | "paused";
  readonly since: number;
  readonly peer: string;
  /** Tabs of this browser that share this peer. */
  readonly tabs: number;
  readonly nodes: readonly TabNode[];
  readonly nodesKnown: number;
  /** Why the page's own node is not connected. */
  readonly trouble: string | null;
  readonly blocks: number;
  readonly bytes: number;
  readonly quota: number;
  readonly given: number;
  readonly taken: number;
  readonly givenRate: number;
  readonly takenRate: number;
  /** Bytes taken and given in each of the last seconds, oldest first. */
  readonly series: readonly [readonly number[], readonly number[]];
  readonly storage: {
    readonly kept: "indexeddb" | "memory";
    /** Whether the browser promised not to clear it; null when it cannot be asked. */
    readonly persisted: boolean | null;
    readonly allowed: number | null;
    readonly refused: boolean;
  };
  /** The origin has no crypto.subtle, locks or lasting storage. */
  readonly insecure: boolean;
  /** The worker's clock ran late by so much of late: the browser slows this tab down. */
  readonly lateMs: number;
  readonly help: {
    readonly on: boolean;
    readonly blocks: number;
    readonly coming: number;
    readonly note: string;
  };
  readonly files: readonly TabFile[];
}
