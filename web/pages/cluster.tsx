// Orders to the processes of a cluster: add one, pause, resume, stop, start, remove. They are seen
// only on pages that came through the gateway of a cluster, since only it has processes. Each
// shows first what it does to the pool, with the plan where a node would be gone.

import type { Sign } from "../charts/glyph.ts";
import { ring } from "../charts/ring.ts";
import type { MovePlan } from "../../shared/job.ts";
import type { NodeSnapshot } from "../../shared/status.ts";
import type { FrameView } from "./frame.tsx";
import { processOf } from "./node_sign.ts";
import { OrderFrame, type OrderWords, Plan } from "./order.tsx";
import { Command, Glyph, Notice, Picture } from "./picture.tsx";
import type { ClusterProcess, PoolView } from "./pool_view.ts";
import { cliCommand, counted } from "./words.ts";

export const clusterOrders = ["add", "start", "stop", "pause", "resume", "remove"] as const;
export type ClusterOrder = (typeof clusterOrders)[number];

export interface ClusterOrderView {
  readonly order: ClusterOrder;
  /** The process; null for one to be added. */
  readonly process: ClusterProcess | null;
  /** Its node, while the roster has it. */
  readonly node: NodeSnapshot | null;
  /** What would be made again elsewhere if it stayed away. */
  readonly plan: MovePlan | null;
  /** Why there is no plan, where there should be one. */
  readonly unknown: string | null;
  readonly pool: PoolView;
  readonly replicas: number;
}

/** What can be done with a process in its state. @throws never */
export function ordersOf({ state }: ClusterProcess): readonly ClusterOrder[] {
  switch (state) {
    case "running":
      return ["pause", "stop", "remove"];
    case "paused":
      return ["resume", "stop", "remove"];
    case "waiting":
      return ["stop", "remove"];
    case "ended":
      return ["start", "remove"];
    default:
      return state satisfies never;
  }
}

/** One order as a link to the page that shows it first. */
export function ClusterLink(
  { order, name }: { readonly order: ClusterOrder; readonly name: string },
) {
  const label = `${order.charAt(0).toUpperCase()}${order.slice(1)}…`;
  return (
    <a
      class="btn btn-bare"
      href={`/ui/cluster?${new URLSearchParams({ order, node: name })}`}
      aria-label={`${label} ${name}`}
    >
      {label}
    </a>
  );
}

/** Says that an order given a moment ago was taken: its effect is seen only some seconds later. */
export function Told({ order, name }: { readonly order: ClusterOrder; readonly name: string }) {
  return (
    <div class="notice notice-first" role="status">
      <Glyph sign={toldSigns[order]} tone="off" />
      <p>
        <b>{name} {toldWords[order][0]}.</b> {toldWords[order][1]}
      </p>
    </div>
  );
}

const toldSigns: Readonly<Record<ClusterOrder, Sign>> = {
  ...{ add: "joining", start: "joining", resume: "joining" },
  ...{ pause: "paused", stop: "stopped", remove: "leaving" },
};

const toldWords: Readonly<Record<ClusterOrder, readonly [string, string]>> = {
  add: ["was added", "It joins within seconds."],
  start: ["was started", "It answers within seconds."],
  resume: ["was resumed", "It answers within seconds."],
  pause: ["was paused", "The others miss it within seconds, and wait for it as long as its grace."],
  stop: ["was stopped", "It stays in the roster, and is not started again by itself."],
  remove: ["was removed", "Its data folder stays."],
};

/** Processes without a node in the roster, or not simply running: they have no card to say so. */
export function Processes({ view }: { readonly view: PoolView }) {
  const { cluster, nodes } = view;
  const seen = new Set(nodes.map((node) => processOf(node, view)));
  const rest = (cluster?.processes ?? []).filter((process) => !seen.has(process));
  if (rest.length === 0) return null;
  return (
    <section class="block" aria-labelledby="processes">
      <h2 class="rule" id="processes">
        Beside the ring <small>processes of this cluster that are not in the roster</small>
      </h2>
      <ul class="processes">
        {rest.map((process) => (
          <li>
            <Glyph sign={process.state === "running" ? "looking" : "leaving"} tone="off" />
            <b>{process.name}</b>
            <span class="soft">{stateWords(process)}</span>
            <span class="acts acts-tight">
              {ordersOf(process).map((order) => <ClusterLink order={order} name={process.name} />)}
            </span>
          </li>
        ))}
      </ul>
    </section>
  );
}

