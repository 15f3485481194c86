// The ring: who owns what, the neighbours, the council, and where a name or a block lives.

import { bar } from "../charts/bar.ts";
import { ring } from "../charts/ring.ts";
import { EventList } from "./event_list.tsx";
import { Frame, type FrameView, Live } from "./frame.tsx";
import { signIn } from "./node_sign.ts";
import { Command, Glyph, Picture } from "./picture.tsx";
import type { PoolView, RingView } from "./pool_view.ts";
import { Table } from "./table.tsx";
import { cliCommand, counted, percent, whole } from "./words.ts";

/** One node of the table, in ring order. */
export interface RingRow {
  readonly id: string;
  readonly name: string;
  /** Place on the ring of hashes, hex. */
  readonly position: string;
  readonly tokens: number;
  readonly firstSlots: number;
  readonly predecessor: string;
  readonly successor: string;
}

/** Where a name or a block lives. */
export interface RingAnswer {
  readonly what: "name" | "block";
  readonly slot: number;
  /** Ids, nearest first. */
  readonly owners: readonly string[];
  /** Index of the first owner's arc, and how far into it the slot lies, 0 to 1. */
  readonly arc: number;
  readonly part: number;
}

export interface RingLookup {
  readonly key: string;
  /** Of the record of a name, or of a block. */
  readonly answer: RingAnswer;
  /** Of the first block, when the name is stored; with the ids that hold it. */
  readonly first: { readonly answer: RingAnswer; readonly holders: readonly string[] } | null;
  /** Why there is no file of that name. */
  readonly missing: boolean;
}

export interface RingPageView {
  readonly pool: PoolView;
  readonly ring: RingView;
  readonly rows: readonly RingRow[];
  readonly lookup: RingLookup | null;
  readonly key: string;
}

/** The whole page. */
export function RingPage(
  { view, frame }: { readonly view: RingPageView; readonly frame: FrameView },
) {
  return (
    <Frame view={frame} title="Ring" page="ring">
      <main id="main">
        <Live part={`/ui/part/ring?${new URLSearchParams({ key: view.key })}`} seconds={5}>
          <RingPart view={view} />
        </Live>
      </main>
    </Frame>
  );
}

/** What a poll brings. */
export function RingPart({ view }: { readonly view: RingPageView }) {
  const { pool, ring: shape } = view;
  return (
    <>
      <section class="sky">
        <div class="sky-in">
          <div class="health">
            <h1>
              {whole(shape.slotCount)} slots, {counted(shape.arcs.length, "owner")}, epoch{" "}
              {shape.epoch}.
            </h1>
            <p>{shareWords(view)}</p>
          </div>
          <div class="sky-ring">
            <Picture svg={pictureOf(view)} />
          </div>
          <div class="sky-facts facts">
            <Lookup view={view} />
            <Council pool={pool} />
            <section class="fact">
              <h2>Take it with you</h2>
              <p class="acts">
                <a class="btn" href="/api/ring.svg" download="ring.svg">SVG</a>
                <a class="btn" href="/api/ring.dot" download="ring.dot">Graphviz</a>
                <a class="btn" href="/api/ring" download="ring.json">JSON</a>
              </p>
              <Command text={cliCommand("ring")} />
            </section>
          </div>
        </div>
      </section>
      <div class="main">
        <div class="cols cols-21">
          <NodeTable view={view} />
          <section aria-labelledby="rosters">
            <h2 class="rule" id="rosters">Last rosters</h2>
            <EventList view={{ ...pool, events: pool.events.filter(isRoster) }} />
          </section>
        </div>
      </div>
    </>
  );
}

function isRoster({ kind, data }: PoolView["events"][number]): boolean {
  return kind === "member" && data["members"] !== undefined;
}

function shareWords({ ring: shape }: RingPageView): string {
  const shares = shape.arcs.map(({ share }) => share).sort((left, right) => left - right);
  const [least = 0, most = 0] = [shares[0], shares.at(-1)];
  const range = shape.arcs.length < 2
    ? "One node owns all of it."
    : `Nodes own ${percent(least)} to ${percent(most)} first, as their capacities are.`;
  return `${range} Every slot has ${counted(shape.replicas, "owner")}.`;
}

function pictureOf({ pool, ring: shape, lookup }: RingPageView): string {
  const indexOf = (id: string) => shape.arcs.findIndex((arc) => arc.id === id);
  const shown = lookup?.first?.answer ?? lookup?.answer;
  return ring(shape.arcs, {
    replicas: shape.replicas,
    title: shown === undefined
      ? `The ring: ${counted(shape.arcs.length, "node")}`
      : `The ring with slot ${shown.slot} marked`,
    here: indexOf(pool.status.id),
    hrefOf: (arc) => `/ui/nodes#${arc.id}`,
    ...(shown === undefined ? { centre: [whole(shape.slotCount), "slots"] } : {
      lookup: { arc: shown.arc, part: shown.part, owners: shown.owners.map(indexOf) },
      centre: [whole(shown.slot), "slot of the", shown.what === "name" ? "name" : "first block"],
    }),
  });
}

