// Names deleted within the keep time: one click names their content again. Blocks that another
// file shares stay longer; those that nothing refers to go some time after the keep time.

import { formatSize } from "../../shared/base/units.ts";
import { Frame, type FrameView, Live } from "./frame.tsx";
import { Ago, Command } from "./picture.tsx";
import type { DeletedRow } from "./pool_view.ts";
import { Table } from "./table.tsx";
import { cliCommand, counted, sinceText } from "./words.ts";

export interface DeletedView {
  readonly now: number;
  /** The last deleted first. */
  readonly items: readonly DeletedRow[];
  /** More were deleted than are shown. */
  readonly more: boolean;
}

/** The whole page. */
export function DeletedPage(
  { view, frame }: { readonly view: DeletedView; readonly frame: FrameView },
) {
  return (
    <Frame view={frame} title="Deleted lately" page="files">
      <main id="main" class="main on-page">
        <p class="crumbs">
          <a href="/ui/files">Files</a> / deleted lately /
        </p>
        <Live part="/ui/part/deleted" seconds={10}>
          <DeletedPart view={view} />
        </Live>
      </main>
    </Frame>
  );
}

/** What a poll brings. */
export function DeletedPart({ view }: { readonly view: DeletedView }) {
  const { items, more, now } = view;
  const [first] = items;
  if (first === undefined) {
    return (
      <div class="empty">
        <h1>Nothing was deleted lately.</h1>
        <p>A deleted file can be brought back from here for as long as its blocks are kept.</p>
        <a class="btn" href="/ui/files">All files</a>
      </div>
    );
  }
  return (
    <>
      <div class="head">
        <div>
          <h1>
            {more ? "The last " : ""}
            {counted(items.length, "deleted file")} can be brought back.
          </h1>
          <p>
            Their blocks are kept for {sinceText(first.keptUntil - first.deletedAt)}{" "}
            after the deletion, on every node that had them.
          </p>
        </div>
      </div>
      <Table
        label="Deleted files"
        look="table-stack table-act"
        head={
          <>
            <th>Name</th>
            <th class="num">Size</th>
            <th class="num">Deleted</th>
            <th class="num hide-s">Kept for another</th>
            <th>
              <span class="sr">Action</span>
            </th>
          </>
        }
      >
        {items.map((file) => (
          <tr>
            <td class="name clip" title={file.name}>{file.name}</td>
            <td class="num">{formatSize(file.size)}</td>
            <td class="num">
              <Ago at={file.deletedAt} now={now} />
            </td>
            <td class="num hide-s">{sinceText(file.keptUntil - now)}</td>
            <td class="num">
              <UndeleteButton file={file} />
            </td>
          </tr>
        ))}
      </Table>
      <div class="tools block-s">
        <Command text={cliCommand("link", [first.cid, first.name])} />
      </div>
    </>
  );
}

/** Names the content again, unless the name was taken meanwhile. */
export function UndeleteButton({ file }: { readonly file: DeletedRow }) {
  return (
    <form method="post" action="/ui/file/undelete">
      <input type="hidden" name="name" value={file.name} />
      <input type="hidden" name="cid" value={file.cid} />
      <input type="hidden" name="replicas" value={String(file.replicas)} />
      <button type="submit" class="btn" aria-label={`Undelete ${file.name}`}>Undelete</button>
    </form>
  );
}