function stateWords({ state, port }: ClusterProcess): string {
  switch (state) {
    case "running":
      return `runs on port ${port} and has not joined yet`;
    case "paused":
      return "is paused, and was expelled meanwhile; resumed, it joins again";
    case "waiting":
      return "ended, and is started again in a moment";
    case "ended":
      return "does not run; its data are kept";
    default:
      return state satisfies never;
  }
}

/** The whole page of one order. */
export function ClusterOrderPage(
  { view, frame }: { readonly view: ClusterOrderView; readonly frame: FrameView },
) {
  const { order, process, pool, plan, node } = view;
  const name = process?.name ?? "";
  const words = wordsOf(order, name);
  return (
    <OrderFrame
      {...{ frame, words }}
      about={order === "add" ? "the cluster" : name}
      refusal={pool.cluster?.refusal ?? null}
    >
      {order === "add" && <NowAndThen pool={pool} />}
      {view.unknown !== null && (
        <Notice sign="fetching" tone="wanted">
          <p>
            <b>What it would take is not known:</b> {view.unknown}. <a href="">Ask again</a>
          </p>
        </Notice>
      )}
      {plan !== null && node !== null && (
        <Plan
          view={{ kind: "stop", node, ring: null, after: null, replicas: view.replicas }}
          plan={plan}
        />
      )}
      <form method="post" action={`/ui/cluster/${order}`} class="deed">
        <input type="hidden" name="node" value={name} />
        <div class="sheet-foot">
          <Command text={cliCommand("cluster", order === "add" ? ["add"] : [order, name])} />
          <a class="btn" href="/ui/nodes">Leave it as it is</a>
          <button type="submit" class={`btn ${words.risky ? "btn-risk" : "btn-main"}`}>
            {words.deed}
          </button>
        </div>
      </form>
    </OrderFrame>
  );
}

interface Words extends OrderWords {
  readonly risky: boolean;
}

function wordsOf(order: ClusterOrder, name: string): Words {
  switch (order) {
    case "add":
      return {
        title: "Add a node?",
        says: "One more process on this machine, on the next free ports, with a data folder of " +
          "its own. It joins within seconds and takes its share of every other node's copies.",
        deed: "Add it",
        risky: false,
      };
    case "start":
      return {
        title: `Start ${name}?`,
        says: `${name} starts on its ports with the data it has, and fetches what it missed.`,
        deed: "Start it",
        risky: false,
      };
    case "resume":
      return {
        title: `Resume ${name}?`,
        says: `${name} goes on where it was paused. If it was expelled meanwhile it joins again ` +
          "with its data.",
        deed: "Resume it",
        risky: false,
      };
    case "pause":
      return {
        title: `Pause ${name}?`,
        says: `${name} stands still (SIGSTOP) and keeps its memory, ports and data; it answers ` +
          "nobody. Paused longer than its grace it is expelled, and its copies are made again.",
        deed: "Pause it",
        risky: true,
      };
    case "stop":
      return {
        title: `Stop ${name}?`,
        says: `${name} exits at once and is not started again by the cluster. It stays in the ` +
          "roster: its place and its copies wait for it until it is back, or is expelled.",
        deed: "Stop it",
        risky: true,
      };
    case "remove":
      return {
        title: `Remove ${name}?`,
        says: `${name} exits at once and the cluster forgets it; its data folder stays. Nothing ` +
          "is handed off: let it leave first, or expel it from the roster afterwards.",
        deed: "Remove it",
        risky: true,
      };
    default:
      return order satisfies never;
  }
}

function NowAndThen({ pool }: { readonly pool: PoolView }) {
  if (pool.ring === null) return null;
  const { arcs, replicas } = pool.ring;
  const mean = arcs.reduce((sum, { share }) => sum + share, 0) / Math.max(1, arcs.length);
  const fresh = {
    ...{ id: "new", name: "new", share: mean, full: 0, wanted: .2 },
    ...{ sign: "joining" as const, note: "", slots: new Map([[replicas, 1]]) },
  };
  const sides = [["Now", arcs], ["After", [...arcs, fresh]]] as const;
  return (
    <div class="then">
      {sides.map(([label, drawn], index) => (
        <>
          {index > 0 && (
            <svg viewBox="0 0 32 12" aria-hidden="true">
              <path d="M0 6h30M25 1.5L30 6L25 10.5" />
            </svg>
          )}
          <figure>
            <Picture
              svg={ring(drawn, {
                replicas,
                title: `${label}: ${counted(drawn.length, "node")}`,
                mini: true,
              })}
            />
            <figcaption>
              <b>{label}</b>
              {counted(drawn.length, "node")}
            </figcaption>
          </figure>
        </>
      ))}
    </div>
  );
}
