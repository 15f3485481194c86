// The overview: one sentence on the health of the pool, the ring, and the facts behind it. All
// of it is live; a poll morphs what has changed.

import { bar } from "../charts/bar.ts";
import { pips } from "../charts/pips.ts";
import { ring } from "../charts/ring.ts";
import type { Flow } from "../charts/ring_layers.ts";
import { spark } from "../charts/spark.ts";
import { formatRate, formatSize } from "../../shared/base/units.ts";
import { EventList } from "./event_list.tsx";
import { Frame, type FrameView, Live } from "./frame.tsx";
import { healthOf, tabsOf, wantedOf } from "./health.ts";
import { Glyph, Legend, Picture } from "./picture.tsx";
import type { PoolView, RingView } from "./pool_view.ts";
import { counted, sinceText, sizeOf, whole } from "./words.ts";

/** The whole page. */
export function OverviewPage(
  { view, frame }: { readonly view: PoolView; readonly frame: FrameView },
) {
  return (
    <Frame view={frame} title="Overview" page="overview">
      <main id="main">
        <Live part="/ui/part/overview">
          <OverviewPart view={view} />
        </Live>
      </main>
    </Frame>
  );
}

/** What a poll brings. */
export function OverviewPart({ view }: { readonly view: PoolView }) {
  const health = healthOf(view);
  return (
    <>
      <section class="sky">
        <div class="sky-in">
          <div class="health" role="status" aria-live="polite">
            <p class={`sign is-${health.tone}`}>
              <Glyph sign={health.sign} tone={health.tone} />
              {health.word}
            </p>
            <h1>{health.sentence}</h1>
            <p>{health.because}</p>
          </div>
          <div class="sky-ring">
            {view.ring === null ? <EmptyRing /> : <RingPicture view={view} ring={view.ring} />}
          </div>
          <div class="sky-facts facts">
            <CapacityFact view={view} />
            {view.ring !== null && <OwnersFact view={view} ring={view.ring} />}
            <RepairFact view={view} />
          </div>
        </div>
      </section>
      <div class="main">
        <div class="cols cols-21">
          <section aria-labelledby="events">
            <h2 class="rule" id="events">Last events</h2>
            <EventList view={view} />
          </section>
          <ReadingTheRing />
        </div>
      </div>
    </>
  );
}

function RingPicture({ view, ring: shape }: { readonly view: PoolView; readonly ring: RingView }) {
  const here = shape.arcs.findIndex(({ id }) => id === view.status.id);
  const least = Math.min(shape.replicas, ...[...shape.tally.keys()]);
  const tabs = tabsOf(view.nodes);
  const busy = shape.arcs.filter(({ sign }) => sign !== "seeding")
    .map(({ name, sign }) => `${name} ${sign}`);
  const title = `The ring: ${counted(shape.arcs.length, "node")}` +
    (busy.length === 0 ? ", all seeding" : `; ${busy.slice(0, 12).join(", ")}`) +
    (tabs === 0 ? "" : `; ${counted(tabs, "tab")}`);
  return (
    <Picture
      svg={ring(shape.arcs, {
        replicas: shape.replicas,
        title,
        here,
        tabs,
        flows: flowsOf(view, shape, here),
        centre: view.settled
          ? [`${least} of ${shape.replicas}`, "owners answer", "at the weakest slot"]
          : ["…", "listening for", "the other nodes"],
        hrefOf: (arc) => `/ui/nodes#${arc.id}`,
      })}
    />
  );
}

/** Bytes between this node and others; what others send one another is not known here. */
function flowsOf(view: PoolView, shape: RingView, here: number): Flow[] {
  const floor = 64 * 1024;
  return shape.arcs.flatMap(({ id }, index) => {
    const rates = view.traffic.peers.get(id);
    if (rates === undefined || here < 0) return [];
    return [
      { from: index, to: here, rate: rates.taken },
      { from: here, to: index, rate: rates.given },
    ].filter(({ rate }) => rate >= floor);
  });
}

function EmptyRing() {
  return (
    <div class="empty">
      <h2>No ring yet.</h2>
      <p>This node has no roster so far: it founds a group or joins one within some seconds.</p>
    </div>
  );
}

function CapacityFact({ view }: { readonly view: PoolView }) {
  const { nodes, status } = view;
  const total = nodes.reduce((sum, { capacity }) => sum + capacity, 0);
  const used = nodes.reduce((sum, node) => sum + node.used, 0);
  const silent = nodes.filter(({ state }) => state !== "alive");
  const away = silent.reduce((sum, node) => sum + node.used, 0);
  const free = nodes.filter(({ state }) => state === "alive")
    .reduce((sum, node) => sum + Math.max(0, node.capacity * .9 - node.used), 0);
  const copies = Math.min(3, Math.max(1, nodes.length));
  const share = (bytes: number) => total === 0 ? 0 : bytes / total * 1_000;
  return (
    <section class="fact">
      <h2>
        Capacity <span>{sizeOf(used, total)}</span>
      </h2>
      <Picture
        svg={bar(
          { held: share(used - away), away: share(away) },
          { label: `${sizeOf(used, total)} used`, mark: 900 },
        )}
      />
      <p>
        Room for {formatSize(free / copies)} more at {copies === 1 ? "1 copy" : `${copies} copies`}
        {" "}
        each.
        {view.files === null ? "" : ` ${counted(view.files, "file")} stored.`}
        {status.writable ? "" : " Writing is not possible now."}
      </p>
    </section>
  );
}

