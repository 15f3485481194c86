// The pieces of a file: its bar, who holds it as one row a node, and the blocks by name. A large
// file is shown a window of blocks at a time, so that a look costs the same whatever the size.

import { pieces as piecesBar } from "../charts/pieces.ts";
import { row, type RowCell } from "../charts/row.ts";
import { formatBinarySize, formatSize } from "../../shared/base/units.ts";
import type { FileView } from "./file_view.ts";
import { Legend, Picture } from "./picture.tsx";
import type { PieceRow } from "./pool_view.ts";
import { Table } from "./table.tsx";
import { counted, whole } from "./words.ts";

const blocksListed = 100;

/** Bar and holders: what a poll brings. */
export function Pieces({ view }: { readonly view: FileView }) {
  const { file, pieces } = view;
  const due = Math.min(file.replicas.wanted, Math.max(1, view.nodes.size));
  const cells = pieces.map((piece) => ({
    copies: Math.min(due, piece.holders.length),
    coming: comingOf(piece, view),
    extra: piece.holders.length > file.replicas.wanted,
  }));
  return (
    <>
      <section aria-labelledby="pieces">
        <h2 class="rule" id="pieces">
          Pieces{" "}
          <small>
            {counted(file.blocks, "block")} of {formatBinarySize(file.chunkBytes)}{" "}
            in order, one lane a copy{pieces.length < file.blocks ? `; ${windowWords(view)}` : ""}
          </small>
        </h2>
        {cells.length > 0 && (
          <Picture
            svg={piecesBar(cells, {
              replicas: due,
              size: "large",
              label: barLabel(cells, due),
              seams: cells.length > view.links ? view.links : 0,
            })}
          />
        )}
        <Axis view={view} />
        <Legend
          items={[
            [{ key: "whole" }, "all copies"],
            [{ key: "coming" }, "a copy on its way"],
            ...(due > 1 ? [[{ key: "risk" }, "one copy left"] as const] : []),
            [{ key: "lost" }, "no copy found"],
            [{ key: "extra" }, "more than wanted"],
          ]}
        />
        <Windows view={view} />
      </section>
      <section aria-labelledby="holders" class="block">
        <h2 class="rule" id="holders">
          Who holds it <small>one line a node, the same order of blocks</small>
        </h2>
        <Holders view={view} />
      </section>
    </>
  );
}

/** The blocks by name: as they were when the page was made. */
export function BlockList({ view }: { readonly view: FileView }) {
  return (
    <details class="block-s">
      <summary>The blocks by name, from {whole(view.from)} on</summary>
      <BlockTable view={view} />
    </details>
  );
}

function comingOf(piece: PieceRow, { nodes }: FileView): number {
  return piece.owners.filter((owner) =>
    !piece.holders.includes(owner) && nodes.get(owner)?.answers === true
  ).length;
}

function barLabel(
  cells: readonly { readonly copies: number; readonly extra: boolean }[],
  due: number,
): string {
  const counts = new Map<number, number>();
  for (const { copies } of cells) counts.set(copies, (counts.get(copies) ?? 0) + 1);
  const said = [...counts].sort(([left], [right]) => right - left)
    .map(([copies, count]) => `${whole(count)} have ${copies} of ${due} copies`);
  const extra = cells.filter((cell) => cell.extra).length;
  const more = extra > 0 ? `; ${whole(extra)} have more than wanted` : "";
  return `${counted(cells.length, "block")}: ${said.join(", ")}${more}`;
}

function windowWords({ from, pieces }: FileView): string {
  return `shown are ${whole(from)} to ${whole(from + pieces.length - 1)}`;
}

function Axis({ view }: { readonly view: FileView }) {
  const { file, from, pieces } = view;
  const start = from * file.chunkBytes;
  const end = Math.min(file.size, start + pieces.length * file.chunkBytes);
  const marks = pieces.length < 4 ? [0, 1] : [0, .25, .5, .75, 1];
  return (
    <div class="axis" aria-hidden="true">
      {marks.map((part) => <span>{formatSize(start + (end - start) * part)}</span>)}
    </div>
  );
}

