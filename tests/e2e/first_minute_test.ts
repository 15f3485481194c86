// The README's first minute with five real node processes: a folder goes in through one node,
// one node is killed with kill -9 in the middle of a pull, and the same bytes come back through
// another.

import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
const nodes = 5;
const startMs = 60_000;

function freeBase(): number {
  const offsets = Array.from({ length: nodes * 2 }, (_, index) => index)
    .concat(Array.from({ length: nodes }, (_, index) => 100 + index), [60, 160]);
  for (let base = 31_000 + Math.floor(Math.random() * 100) * 200;; base += 200) {
    try {
      for (const offset of offsets) {
        Deno.listen({ hostname: "127.0.0.1", port: base + offset }).close();
      }
      return base;
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
}

async function cli(folder: string, args: string[]): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-check", "-A", "server/cli/main.ts", ...args],
    cwd: root,
    env: { SKYRING_CWD: folder },
    stdin: "null",
  }).output();
  const err = new TextDecoder().decode(stderr);
  assert.equal(code, 0, `${args.join(" ")}: ${err}`);
  return new TextDecoder().decode(stdout);
}

async function writeTree(folder: string): Promise<Map<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>([["empty", new Uint8Array()]]);
  for (let index = 1; index <= 6; index++) {
    const bytes = new Uint8Array(index * 1_300_007);
    for (let at = 0; at < bytes.length; at += 65_536) {
      crypto.getRandomValues(bytes.subarray(at, Math.min(bytes.length, at + 65_536)));
    }
    files.set(`in/${index}.bin`, bytes);
  }
  await Deno.mkdir(join(folder, "tree/in"), { recursive: true });
  for (const [name, bytes] of files) await Deno.writeFile(join(folder, "tree", name), bytes);
  return files;
}

Deno.test("five nodes give a folder back through another node while one is killed", async () => {
  const folder = await Deno.makeTempDir({ prefix: "skyring-minute-" });
  const base = freeBase();
  const cluster = new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--quiet", "--no-check", "-A", "tests/e2e/real_cluster.ts"],
      ...["--base-port", String(base), "--nodes", String(nodes)],
      ...["--gateway-port", String(base + 60)],
      ...["--group", `minute-${base}`, "--no-mdns", "--capacity", "1GiB"],
    ],
    cwd: root,
    env: { SKYRING_TEST_DATA: join(folder, "data"), SKYRING_CWD: folder },
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  const url = (index: number) => `http://127.0.0.1:${base + 2 * index}`;
  try {
    const files = await writeTree(folder);
    await untilMembers(url(1), nodes);
    await cli(folder, ["push", "-r", "tree", "--quiet", "--node", url(1)]);
    const listed = JSON.parse(await cli(folder, ["ls", "tree/", "--json", "--node", url(4)]));
    assert.equal(listed.items.length, files.size);
    const victim = Number(await Deno.readTextFile(join(folder, `data/${base + 4}/lock`)));
    const pulling = cli(folder, ["pull", "-r", "tree", "back", "--quiet", "--node", url(3)]);
    Deno.kill(victim, "SIGKILL");
    await pulling;
    for (const [name, bytes] of files) {
      assert.deepEqual(await Deno.readFile(join(folder, "back", name)), bytes, name);
    }
  } finally {
    cluster.kill("SIGTERM");
    await cluster.status;
    await Deno.remove(folder, { recursive: true });
  }
});

async function untilMembers(url: string, count: number): Promise<void> {
  const deadline = performance.now() + startMs;
  let seen: unknown;
  while (performance.now() < deadline) {
    try {
      const status = await (await fetch(`${url}/api/status`)).json();
      seen = status.roster?.members;
      if (seen === count) return;
    } catch (error) {
      seen = error; // not listening yet
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`Cannot see ${count} members at ${url}: ${seen}`);
}
