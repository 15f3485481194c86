// A member's own facts, as it tells them to all others. Only the member itself writes them;
// versions (boot, then count) make the last word win. Beliefs about it are not in here.

import type { PhaseNow } from "../phase.ts";
import type { TabSketch } from "../status.ts";

/** Plain facts of one node; bytes, and milliseconds since the epoch on its own clock. */
export interface Profile {
  readonly name: string;
  readonly zone: string;
  /** Drawn at each start: two nodes under one id show themselves by it. */
  readonly bootId: string;
  readonly version: string;
  readonly http: string | null;
  readonly line: string | null;
  /** libp2p multiaddrs under which others may dial it, best first. */
  readonly addresses: readonly string[];
  readonly phase: PhaseNow;
  readonly capacity: number;
  readonly used: number;
  readonly metadata: number;
  readonly blocks: { readonly held: number; readonly wanted: number; readonly surplus: number };
  /** Roster epoch that it has adopted, and slots whose registers it is still reading. */
  readonly epoch: number;
  readonly arriving: number;
  /** Joined and able to write. */
  readonly ready: boolean;
  /** Tabs that are connected to it. */
  readonly tabs?: TabSketch;
}
