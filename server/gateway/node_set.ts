// The nodes that a gateway knows: those given, and those that their netmaps name. Each is asked
// whether it is ready, and one of them for the netmap, again and again. Nothing is stored: a
// gateway that starts anew finds out the same.
//
// Invariants: a node is chosen only while it answers and no netmap calls it dead, ready ones
// first; `quiet` aborts at the first poll that it leaves unanswered while others answer, so that
// reads go on there, and `gone` after several in a row, so that nothing waits for it longer. A
// loopback address is believed only of a node on loopback: told by another machine it would name
// something else here.

import * as v from "valibot";
import { messageOf } from "../../shared/base/errors.ts";
import { sha256Text, toHex } from "../../shared/base/hash.ts";
import {
  gatewayGonePolls,
  gatewayNodesMax,
  gatewayPollMs,
  gatewayPollTimeoutMs,
} from "../../shared/base/limits.ts";
import { isLoopback } from "../seat.ts";

/** One node as the gateway sees it. */
export interface KnownNode {
  /** HTTP origin, without a slash at its end. */
  readonly base: string;
  /** Given at the start: never forgotten. */
  readonly given: boolean;
  readonly answers: boolean;
  readonly ready: boolean;
  /** What the netmap says; undefined before one names it. */
  readonly state: string | undefined;
  /** Requests under way. */
  readonly active: number;
  /** Aborts when it leaves a poll unanswered that others answer; replaced when it answers again. */
  readonly quiet: AbortSignal;
  /** Aborts when it has not answered for a while; replaced when it answers again. */
  readonly gone: AbortSignal;
}

interface Entry {
  readonly base: string;
  readonly given: boolean;
  /** Place among all nodes when one is preferred: another one at each gateway. */
  readonly weight: string;
  answers: boolean;
  ready: boolean;
  state: string | undefined;
  active: number;
  failures: number;
  silence: AbortController;
  leaving: AbortController;
  readonly quiet: AbortSignal;
  readonly gone: AbortSignal;
}

export interface NodeSetOptions {
  /** Tells gateways apart: each prefers another node. */
  readonly self: string;
  /** Origins. */
  readonly given: readonly string[];
  /** Shown to nodes with the gateway's own questions, never with those of clients. */
  readonly token: string | null;
  readonly log: (event: string, fields: Readonly<Record<string, unknown>>) => void;
  /** Shorter, for tests. */
  readonly waits?: { readonly pollMs: number; readonly timeoutMs: number };
}

const netmapSchema = v.object({
  items: v.array(v.object({ http: v.nullish(v.string()), state: v.string() })),
});

/** What is wanted of a node. */
export interface Choice {
  /** True: the least busy one; false: always the same one while it can be used. */
  readonly spread: boolean;
  readonly except: ReadonlySet<KnownNode>;
}

/** Finds out who can be asked, and chooses. No method throws. */
export class NodeSet {
  readonly #options: NodeSetOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #stopping = new AbortController();
  #polling: Promise<void> = Promise.resolve();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #turn = 0;
  #isTold = true;

  constructor(options: NodeSetOptions) {
    this.#options = options;
    for (const base of options.given) this.#add(base, true);
  }

  /** Asks once, then again and again. Resolves after the first answers. @throws never */
  async start(): Promise<void> {
    await this.poll();
    this.#schedule();
  }

