// Machines made of network namespaces on one bridge, so that a cut between nodes loses packets
// silently, as a broken switch does, while the test still reaches every one of them.

const bridgeHost = 254;

/** Addresses 10.x.y.1 ... on a bridge; each in its own namespace. */
export class NetworkSpace {
  readonly #tag = `sk${crypto.randomUUID().slice(0, 5)}`;
  readonly #net: string;
  readonly #size: number;

  private constructor(size: number) {
    const [x = 0, y = 0] = crypto.getRandomValues(new Uint8Array(2));
    this.#net = `10.${x}.${y}`;
    this.#size = size;
  }

  static async make(size: number): Promise<NetworkSpace> {
    const space = new NetworkSpace(size);
    try {
      await space.#build();
      return space;
    } catch (error) {
      await space.remove();
      throw error;
    }
  }

  address(index: number): string {
    return `${this.#net}.${index + 1}`;
  }

  /** Program and arguments that run what follows on machine `index`. */
  wrapper(index: number): string[] {
    return ["ip", "netns", "exec", this.#space(index)];
  }

  /** No packet passes between the two sides any more. */
  async cut(left: readonly number[], right: readonly number[]): Promise<void> {
    await this.#each(left, right, ["lladdr", "02:00:00:00:00:99", "nud", "permanent"]);
  }

  async heal(left: readonly number[], right: readonly number[]): Promise<void> {
    await this.#each(left, right, undefined);
  }

  /** Removes everything made. Never rejects. */
  async remove(): Promise<void> {
    for (let index = 0; index < this.#size; index++) {
      await tryIp(["netns", "del", this.#space(index)]);
    }
    await tryIp(["link", "del", this.#tag]);
  }

  async #build(): Promise<void> {
    await ip(["link", "add", this.#tag, "type", "bridge"]);
    await ip(["addr", "add", `${this.#net}.${bridgeHost}/24`, "dev", this.#tag]);
    await ip(["link", "set", this.#tag, "up"]);
    for (let index = 0; index < this.#size; index++) {
      const space = this.#space(index);
      const outer = `${this.#tag}v${index}`;
      await ip(["netns", "add", space]);
      await ip(["link", "add", outer, "type", "veth", "peer", "name", "eth0", "netns", space]);
      await ip(["link", "set", outer, "master", this.#tag, "up"]);
      await ip(["-n", space, "addr", "add", `${this.address(index)}/24`, "dev", "eth0"]);
      await ip(["-n", space, "link", "set", "eth0", "up"]);
      await ip(["-n", space, "link", "set", "lo", "up"]);
    }
  }

  /** Each side has, or loses, a wrong hardware address of each machine of the other. */
  async #each(
    left: readonly number[],
    right: readonly number[],
    to: readonly string[] | undefined,
  ): Promise<void> {
    for (const [here, there] of [[left, right], [right, left]] as const) {
      for (const from of here) {
        for (const target of there) {
          const neighbour = [this.address(target), "dev", "eth0"];
          const command = to ? ["replace", ...neighbour, ...to] : ["del", ...neighbour];
          await ip(["-n", this.#space(from), "neigh", ...command]);
        }
      }
    }
  }

  #space(index: number): string {
    return `${this.#tag}n${index}`;
  }
}

async function ip(args: readonly string[]): Promise<void> {
  const { code, stderr } = await new Deno.Command("ip", { args: [...args], stdin: "null" })
    .output();
  if (code === 0) return;
  throw new Error(`Cannot ip ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
}

async function tryIp(args: readonly string[]): Promise<void> {
  await new Deno.Command("ip", { args: [...args], stderr: "null" }).output();
}
