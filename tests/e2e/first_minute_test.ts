// The README's first minute with five real node processes: a folder goes in through one node,
// one node is killed with kill -9 in the middle of a pull, and the same bytes come back through
// another.

import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { withRealCluster } from "./cluster_child.ts";
import { until } from "./until.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const nodes = 5;
const startMs = 60_000;

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
  await withRealCluster({ nodes, from: 31_000 }, async ({ basePort, folder, node: url }) => {
    const files = await writeTree(folder);
    await until("five members", async () => {
      const { roster } = await (await fetch(`${url(1)}/api/status`)).json();
      return roster?.members === nodes;
    }, { withinMs: startMs });
    await cli(folder, ["push", "-r", "tree", "--quiet", "--node", url(1)]);
    const listed = JSON.parse(await cli(folder, ["ls", "tree/", "--json", "--node", url(4)]));
    assert.equal(listed.items.length, files.size);
    const victim = Number(await Deno.readTextFile(join(folder, `data/${basePort + 4}/lock`)));
    const pulling = cli(folder, ["pull", "-r", "tree", "back", "--quiet", "--node", url(3)]);
    Deno.kill(victim, "SIGKILL");
    await pulling;
    for (const [name, bytes] of files) {
      assert.deepEqual(await Deno.readFile(join(folder, "back", name)), bytes, name);
    }
  });
});
