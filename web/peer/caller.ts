// Who stands behind a stream, as admission found it. Members are nodes of the roster; a tab is a
// browser page with a ticket; a stranger proved nothing and is served only under `public`.

import type { NodeId } from "../../shared/base/ids.ts";

/** What an admitted peer may do (ARCHITECTURE.md). */
export type PeerRole = "member" | "tab";

/** A peer that opened a stream to us. */
export interface Caller {
  readonly id: NodeId;
  readonly role: PeerRole | "stranger";
}
