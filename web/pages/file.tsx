// One file: whether it can be read, its pieces, who holds them, a preview, a link to share, and
// what can be done with it. Every form works without script; with it, forms open as sheets.

import { formatSize } from "../../shared/base/units.ts";
import { Frame, type FrameView, Live } from "./frame.tsx";
import { DagPart } from "./dag_part.tsx";
import { FileSheets } from "./file_sheets.tsx";
import { bytesHref, downloadHref } from "./files.tsx";
import { Ago, Command, Notice } from "./picture.tsx";
import { BlockList, Pieces } from "./pieces_part.tsx";
import type { FileView } from "./file_view.ts";
import { ShareBox } from "./share_box.tsx";
import { cliCommand, counted, whole } from "./words.ts";

/** The whole page. */
export function FilePage({ view, frame }: { readonly view: FileView; readonly frame: FrameView }) {
  const { file } = view;
  return (
    <Frame view={frame} title={file.name} page="files">
      <main id="main" class="main on-page">
        {view.refusal !== null && (
          <Notice sign="dead" tone="risk">
            <p>
              <b>{view.refusal}</b>
            </p>
          </Notice>
        )}
        <Live part={partOf(view)} seconds={5}>
          <FilePart view={view} />
        </Live>
        <div class="cols cols-21 block">
          <Preview view={view} />
          <div class="facts">
            {view.canShare && <ShareBox {...view} nodes={view.nodes.size} />}
            <About view={view} />
            {frame.pages.includes("tab") && <KeepInTab name={file.name} />}
          </div>
        </div>
        {file.blocks > 1 && <DagPart view={view} />}
        <BlockList view={view} />
      </main>
      <FileSheets file={file} nodes={view.nodes.size} />
    </Frame>
  );
}

function KeepInTab({ name }: { readonly name: string }) {
  return (
    <section class="fact">
      <h2>In this browser</h2>
      <p>
        A tab can keep all its blocks, and give them to the nodes.
      </p>
      <p>
        <a class="btn" href={`/ui/tab?keep=${encodeURIComponent(name)}`}>Keep in this tab</a>
      </p>
    </section>
  );
}

function partOf({ file, from }: FileView): string {
  return `/ui/part/file?${new URLSearchParams({ name: file.name, from: String(from) })}`;
}

/** What a poll brings. */
export function FilePart({ view }: { readonly view: FileView }) {
  const { file } = view;
  return (
    <>
      <div class="head">
        <div>
          <Crumbs name={file.name} />
          <h1>{fileSentence(view)}</h1>
        </div>
        <div class="acts">
          <a class="btn btn-main" href={downloadHref(file.name)}>Download</a>
          <a class="btn" href="#rename" data-sheet="rename">Rename…</a>
          <a class="btn" href="#copy" data-sheet="copy">Copy…</a>
          <a class="btn" href="#copies" data-sheet="copies">Copies…</a>
          <a class="btn btn-risk" href="#delete" data-sheet="delete">Delete…</a>
        </div>
      </div>
      <Pieces view={view} />
    </>
  );
}

/** What a poll brings once the name is gone. */
export function FileGone({ name }: { readonly name: string }) {
  return (
    <div class="empty">
      <h1>There is no {name} any more.</h1>
      <p>It was renamed or removed while this page was open, here or on another node.</p>
      <a class="btn" href="/ui/files">All files</a>
    </div>
  );
}

function fileSentence({ file, pieces, nodes, copiesKnown }: FileView): string {
  const name = file.name.slice(file.name.lastIndexOf("/") + 1);
  const due = Math.min(file.replicas.wanted, Math.max(1, nodes.size));
  const copies = pieces.map(({ holders }) => holders.length);
  const none = copies.filter((count) => count === 0).length;
  const short = copies.filter((count) => count < due).length;
  const shown = whole(pieces.length);
  const scope = pieces.length === file.blocks ? `its ${shown}` : `the ${shown} shown`;
  const blocks = pieces.length === 1 ? "block" : "blocks";
  if (!copiesKnown && (none > 0 || short > 0)) {
    return `${name}: how many copies it has is not known yet.`;
  }
  if (none > 0) {
    return `${name} cannot be read whole: no copy of ${whole(none)} of ${scope} ${blocks} answers.`;
  }
  if (short > 0) {
    return `${name} can be read everywhere. ${whole(short)} of ${scope} ${blocks} ` +
      `${short === 1 ? "is" : "are"} short of a copy.`;
  }
  const each = pieces.length === 1 ? "its one block has" : `all of ${scope} ${blocks} have`;
  const few = due < file.replicas.wanted
    ? ` ${file.replicas.wanted} are asked for: add ${counted(file.replicas.wanted - due, "node")}.`
    : "";
  return `${name} ${due === 1 ? "can be read" : "is safe"}: ${each} ${
    due === 1 ? "a copy" : `${due} copies`
  }.${few}`;
}

