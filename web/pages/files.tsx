// The files: what is stored, paged and searched by how names begin, and a place to drop more.
// Uploads are carried out by web/static/upload.js; without script the page can be read and a
// command says how to push.

import { pips } from "../charts/pips.ts";
import { formatSize } from "../../shared/base/units.ts";
import { fileHref } from "./event_list.tsx";
import { Frame, type FrameView, Live } from "./frame.tsx";
import { Ago, Command, Picture } from "./picture.tsx";
import type { FileRow } from "./pool_view.ts";
import { cliCommand, counted } from "./words.ts";

export interface FilesView {
  readonly now: number;
  readonly prefix: string;
  readonly cursor: string | null;
  readonly items: readonly FileRow[];
  readonly next: string | null;
  /** Names in the catalog, when known; nodes; bytes that still fit, copies counted. */
  readonly total: number | null;
  readonly nodes: number;
  readonly room: number;
  readonly writable: boolean;
}

/** The whole page. */
export function FilesPage(
  { view, frame }: { readonly view: FilesView; readonly frame: FrameView },
) {
  return (
    <Frame view={frame} title="Files" page="files">
      <main id="main" class="main on-page">
        <Drop view={view} />
        <search>
          <form class="tools block-s" action="/ui/files">
            <label class="grow">
              <span class="sr">Names that begin with</span>
              <input
                class="input"
                type="search"
                name="prefix"
                value={view.prefix}
                placeholder="Names that begin with …"
                maxlength={1024}
              />
            </label>
            <button type="submit" class="btn">Search</button>
            {view.prefix !== "" && <a class="btn btn-bare" href="/ui/files">Clear</a>}
          </form>
        </search>
        <Live part={partOf(view)} seconds={10}>
          <FilesPart view={view} />
        </Live>
      </main>
    </Frame>
  );
}

function partOf({ prefix, cursor }: FilesView): string {
  const query = new URLSearchParams({ prefix, ...(cursor === null ? {} : { cursor }) });
  return `/ui/part/files?${query}`;
}

function Drop({ view }: { readonly view: FilesView }) {
  const copies = Math.min(3, Math.max(1, view.nodes));
  return (
    <>
      <section class="drop" aria-label="Add files" data-drop>
        <span>
          <b>Drop files or folders anywhere on this page</b>
          <br />
          They are cut into blocks and kept at {copies === 1 ? "1 copy" : `${copies} copies`}.{" "}
          {formatSize(view.room)} fit.
          {view.writable ? "" : " Writing is not possible now."}
        </span>
        <span class="acts" data-pickers hidden>
          <label class="field-folder">
            <span>into folder</span>
            <input
              class="input"
              data-folder
              value={view.prefix.slice(0, view.prefix.lastIndexOf("/") + 1)}
              placeholder="none"
            />
          </label>
          <button class="btn" type="button" data-pick="files">Choose files</button>
          <button class="btn" type="button" data-pick="folder">Choose a folder</button>
        </span>
        <noscript>
          <Command text={cliCommand("push", ["FILE"])} />
        </noscript>
      </section>
      <section class="ups" aria-label="Uploads" data-uploads></section>
    </>
  );
}

/** What a poll brings. */
export function FilesPart({ view }: { readonly view: FilesView }) {
  const { items } = view;
  if (items.length === 0) return <NoFiles view={view} />;
  const last = view.next !== null;
  return (
    <>
      <div class="head">
        <div>
          <h1>{filesSentence(view)}</h1>
          <p>{copiesSentence(view)}</p>
        </div>
      </div>
      <div class="wrap" role="region" aria-label="Files" tabindex={0}>
        <table class="table table-stack">
          <thead>
            <tr>
              <th>Name</th>
              <th>Copies</th>
              <th class="num">Size</th>
              <th class="num hide-s">Blocks</th>
              <th class="num hide-s">Changed</th>
              <th class="hide-s">
                <span class="sr">Download</span>
              </th>
            </tr>
          </thead>
          <tbody>{items.map((file) => <Row file={file} view={view} />)}</tbody>
        </table>
      </div>
      <div class="tools block-s">
        {view.cursor !== null && <a class="btn" href={hrefOf(view.prefix, null)}>First names</a>}
        {last && <a class="btn" href={hrefOf(view.prefix, view.next)}>Next 100 names</a>}
        <Command text={view.prefix === "" ? cliCommand("ls") : cliCommand("ls", [view.prefix])} />
      </div>
    </>
  );
}

