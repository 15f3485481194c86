// The nodes: a card each, or rows when they are many (the busy ones first), and the invite.

import { bar } from "../charts/bar.ts";
import { toneOf } from "../charts/glyph.ts";
import type { NodeSnapshot } from "../../shared/status.ts";
import { type ClusterOrder, Processes, Told } from "./cluster.tsx";
import { Frame, type FrameView, Live } from "./frame.tsx";
import { barOf, NodeCard, Orders } from "./node_card.tsx";
import { answers, isPaused, phaseWord, signIn } from "./node_sign.ts";
import { Command, Glyph, Legend, Picture } from "./picture.tsx";
import type { PoolView } from "./pool_view.ts";
import {
  cliCommand,
  counted,
  dashboardOf,
  listed,
  percent,
  roundTrip,
  sinceText,
  sizeOf,
  whole,
} from "./words.ts";
import { Table } from "./table.tsx";

/** Cards up to here; more nodes are rows. */
export const cardsMax = 24;

/**
 * The whole page; `invite` is a token just made, `canInvite` whether one can be, `told` an order
 * that a process of the cluster was given just now.
 */
export function NodesPage(
  { view, frame, canInvite, invite = null, told = null }: {
    readonly view: PoolView;
    readonly frame: FrameView;
    readonly canInvite: boolean;
    readonly invite?: string | null;
    readonly told?: { readonly order: ClusterOrder; readonly name: string } | null;
  },
) {
  return (
    <Frame view={frame} title="Nodes" page="nodes">
      <main id="main" class="main on-page">
        <div class="asides">
          {view.cluster !== null && <a class="btn" href="/ui/cluster?order=add">Add a node…</a>}
          {canInvite && <Invite token={invite} />}
          {view.heals && <Heal />}
        </div>
        {told !== null && <Told {...told} />}
        <Live part="/ui/part/nodes">
          <NodesPart view={view} />
        </Live>
      </main>
    </Frame>
  );
}

/** What a poll brings. */
export function NodesPart({ view }: { readonly view: PoolView }) {
  const { nodes } = view;
  return (
    <>
      <div class="head">
        <div>
          <h1>{nodesSentence(view)}</h1>
          <p>{silentSentence(view)}</p>
        </div>
      </div>
      <div class="tools">
        <Legend
          items={[
            [{ key: "held" }, "held"],
            [{ key: "wanted" }, "wanted: owned, not yet held"],
            [{ key: "surplus" }, "surplus: held, not owned"],
            [{ key: "off" }, "not its own"],
          ]}
        />
      </div>
      {nodes.length > cardsMax
        ? <NodeRows view={view} />
        : <div class="cards">{nodes.map((node) => <NodeCard node={node} view={view} />)}</div>}
      <Processes view={view} />
    </>
  );
}

function nodesSentence(view: PoolView): string {
  const { nodes } = view;
  const answering = nodes.filter((node) => answers(node, view));
  const seeding = answering.filter(({ phase }) => phase.phase === "seeding").length;
  const busy = new Map<string, number>();
  for (const { phase } of answering) {
    if (phase.phase !== "seeding") busy.set(phase.phase, (busy.get(phase.phase) ?? 0) + 1);
  }
  const told = answering.length === nodes.length
    ? `${counted(nodes.length, "node")} ${nodes.length === 1 ? "answers" : "answer"}`
    : `${answering.length} of ${counted(nodes.length, "node")} answer`;
  const doing = [...busy].map(([phase, count]) => `${count} ${phase}`);
  if (seeding > 0) doing.unshift(`${seeding} seeding`);
  return `${told}: ${listed(doing)}.`;
}

function silentSentence(view: PoolView): string {
  const { nodes, now } = view;
  const silent = nodes.filter((node) => !answers(node, view));
  if (silent.length === 0) return "Each holds its own part of the ring and answers for the others.";
  if (!view.settled) return "This node has only just started, and listens for the others.";
  const said = silent.slice(0, 4).map((node) => {
    const { name, state, lastSeenAt } = node;
    if (isPaused(node, view)) return `${name}, which is paused`;
    return state !== "alive" && lastSeenAt > 0
      ? `${name} since ${sinceText(now - lastSeenAt)}`
      : name;
  });
  const more = silent.length > 4 ? ` and ${counted(silent.length - 4, "more node")}` : "";
  return `No answer from ${listed(said)}${more}.`;
}