function Windows({ view }: { readonly view: FileView }) {
  const { file, from, windowBlocks } = view;
  if (file.blocks <= windowBlocks) return null;
  const href = (start: number) =>
    `/ui/file?${new URLSearchParams({ name: file.name, from: String(start) })}`;
  return (
    <nav class="tools block-s" aria-label="Blocks">
      {from > 0 && <a class="btn" href={href(Math.max(0, from - windowBlocks))}>Blocks before</a>}
      {from + windowBlocks < file.blocks && (
        <a class="btn" href={href(from + windowBlocks)}>Next blocks</a>
      )}
    </nav>
  );
}

function Holders({ view }: { readonly view: FileView }) {
  const { pieces, nodes } = view;
  const sides = sidesOf(pieces);
  const rows = [...nodes].filter(([id]) => sides.has(id))
    .sort(([, left], [, right]) => left.name < right.name ? -1 : 1);
  if (rows.length === 0) return <p class="caption">No node that answers holds any of it.</p>;
  return (
    <div class="holders">
      {rows.map(([id, { name, answers }]) => {
        const { cells, held, wanted } = sides.get(id) ?? { cells: [], held: 0, wanted: 0 };
        return (
          <>
            <a href={`/ui/nodes#${id}`} class="clip" title={name}>{name}</a>
            <Picture
              svg={row(cells, {
                label: `${name} holds ${counted(held, "block")}, lacks ${wanted}`,
              })}
            />
            <span class={wanted > 0 || !answers ? "is-wanted tone" : ""}>
              {answers ? whole(held) : "silent"}
              {wanted > 0 && answers ? ` + ${whole(wanted)}` : ""}
            </span>
          </>
        );
      })}
    </div>
  );
}

interface Side {
  readonly cells: RowCell[];
  held: number;
  wanted: number;
}

/** Each node's side of the window: walked by block, not by node, since few nodes have a block. */
function sidesOf(pieces: readonly PieceRow[]): ReadonlyMap<string, Side> {
  const sides = new Map<string, Side>();
  const sideOf = (id: string): Side => {
    const known = sides.get(id);
    if (known !== undefined) return known;
    const side: Side = { cells: new Array(pieces.length).fill("off"), held: 0, wanted: 0 };
    sides.set(id, side);
    return side;
  };
  pieces.forEach(({ owners, holders }, index) => {
    for (const id of holders) {
      const side = sideOf(id);
      side.cells[index] = owners.includes(id) ? "held" : "surplus";
      side.held++;
    }
    for (const id of owners) {
      if (holders.includes(id)) continue;
      const side = sideOf(id);
      side.cells[index] = "wanted";
      side.wanted++;
    }
  });
  return sides;
}

function BlockTable({ view }: { readonly view: FileView }) {
  const nameOf = (id: string) => view.nodes.get(id)?.name ?? `${id.slice(0, 8)}…`;
  return (
    <Table
      label="Blocks"
      head={
        <>
          <th class="num">Index</th>
          <th>Block</th>
          <th class="num">Size</th>
          <th>Owners</th>
          <th>Holders</th>
        </>
      }
    >
      {view.pieces.slice(0, blocksListed).map((piece) => (
        <tr>
          <td class="num">{whole(piece.index)}</td>
          <td>
            <code>
              <a href={`/api/blocks/${piece.cid}`} title={piece.cid}>
                {piece.cid.slice(0, 8)}…{piece.cid.slice(-6)}
              </a>
            </code>
          </td>
          <td class="num">{formatSize(piece.size)}</td>
          <td>{piece.owners.map(nameOf).join(", ")}</td>
          <td>{piece.holders.map(nameOf).join(", ")}</td>
        </tr>
      ))}
    </Table>
  );
}