function Lookup({ view }: { readonly view: RingPageView }) {
  const { lookup, pool } = view;
  const nameOf = (id: string) =>
    pool.nodes.find((node) => node.id === id)?.name ?? `${id.slice(0, 8)}…`;
  return (
    <section class="fact">
      <search>
        <form action="/ui/ring">
          <h2>
            <label for="key">Where does it live?</label>
          </h2>
          <div class="url">
            <input
              class="input"
              id="key"
              name="key"
              value={view.key}
              maxlength={1024}
              placeholder="A file's name, or a CID"
              autocomplete="off"
            />
            <button type="submit" class="btn btn-main">Look up</button>
          </div>
        </form>
      </search>
      {lookup !== null && (
        <dl class="kv kv-after" aria-live="polite">
          <dt>{lookup.answer.what === "name" ? "The name" : "The block"}</dt>
          <dd>
            slot {whole(lookup.answer.slot)}, owned by {ownersWords(lookup.answer.owners, nameOf)}
          </dd>
          {lookup.first !== null && (
            <>
              <dt>Its first block</dt>
              <dd>
                slot {whole(lookup.first.answer.slot)}, owned by{" "}
                {ownersWords(lookup.first.answer.owners, nameOf)}
              </dd>
              <dt>Held by</dt>
              <dd>
                {lookup.first.holders.length === 0
                  ? "no node that answers"
                  : lookup.first.holders.map(nameOf).join(", ")}
              </dd>
            </>
          )}
          {lookup.missing && (
            <>
              <dt>Stored</dt>
              <dd>no file has this name now; its record would live there</dd>
            </>
          )}
        </dl>
      )}
      {lookup !== null && <Command text={cliCommand("lookup", [view.key])} />}
    </section>
  );
}

function ownersWords(ids: readonly string[], nameOf: (id: string) => string): string {
  return ids.map((id, index) => `${index + 1} ${nameOf(id)}`).join(", ");
}

function Council({ pool }: { readonly pool: PoolView }) {
  const { council } = pool.status.roster;
  const majority = Math.floor(council.length / 2) + 1;
  const members = council.map((id) => pool.nodes.find((node) => node.id === id));
  const answering = members.filter((node) => node?.state === "alive").length;
  return (
    <section class="fact">
      <h2>
        Council <span>{council.length} of {pool.nodes.length}, decides by {majority}</span>
      </h2>
      <ul class="council">
        {members.map((node, index) => (
          <li>
            <Glyph sign={node === undefined ? "dead" : signIn(node, pool)} />
            {node?.name ?? `${council[index]?.slice(0, 8)}…`}
          </li>
        ))}
      </ul>
      <p>
        {answering} {answering === 1 ? "answers" : "answer"}, so the pool{" "}
        {answering >= majority ? "takes changes." : "is read-only."}
      </p>
    </section>
  );
}

function NodeTable({ view }: { readonly view: RingPageView }) {
  const { ring: shape, pool } = view;
  const most = Math.max(1, ...view.rows.map(({ firstSlots }) => firstSlots));
  return (
    <section aria-labelledby="order">
      <h2 class="rule" id="order">
        Nodes in ring order <small>each one's successor is the next line</small>
      </h2>
      <Table
        label="Nodes in ring order"
        head={
          <>
            <th>Node</th>
            <th class="hide-s">Identifier</th>
            <th class="bars">First owner of</th>
            <th class="num">Slots</th>
            <th class="num hide-s">Tokens</th>
            <th class="hide-s">Before</th>
            <th>After</th>
          </>
        }
      >
        {view.rows.map((entry) => {
          const node = pool.nodes.find(({ id }) => id === entry.id);
          const sign = node === undefined ? "dead" : signIn(node, pool);
          return (
            <tr>
              <td>
                <span class="copies">
                  <Glyph sign={sign} />
                  <a href={`/ui/nodes#${entry.id}`}>{entry.name}</a>
                </span>
              </td>
              <td class="hide-s">
                <code title={entry.position}>
                  {entry.position.slice(0, 4)}…{entry.position.slice(-4)}
                </code>
              </td>
              <td class="bars">
                <Picture
                  svg={bar({ held: entry.firstSlots / most * 1_000 }, {
                    label: percent(entry.firstSlots / shape.slotCount),
                    thin: true,
                  })}
                />
              </td>
              <td class="num">{whole(entry.firstSlots)}</td>
              <td class="num hide-s">{whole(entry.tokens)}</td>
              <td class="hide-s">{entry.predecessor}</td>
              <td>{entry.successor}</td>
            </tr>
          );
        })}
      </Table>
    </section>
  );
}
