// Keeps a tab connected: always to the origin of its page, and to a few more nodes where the
// browser allows it. Each place dials again with back-off; a place that is not the origin takes
// another node each time, out of a permit that is asked for again when it has grown old: nodes come
// and go, and a ticket ends after a day. What the worker's policy does not know, because it came
// later, is told: only a new worker has a new policy.

import { messageOf, SkyringError } from "../../shared/base/errors.ts";
import { socketUrl } from "../peer/socket_address.ts";
import type { NodeApi, Permit } from "./node_api.ts";
import type { TabNetwork } from "./tab_network.ts";
import { waitFor } from "../wait.ts";

/** Beside the origin: enough that one node's end stops nothing, few enough for a phone. */
const othersMax = 4;
const backOffMinMs = 500;
const backOffMaxMs = 20_000;
const dialMs = 10_000;
/** Without another node to dial, a place looks again after this time. */
const idleMs = 5_000;
/** A permit older than this is asked for again before another node is looked for in it. */
const permitFreshMs = 15_000;

export interface NodeKeeperOptions {
  readonly api: NodeApi;
  readonly peer: string;
  /** Multiaddr of the page's own origin. */
  readonly origin: string;
  /** WebSocket URLs that the page's policy lets this tab open beside its origin. */
  readonly reach: ReadonlySet<string>;
  /** The network, made with the first permit, which names the group. */
  readonly network: (permit: Permit) => Promise<TabNetwork>;
  readonly onChange: () => void;
  /** Only the origin is left, and these URLs of living nodes are not within `reach`. */
  readonly onBeyond: (urls: readonly string[]) => void;
  readonly now: () => number;
}

/** What the keeper knows. */
export interface NodeKeeper {
  /** Why the origin does not answer, or null while it does. */
  readonly trouble: string | null;
  /** Nodes that could be known of, this one included. */
  readonly known: number;
  nameOf(id: string): string;
  /** Dials at once what waits: the machine is awake, or online again. */
  wake(): void;
}

/** Keeps connections until `signal` aborts. */
export function keepNodes(options: NodeKeeperOptions, signal: AbortSignal): NodeKeeper {
  const keeper = new Keeper(options, signal);
  keeper.run();
  return keeper;
}

/** How one try to connect a place ended. */
type OtherEnd = "nobody to dial" | "refused" | "closed";

class Keeper implements NodeKeeper {
  readonly #options: NodeKeeperOptions;
  readonly #signal: AbortSignal;
  readonly #names = new Map<string, string>();
  readonly #dialling = new Set<string>();
  #permit: Permit | undefined;
  #permitAt = 0;
  #asking: Promise<Permit> | undefined;
  #waker = new AbortController();
  trouble: string | null = null;

  constructor(options: NodeKeeperOptions, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
  }

  get known(): number {
    return this.#names.size;
  }

  nameOf(id: string): string {
    return this.#names.get(id) ?? "a node";
  }

  wake(): void {
    this.#waker.abort();
    this.#waker = new AbortController();
  }

  run(): void {
    void this.#keepOrigin();
    for (let place = 0; place < othersMax; place++) void this.#keepOther();
  }

  async #keepOrigin(): Promise<void> {
    for (let failures = 0; !this.#signal.aborted; failures++) {
      try {
        // Asked for anew each time: it brings the nodes of now, and a fresh expiry.
        const { origin, network } = this.#options;
        const permit = await this.#askPermit();
        const outcome = await (await network(permit))
          .dial(origin, permit.ticket, this.#dialSignal());
        if (outcome.ok) {
          failures = 0;
          this.#say(null);
          await outcome.closed;
          this.#say("the connection ended");
        } else if (outcome.why === "connected already") this.#say(null);
        else this.#say(outcome.why);
      } catch (error) {
        this.#say(messageOf(error));
      }
      await this.#backOff(failures);
    }
  }

  /** A permit of now; those who ask meanwhile get the same. */
  #askPermit(): Promise<Permit> {
    const { api, peer, now } = this.#options;
    this.#asking ??= api.permit(peer, this.#signal).then((permit) => {
      this.#permit = permit;
      this.#permitAt = now();
      for (const { id, name } of permit.nodes) this.#names.set(id, name);
      return permit;
    }).finally(() => this.#asking = undefined);
    return this.#asking;
  }

  /** The old permit while there is no new one: the origin's connection says what is wrong. */
  async #renewedPermit(old: Permit): Promise<Permit> {
    try {
      return await this.#askPermit();
    } catch (error) {
      if (error instanceof SkyringError) return old;
      throw error;
    }
  }

  async #keepOther(): Promise<void> {
    for (let failures = 0; !this.#signal.aborted; failures++) {
      let ended: OtherEnd = "refused";
      try {
        ended = await this.#tryOther();
      } catch (error) {
        this.#say(messageOf(error)); // no network could be made: the origin's place says the same
      }
      if (ended !== "refused") failures = 0;
      await (ended === "nobody to dial" ? this.#pause(idleMs) : this.#backOff(failures));
    }
  }

  /** Dials another node; resolves when the connection, if there was one, has ended. */
  async #tryOther(): Promise<OtherEnd> {
    const next = await this.#nextOther();
    if (next === undefined) return "nobody to dial";
    try {
      const outcome = await next.network.dial(next.address, next.ticket, this.#dialSignal());
      if (!outcome.ok) return "refused";
      await outcome.closed;
      return "closed";
    } finally {
      this.#dialling.delete(next.id);
    }
  }

  /** A node not connected yet, at an address that the policy allows; any. It counts as dialled. */
  async #nextOther() {
    // The origin's place asks for the first, and says why there is none.
    if (this.#permit === undefined) return undefined;
    const isOld = this.#options.now() - this.#permitAt > permitFreshMs;
    const permit = isOld ? await this.#renewedPermit(this.#permit) : this.#permit;
    const network = await this.#options.network(permit);
    const taken = new Set<string>([...network.links().map(({ id }) => id), ...this.#dialling]);
    // The first is the one that gave the permit: the origin's own.
    const free = permit.nodes.slice(1).filter(({ id }) => !taken.has(id));
    const open = free.flatMap(({ id, addresses }) => {
      const address = addresses.find((each) => this.#options.reach.has(socketUrl(each) ?? ""));
      return address === undefined ? [] : [{ id, address }];
    });
    const chosen = open[Math.floor(Math.random() * open.length)];
    if (chosen === undefined) {
      if (taken.size === 1) this.#tellBeyond(free);
      return undefined;
    }
    // At once: the other places wait for the same permit.
    this.#dialling.add(chosen.id);
    return { ...chosen, network, ticket: permit.ticket };
  }

  #tellBeyond(nodes: Permit["nodes"]): void {
    const urls = nodes.flatMap(({ addresses }) => addresses.map(socketUrl));
    const beyond = urls.filter((url) => url !== undefined);
    if (beyond.length > 0) this.#options.onBeyond(beyond);
  }

  #dialSignal(): AbortSignal {
    return AbortSignal.any([this.#signal, AbortSignal.timeout(dialMs)]);
  }

  #backOff(failures: number): Promise<void> {
    const longest = Math.min(backOffMaxMs, backOffMinMs * 2 ** failures);
    return this.#pause(longest * (0.5 + Math.random() / 2));
  }

  #pause(ms: number): Promise<void> {
    return waitFor(ms, AbortSignal.any([this.#signal, this.#waker.signal]));
  }

  #say(trouble: string | null): void {
    this.trouble = trouble;
    this.#options.onChange();
  }
}
