// The files: what is stored, paged, by folder and by words in names, and a place to drop more.
// Uploads are carried out by web/static/upload.js; without script the page can be read and a
// command says how to push.

import { pieces } from "../charts/pieces.ts";
import { pips } from "../charts/pips.ts";
import { formatSize } from "../../shared/base/units.ts";
import { fileHref } from "./event_list.tsx";
import { Frame, type FrameView, Live } from "./frame.tsx";
import { UndeleteButton } from "./deleted.tsx";
import { Ago, Command, Glyph, Picture } from "./picture.tsx";
import type { DeletedRow, FileRow } from "./pool_view.ts";
import { Table } from "./table.tsx";
import { cliCommand, counted } from "./words.ts";

/** How long a deletion is offered to be taken back above the list. */
const undoMs = 120_000;

export interface FilesView {
  readonly now: number;
  /** How names must begin: a folder, mostly. */
  readonly prefix: string;
  /** Words that names must hold, as they were written. */
  readonly query: string;
  readonly cursor: string | null;
  readonly items: readonly FileRow[];
  /** Copies along each file of `items`; none where they were not counted. */
  readonly pieces: readonly (readonly number[])[];
  readonly next: string | null;
  /** Names in the catalog, when known; nodes; bytes that still fit, copies counted. */
  readonly total: number | null;
  /** Folders right below `prefix`, each as a prefix; none in a search. */
  readonly folders: readonly string[];
  /** Names that can be brought back, the last deleted first; the first few. */
  readonly deleted: readonly DeletedRow[];
  readonly nodes: number;
  readonly room: number;
  /** Whether copies could be counted: a node that has just started cannot ask the others yet. */
  readonly copiesKnown: boolean;
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
        <Search view={view} />
        <Live part={partOf(view)} seconds={view.query === "" ? 10 : 30}>
          <FilesPart view={view} />
        </Live>
      </main>
    </Frame>
  );
}

function Search({ view }: { readonly view: FilesView }) {
  return (
    <search>
      <form class="tools block-s" action="/ui/files">
        <label class="grow">
          <span class="sr">Words in the name</span>
          <input
            class="input"
            type="search"
            name="q"
            value={view.query}
            placeholder={view.prefix === ""
              ? "Words in the name, in any order …"
              : `Words in names below ${view.prefix} …`}
            maxlength={256}
          />
        </label>
        {view.prefix !== "" && <input type="hidden" name="prefix" value={view.prefix} />}
        <button type="submit" class="btn">Search</button>
        {(view.prefix !== "" || view.query !== "") && (
          <a class="btn btn-bare" href="/ui/files">All files</a>
        )}
        <a class="btn btn-bare" href="/ui/deleted">Deleted lately</a>
      </form>
    </search>
  );
}

function partOf(view: FilesView): string {
  return hrefOf(view, view.cursor, "/ui/part/files");
}

function hrefOf(
  { prefix, query }: FilesView,
  cursor: string | null,
  path = "/ui/files",
): string {
  const fields = Object.entries({ prefix, q: query, cursor: cursor ?? "" });
  const given = new URLSearchParams(fields.filter(([, value]) => value !== ""));
  return given.size === 0 ? path : `${path}?${given}`;
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
  return (
    <>
      <JustDeleted view={view} />
      {items.length === 0 ? <NoFiles view={view} /> : <FileList view={view} />}
    </>
  );
}

function FileList({ view }: { readonly view: FilesView }) {
  const { items, prefix } = view;
  const largest = Math.max(1, ...items.map(({ size }) => size));
  return (
    <>
      <div class="head">
        <div>
          {prefix !== "" && <Folders prefix={prefix} />}
          <h1>{filesSentence(view)}</h1>
          <p>{copiesSentence(view)}</p>
        </div>
      </div>
      {view.folders.length > 0 && (
        <nav aria-label="Folders">
          <ul class="folders">
            {view.folders.map((folder) => (
              <li>
                <a href={`/ui/files?${new URLSearchParams({ prefix: folder })}`}>
                  {folder.slice(prefix.length)}
                </a>
              </li>
            ))}
          </ul>
        </nav>
      )}
      <Table
        label="Files"
        look="table-stack table-files"
        head={
          <>
            <th>Name</th>
            <th>Copies</th>
            <th class="hide-s">Pieces</th>
            <th class="num">Size</th>
            <th class="num">Changed</th>
            <th>
              <span class="sr">Download</span>
            </th>
          </>
        }
      >
        {items.map((file, index) => (
          <Row file={file} pieces={view.pieces[index] ?? []} largest={largest} view={view} />
        ))}
      </Table>
      <div class="tools block-s">
        {view.cursor !== null && <a class="btn" href={hrefOf(view, null)}>First names</a>}
        {view.next !== null && <a class="btn" href={hrefOf(view, view.next)}>Next names</a>}
        <Command text={cliCommand("ls", listArgs(view))} />
      </div>
    </>
  );
}

function listArgs({ prefix, query }: FilesView): string[] {
  return [...(query === "" ? [] : [`--words=${query}`]), ...(prefix === "" ? [] : [prefix])];
}