function hrefOf(prefix: string, cursor: string | null): string {
  return `/ui/files?${new URLSearchParams({ prefix, ...(cursor === null ? {} : { cursor }) })}`;
}

function filesSentence(view: FilesView): string {
  const { items, total, prefix, next, cursor } = view;
  const bytes = formatSize(items.reduce((sum, { size }) => sum + size, 0));
  if (prefix !== "") {
    return `${next === null ? "" : "The first "}${counted(items.length, "name")} ` +
      `${items.length === 1 ? "begins" : "begin"} with “${prefix}”.`;
  }
  if (next === null && cursor === null) return `${counted(items.length, "file")}, ${bytes}.`;
  return total === null
    ? `${counted(items.length, "file")} of many, ${bytes}.`
    : `${counted(total, "file")}; ${counted(items.length, "name")} shown here, ${bytes}.`;
}

function copiesSentence({ items, nodes }: FilesView): string {
  const short = items.filter((file) => file.replicas.least < dueOf(file, nodes));
  const last = short.filter(({ replicas }) => replicas.least <= 1);
  if (short.length === 0) return "All shown have the copies they should.";
  const one = last.length === 0
    ? ""
    : ` ${last.length} of them ${last.length === 1 ? "has" : "have"} blocks with one copy or none.`;
  return `${items.length - short.length} have their copies, ${short.length} ` +
    `${short.length === 1 ? "is" : "are"} short of some.${one}`;
}

/** Copies that can be: fewer nodes than wanted is no fault of the file. */
function dueOf(file: FileRow, nodes: number): number {
  return Math.min(file.replicas.wanted, Math.max(1, nodes));
}

function Row({ file, view }: { readonly file: FileRow; readonly view: FilesView }) {
  const cut = file.name.lastIndexOf("/") + 1;
  const due = dueOf(file, view.nodes);
  const least = Math.min(file.replicas.least, due);
  const tone = least >= due ? "" : least <= 1 ? "is-risk tone" : "is-wanted tone";
  return (
    <tr>
      <td class="name clip">
        <a href={fileHref(file.name)} title={file.name}>
          <span class="quiet">{file.name.slice(0, cut)}</span>
          {file.name.slice(cut)}
        </a>
      </td>
      <td>
        <span class={`copies ${tone}`}>
          <Picture svg={pips(least, due)} />
          {least} of {due}
        </span>
      </td>
      <td class="num">{formatSize(file.size)}</td>
      <td class="num hide-s">{file.blocks}</td>
      <td class="num hide-s">
        <Ago at={file.modifiedAt} now={view.now} />
      </td>
      <td class="num hide-s">
        <a href={downloadHref(file.name)} aria-label={`Download ${file.name}`}>Download</a>
      </td>
    </tr>
  );
}

/** Address of a file's bytes as a download. @throws never */
export function downloadHref(name: string): string {
  return `${bytesHref(name)}?download=1`;
}

/** Address of a file's bytes. @throws never */
export function bytesHref(name: string): string {
  return `/api/files/${name.split("/").map(encodeURIComponent).join("/")}`;
}

function NoFiles({ view }: { readonly view: FilesView }) {
  if (view.prefix !== "") {
    return (
      <div class="empty">
        <h1>No name begins with “{view.prefix}”.</h1>
        <p>Capitals and accents count. Names are searched from their first letter.</p>
        <a class="btn" href="/ui/files">Clear the search</a>
      </div>
    );
  }
  return (
    <div class="empty">
      <h1>Nothing stored yet.</h1>
      <p>
        Drop a file anywhere on this page, or push one from a terminal. One node keeps one copy; two
        more make it safe.
      </p>
      <Command text={cliCommand("push", ["holiday.jpg"])} />
    </div>
  );
}