function Crumbs({ name }: { readonly name: string }) {
  const folders = name.split("/").slice(0, -1);
  return (
    <p class="crumbs">
      <a href="/ui/files">Files</a> / {folders.map((folder, index) => {
        const prefix = `${folders.slice(0, index + 1).join("/")}/`;
        return (
          <>
            <a href={`/ui/files?${new URLSearchParams({ prefix })}`}>{folder}</a> /{" "}
          </>
        );
      })}
    </p>
  );
}

function Preview({ view }: { readonly view: FileView }) {
  const { file, preview } = view;
  const source = bytesHref(file.name);
  const framed = `/ui/preview/${source.slice("/api/files/".length)}`;
  const says = `Preview of ${file.name}`;
  switch (preview) {
    case "image":
      return (
        <figure class="preview">
          <img src={source} alt={says} loading="lazy" />
          <figcaption>From the pool, verified block by block</figcaption>
        </figure>
      );
    case "video":
      return (
        <figure class="preview">
          <video src={source} controls preload="metadata" aria-label={says}></video>
          <figcaption>Seek anywhere: only the blocks needed are fetched</figcaption>
        </figure>
      );
    case "audio":
      return (
        <figure class="preview">
          <audio src={source} controls preload="metadata" aria-label={says}></audio>
          <figcaption>Seek anywhere: only the blocks needed are fetched</figcaption>
        </figure>
      );
    case "text":
      return (
        <figure class="preview">
          <iframe src={framed} sandbox="" title={says} loading="lazy"></iframe>
          <figcaption>As plain text in a sandbox, the first 256 KiB at most</figcaption>
        </figure>
      );
    case "pdf":
      return (
        <figure class="preview preview-page">
          <iframe src={framed} title={says} loading="lazy"></iframe>
          <figcaption>As this browser shows PDF</figcaption>
        </figure>
      );
    case "none":
      return (
        <div class="empty">
          <h2>No preview for this kind of file.</h2>
          <p>Download it, or look at its pieces above.</p>
          <a class="btn" href={downloadHref(file.name)}>Download {formatSize(file.size)}</a>
        </div>
      );
    default:
      return preview satisfies never;
  }
}

function About({ view }: { readonly view: FileView }) {
  const { file, nodes } = view;
  return (
    <section aria-labelledby="about">
      <h2 class="rule" id="about">About</h2>
      <dl class="kv">
        <dt>Size</dt>
        <dd>
          {formatSize(file.size)} ({counted(file.size, "byte")})
        </dd>
        <dt>Copies</dt>
        <dd>
          {file.replicas.wanted} asked for; {view.copiesKnown
            ? `weakest block ${file.replicas.least}, in ${counted(file.replicas.zones, "zone")}`
            : "how many there are is not known yet"}
        </dd>
        <dt>Changed</dt>
        <dd>
          <Ago at={file.modifiedAt} now={view.now} /> through{" "}
          {nodes.get(file.writer)?.name ?? file.writer}
        </dd>
        <dt>Root</dt>
        <dd>
          <code>
            <a href={`/ipfs/${file.cid}`}>{file.cid}</a>
          </code>
        </dd>
        <dt>Tree</dt>
        <dd>{treeWords(file.blocks, view.links)}</dd>
      </dl>
      <Command text={cliCommand("pull", [file.name])} />
    </section>
  );
}

/** The levels of a balanced DAG over `leaves`: `1 root, 10 inner blocks, 1,573 leaves`. */
export function treeWords(leaves: number, links: number): string {
  if (leaves <= 1) return "one block, which is the root";
  const levels: number[] = [];
  for (let count = Math.ceil(leaves / links); count > 1; count = Math.ceil(count / links)) {
    levels.push(count);
  }
  const inner = levels.reduce((sum, count) => sum + count, 0);
  const between = inner === 0
    ? ""
    : ` ${counted(inner, "inner block")} in ${counted(levels.length, "level")},`;
  return `1 root,${between} ${counted(leaves, "leaf").replace("leafs", "leaves")}`;
}
