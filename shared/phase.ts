// What a node is doing, in one word, with since when and because of what. Shown by the API,
// the dashboard and `cli status`; decided in server/engine/, never guessed by a face.

/** The phases a node goes through. */
export type Phase =
  | "looking for peers"
  | "joining"
  | "fetching metadata"
  | "picking blocks"
  | "fetching blocks"
  | "seeding"
  | "full"
  | "leaving"
  | "read-only";

/** A phase with its start (ms since the epoch) and its reason in plain words. */
export interface PhaseNow {
  readonly phase: Phase;
  readonly since: number;
  readonly because: string;
}
