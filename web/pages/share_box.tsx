// A link to share one version of a file: made by a form, and coloured by what is so. It turns
// green only when every block has its copies, because a link to one copy is a promise one disk
// can break.

import type { ShareLink } from "./file_view.ts";
import { Command, Glyph } from "./picture.tsx";
import type { FileRow } from "./pool_view.ts";
import { cliCommand, exactTime } from "./words.ts";

/** What a link leads to, and among how many nodes. */
interface SharedFile {
  readonly file: FileRow;
  readonly nodes: number;
  readonly copiesKnown: boolean;
}

/** The box; `share` is the link just made. */
export function ShareBox(
  { share, ...shared }: SharedFile & { readonly share: ShareLink | null },
) {
  const { file } = shared;
  return (
    <section class="share" id="share" aria-label="Share">
      {share === null ? <h2>Share this version</h2> : (
        <div
          hx-get={`/ui/part/share?${new URLSearchParams({ name: file.name, cid: file.cid })}`}
          hx-trigger="every 2s"
          hx-swap="innerMorph"
          aria-live="polite"
        >
          <ShareState {...shared} />
        </div>
      )}
      {share !== null && (
        <>
          <p>
            Works until {exactTime(share.expires)}{" "}
            without a token, for this version only, also when the file is renamed.
          </p>
          <div class="url">
            <input class="input" readonly aria-label="Share link" value={share.url} />
            <button class="btn" type="button" data-copy={share.url} hidden>Copy</button>
          </div>
        </>
      )}
      <form
        method="post"
        action="/ui/share"
        hx-post="/ui/share"
        hx-target="#share"
        hx-swap="outerHTML"
        class="acts"
      >
        <input type="hidden" name="name" value={file.name} />
        <label class="field-line">
          <span>Works for</span>
          <select class="select" name="days">
            <option value="1">1 day</option>
            <option value="7" selected>7 days</option>
            <option value="30">30 days</option>
          </select>
        </label>
        <button type="submit" class="btn">{share === null ? "Make a link" : "Make another"}</button>
      </form>
      <Command text={cliCommand("share --expires 7d", [file.name])} />
    </section>
  );
}

/** Whether the link is safe to give away. */
export function ShareState({ file, nodes, copiesKnown }: SharedFile) {
  const due = Math.min(file.replicas.wanted, Math.max(1, nodes));
  const { least } = file.replicas;
  if (least >= due && due > 1) {
    return (
      <p class="line is-held">
        <Glyph sign="seeding" />
        Safe to share: {due} of {due} copies
      </p>
    );
  }
  if (least >= due) {
    return (
      <p class="line is-wanted">
        <Glyph sign="fetching" />
        The link works as long as this one node does: there is 1 copy
      </p>
    );
  }
  if (!copiesKnown) {
    return (
      <p class="line is-wanted">
        <Glyph sign="looking" />
        How many copies there are is not known yet
      </p>
    );
  }
  return (
    <p class="line is-wanted">
      <Glyph sign="fetching" />
      {least === 0 ? "Not readable yet" : "The link works"}; {least} of {due} copies so far
    </p>
  );
}
