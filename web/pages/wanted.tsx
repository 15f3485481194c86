// What this node should have and lacks: how much, and of the first blocks why each is wanted, who
// has it and will give it, and when those that nobody has are asked for again.

import { bar } from "../charts/bar.ts";
import { Frame, type FrameView, Live } from "./frame.tsx";
import { Picture } from "./picture.tsx";
import type { PoolView } from "./pool_view.ts";
import { Table } from "./table.tsx";
import { counted, sinceText, whole } from "./words.ts";

export interface WantedView {
  readonly pool: PoolView;
  readonly items: readonly WantedRow[];
  readonly more: boolean;
}

/** One block that this node owns and lacks. */
export interface WantedRow {
  readonly cid: string;
  readonly file: string | null;
  readonly kind: "leaf" | "inner";
  /** Copies that its files want, and its slot where the ring is known. */
  readonly replicas: number;
  readonly slot: number | null;
  /** Names of the nodes that hold it and answer. */
  readonly from: readonly string[];
  /** Nobody who was asked had it. */
  readonly lost: boolean;
  /** When it is looked for again, after a look in vain; ms since the epoch. */
  readonly againAt: number | null;
}

/** The whole page. */
export function WantedPage(
  { view, frame }: { readonly view: WantedView; readonly frame: FrameView },
) {
  return (
    <Frame view={frame} title="Wanted" page="wanted">
      <main id="main" class="main on-page">
        <Live part="/ui/part/wanted">
          <WantedPart view={view} />
        </Live>
      </main>
    </Frame>
  );
}

/** What a poll brings. */
export function WantedPart({ view }: { readonly view: WantedView }) {
  const { status, traffic } = view.pool;
  const { wanted, held } = status.blocks;
  if (wanted === 0 && view.items.length === 0) {
    return (
      <div class="empty">
        <h1>{status.name} wants nothing.</h1>
        <p>It holds all {whole(held)} blocks that the roster gives it.</p>
      </div>
    );
  }
  const left = traffic.copiesPerSecond > 0
    ? ` At ${whole(Math.max(1, traffic.copiesPerSecond))} a second the last arrives in about ` +
      `${sinceText(wanted / traffic.copiesPerSecond * 1_000)}.`
    : "";
  return (
    <>
      <div class="head">
        <div>
          <h1>
            {status.name} still wants {whole(wanted)} of {counted(held + wanted, "block")}.
          </h1>
          <p>
            {sentence(status.phase.because)}.{left}
          </p>
        </div>
      </div>
      <Picture
        svg={bar({
          held: held / (held + wanted) * 1_000,
          wanted: Math.max(4, wanted / (held + wanted) * 1_000),
        }, { label: `${whole(held)} held, ${whole(wanted)} wanted` })}
      />
      <section class="block" aria-labelledby="list">
        <h2 class="rule" id="list">
          Blocks {view.more && <small>the first {view.items.length}</small>}
        </h2>
        <Table
          label="Blocks wanted"
          look="table-stack"
          head={
            <>
              <th>Block</th>
              <th>Of</th>
              <th>Why here</th>
              <th>From whom</th>
            </>
          }
        >
          {view.items.map((row) => <Row row={row} now={view.pool.now} />)}
        </Table>
      </section>
    </>
  );
}

function sentence(words: string): string {
  return words.charAt(0).toUpperCase() + words.slice(1);
}

function Row({ row, now }: { readonly row: WantedRow; readonly now: number }) {
  const { cid, file, kind } = row;
  return (
    <tr>
      <td class="nowrap">
        <code title={cid}>{cid.slice(0, 8)}…{cid.slice(-6)}</code>
      </td>
      <td class="name clip">
        {file === null
          ? <span class="quiet">{kind === "inner" ? "an inner block" : "some file"}</span>
          : <a href={`/ui/file?${new URLSearchParams({ name: file })}`} title={file}>{file}</a>}
      </td>
      <td class="soft">{whyWords(row)}</td>
      <td class={row.from.length === 0 && row.lost ? "is-risk tone" : "soft"}>
        {fromWords(row, now)}
      </td>
    </tr>
  );
}

/** More holders than this are counted, not named. */
const namesMax = 4;

function whyWords({ kind, slot, replicas }: WantedRow): string {
  if (kind === "inner") return "every node keeps the inner blocks of files";
  const where = slot === null ? "its slot" : `slot ${whole(slot)}`;
  return `one of the ${replicas === 1 ? "owner" : `${replicas} owners`} of ${where}`;
}

/** It comes from whoever of the holders is quickest when its turn is there. */
function fromWords({ from, lost, againAt }: WantedRow, now: number): string {
  const again = againAt === null ? "" : `; asked again in ${sinceText(againAt - now)}`;
  if (from.length > namesMax) return `the quickest of ${whole(from.length)} nodes${again}`;
  if (from.length > 0) return `${from.join(" or ")}${again}`;
  return lost ? `nobody who answers has it${again}` : `nobody asked so far has it${again}`;
}