/** The folder that is shown, and those around it, as links. */
function Folders({ prefix }: { readonly prefix: string }) {
  const folders = prefix.split("/").slice(0, -1);
  return (
    <p class="crumbs">
      <a href="/ui/files">Files</a> / {folders.map((folder, index) => {
        const upTo = `${folders.slice(0, index + 1).join("/")}/`;
        return (
          <>
            <a href={`/ui/files?${new URLSearchParams({ prefix: upTo })}`}>{folder}</a> /{" "}
          </>
        );
      })}
    </p>
  );
}

/** What was deleted a moment ago, to be taken back with one click. */
function JustDeleted({ view }: { readonly view: FilesView }) {
  const [last] = view.deleted;
  if (last === undefined || view.now - last.deletedAt > undoMs) return null;
  return (
    <div class="notice notice-first">
      <Glyph sign="leaving" tone="off" />
      <p>
        <b>{last.name} was deleted</b> <Ago at={last.deletedAt} now={view.now} />.
      </p>
      <div class="acts">
        <a class="btn btn-bare" href="/ui/deleted">All deleted lately</a>
        <UndeleteButton file={last} />
      </div>
    </div>
  );
}

function filesSentence(view: FilesView): string {
  const { items, total, prefix, query, next, cursor } = view;
  const bytes = formatSize(items.reduce((sum, { size }) => sum + size, 0));
  const one = items.length === 1;
  if (query !== "") {
    const some = next === null && cursor === null ? "" : " of those looked at so far";
    return `${counted(items.length, "name")}${some} ${one ? "holds" : "hold"} “${query}”.`;
  }
  if (prefix.endsWith("/")) {
    const all = next === null && cursor === null ? "" : "The first ";
    return `${all}${counted(items.length, "file")} below ${prefix.slice(0, -1)}, ${bytes}.`;
  }
  if (prefix !== "") {
    return `${next === null ? "" : "The first "}${counted(items.length, "name")} ` +
      `${one ? "begins" : "begin"} with “${prefix}”, ${bytes}.`;
  }
  if (next === null && cursor === null) return `${counted(items.length, "file")}, ${bytes}.`;
  return total === null
    ? `${counted(items.length, "file")} of many, ${bytes}.`
    : `${counted(total, "file")}; ${counted(items.length, "name")} shown here, ${bytes}.`;
}

function copiesSentence({ items, nodes, copiesKnown }: FilesView): string {
  if (!copiesKnown) {
    return "How many copies they have is not known yet: this node has not heard from the others.";
  }
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

function Row(
  { file, pieces: along, largest, view }: {
    readonly file: FileRow;
    readonly pieces: readonly number[];
    /** Bytes of the largest file shown. */
    readonly largest: number;
    readonly view: FilesView;
  },
) {
  const cut = file.name.lastIndexOf("/") + 1;
  // Below a folder its own name is said above the list.
  const shownFrom = view.prefix.endsWith("/") && view.query === "" ? view.prefix.length : 0;
  const due = dueOf(file, view.nodes);
  const least = Math.min(file.replicas.least, due);
  const tone = least >= due ? "" : least <= 1 ? "is-risk tone" : "is-wanted tone";
  return (
    <tr>
      <td class="name clip">
        <a href={fileHref(file.name)} title={file.name}>
          <span class="quiet">{file.name.slice(shownFrom, Math.max(cut, shownFrom))}</span>
          {file.name.slice(cut)}
        </a>
      </td>
      <td>
        {view.copiesKnown
          ? (
            <span class={`copies ${tone}`}>
              <Picture svg={pips(least, due)} />
              {least} of {due}
            </span>
          )
          : <span class="quiet nowrap">not known yet</span>}
      </td>
      <td class="hide-s bars">
        {view.copiesKnown && along.length > 0 && (
          <Picture
            svg={pieces(along.map((copies) => ({ copies: Math.min(copies, due) })), {
              replicas: due,
              size: "small",
              // By the root, or everything beside one large file would be a dot.
              part: Math.max(.04, Math.sqrt(file.size / largest)),
              label: piecesLabel(file, along),
            })}
          />
        )}
      </td>
      <td class="num">{formatSize(file.size)}</td>
      <td class="num">
        <Ago at={file.modifiedAt} now={view.now} />
      </td>
      <td class="num">
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

function piecesLabel(file: FileRow, along: readonly number[]): string {
  const [least, most] = [Math.min(...along), Math.max(...along)];
  const copies = least === most ? String(least) : `${least} to ${most}`;
  return `${counted(file.blocks, "block")}, ${copies} ${most === 1 ? "copy" : "copies"} each`;
}

function NoFiles({ view }: { readonly view: FilesView }) {
  const { query, prefix, next } = view;
  if (query !== "") {
    return (
      <div class="empty">
        <h1>{next === null ? "No name holds" : "No name so far holds"} “{query}”.</h1>
        <p>Every word must stand in the name somewhere; capitals and accents do not count.</p>
        {next !== null && <a class="btn" href={hrefOf(view, next)}>Look further</a>}
        <a class="btn" href="/ui/files">All files</a>
      </div>
    );
  }
  if (prefix !== "") {
    return (
      <div class="empty">
        <h1>No name begins with “{prefix}”.</h1>
        <p>It may have been renamed or removed. Search finds words anywhere in a name.</p>
        <a class="btn" href="/ui/files">All files</a>
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
