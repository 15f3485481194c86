// Connections of this node: with whom, by what way, since when, and what goes over them.

import { formatRate, formatSize } from "../../shared/base/units.ts";
import { Frame, type FrameView, Live } from "./frame.tsx";
import { Ago, Glyph } from "./picture.tsx";
import type { PeerRow, PoolView } from "./pool_view.ts";
import { Table } from "./table.tsx";
import { counted, roundTrip } from "./words.ts";

export interface PeersView {
  readonly pool: PoolView;
  readonly peers: readonly PeerRow[];
}

/** Rows shown; more are counted. */
const rowsMax = 200;

/** The whole page. */
export function PeersPage(
  { view, frame }: { readonly view: PeersView; readonly frame: FrameView },
) {
  return (
    <Frame view={frame} title="Peers" page="peers">
      <main id="main" class="main on-page">
        <Live part="/ui/part/peers">
          <PeersPart view={view} />
        </Live>
      </main>
    </Frame>
  );
}

/** What a poll brings. */
export function PeersPart({ view }: { readonly view: PeersView }) {
  const { pool, peers } = view;
  if (peers.length === 0) {
    return (
      <div class="empty">
        <h1>No connection.</h1>
        <p>
          {pool.nodes.length > 1
            ? "The other nodes are being dialled; those that are switched off stay away."
            : "This node is alone. Others appear here as soon as they connect."}
        </p>
      </div>
    );
  }
  const are = (role: string) => peers.filter((peer) => peer.role === role).length;
  const [tabs, strangers] = [are("tab"), are("stranger")];
  const others = [
    ...(tabs === 0 ? [] : [`${tabs} with tabs, which seed extra copies`]),
    ...(strangers === 0 ? [] : [`${strangers} with strangers`]),
  ];
  return (
    <>
      <div class="head">
        <div>
          <h1>
            {pool.status.name} has {counted(peers.length, "connection")}.
          </h1>
          <p>
            {others.length === 0 ? "All are with nodes of the group." : `${others.join("; ")}.`}
          </p>
        </div>
      </div>
      <Table
        label="Connections"
        look="table-stack table-peers"
        head={
          <>
            <th>Peer</th>
            <th>Way</th>
            <th class="num">Round trip</th>
            <th class="num">Takes from it</th>
            <th class="num">Gives it</th>
            <th class="num hide-s">In all</th>
            <th class="num hide-s">For</th>
          </>
        }
      >
        {peers.slice(0, rowsMax).map((peer) => <Row peer={peer} pool={pool} />)}
      </Table>
      {peers.length > rowsMax && (
        <p class="caption">and {counted(peers.length - rowsMax, "more connection")}</p>
      )}
    </>
  );
}

function Row({ peer, pool }: { readonly peer: PeerRow; readonly pool: PoolView }) {
  const name = pool.nodes.find((node) => node.id === peer.id)?.name;
  const rates = pool.traffic.peers.get(peer.id);
  return (
    <tr>
      <td>
        {peer.role === "tab" && <Glyph sign="tab" tone="tab" />}{" "}
        {name ?? <code title={peer.id}>…{peer.id.slice(-10)}</code>}{" "}
        <span class="quiet">{peer.role}</span>
      </td>
      <td class="soft wayof">
        {peer.direction === "inbound" ? "came in over" : "dialled over"}{" "}
        <code title={peer.address}>{wayOf(peer.address)}</code>
      </td>
      <td class="num">{roundTrip(peer.roundTripMs ?? null)}</td>
      <td class="num">
        <span class="only-s">takes</span> {formatRate(rates?.taken ?? 0)}
      </td>
      <td class="num">
        <span class="only-s">gives</span> {formatRate(rates?.given ?? 0)}
      </td>
      <td class="num hide-s">
        {formatSize(peer.bytesIn)} in, {formatSize(peer.bytesOut)} out
      </td>
      <td class="num hide-s">
        <Ago at={peer.since} now={pool.now} suffix="" />
      </td>
    </tr>
  );
}

/** The address without its peer id: `/ip4/127.0.0.1/tcp/7001`. */
function wayOf(address: string): string {
  return address.replace(/\/p2p\/[^/]+$/, "");
}
