// One node as a process: settings, seat, signals, what it prints, and its exit code. What a node
// is made of is node.ts; this file only starts it, tells people how to reach it, and stops it.
//
// Exit codes: 0 told to stop or leave, 1 failed, 2 refused to start. A supervised node (its
// standard input is a pipe of the supervisor) also stops when that pipe ends, so that no node
// outlives a supervisor that was killed.

import { join } from "node:path";
import { messageOf, SkyringError } from "../shared/base/errors.ts";
import { type Config, settingsHelp } from "./config.ts";
import { createStderrLog, type Log } from "./log.ts";
import { requireWritable } from "./permissions.ts";
import { checkout, readProcessConfig } from "./process_config.ts";
import { isLoopback, type Seat, takeSeat } from "./seat.ts";

/** A node that runs. */
export interface RunningNode {
  /** Peer id. */
  readonly id: string;
  readonly bootId: string;
  /** HTTP base URL for this machine. */
  readonly http: string;
  /** Multiaddrs with `/p2p/`. */
  readonly p2p: readonly string[];
  /** Line protocol address, when it listens. */
  readonly line: string | null;
  /** Resolves with the exit code once the node ended by itself: 0 left or told to stop. */
  readonly exited: Promise<number>;
  /** Stops cleanly; `exited` then resolves with 0. */
  stop(): Promise<void>;
}

/** The composition root: opens everything in order. It does not release the seat's lock. */
export type StartNode = (options: {
  readonly config: Config;
  readonly seat: Seat;
  readonly log: Log;
}) => Promise<RunningNode>;

/** Set by a supervisor whose pipe is this process's standard input. */
export const supervisedVariable = "SKYRING_SUPERVISED";

const refusedCode = 2;
/** A clean stop that takes longer is not one. */
const stopMsMax = 10_000;
/** `deno task` forwards a Ctrl-C that the terminal sent already: not an impatient second one. */
const echoMs = 700;

/** Runs a node until it ends or is told to stop. @returns the exit code; never throws */
export async function runNodeProcess(start: StartNode, args: readonly string[]): Promise<number> {
  if (args.includes("--help") || args.includes("-h")) {
    console.log(`Usage: deno task node [flags]\n\n${settingsHelp()}`);
    return 0;
  }
  let config: Config;
  try {
    config = await readConfig(args);
  } catch (error) {
    console.error(`skyring: ${messageOf(error)}`);
    return refusedCode;
  }
  const log = createStderrLog({ format: config.log, level: config.logLevel });
  logStrays(log);
  try {
    return await runSeated(start, config, log);
  } catch (error) {
    log.debug("start_failed", { error });
    console.error(`skyring: ${messageOf(error)}`);
    const refused = error instanceof SkyringError && ["bad_setting", "locked"].includes(error.code);
    return refused ? refusedCode : 1;
  }
}

async function runSeated(start: StartNode, config: Config, log: Log): Promise<number> {
  const seat = await takeSeat(config, () => Date.now());
  try {
    const node = await start({ config, seat, log });
    const { id, bootId, http, line } = node;
    await seat.lock.publish({ ...seat.info, id, bootId, http, p2p: [...node.p2p], line });
    console.log(welcome(node, seat, config));
    return await untilTold(node, log);
  } finally {
    await seat.lock.release();
  }
}

/** Ends when the node does, or when a signal or the supervisor's end asks it to. */
async function untilTold(node: RunningNode, log: Log): Promise<number> {
  const supervised = Deno.env.get(supervisedVariable) === "1";
  const told = Promise.withResolvers<string>();
  let toldAt: number | undefined;
  const tell = (reason: string) => {
    if (toldAt === undefined) {
      toldAt = performance.now();
      told.resolve(reason);
    } else if (!supervised && performance.now() - toldAt > echoMs) {
      console.error("skyring: stopped at once");
      Deno.exit(130);
    }
  };
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  const listeners = signals.map((signal) => {
    // A supervisor's Ctrl-C reaches its children too: they wait for its word.
    const listener = () => supervised && signal === "SIGINT" ? undefined : tell(signal);
    Deno.addSignalListener(signal, listener);
    return [signal, listener] as const;
  });
  if (supervised) void inputEnded().then(() => tell("supervisor_gone"));
  const ended = await Promise.race([node.exited, told.promise]);
  if (typeof ended === "number") {
    log.info("node_ended", { code: ended });
  } else {
    log.info("node_stopping", { reason: ended });
    await stopInTime(node, log);
  }
  for (const [signal, listener] of listeners) Deno.removeSignalListener(signal, listener);
  return typeof ended === "number" ? ended : 0;
}

async function stopInTime(node: RunningNode, log: Log): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<"late">((resolve) => {
    timer = setTimeout(() => resolve("late"), stopMsMax);
  });
  const how = await Promise.race([node.stop(), late]);
  clearTimeout(timer);
  if (how === "late") log.error("stop_late", { afterMs: stopMsMax });
}

/** Resolves when standard input ends, which is when its other end's process does. */
async function inputEnded(): Promise<void> {
  const buffer = new Uint8Array(256);
  try {
    while (await Deno.stdin.read(buffer) !== null);
  } catch {
    // A broken pipe ends it as well.
  }
}

/** A rejection that nobody awaited is a bug, but not a reason to lose a node. */
function logStrays(log: Log): void {
  globalThis.addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    log.error("unhandled_rejection", { error: event.reason, stack: event.reason?.stack });
  });
}

async function readConfig(args: readonly string[]): Promise<Config> {
  const config = readProcessConfig(args);
  const folder = config.data ?? join(config.dataRoot, config.name ?? "node-1");
  await requireWritable(folder, { checkout, args });
  return config;
}

function welcome(node: RunningNode, seat: Seat, config: Config): string {
  const rows: (readonly [string, string])[] = [
    ["dashboard", `${node.http}/`],
    ...node.p2p.map((address, index) => [index === 0 ? "p2p" : "", address] as const),
    ...(node.line === null ? [] : [["line", node.line] as const]),
    ["data", seat.lock.folder],
  ];
  if (seat.tokenMade && seat.token !== undefined) {
    rows.push(["token", `${seat.token}  (shown once; kept in ${join(seat.lock.folder, "token")})`]);
  }
  rows.push(
    isLoopback(config.host)
      ? ["join", "deno task node, on this machine; start with --host 0.0.0.0 to let others in"]
      : ["join", "deno task cli invite, then on the other machine: deno task node --join TOKEN"],
  );
  const lines = rows.map(([name, value]) => `  ${name.padEnd(10)} ${value}`);
  return [`Skyring node ${seat.name} of group ${config.group}, pid ${Deno.pid}`, ...lines].join(
    "\n",
  );
}
