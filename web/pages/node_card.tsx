// One node as a card: what it does and why, how full it is, what it holds and lacks, its part of
// the ring, and what moves between it and the node one is on.

import { bar, type BarParts } from "../charts/bar.ts";
import { toneOf } from "../charts/glyph.ts";
import { grid, gridCells } from "../charts/grid.ts";
import { keySample } from "../charts/key.ts";
import { spark } from "../charts/spark.ts";
import { formatRate } from "../../shared/base/units.ts";
import type { NodeSnapshot } from "../../shared/status.ts";
import { ClusterLink, ordersOf } from "./cluster.tsx";
import { isAwaited, isPaused, phaseWord, processOf, signIn } from "./node_sign.ts";
import { Ago, Glyph, Picture } from "./picture.tsx";
import type { PoolView } from "./pool_view.ts";
import { counted, dashboardOf, percent, roundTrip, sizeOf, whole } from "./words.ts";

/** The card. */
export function NodeCard({ node, view }: { readonly node: NodeSnapshot; readonly view: PoolView }) {
  const sign = signIn(node, view);
  const isHere = node.id === view.status.id;
  const dashboard = dashboardOf(node.http);
  const full = node.capacity > 0 ? node.used / node.capacity : 0;
  return (
    <article class={`card is-${toneOf[sign]}`} id={node.id} aria-labelledby={`${node.id}-h`}>
      <div class="card-head">
        <Glyph sign={sign} />
        <h2 id={`${node.id}-h`} class="clip" title={node.name}>
          {isHere || dashboard === undefined ? node.name : <a href={dashboard}>{node.name}</a>}
        </h2>
        {isHere && <span class="quiet nowrap">this node</span>}
        <span class="tagline">
          {node.tabs !== undefined && node.tabs.count > 0 && node.state === "alive" && (
            <>
              <span>
                <Glyph sign="tab" tone="tab" /> {counted(node.tabs.count, "tab")}
              </span>
              {isHere ? "" : " · "}
            </>
          )}
          {isHere ? "" : roundTrip(node.roundTripMs)}
        </span>
      </div>
      <PhaseWords node={node} view={view} />
      <div>
        <div class="split">
          <span>{sizeOf(node.used, node.capacity)}</span>
          <span class="soft">{percent(full)} full</span>
        </div>
        <Picture
          svg={bar(barOf(node), {
            label: `${sizeOf(node.used, node.capacity)} used, full at 90 %`,
            mark: 900,
          })}
        />
      </div>
      <dl class="trio">
        <Figure kind="held" count={node.blocks.held} />
        <Figure kind="wanted" count={node.blocks.wanted} />
        <Figure kind="surplus" count={node.blocks.surplus} />
      </dl>
      <Picture svg={gridOf(node, view)} />
      <Moves node={node} view={view} />
      <p class="card-foot">
        <span class="clip" title={node.zone}>zone {node.zone}</span>
        <span>{percent(node.share)} of the ring</span>
        <span class="clip">version {node.version === "" ? "not told" : node.version}</span>
      </p>
      {(view.takesOrders || view.cluster !== null) && <Orders node={node} view={view} />}
    </article>
  );
}

/** Each leads to a page that shows what would happen first. */
export function Orders({ node, view }: { readonly node: NodeSnapshot; readonly view: PoolView }) {
  const gone = node.state === "dead" || node.state === "left";
  const process = processOf(node, view);
  const orders: (readonly [string, string])[] = [];
  if (view.takesOrders && gone) orders.push(["forget", "Expel…"]);
  else if (view.takesOrders) {
    orders.push(["leave", "Leave…"], ["resize", "Resize…"]);
    // A cluster's own stop also tells the supervisor that it was meant.
    if (process === undefined) orders.push(["stop", "Stop…"]);
  }
  return (
    <div class="acts acts-tight">
      {orders.map(([order, label]) => (
        <a
          class="btn btn-bare"
          href={`/ui/node?${new URLSearchParams({ node: node.id, order })}`}
          aria-label={`${label} ${node.name}`}
        >
          {label}
        </a>
      ))}
      {process !== undefined &&
        ordersOf(process).map((order) => <ClusterLink order={order} name={process.name} />)}
    </div>
  );
}

