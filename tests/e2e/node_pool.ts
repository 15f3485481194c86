// A pool of real node processes on loopback, in one temporary folder, all ended by its end.

import { NodeChild, type NodeChildOptions } from "./node_child.ts";
import { until } from "./until.ts";

export interface PoolOptions {
  readonly nodes: number;
  /** Flags of every node. */
  readonly flags?: readonly string[];
  /** Flags of one node beside those. */
  readonly flagsOf?: (index: number) => readonly string[];
  /** Parent of the data folders, when it is not to be made. */
  readonly folder?: string;
  readonly place?: (index: number) => Partial<NodeChildOptions>;
}

/** A pool whose nodes are alive members of one roster, ready for writes. */
export class NodePool {
  readonly nodes: NodeChild[] = [];
  readonly group = `e2e-${crypto.randomUUID().slice(0, 8)}`;
  readonly folder: string;
  readonly #options: PoolOptions;

  private constructor(options: PoolOptions, folder: string) {
    this.#options = options;
    this.folder = folder;
  }

  /** Makes a pool and waits until it is formed. */
  static async start(options: PoolOptions): Promise<NodePool> {
    const folder = options.folder ?? await Deno.makeTempDir({ prefix: "skyring-pool-" });
    const pool = new NodePool(options, folder);
    try {
      for (let index = 0; index < options.nodes; index++) {
        const node = pool.add();
        node.spawn();
        if (index === 0) await node.listening();
      }
      await pool.formed();
      return pool;
    } catch (error) {
      await pool.end();
      throw error;
    }
  }

  /** Runs `use` with a pool and ends it in every case. */
  static async with(options: PoolOptions, use: (pool: NodePool) => Promise<void>): Promise<void> {
    const pool = await NodePool.start(options);
    try {
      await use(pool);
    } finally {
      await pool.end();
    }
  }

  node(index: number): NodeChild {
    const node = this.nodes[index];
    if (node === undefined) throw new Error(`The pool has no node ${index}`);
    return node;
  }

  /** One more node of the group, not started; the first founds, the others join the first two. */
  add(more: Partial<NodeChildOptions> = {}): NodeChild {
    const index = this.nodes.length;
    const { flags = [], flagsOf = () => [], place = () => ({}) } = this.#options;
    const join = this.nodes.slice(0, 2).map(({ url }) => url).join(",");
    const node = new NodeChild({
      name: `n${index}`,
      folder: this.folder,
      port: freePort(),
      p2pPort: freePort(),
      ...place(index),
      ...more,
      flags: [
        ...[`--group=${this.group}`, "--no-mdns", "--capacity=4GiB", "--zone=here"],
        ...(join === "" ? [] : [`--join=${join}`]),
        ...flags,
        ...flagsOf(index),
        ...(more.flags ?? []),
      ],
    });
    this.nodes.push(node);
    return node;
  }

  /** Waits until every running node sees all running ones alive in one roster, and is ready. */
  async formed(withinMs = 150_000): Promise<void> {
    const running = this.nodes.filter((node) => node.running);
    let last = "";
    await until(`a pool of ${running.length}`, async () => {
      for (const node of running) {
        const { items } = await node.json("/api/nodes");
        const alive = items.filter((item: { state: string }) => item.state === "alive").length;
        const ready = await node.request("/ready");
        last = `${node.name}: ${alive} alive, ${ready.status} ${await ready.text()}`;
        if (alive < running.length || ready.status !== 200) return false;
      }
      return true;
    }, { withinMs, everyMs: 100, detail: () => last });
  }

  /** Ends every process and removes the folders. */
  async end(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.end()));
    if (this.#options.folder === undefined) await Deno.remove(this.folder, { recursive: true });
  }
}

/** A port that was free just now. */
export function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  return port;
}
