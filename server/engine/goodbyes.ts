// Who was away with a goodbye, or well, when this node last ran: on disk, so that a pool that was
// stopped and started again takes nobody's silence for a death. SWIM alone would: it begins each
// start with the belief that everybody is alive, and buries who does not answer.
//
// Two words are kept of a member: `left`, it said goodbye here, kept for as long as SWIM believes
// so; and `well`, it answered when this node said its own goodbye, since of nodes that stop
// together each says its goodbye to others that listen no more. A `well` member is excused until
// anything newer is known of it. Excuses are private: they are told to nobody, so that members
// who ran on, and saw a death, are not contradicted.
//
// Must not know: rosters, who owns what. Losing the table costs only its excuses.

import type { NodeId } from "../../shared/base/ids.ts";
import type { Profile } from "../../shared/ring/profile.ts";
import type { Belief } from "../../shared/ring/swim.ts";
import { decodeProfile, encodeProfile } from "../../shared/wire/swim_message.ts";
import type { Database, Migrations, Statement } from "../disk/database.ts";

/** The table of last words, for openDatabase(). */
export const goodbyeMigrations: Migrations = {
  name: "goodbyes",
  steps: [
    `CREATE TABLE goodbye (
       id TEXT PRIMARY KEY, word TEXT NOT NULL, incarnation INTEGER NOT NULL, profile BLOB
     ) STRICT, WITHOUT ROWID`,
  ],
};

/** What is believed of a member, with its facts where they are known. */
export type Remembered =
  & Pick<Belief, "id" | "state" | "incarnation" | "heardAt">
  & { readonly facts: Profile | undefined };

/** The memory of one node. */
export interface Goodbyes {
  /** Incarnations under which members said goodbye before this start. */
  readonly left: ReadonlyMap<NodeId, number>;
  /** Whether a member's silence is no sign of death: nothing is known since it was well. */
  excuses(id: NodeId): boolean;
  /** What a member last said of itself, from before this start. */
  lastWord(id: NodeId): Profile | undefined;
  /** Takes in what is believed of all other members now. Never throws. */
  follow(members: readonly Remembered[]): void;
  /** Before this node's own goodbye: who is well is excused at the next start. Never throws. */
  close(members: readonly Remembered[]): Promise<void>;
}

interface Row {
  readonly word: "left" | "well";
  readonly incarnation: number;
  readonly facts: Profile | undefined;
}

/** The memory over a database; writes that fail are told to `onFailed`. @throws as read() */
export function openGoodbyes(
  database: Pick<Database, "read" | "write">,
  onFailed: (error: unknown) => void,
): Goodbyes {
  const rows = readRows(database);
  const left = [...rows].filter(([, { word }]) => word === "left")
    .map(([id, { incarnation }]) => [id, incarnation] as const);

  const isOver = ({ id, incarnation, heardAt }: Remembered) =>
    heardAt !== undefined || incarnation > (rows.get(id)?.incarnation ?? 0);
  const put = (member: Remembered, word: Row["word"]): Statement[] => {
    const { id, incarnation } = member;
    const known = rows.get(id);
    if (known?.word === word && known.incarnation >= incarnation) return [];
    const facts = member.facts ?? known?.facts;
    rows.set(id, { word, incarnation, facts });
    return [{
      sql: "INSERT OR REPLACE INTO goodbye VALUES (?, ?, ?, ?)",
      params: [id, word, incarnation, facts === undefined ? null : encodeProfile(facts)],
    }];
  };
  const drop = (id: NodeId): Statement[] =>
    rows.delete(id) ? [{ sql: "DELETE FROM goodbye WHERE id = ?", params: [id] }] : [];
  const followed = (members: readonly Remembered[]): Statement[] => {
    if (members.length === 0) return []; // no roster yet, or nobody to be excused
    const present = new Set(members.map(({ id }) => id));
    return [
      ...[...rows.keys()].filter((id) => !present.has(id)).flatMap(drop),
      ...members.flatMap((member) =>
        member.state === "left" ? put(member, "left") : isOver(member) ? drop(member.id) : []
      ),
    ];
  };
  const write = async (statements: readonly Statement[]) => {
    if (statements.length > 0) await database.write(statements).catch(onFailed);
  };
  return {
    left: new Map(left),
    excuses: (id) => rows.get(id)?.word === "well",
    lastWord: (id) => rows.get(id)?.facts,
    follow: (members) => void write(followed(members)),
    close: async (members) => {
      const well = members.filter(({ state, heardAt }) =>
        heardAt !== undefined && (state === "alive" || state === "suspect")
      );
      await write([...followed(members), ...well.flatMap((member) => put(member, "well"))]);
    },
  };
}

function readRows(database: Pick<Database, "read">): Map<NodeId, Row> {
  const found = database.read<
    { id: NodeId; word: Row["word"]; incarnation: number; profile: Uint8Array | null }
  >("SELECT id, word, incarnation, profile FROM goodbye");
  return new Map(found.map(({ id, word, incarnation, profile }) => {
    return [id, { word, incarnation, facts: readFacts(profile) }];
  }));
}

/** Facts that an older program wrote otherwise are worth nothing: they are for people. */
function readFacts(profile: Uint8Array | null): Profile | undefined {
  if (profile === null) return undefined;
  try {
    return decodeProfile(profile);
  } catch {
    return undefined; // its name is then its id, as of any member not heard from
  }
}
