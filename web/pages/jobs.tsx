// Long work of all nodes: what it is, how far, how long it takes, and how it ended.

import { formatDuration, formatSize } from "../../shared/base/units.ts";
import { jobEnded, type JobSnapshot } from "../../shared/job.ts";
import type { Sign, Tone } from "../charts/glyph.ts";
import { Frame, type FrameView, Live } from "./frame.tsx";
import { Ago, Command, Glyph } from "./picture.tsx";
import { cliCommand, counted, whole } from "./words.ts";

export interface JobsView {
  readonly now: number;
  /** Newest first. */
  readonly jobs: readonly JobSnapshot[];
}

const marks: Readonly<Record<JobSnapshot["state"], readonly [Sign, Tone]>> = {
  waiting: ["looking", "wanted"],
  running: ["fetching", "wanted"],
  done: ["seeding", "held"],
  failed: ["dead", "risk"],
  cancelled: ["readonly", "off"],
};

/** The whole page. */
export function JobsPage({ view, frame }: { readonly view: JobsView; readonly frame: FrameView }) {
  return (
    <Frame view={frame} title="Jobs" page="jobs">
      <main id="main" class="main on-page">
        <Live part="/ui/part/jobs">
          <JobsPart view={view} />
        </Live>
      </main>
    </Frame>
  );
}

/** What a poll brings. */
export function JobsPart({ view }: { readonly view: JobsView }) {
  const { jobs } = view;
  if (jobs.length === 0) {
    return (
      <div class="empty">
        <h1>No job so far.</h1>
        <p>
          Leaving, resizing and collecting run as jobs; they are shown here with their progress.
        </p>
        <Command text={cliCommand("jobs")} />
      </div>
    );
  }
  const open = jobs.filter((job) => !jobEnded(job)).length;
  return (
    <>
      <div class="head">
        <div>
          <h1>{open === 0 ? "No job is running." : `${counted(open, "job")} running.`}</h1>
          <p>{counted(jobs.length, "job")} known, newest first.</p>
        </div>
      </div>
      <ul class="jobs">{jobs.slice(0, 100).map((job) => <Job job={job} now={view.now} />)}</ul>
    </>
  );
}

function Job({ job, now }: { readonly job: JobSnapshot; readonly now: number }) {
  const [sign, tone] = marks[job.state];
  const ended = jobEnded(job);
  const { done, total } = job.bytes;
  return (
    <li class={`up is-${tone}`} id={`job-${job.id}`}>
      <span class="clip">
        <Glyph sign={sign} tone={tone} /> <b>{job.what}</b> <span class="quiet">{job.state}</span>
      </span>
      <span class="soft">
        {!ended && job.timeLeftMs !== null && `${formatDuration(job.timeLeftMs)} left · `}
        begun <Ago at={job.startedAt} now={now} />
      </span>
      {!ended && (
        <progress
          {...(total > 0 ? { max: String(total), value: String(done) } : {})}
          aria-label={`${job.what}: ${formatSize(done)} of ${formatSize(total)}`}
        >
        </progress>
      )}
      <span class="soft">
        {job.error === null ? job.note : `${job.error.detail}.`}
        {job.blocks.total > 0 &&
          ` · ${whole(job.blocks.done)} of ${counted(job.blocks.total, "block")}, ` +
            `${formatSize(done)} of ${formatSize(total)}`}
      </span>
      {job.cancellable && !ended && (
        <form method="post" action="/ui/jobs/cancel">
          <input type="hidden" name="id" value={job.id} />
          <button type="submit" class="btn btn-bare">Take it back</button>
        </form>
      )}
    </li>
  );
}