function OwnersFact(
  { view, ring: shape }: { readonly view: PoolView; readonly ring: RingView },
) {
  const tabs = tabsOf(view.nodes);
  if (!view.settled) {
    return (
      <section class="fact">
        <h2>
          Owners that answer <span>not known yet</span>
        </h2>
      </section>
    );
  }
  const rows = Array.from({ length: shape.replicas + 1 }, (_, index) => shape.replicas - index);
  return (
    <section class="fact">
      <h2>
        Owners that answer <span>{whole(shape.slotCount)} slots</span>
      </h2>
      <dl class="tally">
        {rows.map((owners) => {
          const slots = shape.tally.get(owners) ?? 0;
          const part = slots / shape.slotCount * 1_000;
          const kind = owners === shape.replicas ? "held" : owners > 1 ? "wanted" : "risk";
          const words = owners === 0 ? "none" : `${owners} of ${shape.replicas}`;
          return (
            <div>
              <dt class="label">
                <Picture svg={pips(owners, shape.replicas)} />
                {words}
              </dt>
              <dd>
                <Picture
                  svg={bar({ [kind]: slots > 0 ? Math.max(4, part) : 0 }, {
                    label: `${words}: ${whole(slots)} slots`,
                    thin: true,
                  })}
                />
              </dd>
              <dd class={slots > 0 && kind === "risk" ? "is-risk tone" : ""}>{whole(slots)}</dd>
            </div>
          );
        })}
      </dl>
      {tabs > 0 && (
        <p>
          <Glyph sign="tab" tone="tab" /> {counted(tabs, "tab")}{" "}
          {tabs === 1 ? "seeds" : "seed"}: what they hold is extra, and counts as no copy.
        </p>
      )}
    </section>
  );
}

function RepairFact({ view }: { readonly view: PoolView }) {
  const wanted = wantedOf(view.nodes);
  const held = view.nodes.reduce((sum, { blocks }) => sum + blocks.held, 0);
  const { taken, given, copiesPerSecond } = view.traffic;
  const left = wanted > 0 && copiesPerSecond > 0
    ? `about ${sinceText(wanted / copiesPerSecond * 1_000)} left`
    : wanted > 0
    ? "time left not known yet"
    : "nothing to do";
  const now = `takes ${formatRate(taken.at(-1) ?? 0)}, gives ${formatRate(given.at(-1) ?? 0)}`;
  return (
    <section class="fact">
      <h2>
        Repair <span>{left}</span>
      </h2>
      {wanted > 0 && (
        <Picture
          svg={bar({
            held: held / (held + wanted) * 1_000,
            wanted: Math.max(4, wanted / (held + wanted) * 1_000),
          }, { label: `${whole(held)} copies made, ${whole(wanted)} still wanted` })}
        />
      )}
      <p>
        {wanted > 0
          ? `${whole(held)} copies in place, ${whole(wanted)} still to be made.`
          : "Every node that answers holds what it owns."} This node {now}.
      </p>
      {taken.length > 1 && (
        <Picture svg={spark([taken, given], { label: `Traffic of this node: ${now}` })} />
      )}
    </section>
  );
}

function ReadingTheRing() {
  return (
    <section aria-labelledby="reading">
      <h2 class="rule" id="reading">Reading the ring</h2>
      <p class="caption">
        Each arc is a node: as long as its share of the ring, filled as far as it is full, so the
        coloured area is bytes stored. The fine ticks are slots, 32 to a tick, under the node that
        owns them first. A tick grows outwards when an owner is silent or lacks blocks.
      </p>
      <div class="legends">
        <Legend
          items={[
            [{ key: "tick-whole" }, "all copies"],
            [{ key: "tick-short" }, "some missing"],
            [{ key: "tick-last" }, "one left"],
            [{ key: "tick-none" }, "none"],
          ]}
        />
        <Legend
          items={[
            [{ sign: "seeding" }, "seeding"],
            [{ sign: "fetching" }, "fetching blocks"],
            [{ sign: "full" }, "full"],
            [{ sign: "looking" }, "looking for peers, not heard yet"],
            [{ sign: "joining" }, "joining"],
            [{ sign: "metadata" }, "fetching metadata"],
            [{ sign: "picking" }, "picking blocks"],
            [{ sign: "readonly" }, "read-only"],
            [{ sign: "leaving" }, "leaving"],
            [{ sign: "stopped" }, "stopped"],
            [{ sign: "paused" }, "paused"],
            [{ sign: "suspect" }, "not answering"],
            [{ sign: "dead" }, "dead"],
          ]}
        />
      </div>
    </section>
  );
}
