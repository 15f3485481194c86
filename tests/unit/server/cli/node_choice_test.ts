import assert from "node:assert/strict";
import { join } from "node:path";
import { chooseNode } from "../../../../server/cli/node_choice.ts";
import { lockFolder } from "../../../../server/disk/folder_lock.ts";
import { writeSecret } from "../../../../server/disk/secret_file.ts";

Deno.test("chooseNode() prefers what was asked for, then a gateway, then a node, with its token", async () => {
  const dataRoot = await Deno.makeTempDir({ prefix: "skyring-choice-" });
  const hold = async (folder: string, http: string) => {
    const lock = await lockFolder(join(dataRoot, folder));
    await lock.publish({
      ...{ pid: Deno.pid, bootId: "b", name: "n", group: "g", id: "", http, p2p: [], line: null },
      startedAt: 0,
    });
    await writeSecret(join(dataRoot, folder), "token", `token of ${folder}`);
    return lock;
  };
  const choose = (node?: string, environment: Record<string, string> = {}) =>
    chooseNode({ node, token: undefined, environment: (name) => environment[name], dataRoot });
  try {
    const { advice, ...none } = await choose();
    assert.deepEqual(none, { base: "http://127.0.0.1:8080", token: undefined });
    assert.match(advice ?? "", /^no node runs under data\/; start one with `deno task node`/);
    const named = await choose("127.0.0.1:9");
    assert.equal(named.advice, undefined, "who names a node is told about that one");
    const node = await hold("7000", "http://127.0.0.1:7000");
    assert.equal((await choose()).base, "http://127.0.0.1:7000");
    const gateway = await hold("gateway/8000", "http://127.0.0.1:8000");
    const through = { base: "http://127.0.0.1:8000", token: "token of gateway/8000" };
    assert.deepEqual(await choose(), through);
    const asked = { base: "http://127.0.0.1:7000", token: "token of 7000" };
    assert.deepEqual(await choose("127.0.0.1:7000"), asked);
    assert.deepEqual(await choose(undefined, { SKYRING_NODE: "http://127.0.0.1:7000" }), asked);
    await gateway.release();
    assert.deepEqual(await choose(), asked);
    await node.release();
  } finally {
    await Deno.remove(dataRoot, { recursive: true });
  }
});
