// A page of Chromium that nobody listens in on, for measuring: a driver that follows the network
// (playwright does) has each WebSocket message copied, put into base64 and sent to it, which takes
// a plain WebSocket from 250 to 80 MB/s. This one speaks the DevTools protocol for what it asks.

import { join } from "node:path";
import { waitFor } from "../../web/wait.ts";
import { chromiumFlags, chromiumPath } from "./chromium.ts";

const startMsMax = 30_000;
const commandMsMax = 60_000;
const stopMsMax = 10_000;
const pollMs = 50;

interface Answer {
  readonly id?: number;
  readonly method?: string;
  readonly params?: Record<string, unknown>;
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly message: string };
}

/** A request of the page that waits for us. */
export interface HeldRequest {
  readonly url: string;
  release(): Promise<void>;
}

export class UnwatchedPage {
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, (answer: Answer) => void>();
  #onHeld: (params: Record<string, unknown>) => void = () => undefined;
  #last = 0;

  constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.onmessage = ({ data }) => this.#take(JSON.parse(data) as Answer);
  }

  /** The value of an expression in the page, promises awaited. @throws {Error} what it threw */
  async evaluate<T>(expression: string): Promise<T> {
    const params = { expression, awaitPromise: true, returnByValue: true };
    const { result, exceptionDetails } = await this.#send("Runtime.evaluate", params);
    if (exceptionDetails !== undefined) throw new Error(JSON.stringify(exceptionDetails));
    return (result as { value: T }).value;
  }

  /** Goes to an address; what it loads comes later: see until(). */
  async goto(url: string): Promise<void> {
    await this.#send("Page.navigate", { url });
  }

  /** Waits until an expression is true. @throws {Error} after `msMax` */
  async until(expression: string, msMax: number): Promise<void> {
    const endMs = performance.now() + msMax;
    while (await this.evaluate(`Boolean(${expression})`) !== true) {
      if (performance.now() > endMs) throw new Error(`The page never came to: ${expression}`);
      await waitFor(pollMs);
    }
  }

  /** Resolves with the next request whose address matches; others pass. */
  async hold(urlPattern: string): Promise<{ readonly next: Promise<HeldRequest> }> {
    const held = Promise.withResolvers<HeldRequest>();
    let isHeld = false;
    this.#onHeld = ({ requestId, request }) => {
      const release = async () => void await this.#send("Fetch.continueRequest", { requestId });
      if (isHeld) return void release();
      isHeld = true;
      held.resolve({ url: (request as { url: string }).url, release });
    };
    await this.#send("Fetch.enable", { patterns: [{ urlPattern }] });
    return { next: held.promise };
  }

  #take(answer: Answer): void {
    if (answer.method === "Fetch.requestPaused") this.#onHeld(answer.params ?? {});
    if (answer.id === undefined) return;
    this.#waiting.get(answer.id)?.(answer);
    this.#waiting.delete(answer.id);
  }

  async #send(method: string, params: Record<string, unknown>): Promise<Record<string, unknown>> {
    const id = ++this.#last;
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    this.#waiting.set(id, resolve);
    const timer = setTimeout(() => reject(new Error(`${method} took too long`)), commandMsMax);
    this.#socket.send(JSON.stringify({ id, method, params }));
    const { result, error } = await promise.finally(() => clearTimeout(timer));
    if (error !== undefined) throw new Error(`${method}: ${error.message}`);
    return result ?? {};
  }
}

/** Runs `use` with a page of a browser of its own, and ends both in every case. */
export async function withUnwatchedPage(use: (page: UnwatchedPage) => Promise<void>) {
  const profile = await Deno.makeTempDir({ prefix: "skyring-chromium-" });
  const browser = new Deno.Command(chromiumPath(), {
    args: [...chromiumFlags, "--remote-debugging-port=0", `--user-data-dir=${profile}`],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  try {
    const port = await portOf(profile);
    const answer = await fetch(`http://127.0.0.1:${port}/json/new?about:blank`, { method: "PUT" });
    const { webSocketDebuggerUrl } = await answer.json();
    const socket = new WebSocket(webSocketDebuggerUrl);
    const opened = Promise.withResolvers<void>();
    socket.onopen = () => opened.resolve();
    socket.onerror = () => opened.reject(new Error("Cannot reach the page"));
    await opened.promise;
    await use(new UnwatchedPage(socket)).finally(() => socket.close());
  } finally {
    await stopBrowser(browser);
    await removeWhenQuiet(profile);
  }
}

/** In order first: its children still write to the profile. */
async function stopBrowser(browser: Deno.ChildProcess): Promise<void> {
  const signal = (name: Deno.Signal) => {
    try {
      browser.kill(name);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // it has ended by itself
    }
  };
  signal("SIGTERM");
  const late = setTimeout(() => signal("SIGKILL"), stopMsMax);
  await browser.status.finally(() => clearTimeout(late));
}

/** Removes a profile; the browser's last children may write to it for a moment after its end. */
async function removeWhenQuiet(profile: string): Promise<void> {
  const endMs = performance.now() + stopMsMax;
  for (;;) {
    try {
      return await Deno.remove(profile, { recursive: true });
    } catch (error) {
      if (performance.now() > endMs) throw error;
      await waitFor(pollMs);
    }
  }
}

/** Chromium writes the port it chose into its profile. */
async function portOf(profile: string): Promise<number> {
  const endMs = performance.now() + startMsMax;
  while (performance.now() < endMs) {
    try {
      const [port] = (await Deno.readTextFile(join(profile, "DevToolsActivePort"))).split("\n");
      if (port) return Number(port);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
    await waitFor(pollMs);
  }
  throw new Error("Chromium did not start");
}
