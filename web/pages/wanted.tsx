// What this node should have and lacks: how much, and the first blocks of it by name.

import { bar } from "../charts/bar.ts";
import { Frame, type FrameView, Live } from "./frame.tsx";
import { Picture } from "./picture.tsx";
import type { PoolView } from "./pool_view.ts";
import { counted, sinceText, whole } from "./words.ts";

export interface WantedView {
  readonly pool: PoolView;
  readonly items: readonly {
    readonly cid: string;
    readonly file: string | null;
    /** Names of the owners beside this node. */
    readonly from: readonly string[];
  }[];
  readonly more: boolean;
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
            {status.phase.because}.{left}
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
        <div class="wrap" role="region" aria-label="Blocks wanted" tabindex={0}>
          <table class="table">
            <thead>
              <tr>
                <th>Block</th>
                <th>Of</th>
                <th>Asked of its other owners</th>
              </tr>
            </thead>
            <tbody>
              {view.items.map(({ cid, file, from }) => (
                <tr>
                  <td>
                    <code title={cid}>{cid.slice(0, 8)}…{cid.slice(-6)}</code>
                  </td>
                  <td class="name clip">
                    {file === null
                      ? <span class="quiet">an inner block</span>
                      : <a href={`/ui/file?${new URLSearchParams({ name: file })}`}>{file}</a>}
                  </td>
                  <td class="soft">{from.join(", ")}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </section>
    </>
  );
}
