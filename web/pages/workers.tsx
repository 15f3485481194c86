// Every background loop of this node: what it does, how far it is, its last error, and a pause.

import type { WorkerSnapshot } from "../../shared/status.ts";
import type { Sign, Tone } from "../charts/glyph.ts";
import { Frame, type FrameView, Live } from "./frame.tsx";
import { Ago, Command, Glyph } from "./picture.tsx";
import { Table } from "./table.tsx";
import { cliCommand, counted, withTimes } from "./words.ts";

export interface WorkersView {
  readonly now: number;
  readonly node: string;
  readonly workers: readonly WorkerSnapshot[];
}

const marks: Readonly<Record<WorkerSnapshot["state"], readonly [Sign, Tone]>> = {
  running: ["fetching", "held"],
  idle: ["looking", "off"],
  paused: ["readonly", "wanted"],
  failed: ["dead", "risk"],
};

/** The whole page. */
export function WorkersPage(
  { view, frame }: { readonly view: WorkersView; readonly frame: FrameView },
) {
  return (
    <Frame view={frame} title="Workers" page="workers">
      <main id="main" class="main on-page">
        <Live part="/ui/part/workers">
          <WorkersPart view={view} />
        </Live>
      </main>
    </Frame>
  );
}

/** What a poll brings. */
export function WorkersPart({ view }: { readonly view: WorkersView }) {
  const failed = view.workers.filter(({ state }) => state === "failed");
  const paused = view.workers.filter(({ state }) => state === "paused");
  return (
    <>
      <div class="head">
        <div>
          <h1>
            {counted(view.workers.length, "background loop")}
            {failed.length > 0
              ? `, ${failed.length} failed.`
              : paused.length > 0
              ? `, ${paused.length} paused.`
              : ", none failed."}
          </h1>
          <p>
            What {view.node}{" "}
            does by itself. A pause lasts until you resume it or the node starts again.
          </p>
        </div>
      </div>
      <Table
        label="Workers"
        look="table-stack table-act table-workers"
        head={
          <>
            <th>Loop</th>
            <th>State</th>
            <th>Progress</th>
            <th>Last error</th>
            <th>
              <span class="sr">Action</span>
            </th>
          </>
        }
      >
        {view.workers.map((worker) => <WorkerRow worker={worker} now={view.now} />)}
      </Table>
      <div class="tools block-s">
        <Command
          text={paused[0] === undefined
            ? cliCommand("workers pause", ["repair"])
            : cliCommand("workers resume", [paused[0].name])}
        />
      </div>
    </>
  );
}

function WorkerRow({ worker, now }: { readonly worker: WorkerSnapshot; readonly now: number }) {
  const verb = worker.state === "paused" ? "resume" : "pause";
  const [sign, tone] = marks[worker.state];
  return (
    <tr>
      <td>{worker.name}</td>
      <td>
        <span class="copies">
          <Glyph sign={sign} tone={tone} />
          {worker.state}
        </span>
      </td>
      <td class="soft">{worker.progress === "" ? "nothing to do" : withTimes(worker.progress)}</td>
      <td class={worker.lastError === null ? "soft hide-s" : "soft"}>
        {worker.lastError === null ? <span class="quiet">none</span> : (
          <>
            <span class="only-s">last error:</span> {worker.lastError}{" "}
            {worker.lastErrorAt !== null && (
              <span class="quiet">
                <Ago at={worker.lastErrorAt} now={now} />
              </span>
            )}
          </>
        )}
      </td>
      <td class="num">
        <form method="post" action={`/ui/workers/${verb}`}>
          <input type="hidden" name="worker" value={worker.name} />
          <button type="submit" class="btn btn-bare" aria-label={`${verb} ${worker.name}`}>
            {verb.charAt(0).toUpperCase() + verb.slice(1)}
          </button>
        </form>
      </td>
    </tr>
  );
}