function NodeRows({ view }: { readonly view: PoolView }) {
  const busyFirst = [...view.nodes].sort((left, right) =>
    Number(left.state === "alive") - Number(right.state === "alive") ||
    Number(isQuiet(left)) - Number(isQuiet(right)) ||
    view.nodes.indexOf(left) - view.nodes.indexOf(right)
  );
  return (
    <Table
      label="Nodes"
      look="table-stack"
      head={
        <>
          <th>Node</th>
          <th>Phase</th>
          <th>Capacity</th>
          <th class="num">Full</th>
          <th class="num hide-s">Held</th>
          <th class="num hide-s">Wanted</th>
          <th class="num hide-s">Round trip</th>
          {(view.takesOrders || view.cluster !== null) && (
            <th class="hide-s">
              <span class="sr">Actions</span>
            </th>
          )}
        </>
      }
    >
      {busyFirst.map((node) => <NodeRow node={node} view={view} />)}
    </Table>
  );
}

function NodeRow({ node, view }: { readonly node: NodeSnapshot; readonly view: PoolView }) {
  const sign = signIn(node, view);
  const dashboard = dashboardOf(node.http);
  return (
    <tr id={node.id}>
      <td>
        <span class={`copies is-${toneOf[sign]}`}>
          <Glyph sign={sign} />
          {dashboard === undefined ? node.name : <a href={dashboard}>{node.name}</a>}
        </span>
      </td>
      <td class="soft">
        {phaseWord(node, view)} for {sinceText(view.now - since(node))}
      </td>
      <td class="bars">
        <Picture svg={bar(barOf(node), { label: sizeOf(node.used, node.capacity) })} />
      </td>
      <td class="num">{percent(node.capacity > 0 ? node.used / node.capacity : 0)}</td>
      <td class="num hide-s">{whole(node.blocks.held)}</td>
      <td class="num hide-s">{whole(node.blocks.wanted)}</td>
      <td class="num hide-s">{roundTrip(node.roundTripMs)}</td>
      {(view.takesOrders || view.cluster !== null) && (
        <td class="hide-s">
          <Orders node={node} view={view} />
        </td>
      )}
    </tr>
  );
}

function since(node: NodeSnapshot): number {
  return node.state === "alive" ? node.phase.since : node.lastSeenAt;
}

function isQuiet(node: NodeSnapshot): boolean {
  return node.state === "alive" && node.phase.phase === "seeding";
}

/** The button works with script, which reads the healing's lines; the command always does. */
function Heal() {
  return (
    <details class="invite">
      <summary class="btn">Heal…</summary>
      <div class="invite-box">
        <p>
          Checks every node and every slot, and repairs what falls short. It changes nothing that is
          well.
        </p>
        <div class="acts">
          <button type="button" class="btn btn-main" data-heal hidden>Heal now</button>
          <span role="status" data-heal-says></span>
        </div>
        <Command text={cliCommand("heal")} />
      </div>
    </details>
  );
}

function Invite({ token }: { readonly token: string | null }) {
  return (
    <details class="invite" open={token !== null}>
      <summary class="btn">Invite a node…</summary>
      <div class="invite-box">
        <p>
          A machine joins with an invite: the addresses and the secret of this group in one string.
          Whoever has it can join, so hand it over privately.
        </p>
        {token === null
          ? (
            <form method="post" action="/ui/invite" class="acts">
              <button type="submit" class="btn btn-main">Make an invite</button>
            </form>
          )
          : (
            <>
              <p>On the other machine:</p>
              <Command text={`deno task node --join ${token}`} />
            </>
          )}
        <p class="caption">The same from a terminal:</p>
        <Command text={cliCommand("invite")} />
      </div>
    </details>
  );
}