  async stop(): Promise<void> {
    clearTimeout(this.#timer);
    this.#stopping.abort();
    for (const entry of this.#entries.values()) this.#giveUp(entry);
    await this.#polling;
  }

  /** Asks every node now. @throws never */
  poll(): Promise<void> {
    this.#polling = this.#polling.then(() =>
      this.#stopping.signal.aborted ? undefined : this.#round()
    );
    return this.#polling;
  }

  /** The node to ask; undefined when none is left that answers. @throws never */
  choose(choice: Choice): KnownNode | undefined {
    const left = [...this.#entries.values()].filter((entry) =>
      !choice.except.has(entry) && entry.answers && entry.state !== "left"
    );
    const usable = left.filter(({ ready, state }) => ready && state !== "dead");
    // Those that are not ready still read, and say themselves why they do not write.
    const candidates = usable.length > 0 ? usable : left;
    if (!choice.spread) return candidates.sort((a, b) => a.weight < b.weight ? -1 : 1)[0];
    const least = Math.min(...candidates.map(({ active }) => active));
    const idle = candidates.filter(({ active }) => active === least);
    return idle[this.#turn++ % Math.max(1, idle.length)];
  }

  /** Counts a request at a node until the returned function is called. */
  occupy(node: KnownNode): () => void {
    const entry = this.#entries.get(node.base);
    if (entry === undefined) return () => undefined;
    entry.active += 1;
    let open = true;
    return () => {
      if (open) entry.active -= 1;
      open = false;
    };
  }

  /** A connection to it failed: it is passed over until it answers a poll. */
  failed(node: KnownNode): void {
    const entry = this.#entries.get(node.base);
    if (entry !== undefined) entry.answers = false;
  }

  /** Whether an origin is that of a node. */
  hasOrigin(origin: string): boolean {
    return this.#entries.has(origin);
  }

  all(): readonly KnownNode[] {
    return [...this.#entries.values()];
  }

  /** Whether some node answers and is ready. */
  get ready(): boolean {
    return this.all().some(({ answers, ready, state }) => answers && ready && state !== "dead");
  }

  #add(base: string, given: boolean): void {
    if (this.#entries.has(base) || this.#entries.size >= gatewayNodesMax) return;
    const weight = toHex(sha256Text(`${this.#options.self} ${base}`));
    const entry: Entry = {
      weight,
      ...{ base, given, answers: false, ready: false, state: undefined, active: 0, failures: 0 },
      silence: new AbortController(),
      leaving: new AbortController(),
      get quiet() {
        return this.silence.signal;
      },
      get gone() {
        return this.leaving.signal;
      },
    };
    this.#entries.set(base, entry);
  }

  #schedule(): void {
    this.#timer = setTimeout(async () => {
      await this.poll();
      if (!this.#stopping.signal.aborted) this.#schedule();
    }, this.#options.waits?.pollMs ?? gatewayPollMs);
  }

  async #round(): Promise<void> {
    const entries = [...this.#entries.values()];
    const choice = { spread: true, except: new Set<KnownNode>() };
    const told = this.choose(choice);
    const asking = entries.map((entry) => this.#ask(entry));
    // Beside the polls: a node that hangs holds up one wait, not two.
    const telling = told === undefined ? undefined : this.#netmapOf(told);
    await Promise.all(asking);
    // With nobody else to ask, a slow answer is better than none.
    if (entries.some(({ answers }) => answers)) {
      for (const entry of entries) if (!entry.answers) entry.silence.abort();
    }
    const teller = this.choose(choice);
    if (teller === undefined) return;
    const learned = await (telling ?? this.#netmapOf(teller));
    if (learned === undefined) return;
    const fresh = [...learned.keys()].filter((base) => !this.#entries.has(base));
    for (const base of fresh) this.#add(base, false);
    for (const [base, entry] of this.#entries) {
      entry.state = learned.get(base);
      if (!entry.given && !learned.has(base) && !entry.answers) this.#entries.delete(base);
    }
    await Promise.all(fresh.flatMap((base) => {
      const entry = this.#entries.get(base);
      return entry === undefined ? [] : [this.#ask(entry)];
    }));
  }

  async #ask(entry: Entry): Promise<void> {
    try {
      const response = await this.#fetch(`${entry.base}/ready`);
      await response.body?.cancel();
      // Anything else that listens there is no node.
      entry.answers = response.headers.has("skyring-version");
      entry.ready = response.status === 200;
      if (!entry.answers) return;
      entry.failures = 0;
      if (entry.silence.signal.aborted) entry.silence = new AbortController();
      if (entry.leaving.signal.aborted) entry.leaving = new AbortController();
    } catch (error) {
      if (entry.answers) this.#log("gateway_node_silent", entry, error);
      entry.answers = false;
      entry.failures += 1;
      if (entry.failures >= gatewayGonePolls) this.#giveUp(entry);
    }
  }

  #giveUp({ silence, leaving }: Entry): void {
    silence.abort();
    leaving.abort();
  }

  async #netmapOf(node: KnownNode): Promise<Map<string, string> | undefined> {
    try {
      const { token } = this.#options;
      const headers = token === null ? {} : { authorization: `Bearer ${token}` };
      const response = await this.#fetch(`${node.base}/api/nodes?limit=1000`, headers);
      const { items } = v.parse(netmapSchema, await response.json());
      const near = isLoopback(new URL(node.base).hostname);
      const learned = new Map<string, string>();
      this.#isTold = true;
      for (const { http, state } of items) {
        if (http === null || http === undefined || !URL.canParse(http)) continue;
        const { origin, hostname } = new URL(http);
        if (near || !isLoopback(hostname)) learned.set(origin, state);
      }
      return learned;
    } catch (error) {
      // Once, not at every poll: without the token this stays so.
      if (this.#isTold) this.#log("gateway_netmap_failed", node, error);
      this.#isTold = false;
      return undefined;
    }
  }

  async #fetch(url: string, headers: Record<string, string> = {}): Promise<Response> {
    return await fetch(url, {
      headers,
      redirect: "error",
      signal: AbortSignal.any([
        this.#stopping.signal,
        AbortSignal.timeout(this.#options.waits?.timeoutMs ?? gatewayPollTimeoutMs),
      ]),
    });
  }

  #log(event: string, node: { readonly base: string }, error: unknown): void {
    if (this.#stopping.signal.aborted) return;
    this.#options.log(event, { node: node.base, error: messageOf(error) });
  }
}
