// One real node as a child process: the node task's rights, its own data folder, ports that stay
// the same over restarts, and an end in every case, since its standard input is ours.

import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { nodeRights } from "../../server/permissions.ts";
import { waitFor } from "../../web/wait.ts";
import { until } from "./until.ts";

export const checkout = fileURLToPath(new URL("../..", import.meta.url)).replace(/\/$/, "");

/** Longest start of a node on a busy machine, until it answers over HTTP. */
const startMsMax = 60_000;
/** Longest clean stop: the product gives itself 10 s. */
const stopMsMax = 15_000;
const outputCharsMax = 1_000_000;

export interface NodeChildOptions {
  readonly name: string;
  /** Where its data folder lies; the folder where the user stands. */
  readonly folder: string;
  readonly port: number;
  readonly p2pPort: number;
  /** Flags beside name, data and ports. */
  readonly flags: readonly string[];
  /** Program of the node; the product's own when not given. */
  readonly entry?: string;
  /** Program and arguments before `deno`, such as `ip netns exec NAME`. */
  readonly wrapper?: readonly string[];
  /** Address where it listens; loopback when not given. */
  readonly host?: string;
  /** Admin token, sent with each request. */
  readonly token?: string;
}

/** A node that can be started, killed and started again on the same data folder and ports. */
export class NodeChild {
  readonly name: string;
  readonly data: string;
  readonly url: string;
  readonly options: NodeChildOptions;
  #child: Deno.ChildProcess | undefined;
  #reading: Promise<unknown> = Promise.resolve();
  #output = "";

  constructor(options: NodeChildOptions) {
    this.options = options;
    this.name = options.name;
    this.data = join(options.folder, options.name);
    this.url = `http://${options.host ?? "127.0.0.1"}:${options.port}`;
  }

  get running(): boolean {
    return this.#child !== undefined;
  }

  /** Pid of the node itself, also behind a wrapper that replaces itself by it. */
  get pid(): number {
    assert.ok(this.#child, `${this.name} is not running`);
    return this.#child.pid;
  }

  /** Everything it printed, over all its starts. */
  output(): string {
    return this.#output;
  }

  /** Spawns it; does not wait for anything. `more` are flags of this start alone. */
  spawn(more: readonly string[] = []): void {
    assert.equal(this.#child, undefined, `${this.name} runs already`);
    const { folder, port, p2pPort, flags, wrapper = [], host, token } = this.options;
    const { entry = "server/main.ts" } = this.options;
    const rights = nodeRights({
      read: [checkout, folder],
      write: [join(checkout, "data"), folder],
    });
    const [program = "", ...args] = [
      ...wrapper,
      ...[Deno.execPath(), "run", "--quiet", "--no-check", ...rights, entry],
      ...[`--name=${this.name}`, `--data=${this.data}`, `--port=${port}`],
      ...[`--p2p-port=${p2pPort}`, ...(host ? [`--host=${host}`] : [])],
      ...lastOfEach([...(token ? [`--token=${token}`] : []), ...flags, ...more]),
    ];
    const child = new Deno.Command(program, {
      args,
      cwd: checkout,
      env: { SKYRING_CWD: folder, SKYRING_SUPERVISED: "1" },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#child = child;
    this.#reading = Promise.all([child.stdout, child.stderr].map(async (stream) => {
      for await (const part of stream.pipeThrough(new TextDecoderStream())) {
        this.#output = (this.#output + part).slice(-outputCharsMax);
      }
    }));
  }

  /** Spawns it and waits until its HTTP port answers. @throws with its output when it ends */
  async start(more: readonly string[] = []): Promise<void> {
    this.spawn(more);
    await this.listening();
  }

  /** Waits until its HTTP port answers. @throws with its output when it ends before */
  async listening(): Promise<void> {
    const child = this.#child;
    let code: number | undefined;
    void child?.status.then((status) => code = status.code);
    await until(`${this.name} to listen`, async () => {
      if (code !== undefined) throw new Error(`${this.name} ended: ${code}\n${this.#output}`);
      return (await this.json("/health")).ok === true;
    }, { withinMs: startMsMax, detail: () => this.#output });
  }

  /** Sends a signal. */
  signal(signal: Deno.Signal): void {
    Deno.kill(this.pid, signal);
  }

  /** kill -9, and waits for its end. */
  async kill(): Promise<void> {
    this.signal("SIGKILL");
    await this.ended();
  }

  /** Waits for its end. @returns the exit code */
  async ended(withinMs = stopMsMax): Promise<number> {
    const child = this.#child;
    assert.ok(child, `${this.name} is not running`);
    const late = new AbortController();
    const status = await Promise.race([
      child.status,
      waitFor(withinMs, late.signal).then(() => undefined),
    ]);
    late.abort();
    if (status === undefined) {
      throw new Error(`${this.name} did not end in ${withinMs} ms\n${this.#output.slice(-3_000)}`);
    }
    await child.stdin.close().catch(() => undefined); // the pipe broke with its reader
    await this.#reading;
    this.#child = undefined;
    return status.code;
  }

  /** A clean stop. @returns the exit code */
  async stop(): Promise<number> {
    this.signal("SIGTERM");
    return await this.ended();
  }

  /** Ends it whatever its state. */
  async end(): Promise<void> {
    if (this.#child === undefined) return;
    try {
      this.signal("SIGCONT");
      this.signal("SIGKILL");
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound || error instanceof TypeError)) throw error;
    }
    await this.ended();
  }

  /** Peak resident memory of the process, in bytes. */
  peakMemory(): number {
    const status = Deno.readTextFileSync(`/proc/${this.pid}/status`);
    return Number(status.match(/VmHWM:\s+(\d+) kB/)?.[1]) * 1_024;
  }

  /** A JSON answer, whatever its status. @throws when it cannot be reached in time */
  // deno-lint-ignore no-explicit-any
  async json(path: string, withinMs = 5_000): Promise<any> {
    const response = await this.request(path, { signal: AbortSignal.timeout(withinMs) });
    return await response.json();
  }

  /** A request to a path, with the token where one is set. */
  request(path: string, init: RequestInit = {}): Promise<Response> {
    const { token } = this.options;
    const headers = new Headers(init.headers);
    if (token !== undefined) headers.set("authorization", `Bearer ${token}`);
    return fetch(this.url + path, { ...init, headers });
  }

  /** URL of a file by its name. */
  file(name: string): string {
    return this.url + filePath(name);
  }
}

/** Flags where a later one replaces an earlier one of the same name. */
function lastOfEach(flags: readonly string[]): string[] {
  return [...new Map(flags.map((flag) => [flag.split("=")[0], flag])).values()];
}

/** Path of a file's resource. */
export function filePath(name: string): string {
  return `/api/files/${name.split("/").map(encodeURIComponent).join("/")}`;
}