function PhaseWords({ node, view }: { readonly node: NodeSnapshot; readonly view: PoolView }) {
  const { now } = view;
  const paused = isPaused(node, view);
  const silent = node.state !== "alive";
  const since = silent ? node.lastSeenAt : paused ? 0 : node.phase.since;
  const because = paused
    ? "its process stands still until it is resumed; away longer than its grace it is expelled"
    : isAwaited(node, view)
    ? "this node has only just started, and listens for it"
    : node.state === "left"
    ? "it said goodbye; its place in the roster waits until it is back, or is expelled"
    : silent
    ? "the other nodes were asked about it and got no answer either"
    : node.phase.because;
  return (
    <p class="phase">
      <b>{phaseWord(node, view)}</b>
      {since > 0 && (
        <>
          {" "}for <Ago at={since} now={now} suffix="" />
        </>
      )}
      : {because}.
    </p>
  );
}

/** Its capacity as parts of a bar: wanted blocks are counted at their mean size here. */
export function barOf(node: NodeSnapshot): BarParts {
  if (node.capacity <= 0) return {};
  const share = (bytes: number) => bytes / node.capacity * 1_000;
  const { held, wanted, surplus } = node.blocks;
  const mean = held > 0 ? node.used / held : 256 * 1024;
  const beyond = Math.min(node.used, surplus * mean);
  if (node.state !== "alive") {
    return node.state === "dead" ? { dead: share(node.used) } : { away: share(node.used) };
  }
  return {
    held: share(node.used - beyond),
    surplus: surplus > 0 ? Math.max(6, share(beyond)) : 0,
    wanted: wanted > 0 ? Math.max(6, share(wanted * mean)) : 0,
  };
}

function Figure(
  { kind, count }: { readonly kind: "held" | "wanted" | "surplus"; readonly count: number },
) {
  return (
    <div>
      <dt>
        <Picture svg={keySample(kind)} />
        {kind}
      </dt>
      <dd>{whole(count)}</dd>
    </div>
  );
}

/** Its slots as cells: those it owns are split by what it holds of their blocks. */
function gridOf(node: NodeSnapshot, view: PoolView): string {
  const replicas = view.ring?.replicas ?? 1;
  const own = Math.min(gridCells, Math.round(node.share * replicas * gridCells));
  const { held, wanted, surplus } = node.blocks;
  const whole = held - surplus + wanted;
  const missing = wanted === 0 ? 0 : Math.max(1, Math.round(own * wanted / Math.max(1, whole)));
  const beyond = surplus === 0 ? 0 : Math.max(1, Math.round(own * surplus / Math.max(1, held)));
  const rest = Math.max(0, gridCells - own - beyond);
  return grid({ held: own - missing, wanted: missing, surplus: beyond }, {
    label: `Slots of ${node.name}, 32 a cell: ${own - missing} cells held, ${missing} wanted, ` +
      `${beyond} surplus, ${rest} not its own`,
    away: node.state !== "alive",
  });
}

function Moves({ node, view }: { readonly node: NodeSnapshot; readonly view: PoolView }) {
  if (node.id === view.status.id) {
    const { taken, given } = view.traffic;
    const now = [taken.at(-1) ?? 0, given.at(-1) ?? 0] as const;
    return (
      <div class="io">
        <Picture
          svg={spark([taken, given], {
            label: `Lately: takes ${formatRate(now[0])}, gives ${formatRate(now[1])}`,
          })}
        />
        <ul>
          <li>takes {formatRate(now[0])}</li>
          <li>gives {formatRate(now[1])}</li>
        </ul>
      </div>
    );
  }
  const rates = view.traffic.peers.get(node.id);
  return (
    <p class="io-words">
      {rates === undefined
        ? "No connection from this node."
        : `From here ${formatRate(rates.given)}, to here ${formatRate(rates.taken)}.`}
    </p>
  );
}
