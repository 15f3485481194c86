// One node process under supervision: started, its log lines passed on with its name, started
// again with growing delays when it dies, not when it exits with 0 (it was told to leave or
// stop). Its standard input is a pipe that this process holds: whatever ends this process ends
// the pipe, and the node with it.

import { waitFor } from "../../web/wait.ts";
import { createLineStream } from "./line_stream.ts";

const firstDelayMs = 1_000;
const delayMsMax = 30_000;
/** A node that ran this long was well: delays begin anew. */
const wellAfterMs = 60_000;
const stopMsMax = 12_000;

/** How to run one node. */
export interface NodeCommand {
  readonly name: string;
  /** Arguments of `deno`, made anew at each start. */
  readonly args: () => readonly string[];
  readonly cwd: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Takes one log line. */
  readonly say: (line: string) => void;
  /** Called when its process id has changed. */
  readonly onProcess: () => void;
}

/** What a supervised node is doing: waiting is between two runs. */
export type SupervisedState = "running" | "paused" | "waiting" | "ended";

/** A node process that is kept running. */
export interface SupervisedNode {
  readonly name: string;
  /** Process id now, or undefined between two runs. */
  pid(): number | undefined;
  state(): SupervisedState;
  /** Times it was started. */
  starts(): number;
  /** Stops the process in its tracks (SIGSTOP). @returns false when none runs */
  pause(): boolean;
  /** Lets it go on (SIGCONT). @returns false when none is paused */
  resume(): boolean;
  /** Resolves once it will not be started again: with 0, or the code of a refused start. */
  readonly ended: Promise<number>;
  /** Ends it, by force after a while. Resolves when no process is left. */
  stop(): Promise<void>;
}

/** A start that was refused is not tried again: nothing about it would change. */
const refusedCode = 2;

/** Starts a node and keeps it running. @throws never */
export function superviseNode(command: NodeCommand): SupervisedNode {
  const stopping = new AbortController();
  let child: Deno.ChildProcess | undefined;
  let paused = false;
  let over = false;
  let starts = 0;
  const run = async (): Promise<number> => {
    for (let delayMs = firstDelayMs;;) {
      const startedAt = performance.now();
      child = spawn(command);
      starts += 1;
      command.onProcess();
      const { code, signal } = await finish(child, command);
      child = undefined;
      paused = false;
      command.onProcess();
      if (code === 0 || code === refusedCode || stopping.signal.aborted) return code;
      const ranMs = performance.now() - startedAt;
      if (ranMs > wellAfterMs) delayMs = firstDelayMs;
      const how = signal === null ? `exited with ${code}` : `was ended by ${signal}`;
      command.say(`${how}; starts again in ${delayMs / 1_000} s`);
      await waitFor(delayMs, stopping.signal);
      if (stopping.signal.aborted) return code;
      delayMs = Math.min(delayMsMax, delayMs * 2);
    }
  };
  const ended = run().finally(() => {
    over = true;
  });
  const state = (): SupervisedState => {
    if (over) return "ended";
    if (child === undefined) return "waiting";
    return paused ? "paused" : "running";
  };
  return {
    name: command.name,
    pid: () => child?.pid,
    state,
    starts: () => starts,
    pause: () => {
      if (child === undefined || !tell(child, "SIGSTOP")) return false;
      paused = true;
      return true;
    },
    resume: () => {
      if (child === undefined || !paused || !tell(child, "SIGCONT")) return false;
      paused = false;
      return true;
    },
    ended,
    stop: async () => {
      stopping.abort();
      const asked = child;
      // A stopped process, whoever stopped it, takes no SIGTERM before it goes on.
      for (const signal of ["SIGTERM", "SIGCONT"] as const) if (asked) tell(asked, signal);
      const timer = setTimeout(() => {
        command.say("did not stop in time: it is killed");
        if (child) tell(child, "SIGKILL");
      }, stopMsMax);
      await ended;
      clearTimeout(timer);
    },
  };
}

function spawn(command: NodeCommand): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: [...command.args()],
    cwd: command.cwd,
    env: { ...command.environment, SKYRING_SUPERVISED: "1" },
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

async function finish(
  child: Deno.ChildProcess,
  command: NodeCommand,
): Promise<Deno.CommandStatus> {
  const lines = [child.stdout, child.stderr].map(async (stream) => {
    for await (const line of stream.pipeThrough(createLineStream())) command.say(line);
  });
  const status = await child.status;
  await Promise.all(lines);
  await child.stdin.close().catch((error) => {
    // The pipe may break when the process ends.
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
  });
  return status;
}

function tell(child: Deno.ChildProcess, signal: Deno.Signal): boolean {
  try {
    child.kill(signal);
    return true;
  } catch {
    return false; // it ended in this very moment
  }
}
