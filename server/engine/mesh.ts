// Keeps this node connected to every member of its roster, and finds a group to belong to: by the
// addresses it was told to join, by those it knew before, and by mDNS. Who is connected and
// admitted is then the agreement's business; nothing here decides who belongs.

import type { NodeId } from "../../shared/base/ids.ts";
import { messageOf } from "../../shared/base/errors.ts";
import { addressesMax } from "../../shared/base/limits.ts";
import { dropAddresses, putAddresses, readAddresses } from "../disk/address_book.ts";
import type { Database } from "../disk/database.ts";
import type { Log } from "../log.ts";
import type { Network } from "../net/network.ts";
import type { StepReport, Workers } from "./workers.ts";

export interface MeshOptions {
  readonly network: Network;
  readonly database: Database;
  readonly workers: Workers;
  readonly log: Log;
  /** Node URLs and multiaddrs to join by. */
  readonly join: readonly string[];
  /** Members of the present roster, this node left out; empty while it belongs to none. */
  readonly members: () => readonly NodeId[];
  /** Addresses that a member gave of itself in the netmap. */
  readonly addressesOf: (id: NodeId) => readonly string[];
}

const everyMs = 2_000;
const dialTimeoutMs = 5_000;

/** The loop that keeps connections. Never throws but in its worker. */
export class Mesh {
  readonly #options: MeshOptions;
  readonly #known: Map<NodeId, readonly string[]>;
  readonly #kept = new Map<NodeId, string>();
  #wake: () => void = () => undefined;

  constructor(options: MeshOptions) {
    this.#options = options;
    this.#known = readAddresses(options.database);
  }

  /** Begins to dial. The network has started. */
  start(): void {
    const step = (signal: AbortSignal) => this.#step(signal);
    this.#wake = this.#options.workers.start({ name: "mesh", everyMs, step }).wake;
  }

  /** The roster or addresses changed. */
  wake(): void {
    this.#wake();
  }

  /** A peer of the group was found on the local network. */
  discovered({ id, addresses }: { id: NodeId; addresses: readonly string[] }): void {
    if (this.#options.network.connected().includes(id)) return;
    this.#dial(addresses[0] ?? "", AbortSignal.timeout(dialTimeoutMs)).catch((error) =>
      this.#options.log.debug("mesh.discovered_unreachable", { id, error: messageOf(error) })
    );
  }

  async #step(signal: AbortSignal): Promise<StepReport> {
    const members = this.#options.members();
    await this.#learn(members);
    for (const id of members) this.#keep(id);
    for (const id of this.#kept.keys()) {
      if (members.includes(id)) continue;
      this.#kept.delete(id);
      this.#options.network.forget(id);
    }
    const connected = this.#options.network.connected();
    if (connected.length === 0) await this.#joinSome(signal);
    const reached = members.filter((id) => connected.includes(id)).length;
    return { more: false, progress: `${reached} of ${members.length} members connected` };
  }

  /** Takes up addresses from the netmap, and drops those of nodes that left. */
  async #learn(members: readonly NodeId[]): Promise<void> {
    const statements = [];
    for (const id of members) {
      const addresses = this.#options.addressesOf(id).slice(0, addressesMax);
      const known = this.#known.get(id) ?? [];
      if (addresses.length === 0 || addresses.join() === known.join()) continue;
      this.#known.set(id, addresses);
      statements.push(putAddresses(id, addresses));
    }
    for (const id of members.length === 0 ? [] : [...this.#known.keys()]) {
      if (members.includes(id)) continue;
      this.#known.delete(id);
      statements.push(dropAddresses(id));
    }
    if (statements.length > 0) await this.#options.database.write(statements);
  }

  #keep(id: NodeId): void {
    const addresses = this.#known.get(id) ?? [];
    const text = addresses.join();
    if (addresses.length === 0 || this.#kept.get(id) === text) return;
    this.#kept.set(id, text);
    this.#options.network.keep(id, addresses);
  }

  /** Nobody is connected: asks all addresses there are to ask. */
  async #joinSome(signal: AbortSignal): Promise<void> {
    const known = [...this.#known.values()].flatMap((addresses) => addresses.slice(0, 1));
    const targets = [...new Set([...this.#options.join, ...known])];
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(dialTimeoutMs)]);
    const tries = await Promise.allSettled(targets.map((target) => this.#dial(target, deadline)));
    tries.forEach((tried, index) => {
      if (tried.status === "fulfilled") return;
      const fields = { address: targets[index], error: messageOf(tried.reason) };
      this.#options.log.info("mesh.join_failed", fields);
    });
  }

  async #dial(address: string, signal: AbortSignal): Promise<void> {
    await this.#options.network.dial(address, signal);
  }
}
